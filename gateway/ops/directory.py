"""All calls there are, wherever they are: those in progress first, then those that are over."""

from typing import Any, Final

import msgspec

from ..calls.registry import Registry
from .archive import Archive, CallPage, CallQuery
from .memory_archive import page_of

__all__ = ["Directory"]

_LIVE: Final = "live."
_OVER: Final = "over."


class Directory:
    """Finds calls.

    A page's ``next`` goes on among the calls in progress, then among those that are over.  A
    call that ends between two pages may be on both, and is missing from none.

    Attributes:
        archive: Where those are that are over; it may change before the first is asked for.

    """

    def __init__(self, registry: Registry, archive: Archive) -> None:
        self._registry = registry
        self.archive = archive

    async def get(self, call_id: str) -> dict[str, Any] | None:
        """Return a whole call, ``None`` where there is none of that name.

        Raises:
            RecordError: The calls that are over cannot be asked for.

        """
        live = self._registry.live(call_id)
        return live.record().as_dict() if live is not None else await self.archive.get(call_id)

    async def find(self, query: CallQuery, *, live: bool = True, over: bool = True) -> CallPage:
        """Return a page of calls, of both kinds or of one.

        Raises:
            CursorError: The cursor is not one of ours.
            RecordError: The calls that are over cannot be asked for.

        """
        calls: list[dict[str, Any]] = []
        cursor = query.cursor
        if live and not cursor.startswith(_OVER):
            place = cursor.removeprefix(_LIVE)
            records = [call.record() for call in self._registry]
            page = page_of(records, msgspec.structs.replace(query, cursor=place))
            if page.next:
                return CallPage(page.calls, _LIVE + page.next)
            calls, cursor = page.calls, ""
        if not over:
            return CallPage(calls)
        left = query.limit - len(calls)
        if not left:
            return CallPage(calls, _OVER)
        place = cursor.removeprefix(_OVER)
        page = await self.archive.find(msgspec.structs.replace(query, cursor=place, limit=left))
        return CallPage(calls + page.calls, page.next and _OVER + page.next)
