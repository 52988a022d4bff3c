"""What is beneath a connection: ICE by aioice, and DTLS, SRTP and SCTP by aiortc.

aiortc's own receiver, jitter buffer, decoder and sender task are left out: decrypted RTP and RTCP
are handed over as they come, and packets are encrypted and sent in the caller's turn.

How aiortc is made inside is known here alone; how aioice is, here and in the modules of the way
over a lane's own socket: :mod:`.agent`, :mod:`.bases`, :mod:`.finder` and :mod:`.relay`.
"""

import asyncio
import contextlib
import struct
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import aioice
import pylibsrtp
from aioice import stun
from aiortc.rtcdtlstransport import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from aiortc.rtcsctptransport import (
    SCTP_DATA_LAST_FRAG,
    WEBRTC_STRING,
    DataChunk,
    InboundStream,
    RTCSctpTransport,
)

from .description import LONGEST_MESSAGE

__all__ = ["Dtls", "Ice", "OnPacket", "Sctp", "make_certificate", "sha256_of"]

OnPacket: TypeAlias = Callable[[bytes], None]

_LOOPBACK: Final = ("127.0.0.1",)
_MOST_WAITING: Final = 1024
"""Datagrams that may wait for somebody to read them: before the handshake nobody does."""
_ROOM: Final = LONGEST_MESSAGE + (1 << 20)
"""Bytes of messages whose end has not come: what the other side may send unread."""
_MOST_OUT_OF_ORDER: Final = 4096
"""Pieces that came before one that is missing."""
_MOST_STREAMS: Final = 256
"""Ways within the association, each with what came on it."""
_MOST_REFUSED: Final = 1024
"""Ways beyond those whose pieces are dropped, until it is a flood."""
_LOOK_INTERVAL: Final = 1.0  # seconds between looks at whether the other side is there
_CONSENT_INTERVAL: Final = 5.0  # it is asked at least so often (RFC 7675)
_SILENCE: Final = 2.0  # with nothing from it for so long, it is asked at every look
_MOST_UNANSWERED: Final = 6
_MOST_UNANSWERED_IN_SILENCE: Final = 3


def make_certificate() -> RTCCertificate:
    """Return a certificate of our own signing, good for one connection."""
    return RTCCertificate.generateCertificate()


def sha256_of(certificate: RTCCertificate) -> str:
    """Return the fingerprint that the other side must find in the handshake."""
    return next(f.value for f in certificate.getFingerprints() if f.algorithm == "sha-256")


class Ice(aioice.Connection):
    """ICE for one component; with ``is_local`` this machine's loopback alone.

    aioice leaves loopback out when it gathers, which is right anywhere but on a machine
    that talks to itself.  And it takes half a minute to notice that the other side is gone,
    in which a caller would hear nothing: here a side that is silent is asked more often.
    """

    def __init__(self, *, is_controlling: bool, is_local: bool) -> None:
        super().__init__(ice_controlling=is_controlling)
        self._is_local = is_local
        self._heard_at = 0.0  # anything at all

    async def get_component_candidates(
        self,
        component: int,
        addresses: list[str],
        timeout: int = 5,  # noqa: ASYNC109 - the base class has it
    ) -> list[aioice.Candidate]:
        """Gather on the addresses that are wanted."""
        wanted = list(_LOOPBACK) if self._is_local else addresses
        return await super().get_component_candidates(component, wanted, timeout)

    def data_received(self, data: bytes, component: int) -> None:
        """Keep a datagram until it is read; anybody may have sent it, so not every one."""
        self._heard_at = asyncio.get_running_loop().time()
        if data and self._queue.qsize() < _MOST_WAITING:
            super().data_received(data, component)

    async def query_consent(self) -> None:
        """Ask now and then whether the other side is there, and end when it is not."""
        loop = asyncio.get_running_loop()
        asked_at = self._heard_at = loop.time()
        unanswered = 0
        while True:
            await asyncio.sleep(_LOOK_INTERVAL)
            is_silent = loop.time() - self._heard_at >= _SILENCE
            if not is_silent and loop.time() - asked_at < _CONSENT_INTERVAL:
                continue
            asked_at = loop.time()
            unanswered = 0 if await self._is_answered() else unanswered + 1
            if unanswered >= (_MOST_UNANSWERED_IN_SILENCE if is_silent else _MOST_UNANSWERED):
                self._query_consent_task = None
                await self.close()
                return

    async def _is_answered(self) -> bool:
        key = (self.remote_password or "").encode()
        try:
            for pair in tuple(self._nominated.values()):
                request = self.build_request(pair, nominate=False)
                await pair.protocol.request(
                    request, pair.remote_addr, integrity_key=key, retransmissions=0
                )
        except stun.TransactionError:
            return False
        return True

    def send_now(self, datagram: bytes) -> bool:
        """Send without waiting; ``False`` where nothing is connected."""
        pair = self._nominated.get(1)
        if pair is None:
            return False
        pair.protocol.transport.sendto(datagram, pair.remote_addr)
        return True


class _Path:
    """ICE as aiortc's DTLS wants to see it."""

    def __init__(self, ice: Ice) -> None:
        self._ice = ice
        self._recv = ice.recv
        self._send = ice.send

    @property
    def role(self) -> str:
        return "controlling" if self._ice.ice_controlling else "controlled"


class Dtls(RTCDtlsTransport):
    """The handshake, and what it keys: SRTP both ways, and a way for SCTP."""

    def __init__(
        self, ice: Ice, certificate: RTCCertificate, on_rtp: OnPacket, on_rtcp: OnPacket
    ) -> None:
        path: Any = _Path(ice)
        super().__init__(path, [certificate])
        self._ice = ice
        self._on_rtp = on_rtp
        self._on_rtcp = on_rtcp

    async def shake_hands(self, fingerprints: list[tuple[str, str]], *, is_client: bool) -> bool:
        """Prove who we are, have the other side prove it, and begin to receive."""
        self._set_role("client" if is_client else "server")
        expected = [RTCDtlsFingerprint(name, value) for name, value in fingerprints]
        await self.start(RTCDtlsParameters(expected))
        return self.is_connected

    @property
    def is_connected(self) -> bool:
        """Whether packets can be sent."""
        return self.state == "connected"

    @property
    def receiving(self) -> "asyncio.Future[None] | None":
        """The task that receives; it ends when the other side goes."""
        return self._task

    def send_packet(self, packet: bytes, *, is_report: bool = False) -> bool:
        """Encrypt and send an RTP packet or a report at once; ``False`` where that failed."""
        if not self.is_connected:
            return False
        try:
            session = self._tx_srtp
            sealed = session.protect_rtcp(packet) if is_report else session.protect(packet)
            return self._ice.send_now(sealed)
        except (pylibsrtp.Error, OSError):
            return False

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        del arrival_time_ms
        self._on_rtp(data)

    async def _handle_rtcp_data(self, data: bytes) -> None:
        self._on_rtcp(data)

    async def _send_data(self, data: bytes) -> None:
        # A retransmission that comes after the end is no fault of the task that sends it.
        with contextlib.suppress(ConnectionError):
            await super()._send_data(data)


class _Inbound(InboundStream):
    """Pieces of messages, looked through for whole ones only where the end of one is among them.

    Else each piece would cost a look at all before it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ends = 0

    def add_chunk(self, chunk: DataChunk) -> None:
        super().add_chunk(chunk)
        self._ends += bool(chunk.flags & SCTP_DATA_LAST_FRAG)

    def pop_messages(self) -> Iterator[tuple[int, int, bytes]]:
        if self._ends:
            for message in super().pop_messages():
                self._ends -= 1
                yield message

    def prune_chunks(self, tsn: int) -> int:
        size = super().prune_chunks(tsn)
        self._ends = sum(bool(one.flags & SCTP_DATA_LAST_FRAG) for one in self.reassembly)
        return size


class Sctp(RTCSctpTransport):
    """The association that carries the data channel; a message it cannot read ends nothing.

    Of the other side ``room`` bytes of messages without an end are kept, and so many ``streams``:
    what comes on others is dropped.  ``on_overflow`` is called with the reason, perhaps more than
    once, where it sends a message without end, or streams without end; what comes from then on is
    not kept.
    """

    malformed = 0
    surplus = 0  # pieces on streams that are too many

    def __init__(
        self,
        dtls: Dtls,
        on_overflow: Callable[[str], None],
        *,
        room: int = _ROOM,
        streams: int = _MOST_STREAMS,
    ) -> None:
        super().__init__(dtls)
        self._on_overflow = on_overflow
        self._advertised_rwnd = room
        self._most_streams = streams
        self._refused: set[int] = set()  # streams

    async def take(self, data: bytes) -> None:
        """Take in what came; what cannot be read is counted."""
        try:
            await self._handle_data(data)
        except (AssertionError, IndexError, KeyError, ValueError, struct.error):
            self.malformed += 1

    async def _receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        if pp_id == WEBRTC_STRING:
            data = _as_utf8(data)
        try:
            await super()._receive(stream_id, pp_id, data)
        except (AssertionError, ValueError):
            self.malformed += 1

    async def _receive_data_chunk(self, chunk: DataChunk) -> None:
        if self._advertised_rwnd < 0 or len(self._sack_misordered) > _MOST_OUT_OF_ORDER:
            self._on_overflow("the other side sends a message without end")
        elif not self._has_room(chunk.stream_id):
            self._refuse(chunk)
        elif chunk.user_data:  # a piece of nothing is no piece (RFC 9260, section 6.2)
            await super()._receive_data_chunk(chunk)

    def _has_room(self, stream_id: int) -> bool:
        is_known = stream_id in self._inbound_streams
        return is_known or len(self._inbound_streams) < self._most_streams

    def _refuse(self, chunk: DataChunk) -> None:
        """Say that a piece has come, so that it does not come again, and drop it."""
        self.surplus += 1
        self._refused.add(chunk.stream_id)
        if len(self._refused) > _MOST_REFUSED:
            self._on_overflow("the other side opens streams without end")
            return
        self._sack_needed = True
        self._mark_received(chunk.tsn)

    def _get_inbound_stream(self, stream_id: int) -> InboundStream:
        if self._has_room(stream_id):
            return self._inbound_streams.setdefault(stream_id, _Inbound())
        return _Inbound()  # of one that pieces are said to be lost of, and none is kept


def _as_utf8(data: bytes) -> bytes:
    """Return a text with marks in the place of what is no UTF-8: no reason to lose the rest."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode(errors="replace").encode()
    return data
