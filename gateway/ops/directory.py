"""All calls there are, wherever they are: those in progress first, then those that are over."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Literal, Protocol

import msgspec

from ..calls.registry import CallRecord, Registry
from ..errors import RecordError
from .archive import Archive, CallPage, CallQuery
from .memory_archive import page_of

__all__ = ["Directory", "Waiting"]

_LIVE: Final = "live."
_WAITING: Final = "waiting."
_OVER: Final = "over."


class Waiting(Protocol):
    """Calls that are over and not yet in the archive."""

    def holds(self, call_id: str) -> bool:
        """Tell whether a call of that name is among them."""
        ...

    async def get(self, call_id: str) -> dict[str, Any] | None:
        """Return a whole call, ``None`` where there is none of that name."""
        ...

    async def records(self) -> Sequence[CallRecord]:
        """Return all of them."""
        ...


class Directory:
    """Finds calls.

    A page's ``next`` goes on among the calls in progress, then among those that wait for the
    archive, then among those that are in it.  A call that goes over between two pages may be
    on both, and is missing from none.

    Attributes:
        archive: Where those are that are over; it may change before the first is asked for.
        waiting: Those that are on their way there, where that takes its time.

    """

    def __init__(self, registry: Registry, archive: Archive) -> None:
        self._registry = registry
        self.archive = archive
        self.waiting: Waiting | None = None

    async def stage(self, call_id: str) -> Literal["live", "over", ""]:
        """Say where a call stands; empty where there is none of that name.

        Raises:
            RecordError: The calls that are over cannot be asked for.

        """
        if self._registry.live(call_id) is not None:
            return "live"
        is_waiting = self.waiting is not None and self.waiting.holds(call_id)
        return "over" if is_waiting or await self.archive.holds(call_id) else ""

    async def get(self, call_id: str) -> dict[str, Any] | None:
        """Return a whole call, ``None`` where there is none of that name.

        Raises:
            RecordError: The calls that are over cannot be asked for.

        """
        live = self._registry.live(call_id)
        if live is not None:
            record = live.record()
            # What was said changes from one moment to the next; what happened only grows.
            return await asyncio.to_thread(record.as_dict, transcript=record.transcript)
        if self.waiting is not None and (call := await self.waiting.get(call_id)) is not None:
            return call
        return await self.archive.get(call_id)

    async def find(self, query: CallQuery, *, live: bool = True, over: bool = True) -> CallPage:
        """Return a page of calls, of both kinds or of one.

        Where the archive cannot be asked, the page ends before it, and its ``next`` leads there.

        Raises:
            CursorError: The cursor is not one of ours.
            RecordError: The archive cannot be asked, and there is nothing else on the page.

        """
        calls: list[dict[str, Any]] = []
        kinds = [(_LIVE, self._live)] if live else []
        kinds += [(_WAITING, self._waiting), (_OVER, self._archived)] if over else []
        prefixes = [prefix for prefix, _ in kinds if query.cursor.startswith(prefix)]
        begin, cursor = prefixes[0] if prefixes else "", query.cursor
        for prefix, find in kinds:
            if begin not in ("", prefix):
                continue
            left = query.limit - len(calls)
            if not left:
                return CallPage(calls, prefix)
            place = cursor.removeprefix(prefix)
            begin = cursor = ""
            try:
                page = await find(msgspec.structs.replace(query, cursor=place, limit=left))
            except RecordError:
                if not calls:
                    raise
                return CallPage(calls, prefix)
            known = {call["call_id"] for call in calls}
            calls += [call for call in page.calls if call["call_id"] not in known]
            if page.next:
                return CallPage(calls, prefix + page.next)
        return CallPage(calls)

    async def _live(self, query: CallQuery) -> CallPage:
        return page_of([call.record() for call in self._registry], query)

    async def _waiting(self, query: CallQuery) -> CallPage:
        records = await self.waiting.records() if self.waiting is not None else []
        over = [one for one in records if self._registry.live(one.call_id) is None]
        return page_of(over, query)

    async def _archived(self, query: CallQuery) -> CallPage:
        return await self.archive.find(query)
