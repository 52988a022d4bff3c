"""Calls in progress and calls that are over, found together page by page."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.registry import CallRecord, Registry
from gateway.ops.archive import CallQuery, CursorError
from gateway.ops.directory import Directory
from gateway.ops.memory_archive import MemoryArchive

HOSTILE = "Robert'); DROP TABLE calls;--\"<script>alert(1)</script>%_!\\ \u202e\x07\0"


@dataclass
class Said:
    words: str

    def __len__(self) -> int:
        return 1

    def as_list(self) -> list[dict[str, Any]]:
        return [{"text": self.words}]


@dataclass
class Line:
    now: CallRecord

    @property
    def call_id(self) -> str:
        return self.now.call_id

    def record(self) -> CallRecord:
        return self.now

    def hang_up(self, reason: str) -> None:
        raise AssertionError(reason)


class Office:
    def __init__(self, recordings: Path | None = None) -> None:
        self.registry = Registry(1000)
        self.archive = MemoryArchive(self.registry, recordings)
        self.directory = Directory(self.registry, self.archive)

    def call(self, call_id: str, *, is_over: bool = False, words: str = "", **known: Any) -> None:
        state = {"state": "ended", "ended_by": "caller"} if is_over else {"state": "talking"}
        record = CallRecord(call_id, "+331", "demo", 0.0, "", 1.0, said=Said(words))
        line = Line(replace(record, **{**state, **known}))
        self.registry.admit(line)
        if is_over:
            self.registry.release(line)

    def found(self, *, live: bool = True, over: bool = True, **query: Any) -> list[str]:
        page = asyncio.run(self.directory.find(CallQuery(**query), live=live, over=over))
        return [call["call_id"] for call in page.calls]

    def leafed(self, limit: int, **query: Any) -> list[str]:
        """Return what all pages hold, one after the other."""

        async def leaf() -> list[str]:
            found: list[str] = []
            cursor = ""
            for _ in range(100):
                asked = CallQuery(limit=limit, cursor=cursor, **query)
                page = await self.directory.find(asked)
                assert len(page.calls) <= limit
                found += [call["call_id"] for call in page.calls]
                cursor = page.next
                if not cursor:
                    return found
            raise AssertionError("there is no last page")

        return asyncio.run(leaf())


def office() -> Office:
    made = Office()
    for number in range(7):
        made.call(f"over{number}", is_over=True, started_at=float(number))
    for number in range(4):
        made.call(f"live{number}", started_at=100.0 + number)
    return made


ALL = [f"live{n}" for n in (3, 2, 1, 0)] + [f"over{n}" for n in (6, 5, 4, 3, 2, 1, 0)]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 11, 500])
def test_every_call_is_on_one_page_those_in_progress_first(limit: int) -> None:
    assert office().leafed(limit) == ALL


def test_one_kind_alone_can_be_asked_for() -> None:
    assert office().found(over=False) == ALL[:4]
    assert office().found(live=False) == ALL[4:]


def test_calls_of_one_moment_are_all_found() -> None:
    made = Office()
    for number in range(9):
        made.call(f"c{number}", is_over=number % 2 == 0, started_at=5.0)
    assert sorted(made.leafed(2)) == [f"c{number}" for number in range(9)]


def test_a_call_that_begins_between_two_pages_shifts_nobody() -> None:
    async def leaf() -> list[str]:
        made = office()
        first = await made.directory.find(CallQuery(limit=6))
        made.call("new", started_at=500.0)
        second = await made.directory.find(CallQuery(limit=6, cursor=first.next))
        return [call["call_id"] for page in (first, second) for call in page.calls]

    assert asyncio.run(leaf()) == ALL


def test_calls_are_found_by_words_numbers_trunk_time_and_end() -> None:
    made = Office()
    made.call("a", is_over=True, words="I want to Pay my Rechnung", started_at=100.0)
    made.call("b", is_over=True, words="Größe zwölf", caller="+442", trunk="pbx", started_at=200.0)
    made.call("c", called="sales", words="nothing", caller_name="Ann", started_at=300.0)
    assert made.found(q="rechnung pay") == ["a"]
    assert made.found(q="GRÖSSE") == ["b"]
    assert made.found(q="rechnung zwölf") == []
    assert made.found(q="ann") == ["c"]
    assert made.found(caller="+33") == ["c", "a"]
    assert made.found(called="sal") == ["c"]
    assert made.found(trunk="pbx") == ["b"]
    assert made.found(ended_by="caller") == ["b", "a"]
    assert made.found(since=200.0) == ["c", "b"]
    assert made.found(until=200.0) == ["a"]


def test_what_looks_like_a_command_is_a_word_like_any_other() -> None:
    made = Office()
    made.call("a", is_over=True, words=HOSTILE, caller=HOSTILE, reason=HOSTILE)
    made.call("b", words="nothing")
    for word in HOSTILE.split():
        assert made.found(q=word) == ["a"]
    assert made.found(caller=HOSTILE) == ["a"]
    assert made.found(trunk=HOSTILE) == made.found(q="' OR 1=1 --") == []


@pytest.mark.parametrize(
    "cursor",
    ["x", "live", "live.", "over.!", "live.YQ", "over.YWJj", "live.over.YQ", "over.AA==", "\0", "é",
     "over." + "A" * 5000, HOSTILE],
)  # fmt: skip
def test_a_cursor_of_somebody_else_s_is_refused_or_begins_anew(cursor: str) -> None:
    try:
        found = office().found(cursor=cursor)
    except CursorError:
        return
    assert found == ALL


@given(st.text(max_size=60))
def test_any_cursor_is_taken_or_refused_in_words(text: str) -> None:
    made = Office()
    for prefix in ("", "live.", "over."):
        try:
            made.found(cursor=prefix + text)
        except CursorError:
            continue


def test_a_call_is_told_whole_whether_it_is_over_or_not() -> None:
    made = office()
    for call_id in ("live0", "over0"):
        call = asyncio.run(made.directory.get(call_id))
        assert call is not None
        assert call["transcript"] == [{"text": ""}]
    assert asyncio.run(made.directory.get("none")) is None


def test_a_call_that_is_forgotten_is_gone_with_its_recording(tmp_path: Path) -> None:
    made = Office(tmp_path)
    (tmp_path / "a.wav").write_bytes(b"sound")
    (tmp_path / "b.wav").write_bytes(b"sound")
    made.call("a", is_over=True, recording="a.wav")
    made.call("b", recording="b.wav")
    assert asyncio.run(made.archive.delete("a"))
    assert not asyncio.run(made.archive.delete("a"))
    assert not asyncio.run(made.archive.delete("b")), "it is in progress"
    assert made.found() == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["b.wav"]
