"""Two other ways to a WebSocket than the gateway's own, to be compared with it.

Both are a :class:`gateway.realtime.connection.Socket`, so that the same link runs over each.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import DATA_OPCODES, Frame
from websockets.uri import parse_uri

from gateway.realtime.connection import OnEnd, OnMessage, OnWritable, Socket
from gateway.realtime.endpoint import Endpoint

__all__ = ["open_core", "open_plain"]


class Plain:
    """The asyncio client of ``websockets`` as its manual uses it: a task reads, a task writes."""

    is_clogged = False

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._unsent: asyncio.Queue[bytes] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    def listen(self, on_message: OnMessage, on_writable: OnWritable, on_end: OnEnd) -> None:
        """Start both tasks."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._read(on_message)), loop.create_task(self._write())]

    def send_now(self, text: bytes) -> None:
        """Have the writing task send a message."""
        self._unsent.put_nowait(text)

    def drop(self, code: int, reason: str) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Stop, and close the connection."""
        self.drop(1000, "")
        await self._connection.close()

    async def _read(self, on_message: OnMessage) -> None:
        while True:
            try:
                on_message(await self._connection.recv(decode=False))
            except ConnectionClosed:
                return

    async def _write(self) -> None:
        while True:
            await self._connection.send(await self._unsent.get(), text=True)


class Core(asyncio.Protocol):
    """The sans-I/O core of ``websockets`` on a bare transport, with nothing between."""

    is_clogged = False

    def __init__(self, url: str) -> None:
        self._core = ClientProtocol(parse_uri(url), max_size=None)
        self._on_message: Callable[[bytes | bytearray], None] | None = None
        self.is_open = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        self._transport = cast("asyncio.Transport", transport)
        self._core.send_request(self._core.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        core = self._core
        core.receive_data(data)
        for event in core.events_received():
            if isinstance(event, Frame) and event.opcode in DATA_OPCODES:
                if self._on_message is not None:
                    self._on_message(bytes(event.data))
            elif not self.is_open.done():
                self.is_open.set_result(None)
        self._flush()

    def listen(self, on_message: OnMessage, on_writable: OnWritable, on_end: OnEnd) -> None:
        """Hand over what comes."""
        self._on_message = on_message

    def send_now(self, text: bytes) -> None:
        """Send a text message."""
        self._core.send_text(text)
        self._flush()

    def drop(self, code: int, reason: str) -> None:
        """Cut the connection."""
        self._transport.abort()

    async def close(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def _flush(self) -> None:
        for data in self._core.data_to_send():
            if data:
                self._transport.write(data)


async def open_plain(endpoint: Endpoint) -> Socket:
    """Connect with the asyncio client."""
    return Plain(await connect(endpoint.url, compression=None, max_size=None, proxy=None))


async def open_core(endpoint: Endpoint) -> Socket:
    """Connect with the sans-I/O core."""
    where = parse_uri(endpoint.url)
    loop = asyncio.get_running_loop()
    _, core = await loop.create_connection(lambda: Core(endpoint.url), where.host, where.port)
    await core.is_open
    return core
