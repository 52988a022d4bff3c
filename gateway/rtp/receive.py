"""What arrives from one side: which source counts, what was lost, how much it jitters.

Sequence validation, loss and interarrival jitter are those of RFC 3550
appendices A.1, A.3 and A.8, with two departures that a telephone call needs:
the first packet of a call is heard at once, without probation; and another
SSRC takes over only when it has sent two packets in sequence since the present
one was last heard, so that two interleaved sources never take turns.
"""

import enum
from typing import Final

from .packet import RtpPacket
from .rtcp import ReportBlock

__all__ = ["Arrival", "Reception"]

_MAX_DROPOUT: Final = 3000
_MAX_MISORDER: Final = 100
_NONE: Final = -1


class Arrival(enum.Enum):
    """What to do with a packet."""

    IN_STREAM = enum.auto()
    """It belongs to the stream, in order or not."""
    RESTARTED = enum.auto()
    """It is the first heard of a new source or a new numbering: forget the old order."""
    FOREIGN = enum.auto()
    """It is of another source, or far out of sequence: keep it out of the sound.

    A telephone event is to be read all the same.
    """


class Reception:
    """Statistics of one stream, and the verdict on each of its packets.

    ``clock`` is the RTP clock in Hz.  Packets under ``own_ssrc`` are our own, sent
    back by a loop (RFC 3550 section 8.2), and never begin a stream.
    """

    __slots__ = (
        "_base",
        "_candidate",
        "_candidate_next",
        "_clock",
        "_cycles",
        "_expected_before",
        "_highest",
        "_own_ssrc",
        "_received",
        "_received_before",
        "_transit",
        "foreign",
        "jitter_units",
        "packets",
        "restarts",
        "ssrc",
    )

    def __init__(self, clock: int = 8000, *, own_ssrc: int | None = None) -> None:
        self._clock = clock
        self._own_ssrc = own_ssrc
        self.ssrc: int | None = None
        self.packets = 0  # of the whole call, whatever their source
        self.foreign = 0  # packets of another source, or far out of sequence
        self.restarts = 0  # changes of source or numbering
        self.jitter_units = 0.0  # in units of the clock
        self._candidate = _NONE  # the source that may take over
        self._candidate_next = _NONE  # the number that would prove it
        self._begin(0)

    def _begin(self, sequence: int) -> None:
        self._base = sequence
        self._highest = sequence
        self._cycles = 0
        self._received = 0
        self._expected_before = 0
        self._received_before = 0
        self._transit: float | None = None

    def receive(self, packet: RtpPacket, now: float, *, is_event: bool = False) -> Arrival:
        """Count a packet and say whether it belongs to the stream.

        ``is_event`` marks telephone events: they carry the time of their start and
        say nothing of jitter, and some senders give them a source of their own,
        which is not a new source of sound (RFC 4733 section 2.5.1).
        """
        if packet.ssrc != self.ssrc:
            if self.ssrc is None and not is_event and packet.ssrc != self._own_ssrc:
                return self._take_over(packet, now, Arrival.IN_STREAM)
            return self._hear_stranger(packet, now, is_event=is_event)
        ahead = (packet.sequence - self._highest) & 0xFFFF
        if ahead < _MAX_DROPOUT:
            if packet.sequence < self._highest:
                self._cycles += 0x10000
            self._highest = packet.sequence
        elif ahead <= 0x10000 - _MAX_MISORDER:
            return self._hear_stranger(packet, now, is_event=is_event)
        self._candidate = _NONE
        self._received += 1
        self.packets += 1
        if not is_event:
            self._measure_jitter(packet.timestamp, now)
        return Arrival.IN_STREAM

    def advance(
        self, sequence: int, timestamp: int, now: float, count: int, jitter_units: float
    ) -> None:
        """Count ``count`` packets that came in order, the last as given, without being shown.

        ``jitter_units`` is the jitter after them, measured as here.
        """
        if sequence < self._highest:
            self._cycles += 0x10000
        self._highest = sequence
        self._candidate = _NONE
        self._received += count
        self.packets += count
        self.jitter_units = jitter_units
        self._transit = now * self._clock - timestamp

    def _hear_stranger(self, packet: RtpPacket, now: float, *, is_event: bool) -> Arrival:
        is_proven = (packet.ssrc, packet.sequence) == (self._candidate, self._candidate_next)
        if is_proven and not is_event:
            self.restarts += 1
            return self._take_over(packet, now, Arrival.RESTARTED)
        if not is_event and packet.ssrc != self._own_ssrc:
            self._candidate = packet.ssrc
            self._candidate_next = (packet.sequence + 1) & 0xFFFF
        self.foreign += 1
        return Arrival.FOREIGN

    def _take_over(self, packet: RtpPacket, now: float, arrival: Arrival) -> Arrival:
        self.ssrc = packet.ssrc
        self._candidate = _NONE
        self._begin(packet.sequence)
        self._received = 1
        self.packets += 1
        self._measure_jitter(packet.timestamp, now)
        return arrival

    def _measure_jitter(self, timestamp: int, now: float) -> None:
        transit = now * self._clock - timestamp
        if self._transit is not None:
            # Both clocks may wrap or start anywhere: only the change counts.
            change = abs((transit - self._transit + 0x80000000) % 0x100000000 - 0x80000000)
            self.jitter_units += (change - self.jitter_units) / 16
        self._transit = transit

    @property
    def clock(self) -> int:
        """The RTP clock in Hz; setting it, for another codec, keeps the jitter's seconds."""
        return self._clock

    @clock.setter
    def clock(self, hertz: int) -> None:
        if hertz != self._clock:
            self.jitter_units *= hertz / self._clock
            self._clock = hertz
            self._transit = None

    @property
    def jitter(self) -> float:
        """Interarrival jitter in seconds."""
        return self.jitter_units / self._clock

    @property
    def highest(self) -> int:
        """The extended highest sequence number of the present source."""
        return self._cycles + self._highest

    @property
    def expected(self) -> int:
        """Packets the present source has sent, as far as its numbers tell."""
        return self.highest - self._base + 1 if self.ssrc is not None else 0

    @property
    def lost(self) -> int:
        """Packets of the present source that did not come; negative when copies did."""
        return self.expected - self._received

    @property
    def loss(self) -> float:
        """The part lost since the present source began, 0 to 1."""
        return max(0, self.lost) / self.expected if self.expected else 0.0

    def report_block(self) -> ReportBlock | None:
        """Return the block for the next report, ``None`` if nothing was ever heard.

        The fraction lost is counted from one call of this to the next.
        """
        if self.ssrc is None:
            return None
        expected = self.expected - self._expected_before
        lost = expected - (self._received - self._received_before)
        self._expected_before = self.expected
        self._received_before = self._received
        fraction = lost * 256 // expected if expected > 0 and lost > 0 else 0
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=min(fraction, 255),
            cumulative_lost=max(-0x800000, min(self.lost, 0x7FFFFF)),
            highest_sequence=self.highest & 0xFFFFFFFF,
            jitter=int(self.jitter_units) & 0xFFFFFFFF,
        )
