"""The other leg of a call, heard beside the service: together, as loud as they are, and at once."""

import numpy as np
import pytest

from gateway.media.events import Mark, PlayoutFlushed
from gateway.media.formats import PCMU, Format
from gateway.media.live import CAPACITY, Live
from gateway.media.playout import Playout
from gateway.media.prompts import Prompt
from gateway.sdp.codecs import Codec
from gateway.testing.hearing import tone_share
from gateway.testing.media import MediaCall, MediaWorld, Pcm, tone

SPEECH = Mark("resp_1", "item_1")


@pytest.fixture
def world() -> MediaWorld:
    return MediaWorld()


def run_live(world: MediaWorld, call: MediaCall, agent: Pcm | None, leg: Pcm | None) -> Pcm:
    """Stream either sound in pieces of 20 ms, and return what the caller heard meanwhile."""
    call.phone.packets.clear()
    length = max(len(sound) for sound in (agent, leg) if sound is not None)
    for start in range(0, length, 480):
        if agent is not None:
            call.lane.stream(agent[start : start + 480].tobytes())
        if leg is not None:
            call.lane.stream(leg[start : start + 480].tobytes(), "callee")
        world.run(0.020)
    return call.phone.heard()[1600:]


@pytest.mark.parametrize("payload_type", [0, 8])
def test_agent_and_other_leg_are_heard_at_once(world: MediaWorld, payload_type: int) -> None:
    call = world.call(payload_type=payload_type)
    heard = run_live(world, call, tone(611, 1.0, 24000, 6000), tone(1004, 1.0, 24000, 6000))
    assert tone_share(heard, 611, 8000) > 0.45
    assert tone_share(heard, 1004, 8000) > 0.45
    assert np.abs(heard.astype(int)).max() == pytest.approx(12000, rel=0.05)


def test_both_are_heard_on_in_another_law(world: MediaWorld) -> None:
    call = world.call()
    run_live(world, call, tone(611, 0.4, 24000, 6000), tone(1004, 0.4, 24000, 6000))
    call.phone.change_law(8)
    call.lane.configure(call.phone.negotiated())
    heard = run_live(world, call, tone(611, 1.0, 24000, 6000), tone(1004, 1.0, 24000, 6000))
    assert tone_share(heard, 611, 8000) > 0.45
    assert tone_share(heard, 1004, 8000) > 0.45


def test_the_other_leg_is_heard_beside_queued_speech_whose_ledger_goes_on(
    world: MediaWorld,
) -> None:
    call = world.call()
    call.lane.play(tone(611, 2.0, 24000, 6000).tobytes(), SPEECH)
    heard = run_live(world, call, None, tone(1004, 1.0, 24000, 6000))
    assert tone_share(heard, 611, 8000) > 0.45
    assert tone_share(heard, 1004, 8000) > 0.45
    call.lane.flush()
    world.run(0.1)
    (flushed,) = [event for event in call.events if isinstance(event, PlayoutFlushed)]
    assert flushed.items[0].sent_ms == pytest.approx(1000, abs=25)


def test_too_loud_together_is_clipped_and_does_not_wrap_round() -> None:
    live = Live(Format.of(Codec("L16", 16_000, 1, 108)))
    of = Format.of(Codec("L16", 16_000, 1, 108))
    loud = of.pack(np.full(of.samples, 30_000, np.int16))
    quiet = of.pack(np.full(of.samples, -30_000, np.int16))
    assert set(of.unpack(live.mix(loud, loud)).tolist()) == {32_767}
    assert set(of.unpack(live.mix(quiet, quiet)).tolist()) == {-32_768}
    assert not of.unpack(live.mix(loud, quiet)).any()


@pytest.mark.parametrize("is_repeated", [False, True])
def test_while_a_prompt_plays_the_other_leg_is_not_heard(
    world: MediaWorld, is_repeated: bool
) -> None:
    call = world.call()
    world.run(0.1)
    music = Prompt(tone(440, 2.0, 8000), 8000)
    call.lane.play_prompt(music, "music", repeat=is_repeated)
    heard = run_live(world, call, None, tone(1004, 1.0, 24000))
    assert tone_share(heard, 440, 8000) > 0.9
    assert call.lane.stats().live_masked >= 40
    call.lane.flush()
    heard = run_live(world, call, None, tone(1004, 1.0, 24000))
    assert tone_share(heard, 1004, 8000) > 0.9


def test_a_flush_cuts_the_agent_and_leaves_the_other_leg(world: MediaWorld) -> None:
    call = world.call()
    call.lane.play(tone(611, 2.0, 24000).tobytes(), SPEECH)
    run_live(world, call, None, tone(1004, 0.4, 24000))
    call.lane.flush()
    heard = run_live(world, call, None, tone(1004, 0.6, 24000))
    assert tone_share(heard, 1004, 8000) > 0.95


def test_a_pause_and_a_muted_agent_leave_the_other_leg(world: MediaWorld) -> None:
    call = world.call()
    call.lane.play(tone(611, 4.0, 24000).tobytes(), SPEECH)
    call.lane.pause()
    heard = run_live(world, call, tone(2000, 0.6, 24000), tone(1004, 0.6, 24000))
    assert tone_share(heard, 1004, 8000) > 0.95
    call.lane.resume()
    call.lane.mute(caller=False, agent=True)
    heard = run_live(world, call, tone(2000, 0.6, 24000), tone(1004, 0.6, 24000))
    assert tone_share(heard, 1004, 8000) > 0.95


def test_two_telephones_hear_each_other_within_80_ms(world: MediaWorld) -> None:
    one, other = world.call(), world.call()
    one.phone.say(np.concatenate([np.zeros(1600, np.int16), tone(1004, 1.0, 8000)]))
    other.phone.say(np.concatenate([np.zeros(1600, np.int16), tone(611, 1.0, 8000)]))
    for _ in range(240):
        for heard_by, said_by in ((one, other), (other, one)):
            for chunk in said_by.chunks:
                heard_by.lane.stream(chunk, "callee")
            said_by.chunks.clear()
        world.run(0.005)
    for call, hertz in ((one, 611), (other, 1004)):
        heard = call.phone.heard()
        begins = int(np.flatnonzero(np.abs(heard) > 500)[0])
        assert begins / 8 < 200 + 80
        assert tone_share(heard[begins + 160 : begins + 6000], hertz, 8000) > 0.95
        assert call.lane.stats().live_dropped <= 1


def test_no_more_than_60_ms_of_either_source_waits() -> None:
    playout = Playout()
    agent, leg = Live(PCMU), Live(PCMU)
    playout.live, playout.beside = agent, (leg,)
    for live in (agent, leg):
        live.push([bytes([n]) * 160 for n in range(1, 11)], [True] * 10)
    frames = [playout.take(beat * 0.02) for beat in range(CAPACITY + 8)]
    assert agent.dropped == leg.dropped == 10 - CAPACITY
    assert frames[-1] is None


def test_of_two_sources_one_that_stops_does_not_take_the_other_with_it() -> None:
    playout = Playout()
    leg = Live(PCMU)
    playout.beside = (leg,)
    frame = PCMU.pack(tone(400, 0.02, 8000))
    playout.append([frame] * 3, SPEECH, 60.0)
    leg.push([frame], [True])
    mixed = playout.take(0.0)
    assert mixed is not None
    assert mixed != frame
    leg.clear()
    assert playout.take(0.02) == frame
