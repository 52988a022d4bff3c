"""What a lane tells of voices and beeps, and what it keeps from the service of its own echo."""

from pathlib import Path

import numpy as np
import pytest
from media_recording import sides
from voicecodecs.g711 import decode_ulaw, encode_ulaw
from voicecodecs.resample import to_int16
from voicecodecs.tones import chord, dtmf_tone

from gateway.media.events import BeepHeard, LaneEvent, Mark, VoiceStarted, VoiceStopped
from gateway.media.options import EchoGuardKind
from gateway.testing.echo import RATE, EchoPhone, Scene, at_level, play_scenes, scene, voices
from gateway.testing.media import MediaCall, MediaWorld
from gateway.testing.rtp import MemoryNetwork

SECONDS = 14.0
WORDS = to_int16(at_level(voices()[1][-2], -20.0))
"""Two and a half seconds of a caller."""


def quiet(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    noise = np.random.default_rng(3).standard_normal(round(seconds * RATE)) * 20
    return noise.astype(np.int16)


def heard(call: MediaCall, *kinds: type[LaneEvent]) -> list[LaneEvent]:
    return [event for event in call.events if isinstance(event, kinds)]


def scenes(erl: float | None, near_dbov: float | None, calls: int = 4) -> list[Scene]:
    rng = np.random.default_rng(11)
    return [scene(rng, SECONDS, erl, near_dbov) for _ in range(calls)]


@pytest.mark.parametrize("voice", ["energy", "silero"])
def test_a_voice_is_told_when_it_starts_and_when_it_has_stopped(voice: str) -> None:
    world = MediaWorld()
    call = world.call(voice=voice)
    call.phone.say(np.concatenate([quiet(1), WORDS, quiet(1)]))
    world.run(1 + len(WORDS) / RATE + 1)
    events = heard(call, VoiceStarted, VoiceStopped)
    assert isinstance(events[0], VoiceStarted)
    assert isinstance(events[-1], VoiceStopped)
    assert 1.0 < events[0].at < 1.4
    spoken = sum(event.duration_ms for event in events if isinstance(event, VoiceStopped))
    assert 0.5 * len(WORDS) / 8 < spoken <= len(WORDS) / 8 + 100


def test_a_lane_that_asks_for_nothing_is_told_nothing() -> None:
    world = MediaWorld()
    call, other = world.call(), world.call(voice="energy", hears_beeps=True)
    for phone in (call.phone, other.phone):
        phone.say(np.concatenate([quiet(1), WORDS, quiet(1), chord([(1000, -13)], 400, RATE)]))
    world.run(6.0)
    assert not heard(call, VoiceStarted, VoiceStopped, BeepHeard)
    assert heard(other, VoiceStarted)
    assert heard(other, BeepHeard)


def test_keys_in_the_sound_are_no_voice_but_a_voice_between_them_is() -> None:
    world = MediaWorld()
    call = world.call(voice="energy", voice_ms=60)
    keys = [np.concatenate([dtmf_tone(key, 120), quiet(0.1)]) for key in "1234567890"]
    call.phone.say(np.concatenate([quiet(1), *keys, quiet(0.5)]))
    world.run(4.0)
    assert not heard(call, VoiceStarted)
    call.phone.say(WORDS)
    world.run(2.0)
    assert heard(call, VoiceStarted)


def test_frames_made_up_for_lost_ones_are_no_voice() -> None:
    world = MediaWorld()
    call = world.call(voice="energy")
    call.phone.say(np.concatenate([quiet(1), WORDS[:800]]))
    world.run(1.1)
    call.phone.is_silent = True
    world.run(2.0)
    assert not heard(call, VoiceStarted)


def test_a_held_caller_has_no_voice_and_a_muted_one_has() -> None:
    world = MediaWorld()
    held, muted = world.call(voice="energy"), world.call(voice="energy")
    held.lane.hold(True)
    muted.lane.mute(caller=True, agent=False)
    for call in (held, muted):
        call.phone.say(np.concatenate([quiet(1), WORDS]))
    world.run(3.0)
    assert not heard(held, VoiceStarted)
    assert heard(muted, VoiceStarted)
    assert not muted.sound.any()


def test_a_beep_is_told_once_with_its_pitch() -> None:
    world = MediaWorld()
    call = world.call(hears_beeps=True)
    call.phone.say(np.concatenate([WORDS, quiet(0.4), chord([(1400, -13)], 500, RATE), quiet(1)]))
    world.run(5.0)
    (beep,) = heard(call, BeepHeard)
    assert isinstance(beep, BeepHeard)
    assert abs(beep.hertz - 1400) < 10
    assert abs(beep.duration_ms - 500) < 20


def test_a_new_lane_in_the_row_of_another_begins_anew() -> None:
    world = MediaWorld()
    first = world.call(voice="energy")
    first.phone.say(np.concatenate([quiet(1), WORDS]))
    world.run(2.0)
    first.lane.close()
    world.run(0.1)
    second = world.call()
    second.phone.say(WORDS)
    world.run(1.5)
    assert not heard(second, VoiceStarted, VoiceStopped)


@pytest.mark.parametrize("guard", ["gate", "cancel"])
@pytest.mark.parametrize("erl", [10.0, 20.0])
def test_an_echo_is_a_voice_without_a_guard_and_none_with_one(
    guard: EchoGuardKind, erl: float
) -> None:
    spoken = scenes(erl, None)
    assert all(play_scenes(spoken, SECONDS, voice="energy").starts)
    guarded = play_scenes(spoken, SECONDS, voice="energy", echo_guard=guard)
    assert not any(guarded.starts)
    for sound in guarded.forwarded:
        assert np.percentile(np.abs(sound), 99) < 200


@pytest.mark.parametrize("guard", ["gate", "cancel"])
def test_who_talks_over_an_echo_is_heard(guard: EchoGuardKind) -> None:
    spoken = scenes(15.0, -20.0)
    played = play_scenes(spoken, SECONDS, voice="energy", echo_guard=guard)
    assert any(one.near for one in spoken)
    for one, starts in zip(spoken, played.starts, strict=True):
        for at, pcm in one.near:
            assert any(at < start < at + len(pcm) / RATE for start in starts)


def test_a_caller_without_echo_is_forwarded_to_the_last_sample_while_the_agent_speaks() -> None:
    spoken = [one for one in scenes(None, -25.0) if one.near and one.near[0][0] > 2]
    bare = play_scenes(spoken, SECONDS)
    guarded = play_scenes(spoken, SECONDS, echo_guard="cancel")
    for one, plain, same in zip(spoken, bare.forwarded, guarded.forwarded, strict=True):
        for at, pcm in one.near:
            start = round(at * RATE)
            assert np.array_equal(plain[start : start + len(pcm)], same[start : start + len(pcm)])


def test_a_recording_keeps_the_echo_that_the_service_is_spared(tmp_path: Path) -> None:
    one = scenes(12.0, None, 1)[0]
    world = MediaWorld()
    phone = EchoPhone(world.network, 30000, one)
    call = world.call(phone=phone, uplink="pcmu", echo_guard="gate")
    call.lane.record(str(tmp_path / "call.wav"))
    agent = one.agent[0][1]
    call.lane.play(encode_ulaw(agent).tobytes(), Mark("r", "i"))
    world.run(4.0)
    forwarded = decode_ulaw(b"".join(call.chunks))
    call.lane.stop_recording()
    caller, _ = sides(world, tmp_path / "call.wav")
    assert np.sqrt(np.mean(caller.astype(float) ** 2)) > 200
    assert np.sqrt(np.mean(forwarded.astype(float) ** 2)) < 50


def test_the_network_may_jitter_and_lose_without_the_echo_getting_through() -> None:
    for one in scenes(15.0, None, 2):
        network = MemoryNetwork(loss=0.02, delay=lambda draw: 0.02 + 0.03 * draw.random())
        world = MediaWorld(network)
        call = world.call(
            phone=EchoPhone(network, 30000, one), uplink="pcmu", voice="energy", echo_guard="gate"
        )
        for n, (_, pcm) in enumerate(one.agent):
            call.lane.play(encode_ulaw(pcm).tobytes(), Mark(f"r{n}", "i"))
            call.lane.finish(f"r{n}")
        world.run(SECONDS - 1)
        assert not heard(call, VoiceStarted)


def test_nothing_is_done_to_a_guarded_caller_while_nothing_is_played() -> None:
    world = MediaWorld()
    bare, guarded = world.call(uplink="pcmu"), world.call(uplink="pcmu", echo_guard="cancel")
    for call in (bare, guarded):
        call.phone.say(WORDS)
    world.run(3.0)
    assert b"".join(bare.chunks) == b"".join(guarded.chunks)


def test_a_guard_is_put_aside_while_others_are_to_hear_all_of_a_caller_and_taken_up_again() -> None:
    one = scenes(12.0, None, 1)[0]
    world = MediaWorld()
    phone = EchoPhone(world.network, 30000, one)
    call = world.call(phone=phone, uplink="pcmu", echo_guard="gate")
    agent = encode_ulaw(np.concatenate([pcm for _, pcm in one.agent] * 4)).tobytes()
    call.lane.play(agent, Mark("r", "i"))
    levels = []
    for is_guarded in (True, False, True):
        call.lane.guard(is_guarded)
        world.run(1.5)  # until it is known what comes back
        since = len(call.chunks)
        world.run(2.0)
        sound = decode_ulaw(b"".join(call.chunks[since:])).astype(float)
        levels.append(float(np.sqrt(np.mean(sound**2))))
    assert max(levels[0], levels[2]) < 50 < 200 < levels[1]
