"""One WebRTC connection: one audio stream both ways as RTP packets, and one data channel."""

import asyncio
import contextlib
import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import structlog
from aiortc.rtcdatachannel import RTCDataChannel

from ..clock import Ids, RandomIds
from ..errors import RtcError
from ..rtp.packet import RtpPacket
from .description import Local, Remote
from .stack import Stack
from .stream import AudioStream

__all__ = ["Peer", "PeerState", "PeerStats"]

_CONNECT_TIMEOUT: Final = 15.0
_CLOSE_TIMEOUT: Final = 2.0
_REPORT_INTERVAL: Final = 5.0
_MOST_BUFFERED: Final = 8 << 20
"""Bytes of messages that may wait for the other side; more ends the connection."""


class PeerState(enum.Enum):
    """How far a connection is."""

    CONNECTING = enum.auto()
    OPEN = enum.auto()
    CLOSED = enum.auto()


@dataclass(slots=True)
class PeerStats:
    """What went over a connection.

    ``lost`` are packets that never came, ``malformed`` what could not be read, ``unsent``
    what the system would not send; ``round_trip`` and ``jitter`` are seconds.
    """

    packets_received: int = 0
    packets_sent: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    lost: int = 0
    malformed: int = 0
    unsent: int = 0
    messages_received: int = 0
    messages_sent: int = 0
    jitter: float = 0.0
    round_trip: float | None = None
    remote_loss: float | None = None

    @classmethod
    def of(cls, audio: AudioStream, stack: Stack) -> Self:
        """Gather what the parts of a connection have counted."""
        reports, reception = audio.reports, audio.reception
        return cls(
            packets_received=reception.packets,
            packets_sent=reports.packets_sent,
            bytes_received=audio.bytes_received,
            bytes_sent=reports.octets_sent,
            lost=max(0, reception.lost),
            malformed=audio.malformed + reports.malformed + stack.malformed,
            unsent=audio.unsent,
            jitter=reception.jitter_units / reception.clock,
            round_trip=reports.round_trip,
            remote_loss=reports.remote_loss,
        )


class Peer:
    """One side of a connection.  Call :meth:`offer` then :meth:`accept`, or :meth:`answer`.

    ``on_state`` is called with ``OPEN`` when sound and messages can go, and once with
    ``CLOSED``; :attr:`reason` then says why, and is empty where we closed it ourselves.
    Packets of sound are handed over as they come, in any order; none of those of a stray
    source are.  A connection that is not open 15 seconds after both sides are described ends.

    Args:
        on_rtp: called with every packet of sound.
        on_message: called with every message on the data channel.
        on_state: called with every change of state.
        codecs: those we take, best first, of ``opus``, ``PCMU`` and ``PCMA``.
        is_local: use this machine's loopback, and nothing else.
        ids: where stream identifiers come from.

    """

    def __init__(
        self,
        *,
        on_rtp: Callable[[RtpPacket], None],
        on_message: Callable[[str], None],
        on_state: Callable[[PeerState], None],
        codecs: Sequence[str] = ("opus", "PCMU", "PCMA"),
        is_local: bool = False,
        ids: Ids | None = None,
    ) -> None:
        self.state = PeerState.CONNECTING
        self.reason = ""
        self.codecs: Mapping[int, str] = {}
        self._on_message = on_message
        self._on_state = on_state
        self._wanted = tuple(codecs)
        self._ids = ids or RandomIds()
        self._audio = AudioStream(self._send_packet, on_rtp, self._ids)
        self._stack = Stack(
            on_rtp=self._audio.receive,
            on_rtcp=self._audio.hear_report,
            on_channel=self._take_channel,
            on_gone=self.drop,
            is_local=is_local,
        )
        self._messages_received = self._messages_sent = 0
        self._label: str | None = None
        self._channel: RTCDataChannel | None = None
        self._channel_opened = asyncio.Event()
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def preferred(self) -> int:
        """The payload type that the two sides like best.

        Raises:
            RtcError: Nothing was negotiated so far.

        """
        for payload_type in self.codecs:
            return payload_type
        raise RtcError("no codec was negotiated")

    @property
    def is_open(self) -> bool:
        """Whether sound and messages can go."""
        return self.state is PeerState.OPEN

    @property
    def stats(self) -> PeerStats:
        """The figures so far."""
        stats = PeerStats.of(self._audio, self._stack)
        stats.messages_received = self._messages_received
        stats.messages_sent = self._messages_sent
        return stats

    async def offer(self, label: str = "oai-events") -> str:
        """Return a whole offer, with a data channel of that label.

        Raises:
            RtcError: No address of this machine can be used.

        """
        self._label = label
        local = await self._gather(is_controlling=True)
        return local.offer(self._wanted)

    async def accept(self, answer: str) -> None:
        """Take the answer to our offer and begin to connect.

        Raises:
            RtcError: It cannot be read, or agrees to nothing we offered.

        """
        remote = Remote.parse(answer)
        if not remote.candidates:
            raise RtcError("the answer names no address that can be reached by UDP")
        self._agree(remote)
        self._begin(remote, is_client=remote.setup == "passive")

    async def answer(self, offer: str) -> str:
        """Take another side's offer, return the answer, and begin to connect.

        Raises:
            RtcError: It cannot be read, or offers nothing we have.

        """
        remote = Remote.parse(offer)
        self._agree(remote)
        local = await self._gather(is_controlling=remote.is_lite)
        is_client = remote.setup != "active"
        self._begin(remote, is_client=is_client)
        return local.answer(remote, self.codecs, "active" if is_client else "passive")

    def send_audio(
        self, payload: bytes, *, payload_type: int, samples: int, marker: bool = False
    ) -> None:
        """Send one packet of sound at once; nothing where the connection is not open.

        ``samples`` is how much of the codec's RTP clock the payload covers.
        """
        if self.is_open:
            self._audio.send(payload, payload_type, samples, marker=marker)

    def send(self, message: str) -> None:
        """Queue a message on the data channel.

        Raises:
            RtcError: The channel is not open, or the message is longer than the other side takes.

        """
        channel = self._channel
        if channel is None or not self.is_open or channel.readyState != "open":
            raise RtcError("the data channel is not open")
        if channel.bufferedAmount > _MOST_BUFFERED:
            raise RtcError("the other side stopped reading messages")
        try:
            channel.send(message)
        except ValueError as error:
            raise RtcError(str(error)) from error
        self._messages_sent += 1

    def drop(self, reason: str) -> None:
        """End the connection soon, for a reason of ours; :meth:`close` is still to be called."""
        if self._over.is_set():
            return
        self._end(reason)
        if self._task is not None and self.state is PeerState.CONNECTING:
            self._task.cancel()  # what it waits for may never come

    async def close(self) -> None:
        """End the connection and wait until nothing of it is left."""
        self.drop("")
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=_CLOSE_TIMEOUT)
            if not self._task.done():
                self._task.cancel()
                await asyncio.wait({self._task}, timeout=_CLOSE_TIMEOUT)
        await self._stack.close()  # for a task that never ran
        self._change(PeerState.CLOSED)

    # Connecting

    async def _gather(self, *, is_controlling: bool) -> Local:
        ice = await self._stack.gather(is_controlling=is_controlling)
        return Local(
            ice.local_username,
            ice.local_password,
            self._stack.fingerprint,
            ice.local_candidates,
            self._audio.ssrc,
            self._audio.cname,
            self._ids.number(1 << 62),
        )

    def _agree(self, remote: Remote) -> None:
        self.codecs = {t: name for t, name in remote.codecs.items() if name in self._wanted}
        if not self.codecs:
            raise RtcError("the two sides have no codec in common")

    def _begin(self, remote: Remote, *, is_client: bool) -> None:
        if self._stack.ice is None or self._task is not None or self._over.is_set():
            raise RtcError("the connection was not offered, or is under way or over")
        self._audio.use(self.codecs)
        self._task = asyncio.create_task(self._live(remote, is_client))

    async def _live(self, remote: Remote, is_client: bool) -> None:
        """Connect, stay until it is over, and clear away."""
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                await self._stack.connect(remote, is_client=is_client, label=self._label)
                await self._channel_opened.wait()
            self._change(PeerState.OPEN)
            await self._report_until_over()
        except asyncio.CancelledError:
            self._end("it was let go")
        except TimeoutError:
            self._end("it could not be connected in time")
        except (RtcError, ConnectionError, OSError) as error:
            self._end(str(error) or "it could not be connected")
        except Exception:
            structlog.get_logger().exception("a WebRTC connection failed inside the gateway")
            self._end("it failed inside the gateway")
        finally:
            await self._stack.close()
            self._change(PeerState.CLOSED)

    def _take_channel(self, channel: RTCDataChannel) -> None:
        """Use a data channel; of several the one that came last, as the service does."""
        self._channel = channel
        channel.on("message", self._hear_message)
        channel.on("close", lambda: self._lose_channel(channel))
        if channel.readyState == "open":
            self._channel_opened.set()
        else:
            channel.on("open", self._channel_opened.set)

    # Open

    def _send_packet(self, packet: bytes, is_report: bool) -> bool:
        return self._stack.send_packet(packet, is_report)

    def _hear_message(self, message: str | bytes) -> None:
        if self._over.is_set():
            return
        self._messages_received += 1
        self._on_message(
            message if isinstance(message, str) else message.decode("utf-8", "replace")
        )

    async def _report_until_over(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REPORT_INTERVAL):
                    await self._over.wait()
            self._audio.report(is_last=self._over.is_set())

    def _lose_channel(self, channel: RTCDataChannel) -> None:
        if channel is self._channel:
            self.drop("the other side closed the data channel")

    # The end

    def _end(self, reason: str) -> None:
        if not self._over.is_set():
            self.reason = reason
            self._over.set()

    def _change(self, state: PeerState) -> None:
        if state is not self.state and self.state is not PeerState.CLOSED:
            self.state = state
            self._on_state(state)
