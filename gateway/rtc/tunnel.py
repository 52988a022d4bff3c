"""The data channel of a browser: SCTP by aiortc (RFC 8831, RFC 8832) over somebody's DTLS.

Everything a page may cause is bounded: channels, messages a second, bytes of one, and bytes that
wait.  What is too much is dropped and counted; a message without end, and streams without end,
end the connection.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

import structlog
from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities

from .transport import Sctp

__all__ = ["LONGEST_MESSAGE", "Tunnel"]

LONGEST_MESSAGE: Final = 1 << 16
"""Bytes of a message that we take, as our description says."""
_ROOM: Final = 4 * LONGEST_MESSAGE
_MOST_BUFFERED: Final = 1 << 20
"""Bytes of messages that may wait for the page."""
_MOST_WAITING: Final = 256
"""Datagrams that wait to be read."""
_MESSAGES_A_SECOND: Final = 50
_MOST_STREAMS: Final = 16
_PATIENCE: Final = 2.0
"""Seconds that the page has to open the channel; then we do."""


class _Layer:
    """What is beneath, as aiortc's SCTP wants to see it."""

    state = "connected"

    def __init__(self, send: Callable[[bytes], None], *, is_client: bool) -> None:
        self._role = "client" if is_client else "server"
        self._send = send

    async def _send_data(self, data: bytes) -> None:
        self._send(data)

    def _register_data_receiver(self, receiver: object) -> None:
        """Do nothing: there is one, and it is handed what comes."""

    def _unregister_data_receiver(self, receiver: object) -> None:
        """Do nothing."""


class Tunnel:
    """Messages both ways on the channel with one label, whoever opened it; others are closed.

    Args:
        send: sends data encrypted.
        is_client: we began the handshake.
        label: of the channel.
        on_open: called when messages can be sent.
        on_message: called with every message.
        on_gone: called with the reason, where no message will come any more.

    """

    def __init__(
        self,
        send: Callable[[bytes], None],
        *,
        is_client: bool,
        label: str,
        on_open: Callable[[], None],
        on_message: Callable[[str], None],
        on_gone: Callable[[str], None],
    ) -> None:
        self.received = self.sent = self.dropped = 0  # messages
        layer: Any = _Layer(send, is_client=is_client)
        self._sctp = Sctp(layer, self._end, room=_ROOM, streams=_MOST_STREAMS)
        self._sctp.on("datachannel", self._take)
        self._label = label
        self._on_open = on_open
        self._on_message = on_message
        self._on_gone = on_gone
        self._channels: list[RTCDataChannel] = []  # with the label
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(_MOST_WAITING)
        self._tasks: list[asyncio.Task[None]] = []
        self._left = float(2 * _MESSAGES_A_SECOND)
        self._counted_at = 0.0
        self._is_over = False

    @property
    def malformed(self) -> int:
        """Messages and datagrams that could not be read."""
        return int(self._sctp.malformed)

    @property
    def surplus(self) -> int:
        """Pieces of messages on streams that were too many."""
        return int(self._sctp.surplus)

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._channel is not None

    @property
    def _channel(self) -> RTCDataChannel | None:
        """The one that messages are sent on: the first, where both sides opened one."""
        return next((one for one in self._channels if one.readyState == "open"), None)

    def begin(self, port: int, max_message: int) -> None:
        """Meet the other side; it takes messages of so many bytes, 0 for any."""
        self._tasks = [
            asyncio.create_task(self._read(port, max_message)),
            asyncio.create_task(self._open_late()),
        ]

    def receive(self, data: bytes) -> None:
        """Take in what was decrypted; what there is no room for is sent again."""
        with contextlib.suppress(asyncio.QueueFull):
            self._waiting.put_nowait(data)

    def send(self, message: str) -> bool:
        """Queue a message; ``False`` where there is no channel, or too much waits already."""
        channel = self._channel
        if channel is not None and channel.bufferedAmount <= _MOST_BUFFERED:
            with contextlib.suppress(ValueError):  # longer than the page takes
                channel.send(message)
                self.sent += 1
                return True
        self.dropped += 1
        return False

    async def close(self) -> None:
        """Say goodbye, and end."""
        self._is_over = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._sctp.stop()

    async def _read(self, port: int, max_message: int) -> None:
        """Work through what comes, in its order."""
        try:
            await self._sctp.start(RTCSctpCapabilities(max_message), port)
            while not self._is_over:
                await self._sctp.take(await self._waiting.get())
                if self._sctp.state == "closed":
                    self._end("the other side closed the data channel")
        except Exception:
            structlog.get_logger().exception("a data channel failed inside the gateway")
            self._end("the data channel failed inside the gateway")

    async def _open_late(self) -> None:
        """Open the channel where the page does not."""
        await asyncio.sleep(_PATIENCE)
        if not self._channels:
            self._use(RTCDataChannel(self._sctp, RTCDataChannelParameters(label=self._label)))

    def _take(self, channel: RTCDataChannel) -> None:
        """Use a channel that the page opened, if it is the right one."""
        if channel.label == self._label:
            self._use(channel)
        else:
            channel.close()

    def _use(self, channel: RTCDataChannel) -> None:
        self._channels.append(channel)
        channel.on("message", self._hear)
        if channel.readyState == "open":
            self._on_open()
        else:
            channel.on("open", self._on_open)

    def _hear(self, message: str | bytes) -> None:
        if self._is_over or not self._has_time() or len(message) > LONGEST_MESSAGE:
            self.dropped += 1
            return
        self.received += 1
        text = message if isinstance(message, str) else message.decode("utf-8", "replace")
        self._on_message(text)

    def _has_time(self) -> bool:
        """Say whether one more message may come now."""
        now = asyncio.get_running_loop().time()
        grown = self._left + (now - self._counted_at) * _MESSAGES_A_SECOND
        self._left, self._counted_at = min(grown, 2.0 * _MESSAGES_A_SECOND), now
        self._left -= (is_room := self._left >= 1)
        return is_room

    def _end(self, reason: str) -> None:
        if not self._is_over:
            self._is_over = True
            self._on_gone(reason)
