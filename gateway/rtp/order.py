"""Putting packets back in order without delaying those that are in order: gap-hold.

The realtime service does not play the caller's sound in real time, so it needs
order and not smoothness.  A packet that is next in sequence goes on at once.
Only behind a gap are packets held, 20 to 80 ms, and when that has passed
without the missing ones the gap is declared lost.  A missing packet that comes
after all makes the next holds longer; an undisturbed stream makes them short again.
"""

from dataclasses import dataclass
from typing import Final

from .packet import RtpPacket

__all__ = ["GapHold", "Lost"]

CAPACITY: Final = 64
"""Packets held behind a gap at most; one more ends the hold early."""

_GROWTH: Final = 1.5
_DECAY: Final = 0.9995  # per packet in order: halved in some 28 s of 20 ms packets
_MEMORY: Final = (1 << 64) - 1


@dataclass(slots=True)
class Lost:
    """A gap in the sequence that will not be filled any more.

    ``count`` is in packets; after a jump in the sender's numbering it may be far
    more than any sound that is missing.
    """

    count: int


class GapHold:
    """One source's packets, forward in order: push what arrives, pop what may go on."""

    __slots__ = (
        "_delivered",
        "_held",
        "_hold",
        "_longest",
        "_next",
        "_ready",
        "_shortest",
        "deadline",
        "duplicates",
        "late",
        "lost",
    )

    def __init__(self, shortest: float = 0.020, longest: float = 0.080) -> None:
        self._shortest = shortest
        self._longest = longest
        self.duplicates = 0
        self.late = 0  # given up as lost, and arrived after all
        self.lost = 0  # given up as lost
        self.reset()

    def reset(self) -> None:
        """Forget the stream: the next packet begins another.  The counts stay."""
        self.deadline: float | None = None  # when pop() will declare the open gap lost
        self._hold = self._shortest
        self._next: int | None = None
        self._ready: list[RtpPacket | Lost] = []
        self._held: dict[int, tuple[float, RtpPacket]] = {}
        # One bit for each of the last 64 numbers before _next: it was delivered.
        self._delivered = 0

    @property
    def hold(self) -> float:
        """How long the next gap will be kept open, in seconds."""
        return self._hold

    def push(self, packet: RtpPacket, now: float) -> None:
        """Take in a packet that has just arrived."""
        sequence = packet.sequence
        expected = self._next
        if sequence == expected or expected is None:
            self._forward(packet)
            if self._held:
                self._release(now)
            elif self._hold > self._shortest:
                self._hold = max(self._shortest, self._hold * _DECAY)
        elif (sequence - expected) & 0xFFFF >= 0x8000:
            self._count_past((expected - 1 - sequence) & 0xFFFF)
        elif sequence in self._held:
            self.duplicates += 1
        else:
            self._held[sequence] = (now, packet)
            if self.deadline is None:
                self.deadline = now + self._hold
            elif len(self._held) > CAPACITY:
                self.deadline = now

    def advance(self, next_sequence: int, count: int) -> None:
        """Take note that ``count`` packets went on in order without being pushed.

        Only while nothing is held; ``next_sequence`` is due after them.
        """
        self._next = next_sequence
        seen = min(count, 64)
        self._delivered = (self._delivered << seen | (1 << seen) - 1) & _MEMORY
        self._hold = max(self._shortest, self._hold * _DECAY**count)

    def pop(self, now: float) -> list[RtpPacket | Lost]:
        """Drain what may go on: packets in order, and the gaps that were given up."""
        while self.deadline is not None and now >= self.deadline:
            self._give_up(now)
        ready = self._ready
        if ready:
            self._ready = []
        return ready

    def _forward(self, packet: RtpPacket) -> None:
        self._ready.append(packet)
        self._next = (packet.sequence + 1) & 0xFFFF
        self._delivered = (self._delivered << 1 | 1) & _MEMORY

    def _release(self, now: float) -> None:
        """Forward what a filled gap was holding back, up to the next gap."""
        while self._next in self._held:
            self._forward(self._held.pop(self._next)[1])
        # The next gap has been open since the first packet beyond it came.
        since = min((arrival for arrival, _ in self._held.values()), default=None)
        self.deadline = None if since is None else max(now, since + self._hold)

    def _give_up(self, now: float) -> None:
        start = self._next or 0
        gap = min((sequence - start) & 0xFFFF for sequence in self._held)
        self._ready.append(Lost(gap))
        self.lost += gap
        self._delivered = (self._delivered << min(gap, 64)) & _MEMORY
        self._next = (start + gap) & 0xFFFF
        self._release(now)

    def _count_past(self, age: int) -> None:
        """Count a packet whose turn has passed: a second copy, or one given up too early."""
        if age < 64 and not self._delivered >> age & 1:
            self._delivered |= 1 << age
            self.late += 1
            self._hold = min(self._longest, self._hold * _GROWTH)
        else:
            self.duplicates += 1
