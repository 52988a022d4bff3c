"""Calls are noted while they last, kept when they end, and closed for those who cannot."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stored_calls import LiveOne, Said, call, keeper, sqlite

from gateway.calls.registry import Registry
from gateway.control.events import KeyPressed, VoiceStarted
from gateway.control.timeline import Timeline
from gateway.errors import RecordError
from gateway.ops.archive import CallQuery
from gateway.ops.directory import Directory
from gateway.ops.records import backlog as backlog_module
from gateway.ops.records import keeper as keeper_module
from gateway.ops.records.archive import DatabaseArchive
from gateway.ops.records.database import SQLITE, Row, Statement, Work
from gateway.ops.records.keeper import RecordKeeper
from gateway.ops.records.recovery import recover
from gateway.ops.records.redaction import Redactor
from gateway.realtime.events import ResponseOutputAudioTranscriptDelta


class Broken:
    """A database that takes nothing until it is mended."""

    dialect = SQLITE
    has_index_of_words = False

    def __init__(self) -> None:
        self.is_mended = False
        self.hangs = False
        self.written: list[Sequence[Statement]] = []

    async def write(self, work: Work) -> None:
        if self.hangs:
            await asyncio.sleep(3600)
        if not self.is_mended:
            raise RecordError("the disk is full")
        self.written.append(work())

    async def read(self, sql: str, values: Row = ()) -> list[Row]:
        raise RecordError("the disk is full")

    async def search(self, sql: str, values: Row = ()) -> list[Row]:
        raise RecordError("the disk is full")

    async def is_gone(self, instance: str) -> bool:
        return False

    async def close(self) -> None:
        pass


def live(call_id: str, *texts: str) -> LiveOne:
    return LiveOne(replace(call(call_id, *texts), state="answered", ended_by=None, reason=None))


def words(text: str) -> ResponseOutputAudioTranscriptDelta:
    where = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
    return ResponseOutputAudioTranscriptDelta(**where, delta=text)


async def recovered(path: Path, call_id: str) -> dict[str, Any]:
    """Return a call as the next process closes it."""
    async with sqlite(path, "two") as after:
        await recover(after, "two")
        whole = await DatabaseArchive(after).get(call_id)
    assert whole is not None
    return whole


async def test_a_call_of_a_process_that_died_is_closed_with_all_that_was_noted(
    tmp_path: Path,
) -> None:
    path, one = tmp_path / "calls.sqlite", live("a", "Hello")
    timeline = one.now.happened
    assert timeline is not None
    async with sqlite(path) as before:
        keep = keeper(before, [one], unix_clock=lambda: 1_007.0)
        await keep._note()
        timeline.add_event(1.0, words("Good "))
        await keep._note()
        timeline.add_event(1.2, words("morning"))
        key = timeline.add_event(1.4, KeyPressed("5", "rfc4733"))
        one.now = replace(one.now, said=Said([{"text": "Hello"}, {"text": "Good morning"}]))
        await keep._note()
        key.sources = ["rfc4733", "inband"]  # another detector saw it
        await keep._note()
        timeline.add_event(2.0, VoiceStarted())  # and then it is killed
        expected = timeline.as_list()[:-1]
    whole = await recovered(path, "a")
    assert whole["timeline"] == expected
    assert [item["text"] for item in whole["transcript"]] == ["Hello", "Good morning"]
    assert (whole["ended_by"], whole["reason"]) == ("gateway", "the gateway stopped")
    assert whole["duration"] == 7.0
    async with sqlite(path, "three") as after:
        assert await after.read("SELECT * FROM live_calls") == []
        assert await after.read("SELECT * FROM live_parts") == []


async def test_the_calls_of_a_process_that_lives_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    async with sqlite(path) as ours:
        keep = keeper(ours, [live("a")])
        await keep._note()
        async with sqlite(path, "two") as other:
            assert await recover(other, "two") == 0
            assert len(await other.read("SELECT * FROM live_calls")) == 1
        assert await recover(ours, "one") == 0
    async with sqlite(path, "three") as after:
        assert await recover(after, "three") == 1


async def test_a_call_that_is_over_is_kept_whole_and_noted_no_more(tmp_path: Path) -> None:
    async with sqlite(tmp_path / "calls.sqlite") as database:
        one = live("a")
        keep = keeper(database, [one])
        await keep._note()
        one.now = call("a", "Bye")
        await keep.keep(one.now)
        await keep._note()  # though the registry still has it
        assert await database.read("SELECT * FROM live_calls") == []
        assert await DatabaseArchive(database).get("a") == one.now.as_dict()


async def test_the_word_of_the_call_itself_stands_against_that_of_who_closed_it(
    tmp_path: Path,
) -> None:
    async with sqlite(tmp_path / "calls.sqlite") as database:
        keep = keeper(database, [live("a")])
        await keep._note()
        await recover(database, "two")
        assert await database.read("SELECT ended_by FROM calls") == []  # it lives
    async with sqlite(tmp_path / "calls.sqlite", "two") as database:
        await recover(database, "two")
        assert await database.read("SELECT ended_by FROM calls") == [("gateway",)]
        await keeper(database).keep(call("a"))
        assert await database.read("SELECT ended_by FROM calls") == [("caller",)]


async def test_a_thousand_entries_are_noted_once_each(tmp_path: Path) -> None:
    async with sqlite(tmp_path / "calls.sqlite") as database:
        one, timeline = live("a"), Timeline()
        one.now = replace(one.now, happened=timeline)
        keep = keeper(database, [one])
        for second in range(50):
            for _ in range(20):
                timeline.add_event(float(second), VoiceStarted())
            await keep._note()
        bodies = [len(body) for (body,) in await database.read("SELECT body FROM live_parts")]
    assert len(bodies) == 50
    assert max(bodies) < 3 * min(bodies)


async def test_what_is_not_taken_is_held_and_written_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Broken()
    keep = keeper(broken)
    await keep.keep(call("a"))
    await keep.keep(call("b"))
    assert keep.stats.late == 0  # nobody waited for it
    assert keep.facts()["unsaved"] == 2
    assert keep.facts()["problem"] == "the disk is full"
    broken.is_mended = True
    await keep._try_again()
    assert (keep.facts()["unsaved"], keep.facts()["kept"], keep.problem) == (0, 2, "")
    assert len(broken.written) == 2
    told = capsys.readouterr().out
    assert told.count("records are not written") == 1
    assert told.count("records are written again") == 1


async def test_calls_that_wait_for_the_database_can_be_found_meanwhile() -> None:
    broken = Broken()
    keep = keeper(broken, redactor=Redactor(["numbers"]))
    registry = Registry(9)
    directory = Directory(registry, DatabaseArchive(broken))
    directory.waiting = keep.backlog
    with pytest.raises(RecordError):
        await directory.find(CallQuery())
    for at, name in enumerate("abc"):
        await keep.keep(call(name, f"I am {name}bc", started_at=float(at)))
    registry.admit(live("d"))
    whole = await directory.get("b")
    assert whole is not None
    assert whole["transcript"][0]["text"] == "I am bbc"
    assert whole["timeline"][0]["name"] == "call.started"
    assert whole["caller"] == "+49••••••56"  # as it will be written
    with pytest.raises(RecordError):
        await directory.get("x")
    page = await directory.find(CallQuery())
    assert [one["call_id"] for one in page.calls] == ["d", "c", "b", "a"]
    with pytest.raises(RecordError):  # what comes then cannot be told
        await directory.find(CallQuery(cursor=page.next))
    first = await directory.find(CallQuery(limit=2))
    second = await directory.find(CallQuery(limit=2, cursor=first.next))
    told = [[one["call_id"] for one in page.calls] for page in (first, second)]
    assert told == [["d", "c"], ["b", "a"]]
    found = await directory.find(CallQuery(q="cbc"))
    assert [one["call_id"] for one in found.calls] == ["c"]


async def test_a_call_is_found_once_whether_it_goes_into_the_database_or_is_in_it(
    tmp_path: Path,
) -> None:
    async with sqlite(tmp_path / "calls.sqlite") as database:
        keep = keeper(database)
        directory = Directory(Registry(9), DatabaseArchive(database))
        directory.waiting = keep.backlog
        keeping = asyncio.create_task(keep.keep(call("a")))
        while not keeping.done():
            assert len((await directory.find(CallQuery())).calls) <= 1
            if keep._storing:
                assert await directory.get("a") is not None
        assert [one["call_id"] for one in (await directory.find(CallQuery())).calls] == ["a"]
        assert await keep.backlog.records() == []


async def test_of_what_is_never_taken_the_oldest_is_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backlog_module, "_MOST", 3)
    keep = keeper(Broken())
    for number in range(5):
        await keep.keep(call(str(number)))
    assert list(keep.backlog.refused) == ["2", "3", "4"]
    assert keep.facts()["dropped"] == 2


async def test_a_goodbye_waits_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RecordKeeper, "patience", 0.02)
    broken = Broken()
    broken.hangs = True
    keep = keeper(broken)
    async with asyncio.timeout(60):
        await keep.keep(call("a"))
    assert keep.stats.late == 1
    for storing in keep._storing:
        storing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*keep._storing)


async def test_notes_that_were_not_taken_are_made_anew(tmp_path: Path) -> None:
    broken, one = Broken(), live("a", "Hello")
    keep = keeper(broken, [one])
    await keep._note()
    async with sqlite(tmp_path / "calls.sqlite") as database:
        keep._database = database
        await keep._note()
    assert (await recovered(tmp_path / "calls.sqlite", "a"))["transcript"][0]["text"] == "Hello"


async def test_a_call_is_noted_at_its_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "_EVERY", 3600.0)
    async with sqlite(tmp_path / "calls.sqlite") as database:
        calls: list[LiveOne] = []
        keep = keeper(database, calls)
        keep.start()
        await asyncio.sleep(0.05)
        calls.append(live("a"))
        keep.note_begin()
        async with asyncio.timeout(60):
            while not await database.read("SELECT * FROM live_calls"):
                await asyncio.sleep(0.01)
        await keep.close()
        assert await DatabaseArchive(database).find(CallQuery()) is not None
        assert await database.read("SELECT * FROM instances") == []
