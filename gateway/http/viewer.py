"""Somebody who watches: what waits for them, bounded."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["Viewer"]

_MOST_BYTES: Final = 4 * 1024 * 1024  # more than there ever is to be told at once
_SIGN_OF_LIFE: Final = b":\n\n"  # a comment


class Viewer:
    """A queue of events for one connection.

    Attributes:
        call_id: The call that is watched; empty for all.
        visitor: Who watches, and from where.
        is_over: Nothing comes any more.
        is_gone: Says whether the connection is no more.
        on_lost: Called where they read too slowly, to break the connection.

    """

    def __init__(
        self, call_id: str = "", visitor: str = "", *, most_bytes: int = _MOST_BYTES
    ) -> None:
        self.call_id = call_id
        self.visitor = visitor
        self.is_over = False
        self.is_gone: Callable[[], bool] = bool
        self.on_lost: Callable[[], None] = _nothing
        self._most_bytes = most_bytes
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._is_nudged = False
        self._news = asyncio.Event()

    def push(self, event: bytes) -> bool:
        """Add an event; tell whether there was room.  Where there is none, it is over."""
        if self.is_over:
            return False
        self._waiting.append(event)
        self._bytes += len(event)
        self._news.set()
        if self._bytes <= self._most_bytes:
            return True
        self._lose()
        return False

    def end(self) -> None:
        """Tell no more."""
        self.is_over = True
        self._waiting.clear()
        self._news.set()

    def nudge(self) -> bool:
        """Give a sign of life; tell whether the last one was taken, else it is over."""
        if self._is_nudged:
            self._lose()
            return False
        self._is_nudged = True
        return self.push(_SIGN_OF_LIFE)

    async def take(self) -> bytes | None:
        """Wait for events, and return all there are in one piece; ``None`` for no more ever."""
        if not self._waiting and not self.is_over:
            await self._news.wait()
        self._news.clear()
        self._is_nudged = False
        piece = b"".join(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return None if self.is_over else piece

    def _lose(self) -> None:
        self.end()
        self.on_lost()


def _nothing() -> None:
    pass
