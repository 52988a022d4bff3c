"""Symmetric RTP (RFC 4961): answer to where the packets come from, and stay there.

Behind a NAT the address in the description is not where packets come from.  The
first valid ones show it.  Then the source is locked, so that whoever sends later
cannot take the call over; a new exchange of descriptions opens it again.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

__all__ = ["SymmetricLatch"]

Address: TypeAlias = tuple[str, int]

PACKETS: Final = 4
"""Packets under one SSRC that lock a source which is not the announced one."""
WINDOW: Final = 3.0
"""Seconds from the first packet in which a source nearer to the announced one still wins."""
SOURCES: Final = 4
"""Sources looked at until one is locked; packets of more are dropped."""

_ANNOUNCED, _SAME_HOST, _ELSEWHERE, _NOWHERE = range(4)


@dataclass(slots=True)
class _Candidate:
    rank: int
    ssrc: int
    count: int = 0


class SymmetricLatch:
    """Which source a call's packets are taken from and sent to.

    A packet of the announced address locks it at once.  Another source is heard and
    answered from its first packet and locked with its fourth; within the window it gives
    way to a better one: the announced host under another port, or the announced address.
    """

    __slots__ = ("_announced", "_candidates", "_closes_at", "_rank", "_source", "foreign", "remote")

    def __init__(self, announced: Address | None = None) -> None:
        self.foreign = 0  # packets of a source that is not the call's
        self.remote: Address | None = None  # where to send
        self._announced: Address | None = None
        self.rearm(announced)

    def rearm(self, announced: Address | None) -> None:
        """Look for the source again, after a new exchange of descriptions.

        What was learned stays the destination until then, if the announcement is the same.
        """
        if self.remote is None or announced != self._announced:
            self.remote = announced
        self._announced = announced
        self._candidates: dict[Address, _Candidate] = {}
        self._source: Address | None = None  # once locked
        self._rank = _NOWHERE  # of the source that is heard
        self._closes_at = 0.0

    @property
    def is_locked(self) -> bool:
        """Whether the source is settled, but for a better one within the window."""
        return self._source is not None

    def is_shut(self, now: float) -> bool:
        """Whether no other source can be taken any more."""
        return self._source is not None and now >= self._closes_at

    def accept(self, source: Address, ssrc: int, now: float) -> bool:
        """Say whether a packet is the call's; pass only those of a right version and type."""
        if source == self._source:
            return True
        if self._source is None or now < self._closes_at:
            return self._consider(source, ssrc, now)
        self.foreign += 1
        return False

    def _consider(self, source: Address, ssrc: int, now: float) -> bool:
        if not self._candidates:
            self._closes_at = now + WINDOW
        candidate = self._candidates.get(source)
        if candidate is None and len(self._candidates) < SOURCES:
            candidate = self._candidates[source] = _Candidate(self._rank_of(source), ssrc)
        if candidate is None:
            self.foreign += 1
            return False
        if candidate.ssrc != ssrc:
            candidate.ssrc, candidate.count = ssrc, 0
        candidate.count += 1
        is_sure = candidate.count >= PACKETS or candidate.rank == _ANNOUNCED
        if is_sure and (self._source is None or candidate.rank < self._rank):
            self._source = self.remote = source
            self._rank = candidate.rank
            if candidate.rank == _ANNOUNCED:
                self._closes_at = now
        elif self._source is None and candidate.rank < self._rank:
            self.remote = source
            self._rank = candidate.rank
        if source != self.remote:
            self.foreign += 1
            return False
        return True

    def _rank_of(self, source: Address) -> int:
        if source == self._announced:
            return _ANNOUNCED
        if self._announced is not None and source[0] == self._announced[0]:
            return _SAME_HOST
        return _ELSEWHERE
