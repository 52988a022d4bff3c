"""The realtime service over a WebSocket: commands and the caller's audio out, events in."""

from .commands import (
    ClientEvent,
    InputAudioBufferClear,
    InputAudioBufferCommit,
    encode_append,
)
from .connection import Connect, open_socket
from .endpoint import Endpoint
from .events import Transport
from .link import OnClosed, OnEvent
from .socket_channel import SocketChannel

__all__ = ["WebSocketLink"]


class WebSocketLink(SocketChannel):
    """One session with the service over one socket; never blocks its caller.

    Audio is gathered into appends of ``append_ms``.  While the socket stalls,
    the oldest appends beyond ten seconds are dropped and counted; a thousand
    commands waiting end the link.
    """

    transport: Transport = "websocket"

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
        super().__init__(endpoint, on_event=on_event, on_closed=on_closed, connect=connect)
        self._append_size = append_ms * bytes_per_ms
        self._audio = bytearray()

    async def connect(self) -> None:
        """Reach the service and begin to read.

        Raises:
            LinkError: It cannot be reached or refuses us.

        """
        await self._reach()

    def send(self, command: ClientEvent) -> str:
        """Send a command; returns the ``event_id`` an error about it would carry."""
        if isinstance(command, InputAudioBufferCommit):
            self._send_audio()
        elif isinstance(command, InputAudioBufferClear):
            self._audio.clear()
        return super().send(command)

    def append(self, chunk: bytes) -> None:
        """Send some of the caller's audio, in the session's input format."""
        self._audio += chunk
        if len(self._audio) >= self._append_size:
            self._send_audio()

    def _send_audio(self) -> None:
        size = len(self._audio)
        if size and self.is_live:
            self.stats.audio_bytes += size
            self._put_sized(encode_append(self._audio), size)
        self._audio.clear()
