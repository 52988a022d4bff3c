"""Who is not heard: the caller by the service, the agent by the caller, for a while."""

from pathlib import Path

import numpy as np
import pytest
from media_recording import sides
from voicecodecs.tones import dtmf_tone

from gateway.media.events import KeyPressed, Mark, PlayoutStopped, PromptStopped
from gateway.media.prompts import Prompt
from gateway.testing.hearing import tone_share
from gateway.testing.media import MediaWorld, tone
from gateway.testing.rtp import MemoryNetwork

SPEECH = Mark("resp_1", "item_1")


@pytest.fixture
def world() -> MediaWorld:
    return MediaWorld()


def test_a_muted_caller_is_silence_to_the_service_and_is_recorded_all_the_same(
    world: MediaWorld, tmp_path: Path
) -> None:
    call = world.call()
    call.lane.record(str(tmp_path / "call.wav"))
    call.lane.mute(caller=True, agent=False)
    call.phone.say(tone(1004, 1.0, 8000))
    world.run(1.0)
    assert not call.sound.any()
    assert len(call.sound) == pytest.approx(24000, abs=960)
    caller, _ = sides(world, tmp_path / "call.wav")
    assert tone_share(caller[400:7600], 1004, 8000) > 0.95


def test_silence_goes_to_the_service_at_the_pace_of_the_caller_who_is_muted() -> None:
    world = MediaWorld(MemoryNetwork(delay=lambda chance: chance.choice((0.001, 0.030))))
    call = world.call()
    call.phone.say(tone(1004, 6.0, 8000))
    world.run(0.2)
    call.lane.mute(caller=True, agent=False)
    call.chunks.clear()
    world.run(4.0)
    assert len(call.sound) / 24 == pytest.approx(4000, abs=60)


def test_a_caller_is_heard_again_once_unmuted(world: MediaWorld) -> None:
    call = world.call()
    call.phone.say(tone(1004, 2.0, 8000))
    call.lane.mute(caller=True, agent=True)
    world.run(0.5)
    call.lane.mute(caller=False, agent=False)
    call.chunks.clear()
    world.run(0.5)
    assert tone_share(call.sound[2400:], 1004, 24000) > 0.95


def test_mute_hold_and_a_key_that_is_down_do_not_undo_each_other(world: MediaWorld) -> None:
    call = world.call()
    call.phone.say(tone(1004, 3.0, 8000))
    call.lane.mute(caller=True, agent=False)
    call.lane.hold(True)
    world.run(0.2)
    call.lane.hold(False)
    call.chunks.clear()
    world.run(0.5)
    assert call.chunks
    assert not call.sound.any()
    call.lane.conceal(True)
    call.lane.mute(caller=False, agent=False)
    world.run(0.5)
    assert not call.sound.any()
    call.lane.conceal(False)
    world.run(0.5)
    assert tone_share(call.sound[-9000:], 1004, 24000) > 0.95


def test_a_muted_agent_has_his_time_and_is_not_heard_while_prompts_are(
    world: MediaWorld, tmp_path: Path
) -> None:
    call = world.call()
    call.lane.record(str(tmp_path / "call.wav"))
    call.lane.mute(caller=False, agent=True)
    call.lane.play(tone(611, 0.4, 24000).tobytes(), SPEECH)
    call.lane.finish("resp_1")
    call.lane.play_prompt(Prompt(tone(440, 0.4, 8000), 8000), "notice")
    world.run(1.0)
    heard = call.phone.heard()
    assert not heard[:3200].any()
    assert tone_share(heard[3600:6400], 440, 8000) > 0.95
    stopped = [type(e) for e in call.events if isinstance(e, PlayoutStopped | PromptStopped)]
    assert stopped == [PlayoutStopped, PromptStopped]
    _, gateway = sides(world, tmp_path / "call.wav")
    assert not gateway[:3200].any()


def test_live_sound_of_a_muted_agent_does_not_end_a_repeated_prompt(world: MediaWorld) -> None:
    call = world.call()
    call.lane.mute(caller=False, agent=True)
    call.lane.play_prompt(Prompt(tone(440, 0.1, 8000), 8000), "comfort", repeat=True)
    sound = tone(700, 0.6, 24_000).tobytes()
    for start in range(0, len(sound), 960):
        call.lane.stream(sound[start : start + 960])
        world.run(0.020)
    assert tone_share(call.phone.heard()[800:], 440, 8000) > 0.95
    assert call.lane.stats().live_masked == 0


def test_a_concealed_caller_is_silence_to_service_and_recording_and_keys_are_heard(
    world: MediaWorld, tmp_path: Path
) -> None:
    call = world.call()
    call.lane.record(str(tmp_path / "call.wav"))
    call.lane.play(tone(611, 3.0, 24000, 3000).tobytes(), SPEECH)
    call.phone.say(tone(1004, 1.0, 8000))
    world.run(1.0)
    call.lane.conceal(True)
    call.chunks.clear()
    keys = [np.concatenate([dtmf_tone(key, 80), np.zeros(800, np.int16)]) for key in "4711"]
    call.phone.say(np.concatenate(keys))
    world.run(1.0)
    assert len(call.sound) == pytest.approx(24000, abs=960)
    assert not call.sound[120:].any()  # but for what was inside the filter
    pressed = [e.key for e in call.events if isinstance(e, KeyPressed) and e.is_down]
    assert pressed == list("4711")
    call.lane.conceal(False)
    call.phone.say(tone(1004, 1.0, 8000))
    world.run(1.0)
    caller, gateway = sides(world, tmp_path / "call.wav")
    assert len(caller) == pytest.approx(24000, abs=480)
    assert tone_share(caller[400:7600], 1004, 8000) > 0.95
    assert not caller[8160:15_900].any()
    assert tone_share(caller[16_400:23_600], 1004, 8000) > 0.95
    assert tone_share(gateway[400:23_600], 611, 8000) > 0.95


def test_a_paused_recording_has_silence_of_the_same_length_on_both_sides(
    world: MediaWorld, tmp_path: Path
) -> None:
    call = world.call()
    call.lane.record(str(tmp_path / "call.wav"))
    call.phone.say(tone(1004, 3.0, 8000))
    call.lane.play(tone(611, 3.0, 24000).tobytes(), SPEECH)
    world.run(1.0)
    call.lane.pause_recording(True)
    world.run(1.0)
    call.lane.pause_recording(False)
    world.run(1.0)
    for side, hertz in zip(sides(world, tmp_path / "call.wav"), (1004, 611), strict=True):
        assert len(side) == pytest.approx(24000, abs=480)
        assert tone_share(side[400:7600], hertz, 8000) > 0.95
        assert not np.abs(side[8320:15_800] // 16).any()
        assert tone_share(side[16_400:23_600], hertz, 8000) > 0.95
