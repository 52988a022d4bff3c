"""One client's connection: a socket joined to a live session."""

import asyncio
import contextlib
from collections import deque
from typing import Final, Protocol

from .live import LiveSession
from .protocol.outbox import Close, Observer

__all__ = ["Connection", "Socket"]

_MOST_UNSENT: Final = 16_000_000  # bytes a client may leave unread
_CLOGGED: Final = Close(1008, "the client does not read")
_VANISH: Final = 1006


class Socket(Protocol):
    """What a connection needs of a WebSocket, or of whatever stands in for one."""

    async def receive(self) -> bytes | str | None:
        """Return the next message; ``None`` once the client has gone."""
        ...

    async def send(self, frame: bytes) -> None:
        """Send one text message.

        Raises:
            ConnectionError: The client has gone.

        """
        ...

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye and wait a little for the other side's."""
        ...

    def abort(self) -> None:
        """Cut the connection without a word."""
        ...


class Connection:
    """Lets one client see and command a session until either ends.

    Args:
        socket: The client.
        live: The session.
        observer: The client's view of it; the one who opened the session needs none.

    """

    def __init__(self, socket: Socket, live: LiveSession, observer: Observer | None = None) -> None:
        self._socket = socket
        self._live = live
        self._observer = observer
        self._unsent: deque[tuple[bytes, int]] = deque()  # each with what it counts for
        self._unsent_bytes = 0
        self._has_news = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._dropped: Close | None = None

    async def run(self) -> None:
        """Serve the client; returns when the session is over or the client has gone."""
        self._live.join(self)
        try:
            async with asyncio.TaskGroup() as group:
                self._writing = group.create_task(self._write())
                ends = {self._writing, group.create_task(self._read())}
                try:
                    if self._dropped is None:
                        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in ends:
                        task.cancel()
            await self._say_goodbye()
        finally:
            self._live.leave(self)

    def news(self) -> None:
        """Queue what the session has for this client."""
        frames = self._live.session.data_to_send(self._observer)
        for frame in frames:
            for _ in range(self._live.faults.copies()):
                self._unsent.append((frame, len(frame)))
                self._unsent_bytes += len(frame)
        if self._unsent_bytes > _MOST_UNSENT:
            self._drop(_CLOGGED)
        if self._unsent or self._live.goodbye is not None:
            self._has_news.set()

    def inject(self, frame: bytes) -> None:
        """Queue something the session never said."""
        self._unsent.append((frame, 0))
        self._has_news.set()

    def drop(self, code: int, reason: str) -> None:
        """Close the connection; the session goes on for who else looks at it."""
        self._drop(Close(code, reason))

    def _drop(self, goodbye: Close) -> None:
        self._dropped = self._dropped or goodbye
        if self._writing is not None:
            self._writing.cancel()

    async def _read(self) -> None:
        while (data := await self._socket.receive()) is not None:
            self._live.receive(data, self._observer)

    async def _write(self) -> None:
        """Send until the session is over and all of it is told."""
        live, unsent = self._live, self._unsent
        with contextlib.suppress(ConnectionError):
            while live.goodbye is None or unsent:
                while unsent and (live.goodbye is not None or not live.is_stalled):
                    frame, size = unsent.popleft()
                    if wait := live.faults.wait_before(frame, live.clock()):
                        await asyncio.sleep(wait)
                    self._unsent_bytes -= size
                    await self._socket.send(frame)
                if live.goodbye is None:
                    self._has_news.clear()
                    await self._has_news.wait()

    async def _say_goodbye(self) -> None:
        goodbye = self._dropped or self._live.goodbye
        if goodbye is None:
            return  # the client has gone
        if goodbye.code == _VANISH:
            self._socket.abort()
        else:
            await self._socket.close(goodbye.code, goodbye.reason)
