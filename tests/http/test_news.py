"""What viewers are told, and what happens to those who come back, come late, or do not read."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from gateway.calls.notices import Caption, KeyTold, Supervised
from gateway.calls.registry import CallRecord
from gateway.control.events import CallStarted, LegAnswered
from gateway.control.timeline import Timeline
from gateway.http.news import News
from gateway.http.ring import Ring
from gateway.http.standing import Standing
from gateway.http.viewer import Viewer
from gateway.realtime.events import (
    InputAudioBufferDtmfEventReceived,
    InputAudioBufferSpeechStarted,
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputAudioTranscriptDone,
)
from gateway.testing.virtual_time import run


@dataclass
class Line:
    """A call that lives as told."""

    call_id: str
    state: str = "setup"
    duration: float = 0.0
    timeline: Timeline = field(default_factory=Timeline)

    def record(self) -> CallRecord:
        return CallRecord(self.call_id, "ann", "demo", 0.0, self.state, self.duration)

    def hang_up(self, reason: str) -> None:
        raise AssertionError(reason)


class Studio:
    """The news of some calls, and a way to make some."""

    def __init__(self, most_viewers: int = 4) -> None:
        self.calls: list[Line] = []
        self.news = News(lambda: self.calls, epoch="e", most_viewers=most_viewers)

    def begin(self, call_id: str) -> Line:
        line = Line(call_id)
        line.timeline.watch()
        self.calls.append(line)
        self.news.call_began(line.record())
        self.happen(line, CallStarted(call_id, "ann", "demo"), 0.0)
        return line

    def happen(self, line: Line, event: Any, at: float) -> None:
        line.timeline.add_event(at, event).sources = ["rfc4733"]
        for entry in line.timeline.drain():
            self.news.call_told(line.call_id, entry)

    def say(self, line: Line, text: str, at: float, item: str = "i1") -> None:
        place = {"response_id": "r", "item_id": item, "output_index": 0, "content_index": 0}
        self.happen(line, ResponseOutputAudioTranscriptDelta(**place, delta=text), at)  # type: ignore[arg-type]

    def end(self, line: Line) -> None:
        self.calls.remove(line)
        self.news.call_ended(line.record())


async def took(viewer: Viewer) -> bytes | None:
    """Return what a viewer is told within a second."""
    try:
        async with asyncio.timeout(1.0):
            return await viewer.take()
    except TimeoutError:
        return b""


def events(piece: bytes | None) -> list[tuple[str, dict[str, Any]]]:
    """Return the events in a piece of a stream, each with its name."""
    assert piece is not None
    found = []
    for block in piece.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "data" in fields:
            found.append((fields.get("id", ""), msgspec.json.decode(fields["data"])))
    return found


def kinds(piece: bytes | None) -> list[str]:
    return [notice["type"] for _, notice in events(piece)]


def test_whoever_comes_is_told_how_calls_stand_and_then_what_happens() -> None:
    async def main() -> None:
        studio = Studio()
        line = studio.begin("c1")
        viewer = studio.news.admit()
        assert viewer is not None
        assert kinds(await took(viewer)) == ["call.changed", "activity"]
        studio.happen(line, InputAudioBufferSpeechStarted(audio_start_ms=0, item_id="u"), 1.0)
        studio.end(line)
        told = events(await took(viewer))
        assert [notice["type"] for _, notice in told] == ["speaking", "call.ended"]
        assert [name for name, _ in told] == ["e-3", "e-4"]
        assert kinds(await took(viewer)) == [], "it waited, and nothing happened"

    run(main())


def test_whoever_comes_in_the_middle_of_a_call_is_told_what_was_told_last_of_it() -> None:
    async def main() -> None:
        studio = Studio()
        line = studio.begin("c1")
        studio.happen(line, InputAudioBufferSpeechStarted(audio_start_ms=0, item_id="u"), 1.0)
        studio.happen(line, InputAudioBufferDtmfEventReceived(event="4", received_at=0), 1.1)
        studio.happen(line, InputAudioBufferDtmfEventReceived(event="5", received_at=0), 1.2)
        for number in range(3):
            studio.say(line, "word ", 2.0 + number)
            await asyncio.sleep(0.2)
        for last_id in ("", "other-1"):
            viewer = studio.news.admit(last_id=last_id)
            assert viewer is not None
            told = [notice for _, notice in events(await took(viewer))]
            if last_id:
                assert told.pop(0)["type"] == "gap"
            assert told[0]["type"] == "call.changed"
            (caption,) = (notice for notice in told if notice["type"] == "caption")
            assert caption["text"] == "word word word"
            assert [n["key"] for n in told if n["type"] == "key"] == ["5"]
            assert [(n["who"], n["is_on"]) for n in told if n["type"] == "speaking"] == [
                ("caller", True)
            ]
            assert [n["agent"] for n in told if n["type"] == "activity"] == ["away"]
        studio.end(line)
        assert not studio.news._standing

    run(main())


def test_how_a_call_stands_is_bounded() -> None:
    standing = Standing()
    for number in range(1000):
        told = {"call_id": "c", "at": 0.0}
        standing.take(Supervised(name="a", mode="listen", connection=str(number), **told))
        standing.take(Caption(who="agent", item_id=str(number), text="x" * 2000, **told))
        standing.take(KeyTold(key="1", source="inband", **told))
    assert len(standing.notices) == 18
    standing.take(Caption(who="agent", item_id="long", text="x" * 100_000, **told))
    assert len(standing.notices) == 17


def test_whoever_comes_back_is_told_what_they_missed_and_nothing_twice() -> None:
    async def main() -> None:
        studio = Studio()
        first = studio.news.admit()
        assert first is not None
        line = studio.begin("c1")
        *_, (last, _) = events(await took(first))
        studio.news.dismiss(first)
        studio.end(line)
        again = studio.news.admit(last_id=last)
        assert again is not None
        assert kinds(await took(again)) == ["call.ended"]

    run(main())


@pytest.mark.parametrize(
    "last_id",
    ["e-99", "other-1", "e-", "e--1", "1", "e-1x", "e-\u0661", "e-" + "9" * 5000, "<b>", "e-1\r"],
)
def test_whoever_missed_too_much_or_names_nonsense_is_told_of_the_gap(last_id: str) -> None:
    async def main() -> None:
        studio = Studio()
        studio.begin("c1")
        viewer = studio.news.admit(last_id=last_id)
        assert viewer is not None
        assert kinds(await took(viewer)) == ["gap", "call.changed", "activity"]

    run(main())


def test_whoever_watches_one_call_is_told_of_no_other() -> None:
    async def main() -> None:
        studio = Studio()
        one, two = studio.begin("c1"), studio.begin("c2")
        viewer = studio.news.admit("c2")
        assert viewer is not None
        assert kinds(await took(viewer)) == ["call.changed", "activity"]
        studio.end(one)
        studio.end(two)
        assert [n["call_id"] for _, n in events(await took(viewer))] == ["c2"]

    run(main())


def test_words_that_come_quickly_are_told_together_and_before_what_follows_them() -> None:
    async def main() -> None:
        studio = Studio()
        line = studio.begin("c1")
        viewer = studio.news.admit()
        assert viewer is not None
        await took(viewer)
        for number in range(20):
            studio.say(line, f"{number} ", 1.0 + number / 1000)
        await asyncio.sleep(0.2)
        ((_, caption),) = events(await took(viewer))
        assert caption["text"] == " ".join(str(number) for number in range(20))
        studio.say(line, "and", 2.0)
        studio.happen(line, InputAudioBufferSpeechStarted(audio_start_ms=0, item_id="u"), 2.01)
        assert kinds(await took(viewer)) == ["caption", "speaking"]
        studio.say(line, "so", 3.0, "i2")
        done = ResponseOutputAudioTranscriptDone(
            response_id="r", item_id="i2", output_index=0, content_index=0, transcript="so on"
        )
        studio.happen(line, done, 3.01)
        ((_, final),) = events(await took(viewer))
        assert (final["text"], final["is_final"]) == ("so on", True)
        await asyncio.sleep(1.0)
        assert "caption" not in kinds(await took(viewer)), "what was final is not told again"

    run(main())


def test_a_call_that_changes_is_told_again_and_one_that_only_grows_older_is_not() -> None:
    async def main() -> None:
        studio = Studio()
        line = studio.begin("c1")
        viewer = studio.news.admit()
        assert viewer is not None
        await asyncio.sleep(5.0)
        told = kinds(await took(viewer))
        assert told.count("call.changed") == 2, "as they came, and once by itself"
        line.duration = 9.0
        await asyncio.sleep(5.0)
        assert kinds(await took(viewer)) == []
        line.state = "talking"
        studio.happen(line, LegAnswered(), 10.0)
        await asyncio.sleep(0.9)
        assert kinds(await took(viewer)) == ["call.changed"]

    run(main())


def test_one_who_does_not_read_is_let_go_and_the_others_are_told_all() -> None:
    async def main() -> None:
        studio = Studio()
        lost: list[str] = []
        slow, quick = studio.news.admit(), studio.news.admit()
        assert slow is not None
        assert quick is not None
        slow.on_lost = lambda: lost.append("slow")
        count = 0
        for number in range(3000):
            line = studio.begin(f"{number}" + "x" * 4000)
            studio.end(line)
            count += len(events(await took(quick)))
        assert lost == ["slow"]
        assert count == 9000
        assert studio.news.counted["viewers_too_slow"] == 1
        assert studio.news.counted["viewers"] == 1
        assert await took(slow) is None

    run(main())


def test_who_watches_a_quiet_line_is_given_signs_of_life_and_who_takes_none_is_let_go() -> None:
    async def main() -> None:
        studio = Studio()
        lost: list[str] = []
        stuck, reader = studio.news.admit(), studio.news.admit()
        assert stuck is not None
        assert reader is not None
        stuck.on_lost = lambda: lost.append("stuck")
        await reader.take()
        for _ in range(4):
            assert await reader.take() == b":\n\n"
        assert lost == ["stuck"]
        assert asyncio.get_running_loop().time() == pytest.approx(60.0)
        assert studio.news.counted["viewers_too_slow"] == 1

    run(main())


def test_there_is_no_room_for_any_number_of_viewers() -> None:
    async def main() -> None:
        studio = Studio(most_viewers=2)
        first = studio.news.admit()
        assert first is not None
        assert studio.news.admit() is not None
        assert studio.news.admit() is None
        studio.news.dismiss(first)
        assert studio.news.admit() is not None
        assert studio.news.counted["viewers_turned_away"] == 1

    run(main())


def test_whose_connection_is_gone_has_no_place_any_more() -> None:
    async def main() -> None:
        studio = Studio(most_viewers=1)
        first = studio.news.admit()
        assert first is not None
        await first.take()
        is_gone = False
        first.is_gone = lambda: is_gone
        waiting = asyncio.create_task(first.take())
        await asyncio.sleep(0.1)
        assert studio.news.admit() is None
        is_gone = True
        assert studio.news.admit() is not None
        assert await waiting is None

    run(main())


def test_one_visitor_has_so_many_places_and_others_find_one() -> None:
    async def main() -> None:
        studio = Studio(most_viewers=64)
        mine = [studio.news.admit(visitor="ann 192.0.2.1") for _ in range(20)]
        assert len([viewer for viewer in mine if viewer is not None]) == 8
        assert studio.news.admit(visitor="ann 192.0.2.2") is not None
        assert studio.news.counted["viewers_turned_away"] == 12

    run(main())


def test_as_the_gateway_closes_everybody_is_let_go() -> None:
    async def main() -> None:
        studio = Studio()
        viewer = studio.news.admit()
        assert viewer is not None
        await took(viewer)
        waiting = asyncio.create_task(viewer.take())
        await asyncio.sleep(1.0)
        studio.news.close()
        assert await waiting is None

    run(main())


def test_a_call_without_viewers_costs_no_timer() -> None:
    async def main() -> None:
        studio = Studio()
        line = studio.begin("c1")
        studio.happen(line, LegAnswered(), 1.0)
        studio.end(line)
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="everybody waits"):
        run(main())


def test_the_ring_is_bounded_by_number_and_by_bytes() -> None:
    ring = Ring("e", most=3, most_bytes=1000)
    for number in range(5):
        ring.add("c", b"%d" % number)
    assert ring.since("e-1") is None
    missed = ring.since("e-2")
    assert missed is not None
    assert [event.split(b"data: ")[1] for event in missed] == [b"2\n\n", b"3\n\n", b"4\n\n"]
    ring.add("c", b"x" * 990)
    assert ring.since("e-5") is None
    assert ring.since("e-6") is not None


def test_a_viewer_has_no_room_beyond_the_bound() -> None:
    async def main() -> None:
        viewer = Viewer(most_bytes=10)
        assert viewer.push(b"12345")
        assert viewer.push(b"67890")
        assert not viewer.push(b"1")
        assert viewer.is_over
        assert not viewer.push(b"1")

    run(main())
