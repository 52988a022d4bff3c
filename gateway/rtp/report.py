"""One call's side of RTCP: what we report, and what the other side reports of us.

Round-trip time follows RFC 3550 section 6.4.1.  The NTP times we send count from
the monotonic clock's zero, which the RFC allows: nobody has to set them
against a wall clock, and they never jump.
"""

from typing import Final

from ..errors import RtpError
from .receive import Reception
from .rtcp import (
    CNAME,
    Bye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    Sdes,
    SenderReport,
    pack_compound,
    parse_compound,
)

__all__ = ["ReportSession"]

_SECOND: Final = 1 << 32  # of a 64-bit NTP time
_SHORT_SECOND: Final = 1 << 16  # of its middle 32 bits
_BELIEVABLE: Final = 10.0
"""A longer round trip is a peer that counts wrong, and is not taken."""


def _ntp(now: float) -> int:
    return int(now * _SECOND) & 0xFFFFFFFFFFFFFFFF


def _short_ntp(now: float) -> int:
    return int(now * _SHORT_SECOND) & 0xFFFFFFFF


class ReportSession:
    """Reports for one RTP stream each way.

    ``clock`` is the RTP clock of what we send, in Hz; ``reception`` is what we hear.
    """

    def __init__(self, ssrc: int, cname: str, clock: int, reception: Reception) -> None:
        self.ssrc = ssrc
        self.clock = clock
        self.reception = reception
        self.round_trip: float | None = None  # seconds
        self.remote_loss: float | None = None  # of what we sent lately, 0 to 1
        self.remote_lost = 0  # packets of ours, in all
        self.remote_jitter: float | None = None  # seconds
        self.is_over = False  # the other side said goodbye
        self.malformed = 0
        self.packets_sent = 0
        self.octets_sent = 0
        self._cname = cname
        self._last_timestamp = 0
        self._last_sent_at = 0.0
        self._packets_reported = 0
        self._heard_report = 0  # middle bits of the last sender report's time
        self._heard_report_at: float | None = None

    def sent(self, timestamp: int, octets: int, now: float) -> None:
        """Count an RTP packet of ours, ``octets`` being its payload's length."""
        self.packets_sent += 1
        self.octets_sent += octets
        self._last_timestamp = timestamp
        self._last_sent_at = now

    def receive(self, datagram: bytes, now: float) -> list[RtcpPacket]:
        """Take in a datagram; one that is not RTCP is counted and otherwise ignored."""
        try:
            packets = parse_compound(datagram)
        except RtpError:
            self.malformed += 1
            return []
        for packet in packets:
            match packet:
                case SenderReport():
                    self._heard_report = packet.ntp >> 16 & 0xFFFFFFFF
                    self._heard_report_at = now
                    self._read_blocks(packet.blocks, now)
                case ReceiverReport():
                    self._read_blocks(packet.blocks, now)
                case Bye() if self.reception.ssrc in packet.sources:
                    self.is_over = True
        return packets

    def report(self, now: float) -> bytes:
        """Return the report that is due: a sender's if anything was sent since the last."""
        return pack_compound([self._report(now), self._names()])

    def goodbye(self, now: float) -> bytes:
        """Return the last report, which says that we stop."""
        return pack_compound([self._report(now), self._names(), Bye([self.ssrc])])

    def _names(self) -> Sdes:
        return Sdes([(self.ssrc, [(CNAME, self._cname)])])

    def _report(self, now: float) -> SenderReport | ReceiverReport:
        block = self.reception.report_block()
        if block is not None and self._heard_report_at is not None:
            block.last_report = self._heard_report
            block.delay = int((now - self._heard_report_at) * _SHORT_SECOND) & 0xFFFFFFFF
        blocks = [block] if block is not None else []
        if self.packets_sent == self._packets_reported:
            return ReceiverReport(self.ssrc, blocks)
        self._packets_reported = self.packets_sent
        since = int((now - self._last_sent_at) * self.clock)
        timestamp = (self._last_timestamp + since) & 0xFFFFFFFF
        return SenderReport(
            self.ssrc, _ntp(now), timestamp, self.packets_sent, self.octets_sent, blocks
        )

    def _read_blocks(self, blocks: list[ReportBlock], now: float) -> None:
        for block in blocks:
            if block.ssrc != self.ssrc:
                continue
            self.remote_loss = block.fraction_lost / 256
            self.remote_lost = block.cumulative_lost
            self.remote_jitter = block.jitter / self.clock
            if block.last_report:
                units = (_short_ntp(now) - block.last_report - block.delay) & 0xFFFFFFFF
                seconds = units / _SHORT_SECOND
                if seconds < _BELIEVABLE:
                    self.round_trip = seconds
