"""Symmetric RTP (RFC 4961): answer to where the packets come from, and stay there.

Behind a NAT the address in the description is not where packets come from.  The first valid
ones show it.  Then the source is locked, so that whoever sends later cannot take the call over;
a new exchange of descriptions opens it again.

Whoever sends to every port there is (RTP bleed) may come first, and the other side may be silent
for minutes: it rings, it is on hold.  So only two hosts are believed at once: the announced one,
and the one that the signalling comes from.  Any other is heard and answered only where the
announced address cannot be the true one, after a while, and gives way to those two for ever.

Where a packet is proved to be the other side's by its key, it shows where they are, and goes on
showing it when they move.  A signed connectivity check does so alone.
"""

import enum
import ipaddress
from dataclasses import dataclass
from typing import Final, TypeAlias

__all__ = ["Proof", "SymmetricLatch"]

Address: TypeAlias = tuple[str, int]

PACKETS: Final = 4
"""Packets under one SSRC that lock a source which is not the announced one."""
WINDOW: Final = 3.0
"""Seconds from the first packet in which a source nearer to the announced one still wins."""
GRACE: Final = 1.0
"""Seconds a host that nobody spoke of, or that was left, must send, while no other does."""
QUIET: Final = 0.2
"""Seconds nothing must have come before a proved source is left for another one.

So a copy from elsewhere that overtakes its packet leads nobody astray.
"""
SOURCES: Final = 4
"""Sources looked at until one is locked; packets of more are dropped."""

_ANNOUNCED, _SAME_HOST, _SIGNALLING, _ELSEWHERE, _NOWHERE = range(5)

_LOCAL: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # RFC 1918
        *("100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),  # RFC 6598, RFC 3927, RFC 1122
        *("fc00::/7", "fe80::/10", "::1/128"),  # RFC 4193, RFC 4291
    )
)
"""Addresses that mean something else, or nothing, on the other side of a NAT."""


class Proof(enum.Enum):
    """What a packet proves of who sent it."""

    NONE = enum.auto()
    """It came in the clear."""
    FORMER_KEY = enum.auto()
    """It was made with a key that was given up: by the other side, or by who was it before."""
    KEY = enum.auto()
    """It was made with the other side's key."""


@dataclass(slots=True)
class _Candidate:
    rank: int
    ssrc: int
    since: float
    count: int = 0

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
        "_former",
        "_former_until",
        "_grace",
        "_host",
        "_is_proved",
        "_rank",
        "_since",
        "_source",
        "foreign",
        "remote",
    )

    def __init__(self, announced: Address | None = None, host: str = "") -> None:
        self.foreign = 0  # packets of a source that is not the call's
        self.remote: Address | None = None  # where to send
        self._announced: Address | None = None
        self._host = ""
        self._source: Address | None = None  # once locked
        self._former: Address | None = None  # from where they moved away
        self.rearm(announced, host)

    def rearm(
        self, announced: Address | None, host: str = "", *, awaits_proof: bool = False
    ) -> None:
        """Look for the source again, after a new exchange of descriptions.

        ``host`` is where the other side's signalling comes from, empty where that says nothing;
        with ``awaits_proof`` no packet is believed that proves nothing.
        What was learned stays the destination until then, if the announcement is the same.
        """
        is_moved = (announced, host) != (self._announced, self._host)
        if self.remote is None or is_moved:
            self.remote = announced
        if is_moved:
            self._former = self._source or self._former
        self._former_until: float | None = None
        self._announced = announced
        self._host = host
        self._awaits_proof = awaits_proof
        self._grace = GRACE if announced is not None or host else 0.0
        if announced is not None and (announced[0] == host or not _is_local(announced[0])):
            self._grace = float("inf")  # it is theirs: whoever else sends is a stranger
        self._candidates: dict[Address, _Candidate] = {}
        self._source = None
        self._is_proved = False
        self._rank = _NOWHERE  # of the source that is heard
        self._since = self._closes_at = 0.0

    @property
    def is_locked(self) -> bool:
        """Whether the source is settled, but for a better one."""
        return self._source is not None

    def is_closed_to(self, source: Address, now: float, heard_at: float) -> bool:
        """Say whether not even a packet with the other side's key would be taken from there.

        ``heard_at`` is when the call's last packet came.
        """
        if not self._is_proved or source == self._source:
            return False
        if self._awaits_proof:
            return True
        is_alive = now - max(heard_at, self._since) < QUIET
        return is_alive and self._rank_of(source) >= self._rank

    def prove(self, source: Address, now: float) -> None:
        """Settle on the source that was proved to be the other side."""
        self._lock(source, self._rank_of(source), now)
        self._is_proved = True

    def accept(
        self,
        source: Address,
        ssrc: int,
        now: float,
        proof: Proof = Proof.NONE,
        heard_at: float = float("-inf"),
    ) -> bool:
        """Say whether a packet is the call's; pass only those of a right version and type.

        ``heard_at`` is when the call's last packet came.
        """
        if source == self._source:
            return True
        if proof is Proof.NONE:
            is_theirs = not self._is_shut(now) and self._consider(source, ssrc, now)
        else:
            is_theirs = not self.is_closed_to(source, now, heard_at)
            is_theirs = is_theirs and self._follow(source, now, proof)
        self.foreign += not is_theirs
        return is_theirs

    def _is_shut(self, now: float) -> bool:
        """Say whether packets that prove nothing change nothing any more."""
        if self._awaits_proof or self._is_proved:
            return True
        return self._source is not None and self._rank < _ELSEWHERE and now >= self._closes_at

    def _follow(self, source: Address, now: float, proof: Proof) -> bool:
        """Settle on the source of a packet that was made with a key, unless it is a late one."""
        if proof is Proof.FORMER_KEY:
            return source == self.remote
        if self._is_left(source, now):
            return self._source is None
        self.prove(source, now)
        return True

    def _is_left(self, source: Address, now: float) -> bool:
        """Say whether what comes from there was probably on its way when they moved."""
        if source != self._former or source == self._announced:
            return False
        if self._former_until is None:
            self._former_until = now + GRACE
        return now < self._former_until

    def _consider(self, source: Address, ssrc: int, now: float) -> bool:
        if not self._candidates:
            self._closes_at = now + WINDOW
        candidate = self._candidates.get(source)
        if candidate is None:
            rank = self._rank_of(source)
            if len(self._candidates) >= SOURCES and not self._make_room(rank):
                return False
            candidate = self._candidates[source] = _Candidate(rank, ssrc, now)
        if candidate.ssrc != ssrc:
            candidate.ssrc, candidate.since, candidate.count = ssrc, now, 0
        candidate.count += 1
        rank = candidate.rank
        is_better = rank < self._rank
        may_lock = is_better or (self._source is None and rank == self._rank)
        if may_lock and candidate.is_sure(now, self._grace):
            self._lock(source, rank, now)
        elif self._source is None and is_better and (rank < _ELSEWHERE or not self._grace):
            self.remote = source
            self._rank = rank
        return source == self.remote

    def _lock(self, source: Address, rank: int, now: float) -> None:
        self._source = self.remote = source
        self._rank = rank
        self._since = now
        if rank == _ANNOUNCED:
            self._closes_at = now

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


def _is_local(host: str) -> bool:
    """Say whether an address may be out of a network that we cannot see into."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return True
    return any(address in network for network in _LOCAL)
