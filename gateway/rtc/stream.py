"""The audio stream of a connection: numbers what goes out, counts what comes in, reports both."""

from collections.abc import Callable, Mapping
from typing import Final

from ..clock import Clock, Ids, monotonic
from ..rtp.packet import RtpPacket
from ..rtp.receive import Arrival, Reception
from ..rtp.report import ReportSession
from .description import CLOCKS

__all__ = ["AudioStream"]

_LONGEST_PACKET: Final = 2048
"""Bytes; more is no packet of telephone sound, but seconds of it at once."""
_PAUSE: Final = 0.2
"""Seconds behind which sound that was not sent is a pause, and the RTP clock goes on with it."""


class AudioStream:
    """One RTP stream each way.

    Args:
        send: sends a packet, or with ``True`` a report; says whether it could.
        on_rtp: called with every packet of the other side's stream.
        ids: where the stream's identifiers come from.
        clock: tells monotonic seconds.

    """

    def __init__(
        self,
        send: Callable[[bytes, bool], bool],
        on_rtp: Callable[[RtpPacket], None],
        ids: Ids,
        clock: Clock = monotonic,
    ) -> None:
        self.ssrc = ids.number(1 << 32)
        self.cname = ids.token(96)
        self.reception = Reception(CLOCKS["opus"], own_ssrc=self.ssrc)
        self.reports = ReportSession(self.ssrc, self.cname, CLOCKS["opus"], self.reception)
        self.bytes_received = 0
        self.malformed = 0
        self.unsent = 0
        self._send = send
        self._on_rtp = on_rtp
        self._clock = clock
        self._codecs: Mapping[int, str] = {}
        self._sequence = ids.number(1 << 15)  # well below the wrap, as SRTP's receivers like it
        self._timestamp = ids.number(1 << 31)
        self._due: float | None = None  # when the next packet is, if there is no pause

    def use(self, codecs: Mapping[int, str]) -> None:
        """Take in packets of these payload types and no others."""
        self._codecs = codecs

    def send(
        self, payload: bytes, payload_type: int, samples: int, *, marker: bool = False
    ) -> None:
        """Send one packet of sound, ``samples`` of the codec's RTP clock long."""
        now, clock = self._clock(), CLOCKS[self._codecs[payload_type]]
        if self._due is None or now - self._due > _PAUSE:
            marker = True
            if self._due is not None:
                self._timestamp += int((now - self._due) * clock)
            self._due = now
        self._due += samples / clock
        timestamp = self._timestamp & 0xFFFFFFFF
        packet = RtpPacket(payload_type, self._sequence, timestamp, self.ssrc, payload, marker)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = timestamp + samples
        if self._send(bytes(packet), False):
            self.reports.clock = clock
            self.reports.sent(timestamp, len(payload), now)
        else:
            self.unsent += 1

    def receive(self, datagram: bytes) -> None:
        """Take in a decrypted RTP packet."""
        packet = RtpPacket.read(datagram) if len(datagram) <= _LONGEST_PACKET else None
        if packet is None or (codec := self._codecs.get(packet.payload_type)) is None:
            self.malformed += 1
            return
        self.reception.clock = CLOCKS[codec]
        if self.reception.receive(packet, self._clock()) is not Arrival.FOREIGN:
            self.bytes_received += len(packet.payload)
            self._on_rtp(packet)

    def hear_report(self, datagram: bytes) -> None:
        """Take in a decrypted RTCP compound."""
        self.reports.receive(datagram, self._clock())

    def report(self, *, is_last: bool) -> None:
        """Send the report that is due, or the last one."""
        now = self._clock()
        report = self.reports.goodbye(now) if is_last else self.reports.report(now)
        self._send(report, True)
