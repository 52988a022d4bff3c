"""A channel over a WebSocket: what the socket cannot take waits, within bounds."""

from websockets.frames import Close

from ..errors import LinkError
from .backlog import Backlog
from .channel import Channel
from .connection import Connect, Socket, open_socket
from .endpoint import Endpoint
from .faults import explain_close
from .link import OnClosed, OnEvent

__all__ = ["SocketChannel"]

_INTERNAL_ERROR = 1011  # RFC 6455, section 7.4.1, as extended by its registry


class SocketChannel(Channel):
    """Sends at once, or behind what waits; a thousand commands waiting end the link."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        on_event: OnEvent,
        on_closed: OnClosed,
        connect: Connect = open_socket,
    ) -> None:
        super().__init__(on_event=on_event, on_closed=on_closed, dialect=endpoint.dialect)
        self._endpoint = endpoint
        self._connect = connect
        self._backlog = Backlog()
        self._socket: Socket | None = None

    async def close(self) -> None:
        """End the connection and wait until it is over."""
        self.is_closing = True
        if self._socket is not None:
            await self._socket.close()

    async def _reach(self) -> None:
        """Open a socket and use it.

        Raises:
            LinkError: There is none to be had, or we were told to close meanwhile.

        """
        socket = await self._connect(self._endpoint) if self.is_live else None
        if socket is not None and self.is_live:
            self._use(socket)
            return
        if socket is not None:
            await socket.close()
        raise LinkError("the link was closed before it was open", retryable=False)

    def _use(self, socket: Socket) -> None:
        """Begin to read from ``socket``, and to write what waits."""
        self._socket = socket
        socket.listen(self.take, self._send_backlog, self._end)

    def _put(self, text: bytes) -> None:
        if self._backlog.is_full:
            self.give_up(LinkError("the service stopped reading"))
        else:
            self._put_sized(text, 0)

    def _put_sized(self, text: bytes, audio_bytes: int) -> None:
        """Send a message at once, or behind those that wait."""
        socket = self._socket
        if socket is not None and not self._backlog and not socket.is_clogged:
            socket.send_now(text)
        elif dropped := self._backlog.add(text, audio_bytes):
            self.stats.audio_bytes -= dropped
            self.stats.dropped_audio_bytes += dropped

    def _send_backlog(self) -> None:
        socket = self._socket
        while socket is not None and self._backlog and not socket.is_clogged:
            socket.send_now(self._backlog.pop())

    def _drop(self, reason: str) -> None:
        if self._socket is not None:
            self._socket.drop(_INTERNAL_ERROR, reason)

    def _end(self, goodbye: Close | None) -> None:
        """Take the end of the socket."""
        self.finish(_explain(goodbye))

    def finish(self, fault: LinkError | None) -> None:
        """Tell the owner, once, how the link ended; what waited is forgotten."""
        self._backlog.clear()
        super().finish(fault)


def _explain(goodbye: Close | None) -> LinkError:
    code, reason = (goodbye.code, goodbye.reason) if goodbye else (1006, "")
    return explain_close(code, reason)
