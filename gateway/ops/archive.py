"""Calls that are over, as whoever asks for them sees it, wherever they are kept."""

from typing import Any, Literal, Protocol

import msgspec

__all__ = ["Archive", "CallPage", "CallQuery"]


class CallQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls, newest first.

    Attributes:
        q: words in numbers, names, transcript or reason.
        caller: a number, or how it begins.
        called: likewise.
        trunk: by its name.
        ended_by: who ended it.
        since: unix seconds.
        until: likewise.
        limit: so many at most.
        cursor: the ``next`` of the page before.

    """

    q: str = ""
    caller: str = ""
    called: str = ""
    trunk: str = ""
    ended_by: Literal["", "caller", "gateway", "callee", "service"] = ""
    since: float | None = None
    until: float | None = None
    limit: int = 50
    cursor: str = ""


class CallPage(msgspec.Struct, frozen=True):
    """Calls without their long parts; ``next`` is empty on the last page."""

    calls: list[dict[str, Any]]
    next: str = ""


class Archive(Protocol):
    """Where calls that are over are kept."""

    async def find(self, query: CallQuery) -> CallPage:
        """Return a page of calls."""
        ...

    async def get(self, call_id: str) -> dict[str, Any] | None:
        """Return a whole call, ``None`` where there is none of that name."""
        ...

    async def delete(self, call_id: str) -> bool:
        """Forget a call and its recording; ``False`` where there was none."""
        ...
