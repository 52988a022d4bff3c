"""The layers of one connection, from gathering addresses to saying goodbye on each."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities

from ..errors import RtcError
from .description import Remote
from .transport import Dtls, Ice, OnPacket, Sctp, make_certificate, sha256_of

__all__ = ["Stack"]

_CLOSE_TIMEOUT: Final = 2.0


class Stack:
    """ICE, DTLS and SCTP, one upon the other.

    Args:
        on_rtp: called with every decrypted RTP packet.
        on_rtcp: called with every decrypted RTCP compound.
        on_channel: called with every data channel.
        on_gone: called with the reason, perhaps more than once, where nothing more will come.
        is_local: use this machine's loopback, and nothing else.

    """

    def __init__(
        self,
        *,
        on_rtp: OnPacket,
        on_rtcp: OnPacket,
        on_channel: Callable[[RTCDataChannel], None],
        on_gone: Callable[[str], None],
        is_local: bool,
    ) -> None:
        self.ice: Ice | None = None
        self.dtls: Dtls | None = None
        self.sctp: Sctp | None = None
        self._on_rtp = on_rtp
        self._on_rtcp = on_rtcp
        self._on_channel = on_channel
        self._on_gone = on_gone
        self._is_local = is_local
        self._certificate = make_certificate()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate that the other side will be shown."""
        return sha256_of(self._certificate)

    @property
    def malformed(self) -> int:
        """Messages that could not be read."""
        return self.sctp.malformed if self.sctp is not None else 0

    async def gather(self, *, is_controlling: bool) -> Ice:
        """Find the addresses at which we can be reached.

        Raises:
            RtcError: There are none.

        """
        self.ice = ice = Ice(is_controlling=is_controlling, is_local=self._is_local)
        await ice.gather_candidates()
        if not ice.local_candidates:
            raise RtcError("this machine has no address to connect from")
        return ice

    async def connect(self, remote: Remote, *, is_client: bool, label: str | None) -> None:
        """Meet the other side on every layer, and with a ``label`` ask for a data channel.

        Raises:
            RtcError: It is not who it was said to be, or was not looked for.
            OSError: It cannot be reached.

        """
        ice = self.ice
        if ice is None:
            raise RtcError("no addresses were gathered")
        ice.remote_username, ice.remote_password = remote.ufrag, remote.password
        ice.remote_is_lite = remote.is_lite
        for candidate in remote.candidates:
            await ice.add_remote_candidate(candidate)
        await ice.connect()
        self.dtls = dtls = Dtls(ice, self._certificate, self._on_rtp, self._on_rtcp)
        if not await dtls.shake_hands(remote.fingerprints, is_client=is_client):
            raise RtcError("the DTLS handshake failed")
        if dtls.receiving is not None:
            dtls.receiving.add_done_callback(self._stopped_receiving)
        self.sctp = sctp = Sctp(dtls, self._on_gone)
        if label is None:
            sctp.on("datachannel", self._on_channel)
        else:
            self._on_channel(RTCDataChannel(sctp, RTCDataChannelParameters(label=label)))
        await sctp.start(RTCSctpCapabilities(remote.max_message), remote.sctp_port)

    def send_packet(self, packet: bytes, is_report: bool) -> bool:
        """Encrypt and send an RTP packet or a report; ``False`` where that cannot be."""
        return self.dtls is not None and self.dtls.send_packet(packet, is_report=is_report)

    async def close(self) -> None:
        """Say goodbye on every layer and let go of the sockets."""
        dtls, receiving = self.dtls, self.dtls.receiving if self.dtls else None
        if self.sctp is not None:
            await self.sctp.stop()
        if dtls is not None:
            await dtls.stop()
            if receiving is not None:
                await asyncio.wait({receiving}, timeout=_CLOSE_TIMEOUT)
            dtls.remove_all_listeners()
        if self.ice is not None:
            await self.ice.close()

    def _stopped_receiving(self, task: "asyncio.Future[None]") -> None:
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            structlog.get_logger().error("a WebRTC connection failed", error=repr(fault))
        self._on_gone("the other side went away")
