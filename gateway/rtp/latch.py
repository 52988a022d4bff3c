"""Symmetric RTP (RFC 4961): answer to where the packets come from, and stay there.

Behind a NAT the address in the description is not where packets come from.  The first valid
ones show it.  Then the source is locked, so that whoever sends later cannot take the call over;
a new exchange of descriptions opens it again.

Whoever sends to every port there is (RTP bleed) may come first.  So only two hosts are believed
at once: the announced one, and the one that the signalling comes from.  Any other is looked at
for a while, neither heard nor answered, and gives way to those two.  Where a packet is proved to
be the other side's, by its key or by a signed connectivity check, nothing else counts.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

__all__ = ["SymmetricLatch"]

Address: TypeAlias = tuple[str, int]

PACKETS: Final = 4
"""Packets under one SSRC that lock a source which is not the announced one."""
WINDOW: Final = 3.0
"""Seconds from the first packet in which a source nearer to the announced one still wins."""
GRACE: Final = 1.0
"""Seconds a host that nobody spoke of must send, while none of those we expect does."""
SOURCES: Final = 4
"""Sources looked at until one is locked; packets of more are dropped."""

_ANNOUNCED, _SAME_HOST, _SIGNALLING, _ELSEWHERE, _NOWHERE = range(5)


@dataclass(slots=True)
class _Candidate:
    rank: int
    ssrc: int
    since: float
    count: int = 0

    def is_expected(self, grace: float) -> bool:
        """Say whether it may be heard before it is locked."""
        return self.rank < _ELSEWHERE or not grace

    def is_sure(self, now: float, grace: float) -> bool:
        """Say whether it may be locked."""
        if self.rank == _ANNOUNCED:
            return True
        return self.count >= PACKETS and (self.rank < _ELSEWHERE or now - self.since >= grace)


class SymmetricLatch:
    """Which source a call's packets are taken from and sent to.

    A packet of the announced address locks it at once.  The announced host under another port,
    or the host of the signalling, is heard and answered from its first packet and locked with
    its fourth; within the window it gives way to a better one.
    """

    __slots__ = (
        "_announced",
        "_awaits_proof",
        "_candidates",
        "_closes_at",
        "_grace",
        "_host",
        "_rank",
        "_source",
        "foreign",
        "remote",
    )

    def __init__(self, announced: Address | None = None, host: str = "") -> None:
        self.foreign = 0  # packets of a source that is not the call's
        self.remote: Address | None = None  # where to send
        self._announced: Address | None = None
        self.rearm(announced, host)

    def rearm(
        self, announced: Address | None, host: str = "", *, awaits_proof: bool = False
    ) -> None:
        """Look for the source again, after a new exchange of descriptions.

        ``host`` is where the other side's signalling comes from, empty where that says nothing;
        with ``awaits_proof`` no packet is believed that proves nothing.
        What was learned stays the destination until then, if the announcement is the same.
        """
        if self.remote is None or announced != self._announced:
            self.remote = announced
        self._announced = announced
        self._host = host
        self._awaits_proof = awaits_proof
        self._grace = GRACE if announced is not None or host else 0.0
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

    def prove(self, source: Address, now: float) -> None:
        """Settle on the source that was proved to be the other side."""
        self._source = self.remote = source
        self._closes_at = now

    def accept(self, source: Address, ssrc: int, now: float, *, is_authentic: bool = False) -> bool:
        """Say whether a packet is the call's; pass only those of a right version and type.

        ``is_authentic`` says that it was made with the other side's key.
        """
        if source == self._source:
            return True
        if self.is_shut(now) or (self._awaits_proof and not is_authentic):
            self.foreign += 1
            return False
        if not is_authentic:
            return self._consider(source, ssrc, now)
        self.prove(source, now)
        return True

    def _consider(self, source: Address, ssrc: int, now: float) -> bool:
        if not self._candidates:
            self._closes_at = now + WINDOW
        candidate = self._candidates.get(source)
        if candidate is None:
            rank = self._rank_of(source)
            if len(self._candidates) >= SOURCES and not self._make_room(rank):
                self.foreign += 1
                return False
            candidate = self._candidates[source] = _Candidate(rank, ssrc, now)
        if candidate.ssrc != ssrc:
            candidate.ssrc, candidate.since, candidate.count = ssrc, now, 0
        candidate.count += 1
        is_better = candidate.rank < self._rank
        if candidate.is_sure(now, self._grace) and (self._source is None or is_better):
            self._source = self.remote = source
            self._rank = candidate.rank
            if candidate.rank == _ANNOUNCED:
                self._closes_at = now
        elif (
            self._source is None and is_better and (candidate.rank < _ELSEWHERE or not self._grace)
        ):
            self.remote = source
            self._rank = candidate.rank
        if source != self.remote:
            self.foreign += 1
            return False
        return True

    def _make_room(self, rank: int) -> bool:
        """Forget the worst candidate for a better one."""
        worst = max(self._candidates, key=lambda source: self._candidates[source].rank)
        if self._candidates[worst].rank <= rank:
            return False
        del self._candidates[worst]
        return True

    def _rank_of(self, source: Address) -> int:
        if source == self._announced:
            return _ANNOUNCED
        if self._announced is not None and source[0] == self._announced[0]:
            return _SAME_HOST
        return _SIGNALLING if source[0] == self._host else _ELSEWHERE
