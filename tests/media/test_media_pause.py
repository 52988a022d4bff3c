"""Playout that waits: nothing is heard, nothing is lost, and the ledger stands still."""

import numpy as np
import pytest

from gateway.media.events import (
    Heard,
    Mark,
    PlayoutFlushed,
    PlayoutStarted,
    PlayoutStopped,
    PromptStopped,
)
from gateway.media.playout import MAX_FRAMES, Playout
from gateway.media.prompts import Prompt
from gateway.testing.hearing import tone_share
from gateway.testing.media import MediaCall, MediaWorld, tone

SPEECH = Mark("resp_1", "item_1")


@pytest.fixture
def world() -> MediaWorld:
    return MediaWorld()


def speak(call: MediaCall, seconds: float, hertz: float = 611) -> None:
    call.lane.play(tone(hertz, seconds, 24000).tobytes(), SPEECH)


def flushed(call: MediaCall) -> PlayoutFlushed:
    (event,) = [event for event in call.events if isinstance(event, PlayoutFlushed)]
    return event


def test_a_pause_is_silent_at_once_and_what_follows_is_all_of_the_rest(world: MediaWorld) -> None:
    call = world.call()
    speak(call, 1.0)
    call.lane.finish("resp_1")
    world.run(0.4)
    call.lane.pause()
    world.run(0.02)
    call.phone.listen()
    call.phone.packets.clear()
    world.run(1.0)
    assert not call.phone.heard()[160:].any()
    assert [type(event) for event in call.events] == [PlayoutStarted]
    call.lane.resume()
    world.run(1.0)
    heard = call.phone.heard()
    assert np.count_nonzero(np.abs(heard) > 100) / 8 == pytest.approx(600, abs=40)
    assert isinstance(call.events[-1], PlayoutStopped)


def test_packets_go_on_without_a_gap_while_paused(world: MediaWorld) -> None:
    call = world.call()
    speak(call, 1.0)
    world.run(0.2)
    call.lane.pause()
    world.run(0.5)
    call.lane.resume()
    world.run(0.3)
    stamps = np.diff([packet.timestamp for _, packet in call.phone.packets]) & 0xFFFFFFFF
    assert set(stamps.tolist()) == {160}
    assert len(call.phone.packets) == pytest.approx(50, abs=2)


def test_the_ledger_stands_still_while_paused(world: MediaWorld) -> None:
    call = world.call()
    speak(call, 2.0)
    world.run(0.5)
    call.lane.pause()
    world.run(3.0)
    call.lane.flush()
    world.run(0.1)
    (item,) = flushed(call).items
    assert item.sent_ms == pytest.approx(500, abs=25)
    assert item.received_ms == 2000


def test_what_comes_while_paused_waits_behind_the_rest(world: MediaWorld) -> None:
    call = world.call()
    speak(call, 0.5)
    world.run(0.2)
    call.lane.pause()
    world.run(0.1)
    call.lane.play(tone(1004, 0.5, 24000).tobytes(), SPEECH)
    call.lane.play_prompt(Prompt(tone(1500, 0.2, 8000), 8000), "after")
    world.run(0.5)
    call.phone.packets.clear()
    call.lane.resume()
    world.run(1.2)
    heard = call.phone.heard()
    loud = heard[np.flatnonzero(np.abs(heard) > 100)[0] :]
    assert tone_share(loud[:2000], 611, 8000) > 0.9
    assert tone_share(loud[2800:6000], 1004, 8000) > 0.9
    assert tone_share(loud[6560:7800], 1500, 8000) > 0.9
    assert isinstance(call.events[-1], PromptStopped)


def test_a_flush_ends_the_pause_so_that_the_next_answer_is_heard(world: MediaWorld) -> None:
    call = world.call()
    speak(call, 1.0)
    world.run(0.2)
    call.lane.pause()
    world.run(0.1)
    call.lane.flush()
    call.lane.play(tone(1004, 0.5, 24000).tobytes(), Mark("resp_2", "item_2"))
    call.phone.packets.clear()
    world.run(0.5)
    assert tone_share(call.phone.heard()[800:3600], 1004, 8000) > 0.9
    assert flushed(call).items[0].item_id == "item_1"


def test_a_pause_before_the_first_frame_holds_back_the_start_too(world: MediaWorld) -> None:
    call = world.call()
    call.lane.pause()
    speak(call, 0.2)
    world.run(0.5)
    assert not call.events
    call.lane.resume()
    world.run(0.1)
    assert [type(event) for event in call.events] == [PlayoutStarted]


def test_live_sound_of_the_service_is_lost_while_paused_and_heard_again_after(
    world: MediaWorld,
) -> None:
    call = world.call()
    sound = tone(700, 0.5, 24_000).tobytes()
    for is_paused in (True, False):
        if is_paused:
            call.lane.pause()
        else:
            call.lane.resume()
        world.run(0.06)
        call.phone.packets.clear()
        for start in range(0, len(sound), 960):
            call.lane.stream(sound[start : start + 960])
            world.run(0.020)
        assert bool(call.phone.heard()[800:3200].any()) is not is_paused


def test_what_is_kept_in_a_long_pause_is_bounded() -> None:
    playout = Playout()
    playout.is_paused = True
    for _ in range(4):
        playout.append([b"a"] * (MAX_FRAMES // 2), SPEECH, 20.0 * (MAX_FRAMES // 2))
        assert playout.take(0.0) is None
    assert (playout.frame_count, playout.dropped) == (MAX_FRAMES, MAX_FRAMES)
    assert playout.underruns == 0


def test_paused_twice_and_resumed_twice_is_once() -> None:
    playout = Playout()
    playout.append([b"a", b"b"], SPEECH, 40.0)
    playout.take(0.0)
    playout.is_paused = True
    assert [playout.take(0.02), playout.take(0.04)] == [None, None]
    playout.is_paused = False
    assert playout.take(0.06) == b"b"
    playout.flush(0.08)
    event = playout.events[-1]
    assert isinstance(event, PlayoutFlushed)
    assert event.items == (Heard("resp_1", "item_1", 0, 40, 40),)
