"""A client's WebSocket as aiohttp has it, in the shape a connection wants."""

import asyncio
import contextlib
from typing import Final

from aiohttp import WSMsgType, web

from ..connection import Socket

__all__ = ["PROTOCOL", "HttpSocket", "accept_socket"]

PROTOCOL: Final = "realtime"
"""The one sub-protocol that is taken: a browser puts its key beside it, not to be echoed."""

_MAX_MESSAGE: Final = 24 * 1024 * 1024  # 15 MiB of audio in base64, and then some
_HEARTBEAT: Final = 20.0  # seconds
_CLOSE_TIMEOUT: Final = 2.0
_HEADER: Final = "Sec-WebSocket-Protocol"


async def accept_socket(request: web.Request) -> "HttpSocket":
    """Complete the handshake of a WebSocket, without compression.

    Raises:
        web.HTTPException: It is no handshake.

    """
    protocols: tuple[str, ...] = (PROTOCOL,)
    asked: web.BaseRequest = request
    offered = [each.strip() for each in request.headers.get(_HEADER, "").split(",")]
    if PROTOCOL not in offered:
        # aiohttp would write what was offered, a key perhaps, into the log
        protocols = ()
        headers = request.headers.copy()
        headers.popall(_HEADER, None)
        asked = request.clone(headers=headers)
    socket = web.WebSocketResponse(
        timeout=_CLOSE_TIMEOUT,
        heartbeat=_HEARTBEAT,
        protocols=protocols,
        compress=False,
        max_msg_size=_MAX_MESSAGE,
    )
    await socket.prepare(asked)
    return HttpSocket(socket, request)


class HttpSocket(Socket):
    """One WebSocket of a client."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.response = socket
        self._request = request

    async def receive(self) -> bytes | str | None:
        """Return the next message; ``None`` once the client has gone."""
        message = await self.response.receive()
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            data: bytes | str = message.data
            return data
        return None

    async def send(self, frame: bytes) -> None:
        """Send one text message."""
        await self.response.send_frame(frame, WSMsgType.TEXT)

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye; cut the connection of a client that does not take it."""
        message = reason.encode()[:123]
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self.response.close(code=code, message=message)
        except (TimeoutError, ConnectionError):
            self.abort()

    def abort(self) -> None:
        """Cut the connection without a word."""
        transport = self._request.transport
        if transport is not None:
            with contextlib.suppress(OSError):
                transport.abort()
