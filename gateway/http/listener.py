"""The socket of the HTTP server: so many connections at most, none for those who say nothing."""

import asyncio
from typing import Final

from aiohttp import web

__all__ = ["Listener"]

_MOST: Final = 1000  # connections; more are closed at once
_FIRST_WORDS: Final = 10.0  # seconds for the first request to be there


class Listener:
    """Accepts connections for an aiohttp server.

    Args:
        accept: Makes the handler of a connection.

    Attributes:
        refused: connections for which there was no room.
        silent: connections that were closed because nothing came.

    """

    def __init__(
        self, accept: web.Server, *, most: int = _MOST, first_words: float = _FIRST_WORDS
    ) -> None:
        self.refused = 0
        self.silent = 0
        self._accept = accept
        self._most = most
        self._first_words = first_words
        self._spoke: set[asyncio.BaseProtocol] = set()
        self._silent_since: dict[web.RequestHandler, float] = {}
        self._looking: asyncio.TimerHandle | None = None
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        assert self._server is not None, "it is not open"
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    async def open(self, host: str, port: int) -> None:
        """Bind.

        Raises:
            OSError: The address is taken or not ours.

        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._make, host, port)
        self._look_later()

    def close(self) -> None:
        """Accept no more."""
        if self._server is not None:
            self._server.close()
        if self._looking is not None:
            self._looking.cancel()

    def note(self, protocol: asyncio.BaseProtocol) -> None:
        """Take the news that a request has come by a connection."""
        self._spoke.add(protocol)

    def _make(self) -> asyncio.BaseProtocol:
        if len(self._accept.connections) >= self._most:
            self.refused += 1
            return _Closing()
        return self._accept()

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(self._first_words / 4, self._look)

    def _look(self) -> None:
        """Close the connections by which nothing has come for long enough."""
        now, live = asyncio.get_running_loop().time(), self._accept.connections
        self._spoke.intersection_update(live)
        silent = [handler for handler in live if handler not in self._spoke]
        self._silent_since = {one: self._silent_since.get(one, now) for one in silent}
        for handler, since in self._silent_since.items():
            if now - since >= self._first_words and handler.transport is not None:
                self.silent += 1
                handler.transport.abort()
        self._look_later()


class _Closing(asyncio.Protocol):
    """A connection for which there is no room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        transport.close()
