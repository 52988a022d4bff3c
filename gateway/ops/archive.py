"""Calls that are over, as whoever asks for them sees it, wherever they are kept."""

import base64
import binascii
from typing import Annotated, Any, Final, Literal, Protocol

import msgspec

__all__ = ["Archive", "CallPage", "CallQuery", "CursorError", "cursor_after", "position_of"]

_MOST: Final = 500  # calls of a page


class CursorError(ValueError):
    """A cursor is not one of ours."""


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
    ended_by: Literal["", "caller", "gateway", "peer"] = ""
    since: float | None = None
    until: float | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=_MOST)] = 50
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

    async def holds(self, call_id: str) -> bool:
        """Tell whether there is a call of that name, without looking at it."""
        ...

    async def delete(self, call_id: str) -> bool:
        """Forget a call and its recording; ``False`` where there was none."""
        ...


def cursor_after(started_at: float, call_id: str) -> str:
    """Return where the page after this call begins, whatever is added meanwhile."""
    return base64.urlsafe_b64encode(f"{started_at!r} {call_id}".encode()).decode().rstrip("=")


def position_of(cursor: str) -> tuple[float, str]:
    """Return the start and the name of the call that a cursor was made of.

    Raises:
        CursorError: It is not one of ours.

    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
        started_at, _, call_id = text.partition(" ")
        if not text.isprintable():
            raise ValueError("odd characters")
        return float(started_at), call_id
    except (binascii.Error, ValueError) as error:
        raise CursorError(f"{cursor[:80]!r} is no cursor; use the `next` of a page") from error
