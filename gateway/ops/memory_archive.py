"""The latest calls, kept in memory alone: what there is where no database is configured."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..calls.registry import CallRecord, Registry
from .archive import CallPage, CallQuery, cursor_after, position_of
from .records.archive import remove_recording

__all__ = ["MemoryArchive", "is_meant", "page_of"]


class MemoryArchive:
    """Finds, shows and forgets the calls that a registry remembers.

    Args:
        recordings: The folder that recordings are in.

    """

    def __init__(self, registry: Registry, recordings: Path | None = None) -> None:
        self._registry = registry
        self._recordings = recordings

    async def find(self, query: CallQuery) -> CallPage:
        """Return a page of calls.

        Raises:
            CursorError: The cursor is not one of ours.

        """
        return page_of(self._registry.ended(), query)

    async def get(self, call_id: str) -> dict[str, Any] | None:
        """Return a whole call, ``None`` where there is none of that name."""
        record = self._registry.record(call_id)
        return await asyncio.to_thread(record.as_dict) if record is not None else None

    async def holds(self, call_id: str) -> bool:
        """Tell whether there is a call of that name."""
        return self._registry.record(call_id) is not None

    async def delete(self, call_id: str) -> bool:
        """Forget a call and its recording; ``False`` where there was none."""
        record = self._registry.erase(call_id)
        if record is None:
            return False
        await asyncio.to_thread(remove_recording, self._recordings, record.recording)
        return True


def page_of(records: Iterable[CallRecord], query: CallQuery) -> CallPage:
    """Return a page of records.

    Raises:
        CursorError: The cursor is not one of ours.

    """
    after = position_of(query.cursor) if query.cursor else None
    found = sorted(
        (one for one in records if after is None or _place(one) < after),
        key=_place,
        reverse=True,
    )
    meant: list[CallRecord] = []
    for record in found:
        if is_meant(record, query):
            if len(meant) == query.limit:
                last = meant[-1]
                return CallPage(_shown(meant), cursor_after(last.started_at, last.call_id))
            meant.append(record)
    return CallPage(_shown(meant))


def is_meant(record: CallRecord, query: CallQuery) -> bool:
    """Tell whether a call is one of those that are asked for."""
    if (query.trunk and record.trunk != query.trunk) or (
        query.ended_by and record.ended_by != query.ended_by
    ):
        return False
    if not (record.caller.startswith(query.caller) and record.called.startswith(query.called)):
        return False
    if query.since is not None and record.started_at < query.since:
        return False
    if query.until is not None and record.started_at >= query.until:
        return False
    wanted = query.q.casefold().split()
    return not wanted or _has_words(record, wanted)


def _has_words(record: CallRecord, wanted: Iterable[str]) -> bool:
    said = [record.call_id, record.caller, record.called, record.trunk, record.reason or ""]
    said.append(record.caller_name)
    said += [str(item.get("text") or "") for item in record.transcript]
    words = "\n".join(said).casefold()
    return all(word in words for word in wanted)


def _place(record: CallRecord) -> tuple[float, str]:
    return record.started_at, record.call_id


def _shown(records: Iterable[CallRecord]) -> list[dict[str, Any]]:
    return [record.as_dict(with_timeline=False) for record in records]
