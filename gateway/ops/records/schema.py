"""The tables, step by step: a database of an older gateway is brought up to date when opened.

=============  ====================================================================
``calls``      calls that are over: what is asked for in columns, all of it as JSON
``call_words`` SQLite's index over what was said, in triples of letters
``live_calls`` calls in progress, as of a second ago, and whose they are
``live_parts`` their timelines, piece by piece
``instances``  the processes that write here
``outbox``     webhooks on their way
=============  ====================================================================
"""

from typing import Final

from ...errors import RecordError
from .database import Dialect

__all__ = ["VERSION", "migrations"]

_CALLS: Final = (
    """CREATE TABLE calls (
        number {serial},
        call_id {text} NOT NULL UNIQUE,
        node {text} NOT NULL,
        started_at {number} NOT NULL,
        ended_at {number} NOT NULL,
        duration {number} NOT NULL,
        caller {text} NOT NULL,
        called {text} NOT NULL,
        trunk {text} NOT NULL,
        leg {text} NOT NULL,
        ended_by {text} NOT NULL,
        reason {text} NOT NULL,
        q850 INTEGER,
        codec {text} NOT NULL,
        transport {text} NOT NULL,
        mos {number},
        loss {number},
        cost {number},
        recording {text} NOT NULL,
        words {text} NOT NULL,
        record {text} NOT NULL,
        transcript {blob},
        timeline {blob}
    )""",
    "CREATE INDEX calls_by_start ON calls (started_at DESC, call_id DESC)",
    "CREATE INDEX calls_by_end ON calls (ended_at)",
    "CREATE INDEX calls_by_caller ON calls (caller, started_at)",
    "CREATE INDEX calls_by_called ON calls (called, started_at)",
    "CREATE INDEX calls_by_trunk ON calls (trunk, started_at)",
)
_LIVE: Final = (
    """CREATE TABLE live_calls (
        call_id {text} PRIMARY KEY,
        instance {text} NOT NULL,
        noted_at {number} NOT NULL,
        record {text} NOT NULL
    )""",
    "CREATE INDEX live_calls_by_instance ON live_calls (instance)",
    """CREATE TABLE live_parts (
        call_id {text} NOT NULL,
        part INTEGER NOT NULL,
        body {blob} NOT NULL,
        PRIMARY KEY (call_id, part)
    )""",
    """CREATE TABLE instances (
        instance {text} PRIMARY KEY,
        node {text} NOT NULL,
        seen_at {number} NOT NULL
    )""",
)
_OUTBOX: Final = (
    """CREATE TABLE outbox (
        number {serial},
        webhook_id {text} NOT NULL UNIQUE,
        instance {text} NOT NULL,
        name {text} NOT NULL,
        call_id {text} NOT NULL,
        body {blob} NOT NULL,
        asked_at {number} NOT NULL,
        due_at {number} NOT NULL,
        attempts INTEGER NOT NULL,
        problem {text} NOT NULL,
        is_dead INTEGER NOT NULL
    )""",
    "CREATE INDEX outbox_by_due ON outbox (instance, is_dead, due_at)",
    "CREATE INDEX outbox_by_call ON outbox (call_id, name, number)",
)
_QUALITY: Final = ("ALTER TABLE calls ADD COLUMN quality {blob}",)
_STEPS: Final = ((*_CALLS, *_LIVE, *_OUTBOX), _QUALITY)

VERSION: Final = len(_STEPS)
"""The tables that this gateway knows."""


def migrations(dialect: Dialect, version: int) -> list[str]:
    """Return what brings tables of ``version`` up to date, 0 where there are none.

    Raises:
        RecordError: They are those of a newer gateway.

    """
    if version > VERSION:
        raise RecordError(
            f"its tables are of version {version}, and this gateway knows {VERSION};"
            " use the newer gateway that made them, or another database"
        )
    return [dialect.write(sql) for step in _STEPS[version:] for sql in step]
