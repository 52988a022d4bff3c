"""The realtime service over a WebSocket: commands and the caller's audio out, events in."""

import asyncio
import itertools
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from ..errors import LinkError
from .commands import (
    ClientEvent,
    InputAudioBufferClear,
    InputAudioBufferCommit,
    encode,
    encode_append,
)
from .endpoint import Endpoint
from .events import Unknown, decode
from .faults import explain_close, explain_status
from .link import LinkStats, OnClosed, OnEvent

__all__ = ["Connect", "Socket", "WebSocketLink", "open_socket"]

_OPEN_TIMEOUT: Final = 10.0
_CLOSE_TIMEOUT: Final = 2.0
_AUDIO_BACKLOG: Final = 250  # appends waiting for a stalled socket: 10 s of them at 40 ms
_COMMAND_BACKLOG: Final = 1000


class Socket(Protocol):
    """What the link needs of a WebSocket."""

    async def recv(self, decode: bool | None = None) -> bytes | str:
        """Return the next message; ``decode=False`` for the bytes of it."""
        ...

    async def send(self, message: bytes, *, text: bool | None = None) -> None:
        """Send one message; ``text`` makes bytes a text frame."""
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye and wait for the other side's."""
        ...


Connect: TypeAlias = Callable[[Endpoint], Awaitable[Socket]]


async def open_socket(endpoint: Endpoint) -> Socket:
    """Connect to the service, without compression and without a cap on message size.

    Raises:
        LinkError: It cannot be reached or refuses us.

    """
    try:
        return await connect(
            endpoint.url,
            additional_headers=dict(endpoint.headers),
            compression=None,
            max_size=None,
            proxy=None if endpoint.is_local else True,
            open_timeout=_OPEN_TIMEOUT,
            close_timeout=_CLOSE_TIMEOUT,
        )
    except InvalidStatus as error:
        raise explain_status(error.response.status_code) from None
    except ssl.SSLCertVerificationError as error:
        told = f"{endpoint.where} shows a certificate we do not trust: {error.verify_message}"
        raise LinkError(told, retryable=False) from error
    except (OSError, InvalidHandshake) as error:
        told = str(error) or type(error).__name__
        raise LinkError(f"{endpoint.where} cannot be reached: {told}") from error


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
        self._queue: deque[tuple[int, bytes]] = deque()  # bytes of audio (0: a command), frame
        self._queued_appends = 0
        self._has_work = asyncio.Event()
        self._counter = itertools.count(1)
        self._socket: Socket | None = None
        self._reader: asyncio.Task[None] | None = None
        self._fault: LinkError | None = None
        self._is_closing = False

    async def connect(self) -> None:
        """Reach the service and begin to read.

        Raises:
            LinkError: It cannot be reached or refuses us.

        """
        self._socket = await self._connect(self._endpoint)
        self._reader = asyncio.create_task(self._run(self._socket), name="realtime link")

    def send(self, command: ClientEvent) -> str:
        """Queue a command; returns the ``event_id`` an error about it would carry."""
        if isinstance(command, InputAudioBufferCommit):
            self._flush_audio()
        elif isinstance(command, InputAudioBufferClear):
            self._audio.clear()
        event_id = command.event_id
        if event_id is None:
            event_id = f"cmd_{next(self._counter)}"
            command = msgspec.structs.replace(command, event_id=event_id)
        if len(self._queue) - self._queued_appends >= _COMMAND_BACKLOG:
            self._give_up(LinkError("the service stopped reading"))
        else:
            self.stats.commands += 1
            self._put(0, encode(command))
        return event_id

    def append(self, chunk: bytes) -> None:
        """Queue some of the caller's audio, in the session's input format."""
        self._audio += chunk
        if len(self._audio) >= self._append_size:
            self._flush_audio()

    async def close(self) -> None:
        """End the connection and wait until it is over."""
        self._is_closing = True
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await asyncio.wait([self._reader])

    def _flush_audio(self) -> None:
        if not self._audio:
            return
        if self._queued_appends >= _AUDIO_BACKLOG:
            self._drop_oldest_append()
        self._queued_appends += 1
        self.stats.audio_bytes += len(self._audio)
        self._put(len(self._audio), encode_append(self._audio))
        self._audio.clear()

    def _drop_oldest_append(self) -> None:
        oldest = next(entry for entry in self._queue if entry[0])
        self._queue.remove(oldest)
        self._queued_appends -= 1
        self.stats.audio_bytes -= oldest[0]
        self.stats.dropped_audio_bytes += oldest[0]

    def _put(self, audio_bytes: int, frame: bytes) -> None:
        if not self._is_closing:
            self._queue.append((audio_bytes, frame))
            self._has_work.set()

    def _give_up(self, fault: LinkError) -> None:
        self._fault = fault
        if self._reader is not None:
            self._reader.cancel()

    async def _run(self, socket: Socket) -> None:
        """Read until the socket ends, writing beside it; tell the owner how it ended."""
        writer = asyncio.create_task(self._write(socket), name="realtime link writer")
        try:
            while True:
                self._take(await socket.recv(decode=False))
        except ConnectionClosed as closed:
            end = closed.rcvd
            self._fault = explain_close(end.code, end.reason) if end else explain_close(1006, "")
        except asyncio.CancelledError:
            if self._fault is None:
                raise
            await socket.close(1011, "backlog")
        finally:
            writer.cancel()
            is_ours, self._is_closing = self._is_closing, True
            fault = self._fault or LinkError("the link failed inside the gateway")
            self.on_closed(None if is_ours else fault)

    def _take(self, data: bytes | str) -> None:
        event = decode(data)
        self.stats.events += 1
        if isinstance(event, Unknown):
            self.stats.unknown_events += 1
            self.stats.malformed_events += bool(event.problem)
        self.on_event(event)

    async def _write(self, socket: Socket) -> None:
        while True:
            while self._queue:
                audio_bytes, frame = self._queue.popleft()
                self._queued_appends -= audio_bytes > 0
                try:
                    await socket.send(frame, text=True)
                except ConnectionClosed:
                    return  # the reader meets the same end, and tells of it
            self._has_work.clear()
            await self._has_work.wait()
