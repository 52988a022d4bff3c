"""How many searches may wait for a database at once: one is under way, and few stand behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from ...errors import RecordError

__all__ = ["SEARCH_SECONDS", "Turnstile"]

SEARCH_SECONDS: Final = 5.0  # that one search may take
_MOST: Final = 8  # searches, with the one under way


class Turnstile:
    """Lets searches through one after the other.

    Attributes:
        waiting: How many there are, with the one under way.

    """

    def __init__(self) -> None:
        self.waiting = 0
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until the searches before are done.

        Raises:
            RecordError: Too many wait already.

        """
        if self.waiting >= _MOST:
            raise RecordError("too many searches wait", retry_after=SEARCH_SECONDS)
        self.waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self.waiting -= 1
