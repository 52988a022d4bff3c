"""The realtime service over a WebSocket: commands and the caller's audio out, events in."""

import asyncio
import itertools

import msgspec
import structlog
from websockets.frames import Close

from ..errors import LinkError
from .backlog import Backlog
from .commands import (
    ClientEvent,
    InputAudioBufferClear,
    InputAudioBufferCommit,
    encode,
    encode_append,
)
from .connection import Connect, Socket, open_socket
from .endpoint import Endpoint
from .events import Unknown, decode
from .faults import explain_close
from .link import LinkStats, OnClosed, OnEvent

__all__ = ["WebSocketLink"]

_INTERNAL_ERROR = 1011  # RFC 6455, section 7.4.1, as extended by its registry


class WebSocketLink:
    """One session with the service over one socket; never blocks its caller.

    Audio is gathered into appends of ``append_ms``.  While the socket stalls,
    the oldest appends beyond ten seconds are dropped and counted; a thousand
    commands waiting end the link.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        on_event: OnEvent,
        on_closed: OnClosed,
        append_ms: int = 40,
        bytes_per_ms: int = 48,
        connect: Connect = open_socket,
    ) -> None:
        self.on_event = on_event
        self.on_closed = on_closed
        self.stats = LinkStats()
        self._endpoint = endpoint
        self._connect = connect
        self._append_size = append_ms * bytes_per_ms
        self._audio = bytearray()
        self._backlog = Backlog()
        self._counter = itertools.count(1)
        self._socket: Socket | None = None
        self._fault: LinkError | None = None  # why we gave up
        self._is_closing = False
        self._is_over = False  # and that was told

    async def connect(self) -> None:
        """Reach the service and begin to read.

        Raises:
            LinkError: It cannot be reached or refuses us.

        """
        self._socket = await self._connect(self._endpoint)
        self._socket.listen(self._take, self._send_backlog, self._end)

    def send(self, command: ClientEvent) -> str:
        """Send a command; returns the ``event_id`` an error about it would carry."""
        if isinstance(command, InputAudioBufferCommit):
            self._send_audio()
        elif isinstance(command, InputAudioBufferClear):
            self._audio.clear()
        event_id = command.event_id
        if event_id is None:
            event_id = f"cmd_{next(self._counter)}"
            command = msgspec.structs.replace(command, event_id=event_id)
        if self._backlog.is_full:
            self._give_up(LinkError("the service stopped reading"))
        else:
            self.stats.commands += 1
            self._put(encode(command), 0)
        return event_id

    def append(self, chunk: bytes) -> None:
        """Send some of the caller's audio, in the session's input format."""
        self._audio += chunk
        if len(self._audio) >= self._append_size:
            self._send_audio()

    async def close(self) -> None:
        """End the connection and wait until it is over."""
        self._is_closing = True
        if self._socket is not None:
            await self._socket.close()

    def _send_audio(self) -> None:
        size = len(self._audio)
        if size:
            self.stats.audio_bytes += size
            self._put(encode_append(self._audio), size)
            self._audio.clear()

    def _put(self, text: bytes, audio_bytes: int) -> None:
        """Send a message at once, or behind those that wait."""
        if self._is_closing or self._is_over or self._fault is not None:
            return
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

    def _take(self, message: bytes | bytearray) -> None:
        if self._is_over or self._fault is not None:
            return
        self.stats.events += 1
        try:
            event = decode(message)
            if isinstance(event, Unknown):
                self.stats.unknown_events += 1
                self.stats.malformed_events += bool(event.problem)
            self.on_event(event)
        except Exception:
            structlog.get_logger().exception("the link failed inside the gateway")
            self._give_up(LinkError("the link failed inside the gateway"))

    def _give_up(self, fault: LinkError) -> None:
        """End the link for a fault found on this side, and tell of it in the loop's next turn."""
        if self._is_over or self._fault is not None:
            return
        self._fault = fault
        if self._socket is not None:
            self._socket.drop(_INTERNAL_ERROR, str(fault))
        asyncio.get_running_loop().call_soon(self._end, None)

    def _end(self, goodbye: Close | None) -> None:
        """Tell the owner, once, how the link ended."""
        if self._is_over:
            return
        self._is_over = True
        self._backlog.clear()
        code, reason = (goodbye.code, goodbye.reason) if goodbye else (1006, "")
        fault = self._fault or explain_close(code, reason)
        self.on_closed(None if self._is_closing else fault)
