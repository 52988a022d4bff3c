"""What is beneath a connection: ICE by aioice, and DTLS, SRTP and SCTP by aiortc.

This is the one module that knows how those are made inside.  aiortc's own receiver, jitter
buffer, decoder and sender task are left out: decrypted RTP and RTCP are handed over as they
come, and packets are encrypted and sent in the caller's turn.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import aioice
import pylibsrtp
from aiortc.rtcdtlstransport import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from aiortc.rtcsctptransport import RTCSctpTransport

__all__ = ["Dtls", "Ice", "OnPacket", "Sctp", "make_certificate", "sha256_of"]

OnPacket: TypeAlias = Callable[[bytes], None]

_LOOPBACK: Final = ("127.0.0.1",)


def make_certificate() -> RTCCertificate:
    """Return a certificate of our own signing, good for one connection."""
    return RTCCertificate.generateCertificate()


def sha256_of(certificate: RTCCertificate) -> str:
    """Return the fingerprint that the other side must find in the handshake."""
    return next(f.value for f in certificate.getFingerprints() if f.algorithm == "sha-256")


class Ice(aioice.Connection):
    """ICE for one component; with ``is_local`` this machine's loopback alone.

    aioice leaves loopback out when it gathers, which is right anywhere but on a machine
    that talks to itself.
    """

    def __init__(self, *, is_controlling: bool, is_local: bool) -> None:
        super().__init__(ice_controlling=is_controlling)
        self._is_local = is_local

    async def get_component_candidates(
        self,
        component: int,
        addresses: list[str],
        timeout: int = 5,  # noqa: ASYNC109 - the base class has it
    ) -> list[aioice.Candidate]:
        """Gather on the addresses that are wanted."""
        wanted = list(_LOOPBACK) if self._is_local else addresses
        return await super().get_component_candidates(component, wanted, timeout)

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


class Sctp(RTCSctpTransport):
    """The association that carries the data channel; a message it cannot read ends nothing."""

    malformed = 0

    async def _receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        try:
            await super()._receive(stream_id, pp_id, data)
        except (AssertionError, ValueError):
            self.malformed += 1
