"""A call that the service itself holds, watched and steered over a WebSocket of its own."""

import asyncio
from typing import Final

import structlog
from websockets.frames import Close

from ..errors import LinkError
from .connection import Connect, Socket, open_socket
from .endpoint import Endpoint
from .events import Transport
from .link import OnClosed, OnEvent
from .socket_channel import SocketChannel
from .webhook import FrontDoor

__all__ = ["SidebandLink"]

_NOT_FOUND: Final = 404
_FIRST_STEP: Final = 0.1  # seconds between attempts: 100, 150, 200, 250, 250, ... ms
_STEP_MORE: Final = 0.05
_LONGEST_STEP: Final = 0.25
_LONGEST_WAIT: Final = 2.0  # between attempts to come back
_SETTLED: Final = 10.0  # seconds after which a socket counts as good again


class SidebandLink(SocketChannel):
    """The second pair of eyes on a call; the sound goes between the service and the caller.

    The call may not be known yet when the socket is opened: for ``patience``
    seconds a 404 is asked again.  A socket that is lost later is replaced by
    another to the same call, quietly, for at most ``reconnect_seconds``; only
    when the service says 404 then is the call over, and ``on_closed`` hears
    of it with that status.  The link is up as soon as the socket is: no event
    is waited for.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        call_id: str,
        *,
        on_event: OnEvent,
        on_closed: OnClosed,
        transport: Transport = "sip",
        front_door: FrontDoor = "realtime",
        patience: float = 3.0,
        reconnect_seconds: float = 30.0,
        connect: Connect = open_socket,
    ) -> None:
        super().__init__(
            endpoint.for_call(call_id, front_door),
            on_event=on_event,
            on_closed=on_closed,
            connect=connect,
        )
        self.transport = transport
        self._patience = patience
        self._reconnect_seconds = reconnect_seconds
        self._opened_at = 0.0  # on the loop's clock
        self._deadline = 0.0  # of coming back
        self._wait = 0.0  # before the next attempt to
        self._coming_back: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Attach to the call and begin to read.

        Raises:
            LinkError: The call is not there, or the service cannot be reached or refuses us.

        """
        loop = asyncio.get_running_loop()
        give_up_at, step = loop.time() + self._patience, _FIRST_STEP
        while True:
            try:
                await self._reach()
                return
            except LinkError as error:
                may_wait = error.retryable or error.status == _NOT_FOUND
                if not may_wait or loop.time() + step > give_up_at:
                    raise
            await asyncio.sleep(step)
            step = min(step + _STEP_MORE, _LONGEST_STEP)

    def append(self, chunk: bytes) -> None:
        """Send nothing: the service hears the caller by itself."""

    async def close(self) -> None:
        """Let go of the call; it goes on without us."""
        self.is_closing = True
        coming_back, self._coming_back = self._coming_back, None
        if coming_back is not None:
            coming_back.cancel()
            await asyncio.wait({coming_back})
            self.finish(None)
        await super().close()

    def _use(self, socket: Socket) -> None:
        self._opened_at = asyncio.get_running_loop().time()
        super()._use(socket)

    def _drop(self, reason: str) -> None:
        """Cut the socket, and the way back to one."""
        if self._coming_back is not None:
            self._coming_back.cancel()
        super()._drop(reason)

    def _end(self, goodbye: Close | None) -> None:
        """Take the end of a socket: ours, or one to be replaced."""
        if not self.is_live:
            super()._end(goodbye)
            return
        self._socket = None
        loop = asyncio.get_running_loop()
        if loop.time() - self._opened_at >= _SETTLED or not self._deadline:
            self._deadline, self._wait = loop.time() + self._reconnect_seconds, 0.0
        self._coming_back = loop.create_task(self._come_back(), name="sideband")

    async def _come_back(self) -> None:
        """Replace the socket, or find out that the call is over."""
        loop = asyncio.get_running_loop()
        while loop.time() + self._wait <= self._deadline:
            await asyncio.sleep(self._wait)
            self._wait = min(2 * self._wait or _FIRST_STEP, _LONGEST_WAIT)
            try:
                await self._reach()
            except LinkError as error:
                if error.retryable:
                    continue
                self.finish(_over(error))
                return
            except Exception:
                structlog.get_logger().exception("the link failed inside the gateway")
                self.finish(LinkError("the link failed inside the gateway"))
                return
            self.stats.reconnects += 1
            self._coming_back = None
            return
        self.finish(LinkError("the sideband of the call was lost and did not come back"))


def _over(error: LinkError) -> LinkError:
    if error.status != _NOT_FOUND:
        return error
    return LinkError("the call is over", retryable=False, status=_NOT_FOUND)
