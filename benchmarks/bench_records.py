"""Records kept per second, their cost, and how long goodbyes wait, beside plain inserts.

Every record is that of a call of a minute: thirty items said, three hundred entries in its
timeline.  ``plain`` is what a program does without group commit, in the same run and to the same
disk: the standard library's ``sqlite3`` with one ``executemany`` of all rows, and with one commit
for each.  Its rows are ready made, out of the database just filled, and go to one table: it makes
no record plain data and keeps no index of words.  So the ratio tells what group commit makes good
of that work, and it depends on the disk: the longer a sync takes, the larger it is; where a sync
costs nothing, plain inserts are faster.  ``held`` is how long goodbyes wait for their records,
alone and a hundred at the same time.  An empty PostgreSQL that DATABASE_URL names is measured too.

    python benchmarks/bench_records.py --records 3000
"""

import asyncio
import os
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from rig.report import options, report

from gateway.calls.registry import CallRecord
from gateway.control.events import CallStarted, VoiceStarted
from gateway.control.timeline import Timeline
from gateway.ops.archive import CallQuery
from gateway.ops.records.archive import DatabaseArchive
from gateway.ops.records.database import Database
from gateway.ops.records.keeper import RecordKeeper
from gateway.ops.records.opening import open_database
from gateway.ops.records.redaction import Redactor

_TOGETHER: Final = 100  # calls that end at the same time
_ALONE: Final = 200  # calls that end by themselves
_TEXT: Final = "I would like to know how my order of last week stands and when it comes"
_WORDS: Final = _TEXT.split()


class _Said:
    """What was said in a call of a minute."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __len__(self) -> int:
        return 30

    def as_list(self) -> list[dict[str, Any]]:
        shift = self._number % len(_WORDS)
        text = " ".join(_WORDS[shift:] + _WORDS[:shift])
        roles = ("user", "assistant")
        return [
            {"item_id": f"item{n}", "at": 2.0 * n, "role": roles[n % 2], "text": f"{text} {n}"}
            for n in range(30)
        ]


def _record(number: int) -> CallRecord:
    timeline = Timeline()
    timeline.add_event(0.0, CallStarted(f"call{number}", "+4930123456", "100"))
    for entry in range(299):
        timeline.add_event(entry / 5, VoiceStarted())
    return CallRecord(
        call_id=f"call{number:08}",
        caller=f"+49301{number:06}",
        called="100",
        started_at=1.7e9 + number,
        state="ended",
        duration=60.0,
        ended_by="caller",
        reason="hung up",
        q850=16,
        trunk="pbx",
        leg="sip",
        codec="PCMA",
        media={"packets_received": 3000, "packets_lost": 3, "mos": 4.3},
        said=_Said(number),
        happened=timeline,
    )


async def _fill(database: Database, records: Sequence[CallRecord]) -> dict[str, Any]:
    """Keep calls, a hundred at a time; return what it took."""
    keeper = RecordKeeper(database, lambda: (), instance="bench", node="bench", redactor=Redactor())
    waits: list[float] = []

    async def end(record: CallRecord) -> None:
        began = time.perf_counter()
        await keeper.keep(record)
        waits.append(time.perf_counter() - began)

    cpu, began = time.process_time(), time.perf_counter()
    for first in range(0, len(records), _TOGETHER):
        await asyncio.gather(*(end(one) for one in records[first : first + _TOGETHER]))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    alone: list[float] = []
    for record in records[:_ALONE]:  # again, one after the other: each waits for a sync of its own
        began = time.perf_counter()
        await keeper.keep(replace(record, call_id=f"{record.call_id}-alone"))
        alone.append(time.perf_counter() - began)
    began = time.perf_counter()
    page = await DatabaseArchive(database).find(CallQuery(q="+49301000017 order"))
    assert [one["call_id"] for one in page.calls][-1:] == ["call00000017"]
    return {
        "per_second": round(len(records) / seconds),
        "cpu_us": round(cpu / len(records) * 1e6),
        "held_p50_ms": round(float(np.percentile(alone, 50)) * 1e3, 2),
        "held_p99_ms": round(float(np.percentile(alone, 99)) * 1e3, 2),
        "held_of_100_p99_ms": round(float(np.percentile(waits, 99)) * 1e3, 1),
        "late": keeper.stats.late,
        "search_ms": round((time.perf_counter() - began) * 1e3, 2),
    }


def _plain(source: Path, target: Path) -> list[dict[str, Any]]:
    """Insert the very rows that were kept, as programs do without all this."""
    with closing(sqlite3.connect(source)) as connection:
        rows = connection.execute("SELECT * FROM calls ORDER BY number LIMIT 3000").fetchall()
        sql = "SELECT sql FROM sqlite_master WHERE name = 'calls'"
        (table,) = connection.execute(sql).fetchone()
    insert = f"INSERT INTO calls VALUES ({', '.join('?' * len(rows[0]))})"
    found = []
    for name, pieces in (("one commit", [rows]), ("a commit each", [[row] for row in rows[:500]])):
        with closing(sqlite3.connect(target.with_suffix(f".{len(pieces)}"))) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(table)
            began, cpu = time.perf_counter(), time.process_time()
            for piece in pieces:
                with connection:
                    connection.executemany(insert, piece)
            count, seconds = sum(map(len, pieces)), time.perf_counter() - began
            cost = (time.process_time() - cpu) / count * 1e6
            found.append(
                {"what": name, "per_second": round(count / seconds), "cpu_us": round(cost)}
            )
    return found


async def _measure(count: int, folder: Path) -> list[dict[str, Any]]:
    records = [_record(number) for number in range(count)]
    path = folder / "calls.sqlite"
    database = await open_database(f"sqlite:{path}", "bench")
    rows: list[dict[str, Any]] = [{"what": "sqlite", **await _fill(database, records)}]
    await database.close()
    rows[0]["bytes_per_record"] = round(path.stat().st_size / (count + _ALONE))
    rows += await asyncio.to_thread(_plain, path, folder / "plain")
    if (address := os.environ.get("DATABASE_URL", "")).startswith("postgres"):
        database = await open_database(address, "bench")
        rows.append({"what": "postgres", **await _fill(database, records)})
        await database.close()
    ratio = rows[0]["per_second"] / rows[2]["per_second"]
    return [*rows, {"what": "sqlite over a commit each", "ratio": round(ratio, 2)}]


def main() -> None:
    """Measure, and print."""
    chosen = options(__doc__, records=3000)
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(_measure(int(chosen.records), Path(folder)))
    target = "a goodbye waits 20 ms at most at p99, and none is late"
    report("records", rows, target, as_json=chosen.json)


if __name__ == "__main__":
    main()
