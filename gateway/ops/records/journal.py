"""What is noted of calls in progress: once a second what is new, so that little can be lost."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...calls.registry import CallRecord
from ...control.timeline import TimelineEntry
from .database import Statement
from .packing import pack, to_json, unpack
from .redaction import Redactor

__all__ = ["News", "Noted", "joined", "write_news"]

_SETTLED: Final = 10.0  # seconds after which an entry of a timeline stays as it is
_LIVE: Final = """INSERT INTO live_calls (call_id, instance, noted_at, record)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (call_id) DO UPDATE SET noted_at = excluded.noted_at, record = excluded.record"""
_PART: Final = """INSERT INTO live_parts (call_id, part, body) VALUES ($1, $2, $3)
    ON CONFLICT (call_id, part) DO UPDATE SET body = excluded.body"""


@dataclass(frozen=True, slots=True)
class News:
    """What is new of one call.

    Attributes:
        record: without its long parts, as it is now.
        part: how many times something was noted before.
        entries: those of its timeline that are new, or not as they were, by their places.
        items: likewise of its transcript.

    """

    record: dict[str, Any]
    part: int
    entries: Sequence[tuple[int, TimelineEntry]]
    items: Sequence[tuple[int, dict[str, Any]]]


class Noted:
    """What is noted of one call already."""

    def __init__(self) -> None:
        self._part = 0
        self._settled = 0  # entries that are noted, and will not change
        self._marks: dict[int, tuple[object, ...]] = {}  # of those that may
        self._items: list[dict[str, Any]] = []

    def news(self, record: CallRecord) -> News:
        """Return what is new, and hold it for noted."""
        entries = self._entries(record)
        items: list[tuple[int, dict[str, Any]]] = []
        if entries or not self._part:  # no word comes without an event
            now = record.transcript
            before = self._items + [{}] * (len(now) - len(self._items))
            items = [(at, item) for at, item in enumerate(now) if item != before[at]]
            self._items = now
        news = News(record.as_dict(with_timeline=False), self._part, entries, items)
        self._part += bool(entries or items)
        return news

    def forget(self) -> None:
        """Note everything anew: what was noted last did not reach the database."""
        self._settled, self._marks, self._items = 0, {}, []

    def _entries(self, record: CallRecord) -> list[tuple[int, TimelineEntry]]:
        entries = record.happened.entries if record.happened is not None else []
        changed = []
        for at in range(self._settled, len(entries)):
            mark = _mark(entries[at])
            if self._marks.get(at) != mark:
                self._marks[at] = mark
                changed.append((at, copy.copy(entries[at])))
        last = entries[-1].at if entries else 0.0
        while self._settled < len(entries) and last - _told(entries[self._settled]) > _SETTLED:
            self._marks.pop(self._settled, None)
            self._settled += 1
        return changed


def write_news(
    news: Iterable[News], instance: str, now: float, redactor: Redactor
) -> list[Statement]:
    """Return what notes the news of calls."""
    live, parts = [], []
    for one in news:
        call_id = one.record["call_id"]
        live.append((call_id, instance, now, to_json(redactor.record(one.record)).decode()))
        entries = redactor.entries([entry.as_dict() for _, entry in one.entries], one.record)
        items = redactor.items([item for _, item in one.items], one.record)
        if entries or items:
            body = {
                "entries": _placed([at for at, _ in one.entries], entries),
                "items": _placed([at for at, _ in one.items], items),
            }
            parts.append((call_id, one.part, pack(body)))
    return [Statement(_LIVE, live), Statement(_PART, parts)]


def joined(bodies: Iterable[bytes]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the timeline and the transcript of a call out of what was noted, in order."""
    entries: dict[int, dict[str, Any]] = {}
    items: dict[int, dict[str, Any]] = {}
    for body in bodies:
        part: Mapping[str, Any] = unpack(body)
        entries.update(part["entries"])
        items.update(part["items"])
    return [entries[at] for at in sorted(entries)], [items[at] for at in sorted(items)]


def _placed(
    places: Sequence[int], rows: Sequence[dict[str, Any]]
) -> list[tuple[int, dict[str, Any]]]:
    return list(zip(places, rows, strict=True)) if rows else []


def _mark(entry: TimelineEntry) -> tuple[object, ...]:
    """Return what changes when something is added to an entry."""
    return (
        entry.count,
        entry.until,
        entry.duration_ms,
        len(entry.sources) if entry.sources else 0,
    )


def _told(entry: TimelineEntry) -> float:
    return entry.at if entry.until is None else entry.until
