"""Recordings and records go after their time, and nothing else does."""

from pathlib import Path

import pytest
from stored_calls import NODE, call, keeper, sqlite

from gateway.ops.archive import CallQuery
from gateway.ops.records import retention as retention_module
from gateway.ops.records.archive import DatabaseArchive
from gateway.ops.records.retention import Retention
from gateway.ops.records.sqlite import SqliteDatabase

DAY = 86_400.0
NOW = 100 * DAY


def retention(database: SqliteDatabase, folder: Path, node: str = NODE) -> Retention:
    return Retention(database, folder, node=node, keep_days=30, keep_recordings_days=7)


async def fill(database: SqliteDatabase, folder: Path) -> None:
    folder.mkdir()
    keep = keeper(database).keep
    for name, days in (("old", 40.0), ("middle", 10.0), ("new", 1.0)):
        (folder / f"{name}.wav").write_bytes(b"sound")
        record = call(name, started_at=NOW - days * DAY, recording=f"{name}.wav")
        await keep(record)


async def test_what_has_had_its_time_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_module, "_PAUSE", 0.0)
    folder = tmp_path / "recordings"
    async with sqlite(tmp_path / "calls.sqlite") as database:
        await fill(database, folder)
        keeps = retention(database, folder)
        await keeps.sweep(NOW)
        archive = DatabaseArchive(database)
        page = await archive.find(CallQuery())
        kept = [(one["call_id"], one["recording"]) for one in page.calls]
        await keeps.sweep(NOW)
    assert kept == [("new", "new.wav"), ("middle", "")]
    assert [path.name for path in folder.iterdir()] == ["new.wav"]
    assert (keeps.swept.records, keeps.swept.recordings) == (1, 2)


async def test_recordings_of_another_machine_are_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "_PAUSE", 0.0)
    folder = tmp_path / "recordings"
    async with sqlite(tmp_path / "calls.sqlite") as database:
        await fill(database, folder)
        await retention(database, tmp_path / "elsewhere", "there").sweep(NOW - 32 * DAY)
        page = await DatabaseArchive(database).find(CallQuery())
        assert page.calls[-1]["recording"] == "old.wav"  # of eight days, which is ours to remove
        await retention(database, tmp_path / "elsewhere", "there").sweep(NOW)
        page = await DatabaseArchive(database).find(CallQuery())
    assert [one["call_id"] for one in page.calls] == ["new", "middle"]


async def test_many_go_in_small_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_module, "_PAUSE", 0.0)
    async with sqlite(tmp_path / "calls.sqlite") as database:
        keep = keeper(database).keep
        for number in range(450):
            await keep(call(f"c{number}", started_at=0.0))
        keeps = retention(database, tmp_path)
        await keeps.sweep(NOW)
        assert await database.read("SELECT COUNT(*) FROM calls") == [(0,)]
    assert keeps.swept.records == 450
