"""One connection to the HTTP server: who is there, and whether they take what they asked for."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from aiohttp import web

__all__ = ["Connection"]

_STEP: Final = 16 * 1024  # bytes; who takes fewer in the time that they have takes nothing


class Connection(asyncio.Protocol):
    """Stands between a transport and the handler that aiohttp makes of it.

    The handler lets go of a transport that it has closed, though what nobody reads keeps it open
    for ever; this one is kept until it is gone.

    Args:
        handler: Reads the requests.
        admit: Takes the connection in, or closes it and returns false.
        forget: Takes the news that it is gone.

    Attributes:
        handler: reads the requests.
        address: of the other end; empty where that has none.
        made_at: seconds of the loop's clock.
        is_spare: there was no room for it: it may ask for health alone, once.
        has_spoken: a request has come.

    """

    def __init__(
        self,
        handler: web.RequestHandler,
        admit: Callable[["Connection"], bool],
        forget: Callable[["Connection"], None],
    ) -> None:
        self.address = ""
        self.made_at = 0.0
        self.is_spare = False
        self.has_spoken = False
        self.handler = handler
        self._is_in = False
        self._admit = admit
        self._forget = forget
        self._transport: asyncio.Transport | None = None
        self._most_waiting = 0  # bytes, since some were last taken
        self._taken_at = 0.0

    def abort(self) -> None:
        """End it, whatever there is still to send."""
        if self._transport is not None:
            self._transport.abort()

    def seconds_stalled(self, now: float) -> float:
        """Return for how long nothing has been taken of what waits for the other end."""
        waiting = self._transport.get_write_buffer_size() if self._transport is not None else 0
        if waiting <= max(0, self._most_waiting - _STEP):
            self._most_waiting, self._taken_at = waiting, now
        self._most_waiting = max(self._most_waiting, waiting)
        return now - self._taken_at if waiting else 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have the handler read it, if there is room."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        self.made_at = self._taken_at = asyncio.get_running_loop().time()
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        self._is_in = self._admit(self)
        if self._is_in:
            self.handler.connection_made(transport)
        else:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of it."""
        self._transport = None
        if self._is_in:
            self._forget(self)
            self.handler.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        if self._is_in:
            self.handler.data_received(data)

    def eof_received(self) -> None:
        """Pass it on; the transport closes itself."""
        if self._is_in:
            self.handler.eof_received()

    def pause_writing(self) -> None:
        """Pass it on."""
        if self._is_in:
            self.handler.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        if self._is_in:
            self.handler.resume_writing()
