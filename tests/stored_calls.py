"""Calls to keep, and a database to keep them in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gateway.calls.registry import CallRecord
from gateway.control.events import CallStarted
from gateway.control.timeline import Timeline
from gateway.ops.records.database import Database
from gateway.ops.records.keeper import RecordKeeper
from gateway.ops.records.redaction import Redactor
from gateway.ops.records.sqlite import SqliteDatabase

NODE = "here"


@dataclass
class Said:
    """A transcript as it is told."""

    items: list[dict[str, Any]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.items)

    def as_list(self) -> list[dict[str, Any]]:
        return [dict(item) for item in self.items]


@dataclass
class LiveOne:
    """A call in progress."""

    now: CallRecord

    @property
    def call_id(self) -> str:
        return self.now.call_id

    def record(self) -> CallRecord:
        return self.now

    def hang_up(self, reason: str) -> None:
        self.now = replace(self.now, ended_by="gateway", reason=reason)


def call(call_id: str, *texts: str, **fields: Any) -> CallRecord:
    """Return the record of a call in which these texts were said."""
    timeline = Timeline()
    timeline.add_event(0.0, CallStarted(call_id, "+4930123456", "100"))
    said = [
        {"item_id": f"item{n}", "at": 1.0, "type": "message", "role": "user", "text": text}
        for n, text in enumerate(texts)
    ]
    record = CallRecord(
        call_id=call_id,
        caller="+4930123456",
        called="100",
        started_at=1_000.0,
        state="ended",
        duration=12.5,
        ended_by="caller",
        reason="normal",
        q850=16,
        trunk="pbx",
        leg="sip",
        codec="PCMA",
        media={"packets_received": 600, "lost": 6, "mos": 4.2},
        usage={"cost": 0.12},
        said=Said(said),
        happened=timeline,
        quality=Said([{"at": 5.0, "codec": "PCMA", "loss_percent": 1.0, "jitter_ms": 2.0}]),
    )
    return replace(record, **fields)


@asynccontextmanager
async def sqlite(path: Path, instance: str = "one") -> AsyncIterator[SqliteDatabase]:
    """Open a database for a moment."""
    database = SqliteDatabase(path, instance)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def keeper(database: Database, live: list[LiveOne] | None = None, **how: Any) -> RecordKeeper:
    """Return who keeps the calls of a process."""
    calls = live if live is not None else []
    return RecordKeeper(
        database,
        lambda: calls,
        **{"instance": "one", "node": NODE, "redactor": Redactor(), **how},
    )
