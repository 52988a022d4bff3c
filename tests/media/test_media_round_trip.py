"""What is still on its way to the caller was not heard: the ledger less half the round trip."""

from typing import Final

import pytest

from gateway.media.events import Heard, Mark, PlayoutFlushed
from gateway.media.playout import Playout
from gateway.rtp.rtcp import ReceiverReport, ReportBlock, SenderReport, parse_compound
from gateway.testing.media import MediaCall, MediaWorld, tone
from gateway.testing.rtp import MemoryNetwork

SPEECH: Final = Mark("resp_1", "item_1")
MORE: Final = Mark("resp_1", "item_2")


def heard(playout: Playout) -> list[int]:
    """Return what was heard of each part, in ms, by the last flush."""
    event = playout.events[-1]
    assert isinstance(event, PlayoutFlushed)
    return [item.sent_ms for item in event.items]


def play(playout: Playout, frames: int, mark: Mark, start: float) -> float:
    """Queue frames and take them, 20 ms each; return when the next is due."""
    playout.append([b"a"] * frames, mark, 20.0 * frames)
    for _ in range(frames):
        playout.take(start)
        start += 0.02
    return start


@pytest.mark.parametrize(("way_ms", "expected"), [(0.0, 200), (50.0, 150), (50.4, 150), (9e9, 0)])
def test_of_what_was_just_sent_the_way_to_the_ear_is_taken_off(
    way_ms: float, expected: int
) -> None:
    playout = Playout()
    end = play(playout, 10, SPEECH, 0.0)
    playout.append([b"a"] * 50, SPEECH, 1000.0)
    playout.flush(end - 0.02, way_ms)
    assert heard(playout) == [expected]


def test_a_part_that_ended_a_while_ago_was_heard_in_full() -> None:
    playout = Playout()
    end = play(playout, 10, SPEECH, 0.0)
    end = play(playout, 2, MORE, end)
    playout.flush(end - 0.02, 100.0)
    assert heard(playout) == [140, 0]
    playout = Playout()
    end = play(playout, 10, SPEECH, 0.0)
    end = play(playout, 6, MORE, end)
    playout.flush(end - 0.02, 100.0)
    assert heard(playout) == [200, 20]


def test_after_a_pause_that_was_longer_all_that_was_sent_was_heard() -> None:
    playout = Playout()
    end = play(playout, 10, SPEECH, 0.0)
    playout.append([b"a"] * 50, SPEECH, 1000.0)
    playout.is_paused = True
    for _ in range(10):
        playout.take(end)
        end += 0.02
    playout.flush(end, 100.0)
    assert heard(playout) == [200]


def test_a_part_of_which_nothing_was_sent_was_not_heard() -> None:
    playout = Playout()
    playout.append([b"a"] * 5, SPEECH, 100.0)
    playout.flush(1.0, 80.0)
    assert heard(playout) == [0]


def answer_reports(world: MediaWorld, call: MediaCall, seconds: float) -> None:
    """Let time pass with a telephone that answers each report at once."""
    host, number = call.phone.port.address
    rtcp = world.network.bind(host, number + 1)
    buffer = memoryview(bytearray(2048))
    for _ in range(round(seconds / 0.005)):
        world.run(0.005)
        while rtcp.is_ready:
            size, source = rtcp.recvfrom_into(buffer)
            report = parse_compound(bytes(buffer[:size]))[0]
            assert isinstance(report, SenderReport)
            block = ReportBlock(report.ssrc, last_report=report.ntp >> 16 & 0xFFFFFFFF)
            rtcp.sendto(bytes(ReceiverReport(call.phone.ssrc, [block])), source)


@pytest.mark.parametrize("is_counted", [True, False])
def test_the_other_side_s_reports_say_how_long_the_way_is(is_counted: bool) -> None:
    world = MediaWorld(MemoryNetwork(delay=lambda _: 0.150))
    call = world.call(round_trip=is_counted)
    answer_reports(world, call, 6.0)
    assert call.lane.stats().round_trip == pytest.approx(0.3, abs=0.015)
    call.lane.play(tone(611, 3.0, 24_000).tobytes(), SPEECH)
    world.run(1.0)
    call.lane.flush()
    world.run(0.02)
    (flushed,) = [event for event in call.events if isinstance(event, PlayoutFlushed)]
    (item,) = flushed.items
    assert item.sent_ms == pytest.approx(850 if is_counted else 1000, abs=30)


def test_where_nothing_reports_the_ledger_is_what_was_sent() -> None:
    world = MediaWorld()
    call = world.call(round_trip=True)
    call.lane.play(tone(611, 1.0, 24_000).tobytes(), SPEECH)
    world.run(0.5)
    call.lane.flush()
    world.run(0.02)
    (flushed,) = [event for event in call.events if isinstance(event, PlayoutFlushed)]
    assert flushed.items == (Heard("resp_1", "item_1", 0, 500, 1000),)


def test_a_report_of_a_round_trip_of_seconds_is_believed_up_to_two() -> None:
    world = MediaWorld(MemoryNetwork(delay=lambda _: 2.0))
    call = world.call(round_trip=True)
    answer_reports(world, call, 11.0)
    assert call.lane.stats().round_trip == pytest.approx(4.0, abs=0.02)
    call.lane.play(tone(611, 3.0, 24_000).tobytes(), SPEECH)
    world.run(2.0)
    call.lane.flush()
    world.run(0.02)
    (flushed,) = [event for event in call.events if isinstance(event, PlayoutFlushed)]
    assert flushed.items[0].sent_ms == pytest.approx(1000, abs=30)
