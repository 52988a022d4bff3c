"""Calls are found again by whatever is known of them, and come back as they were."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored_calls import call, keeper, sqlite

from gateway.ops.archive import CallQuery, CursorError
from gateway.ops.records import sqlite as sqlite_module
from gateway.ops.records.archive import DatabaseArchive
from gateway.ops.records.search import search
from gateway.ops.records.sqlite import SqliteDatabase

HOSTILE = "Robert'); DROP TABLE calls;--\"<script>alert(1)</script>%_!\\ \u202e\x07"


@pytest.fixture(params=["index of words", "no index"])
async def database(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SqliteDatabase]:
    if request.param == "no index":
        monkeypatch.setattr(
            sqlite_module, "_INDEX", ("CREATE VIRTUAL TABLE call_words USING no_such_module",)
        )
    async with sqlite(tmp_path / "calls.sqlite") as opened:
        assert opened.has_index_of_words is (request.param == "index of words")
        yield opened


async def found(database: SqliteDatabase, **query: Any) -> list[str]:
    page = await DatabaseArchive(database).find(CallQuery(**query))
    return [one["call_id"] for one in page.calls]


async def test_a_call_comes_back_as_it_was(database: SqliteDatabase) -> None:
    record = call("a", "Good morning", "I want to pay")
    await keeper(database).keep(record)
    assert await DatabaseArchive(database).get("a") == record.as_dict()
    assert record.as_dict()["media"]["series"]
    assert [await DatabaseArchive(database).holds(one) for one in ("a", "b", "\0")] == [
        True, False, False,
    ]  # fmt: skip
    assert await database.read("SELECT loss FROM calls") == [(6 / 606,)]
    assert await DatabaseArchive(database).get("b") is None


async def test_a_page_shows_calls_without_their_long_parts(database: SqliteDatabase) -> None:
    record = call("a", "Good morning")
    await keeper(database).keep(record)
    page = await DatabaseArchive(database).find(CallQuery())
    assert page.calls == [record.as_dict(with_timeline=False)]


async def test_calls_are_found_by_words_numbers_trunk_time_and_end(
    database: SqliteDatabase,
) -> None:
    keep = keeper(database).keep
    await keep(call("a", "I want to Pay my Rechnung", started_at=100.0))
    await keep(call("b", "Größe zwölf", caller="+331", trunk="other", started_at=200.0))
    busy = {"ended_by": "gateway", "reason": "busy line", "caller_name": "Ann Example"}
    await keep(call("c", "nothing", started_at=300.0, **busy))
    assert await found(database) == ["c", "b", "a"]
    assert await found(database, q="rechn PAY") == ["a"]
    assert await found(database, q="rechn nothing") == []
    assert await found(database, q="GRÖSSE") == ["b"]
    assert await found(database, q="3456") == ["c", "a"]
    assert await found(database, q="my") == ["a"]
    assert await found(database, q="busy") == ["c"]
    assert await found(database, q="ann") == ["c"]
    assert await found(database, caller="+33") == ["b"]
    assert await found(database, caller="33") == []
    assert await found(database, called="10") == ["c", "b", "a"]
    assert await found(database, trunk="other") == ["b"]
    assert await found(database, ended_by="gateway") == ["c"]
    assert await found(database, since=200.0) == ["c", "b"]
    assert await found(database, since=200, until=300) == ["b"]


async def test_pages_neither_repeat_nor_miss_a_call_though_others_come_in_between(
    database: SqliteDatabase,
) -> None:
    archive, keep = DatabaseArchive(database), keeper(database).keep
    for number in range(7):  # of which some began at the same moment
        await keep(call(f"old{number}", started_at=float(number // 3)))
    seen: list[str] = []
    page = await archive.find(CallQuery(limit=3))
    while True:
        seen += [one["call_id"] for one in page.calls]
        if not page.next:
            break
        await keep(call(f"new{len(seen)}", started_at=1000.0))
        page = await archive.find(CallQuery(limit=3, cursor=page.next))
    assert seen == ["old6", "old5", "old4", "old3", "old2", "old1", "old0"]


@given(st.text(max_size=60))
def test_a_cursor_that_is_none_of_ours_is_refused_in_words(cursor: str) -> None:
    ours = r"^WHERE \(started_at, call_id\) < \(\$1, \$2\)" if cursor else ""
    with suppress(CursorError):  # and nothing else
        sql, _ = search(CallQuery(cursor=cursor), has_index_of_words=False)
        assert re.search(ours, sql[sql.index("WHERE") :] if cursor else sql)


async def test_whatever_text_is_looked_for_is_a_value_and_no_command(
    database: SqliteDatabase,
) -> None:
    await keeper(database).keep(call("a", HOSTILE, caller=HOSTILE, trunk=HOSTILE, reason=HOSTILE))
    await keeper(database).keep(call("b"))
    for text in (HOSTILE, "DROP", "');", "<script>", '"', "%", "_", "!", "'", "\\", "*", "NEAR("):
        assert await found(database, q=text) == ["a"] or text not in HOSTILE
    assert await found(database, q='" OR "" ="') == []
    assert await found(database, caller=HOSTILE) == ["a"]
    assert await found(database, trunk="' OR 1=1 --") == []
    whole = await DatabaseArchive(database).get("a")
    assert whole is not None
    assert (whole["caller"], whole["reason"]) == (HOSTILE, HOSTILE)
    assert whole["transcript"][0]["text"] == HOSTILE
    assert await found(database) == ["b", "a"]


async def test_text_that_no_database_holds_is_kept_as_far_as_it_can_be(
    database: SqliteDatabase,
) -> None:
    odd = "a\0b\udc80c 😀"
    await keeper(database).keep(call("a", odd, caller=odd))
    whole = await DatabaseArchive(database).get("a")
    assert whole is not None
    assert whole["transcript"][0]["text"] == "a\0b\ufffdc 😀"
    assert await found(database, q="b\ufffdc") == ["a"]


async def test_a_call_is_forgotten_with_its_recording_and_no_other_file(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("a.wav", "a-2.wav", "ab.wav"):
        (folder / name).write_bytes(b"")
    outside = tmp_path / "outside.wav"
    outside.write_bytes(b"")
    archive = DatabaseArchive(database, folder)
    await keeper(database).keep(call("a", "words", recording="a.wav"))
    await keeper(database).keep(call("b", recording="../outside.wav"))
    assert await archive.delete("a")
    assert not await archive.delete("a")
    assert await archive.delete("b")
    assert [path.name for path in folder.iterdir()] == ["ab.wav"]
    assert outside.exists()
    assert await found(database, q="words") == []


async def test_one_change_that_fails_takes_no_other_with_it(database: SqliteDatabase) -> None:
    keep = keeper(database).keep
    twice = call("twice")
    too_large = call("large", q850=1 << 70)  # for a column
    await asyncio.gather(keep(call("a")), keep(too_large), keep(twice), keep(twice))
    assert sorted(await found(database)) == ["a", "twice"]
