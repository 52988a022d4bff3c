"""A search that finds no end keeps nobody waiting but whoever searches, and them not for long."""

import asyncio
from pathlib import Path
from typing import Final

import pytest
from stored_calls import call, keeper, sqlite

from gateway.errors import RecordError
from gateway.ops.records import sqlite as sqlite_module

ENDLESS: Final = """WITH RECURSIVE all_numbers(n) AS (
    SELECT 1 UNION ALL SELECT n + 1 FROM all_numbers) SELECT COUNT(*) FROM all_numbers"""
MOST: Final = 8


async def test_a_search_without_an_end_is_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "SEARCH_SECONDS", 0.05)
    async with sqlite(tmp_path / "calls.sqlite") as database:
        with pytest.raises(RecordError, match="took longer than"):
            await database.search(ENDLESS)
        assert await database.search("SELECT 1") == [(1,)]


async def test_records_and_webhooks_do_not_wait_behind_searches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "SEARCH_SECONDS", 3600.0)
    async with sqlite(tmp_path / "calls.sqlite") as database:
        searching = [asyncio.create_task(database.search(ENDLESS)) for _ in range(3)]
        await asyncio.sleep(0.05)
        await keeper(database).keep(call("a"))
        assert await database.read("SELECT COUNT(*) FROM calls") == [(1,)]
        assert await database.read("SELECT COUNT(*) FROM outbox") == [(0,)]
        assert not any(search.done() for search in searching)
    outcomes = await asyncio.gather(*searching, return_exceptions=True)  # its end ends them
    assert [type(one) for one in outcomes] == [RecordError] * 3


async def test_so_many_searches_wait_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "SEARCH_SECONDS", 3600.0)
    async with sqlite(tmp_path / "calls.sqlite") as database:
        searching = [asyncio.create_task(database.search(ENDLESS)) for _ in range(MOST)]
        await asyncio.sleep(0.05)
        with pytest.raises(RecordError, match="too many searches wait") as refused:
            await database.search("SELECT 1")
        assert refused.value.retry_after == 5.0
    await asyncio.gather(*searching, return_exceptions=True)
