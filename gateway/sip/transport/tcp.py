"""SIP over TCP: connections taken, opened on demand, and used again (RFC 3261 section 18)."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Final, cast

from ...errors import SipError
from ..flow import Flow
from ..framing import StreamFramer
from .address import Address, Bind

__all__ = ["TcpSocket"]

_MOST_CONNECTIONS: Final = 1024
_MOST_UNSENT: Final = 1 << 20  # bytes; a peer that reads no more is cut off
_MOST_WAITING: Final = 64  # messages that may wait for one connection to open
_PATIENCE: Final = 32.0  # seconds a connection may take to open, or to bring its first message


class _Connection(asyncio.Protocol):
    """One connection, from either side."""

    def __init__(self, owner: "TcpSocket", number: int) -> None:
        self.flow: Flow | None = None
        self._owner = owner
        self._number = number
        self._framer = StreamFramer()
        self._transport: asyncio.Transport | None = None
        self._watchdog: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Event loops need not derive their transports from asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        remote = transport.get_extra_info("peername")[:2]
        self.flow = Flow("tcp", self._owner.local, remote, self._number)
        if not self._owner.admit(self):
            self._transport.abort()
            return
        loop = asyncio.get_running_loop()
        self._watchdog = loop.call_later(_PATIENCE, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        assert self.flow is not None
        try:
            messages = self._framer.receive_data(data)
        except SipError:
            self._owner.counters["tcp_broken"] += 1
            self._transport.abort()
            return
        for pong in self._framer.data_to_send():
            self._transport.write(pong)
        if messages and self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        for message in messages:
            self._owner.on_message(message, self.flow)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._owner.dismiss(self)

    def write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > _MOST_UNSENT:
            self._owner.counters["tcp_broken"] += 1
            self._transport.abort()
        else:
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class TcpSocket:
    """One listening socket and the connections that belong to it.

    A message for a flow whose connection is gone goes over another connection
    to the same address, opened if need be.
    """

    transport: Final = "tcp"

    def __init__(
        self, on_message: Callable[[bytes, Flow], None], on_lost: Callable[[Flow], None]
    ) -> None:
        self.local: Address = ("", 0)
        self.on_message = on_message
        self.counters = {"tcp_broken": 0, "tcp_turned_away": 0}
        self._on_lost = on_lost
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None
        self._by_number: dict[int, _Connection] = {}
        self._by_remote: dict[Address, _Connection] = {}
        self._opening: dict[Address, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, bind: Bind) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, bind.host, bind.port)
        self.local = self._server.sockets[0].getsockname()[:2]

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one message, now or once a connection stands; failing that, ``on_lost`` says so."""
        connection = self._by_number.get(flow.id) or self._by_remote.get(flow.remote)
        if connection is not None:
            connection.write(data)
            return
        waiting = self._opening.get(flow.remote)
        if waiting is not None:
            if len(waiting) < _MOST_WAITING:
                waiting.append(data)
            return
        self._opening[flow.remote] = [data]
        task = asyncio.create_task(self._connect(flow))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop listening and close every connection."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._by_number.values()):
            connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def admit(self, connection: _Connection) -> bool:
        """Take in a new connection, unless there are too many."""
        assert connection.flow is not None
        if len(self._by_number) >= _MOST_CONNECTIONS:
            self.counters["tcp_turned_away"] += 1
            return False
        self._by_number[connection.flow.id] = connection
        self._by_remote[connection.flow.remote] = connection
        return True

    def dismiss(self, connection: _Connection) -> None:
        """Forget a connection that is gone."""
        flow = connection.flow
        if flow is None or self._by_number.pop(flow.id, None) is None:
            return
        if self._by_remote.get(flow.remote) is connection:
            del self._by_remote[flow.remote]
        self._on_lost(flow)
        self._on_lost(Flow("tcp", self.local, flow.remote))

    def _connection(self) -> _Connection:
        return _Connection(self, next(self._numbers))

    async def _connect(self, flow: Flow) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_PATIENCE):
                _, connection = await loop.create_connection(self._connection, *flow.remote)
        except OSError:  # includes the timeout
            self._opening.pop(flow.remote, None)
            self._on_lost(flow)
            return
        for data in self._opening.pop(flow.remote, ()):
            connection.write(data)
