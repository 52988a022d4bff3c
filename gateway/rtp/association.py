"""The keys of one stream by DTLS, whoever else knocks at its port (RFC 5763 section 6).

Behind a NAT a handshake comes from an address that nobody announced.  So each of a few sources
may shake hands on its own; only the one with the right certificate gets anywhere, and what the
others do, or break, does not touch it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from .dtls import Digest, DtlsState, Handshake, Identity, Keys, hello_of

__all__ = ["Address", "Association", "AssociationEvent", "Refused", "Secured"]

Address: TypeAlias = tuple[str, int]

SOURCES: Final = 4
"""Sources that may shake hands at a time."""
ATTEMPTS: Final = 8
"""Handshakes begun with those we expect, and as many with all others.

Each costs as much time as some hundred packets.
"""
PATIENCE: Final = 10.0
"""Seconds after a handshake failed in which another may come to something.

Anybody can break one by a datagram under the other side's address.
"""


@dataclass(slots=True)
class Secured:
    """The other side is who it should be, and there: these are the keys."""

    keys: Keys
    source: Address


@dataclass(slots=True)
class Refused:
    """Nobody with the right certificate came; ``reason`` says so in words."""

    reason: str


AssociationEvent: TypeAlias = Secured | Refused


class Association:
    """One association, from the description that asked for it until another does.

    Args:
        identity: our certificate.
        digests: what the other side's certificate comes to, any of them.
        is_client: we begin, as soon as it is known with whom.

    """

    def __init__(self, identity: Identity, digests: Iterable[Digest], *, is_client: bool) -> None:
        self.keys: Keys | None = None
        self.dropped = 0  # datagrams of strangers for whom there was no room
        self.attempts = 0
        self._attempts_of_others = 0
        self._identity = identity
        self._digests = frozenset(digests)
        self._is_client = is_client
        self._remote: Address | None = None
        self._hosts: frozenset[str] = frozenset()  # from which we expect them
        self._handshakes: dict[Address, Handshake] = {}
        self._hellos: dict[Address, bytes] = {}  # what each began with
        self._sends: list[tuple[bytes, Address]] = []
        self._events: list[AssociationEvent] = []
        self._problem = ""  # of the handshake that failed last
        self._gives_up_at: float | None = None
        self._is_over = False

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        times = [handshake.deadline for handshake in self._handshakes.values()]
        return min((t for t in (*times, self._gives_up_at) if t is not None), default=None)

    def aim(self, remote: Address, now: float, host: str = "") -> None:
        """Say who was announced: nobody takes their place, and what goes wrong there is told.

        ``host`` is where their signalling comes from.
        """
        self._remote = remote
        self._hosts = frozenset((remote[0], host))
        if self._is_client and self.keys is None and not self._handshakes:
            self._begin(remote, now)
            self._collect(remote, now)

    def receive(self, datagram: bytes, source: Address, now: float) -> None:
        """Take in a DTLS datagram."""
        handshake, hello = self._handshakes.get(source), hello_of(datagram)
        is_new = bool(hello) and hello != self._hellos.get(source)
        if handshake is None or (is_new and handshake.state is DtlsState.SHAKING):
            if not self._may_begin(source):
                self.dropped += 1
                return
            handshake = self._begin(source, now)
            self._hellos[source] = hello
        handshake.receive(datagram, now)
        self._collect(source, now)

    def wake(self, now: float) -> None:
        """Run whatever timers are due at ``now``."""
        for source, handshake in tuple(self._handshakes.items()):
            if handshake.deadline is not None and now >= handshake.deadline:
                handshake.wake(now)
                self._collect(source, now)
        if self._gives_up_at is not None and now >= self._gives_up_at:
            self._refuse()

    def data_to_send(self) -> list[tuple[bytes, Address]]:
        """Drain the datagrams waiting to go out, each with where to."""
        sends, self._sends = self._sends, []
        return sends

    def events(self) -> list[AssociationEvent]:
        """Drain what happened since the last call; at most one thing happens."""
        events, self._events = self._events, []
        return events

    def _may_begin(self, source: Address) -> bool:
        """Say whether a source may shake hands; those we expect always find room."""
        if self._is_client or self._is_over:
            return False
        if source[0] in self._hosts:
            return self.attempts < ATTEMPTS and len(self._handshakes) <= SOURCES
        is_room = len(self._handshakes) < SOURCES or source in self._handshakes
        return self._attempts_of_others < ATTEMPTS and is_room

    def _begin(self, source: Address, now: float) -> Handshake:
        if source[0] in self._hosts:
            self.attempts += 1
        else:
            self._attempts_of_others += 1
        handshake = Handshake(self._identity, self._digests, is_client=self._is_client, now=now)
        self._handshakes[source] = handshake
        return handshake

    def _collect(self, source: Address, now: float) -> None:
        """Take what a handshake has to send, and what it came to."""
        handshake = self._handshakes[source]
        self._sends += [(datagram, source) for datagram in handshake.data_to_send()]
        if handshake.state is DtlsState.DONE and self.keys is None and handshake.keys is not None:
            self.keys = handshake.keys
            self._is_over, self._gives_up_at = True, None
            self._handshakes = {source: handshake}
            self._hellos.clear()
            self._events.append(Secured(handshake.keys, source))
        elif handshake.state is DtlsState.FAILED:
            self._lose(source, handshake, now)
        elif handshake.is_over:
            del self._handshakes[source]

    def _lose(self, source: Address, handshake: Handshake, now: float) -> None:
        """Go on after a handshake that came to nothing."""
        del self._handshakes[source]
        self._hellos.pop(source, None)
        self._problem = handshake.problem
        if self._gives_up_at is None and not self._is_over:
            self._gives_up_at = now + PATIENCE
        if source == self._remote and (handshake.is_mismatch or handshake.is_late):
            self._refuse()
        elif self._is_client and self.attempts < ATTEMPTS:
            self._begin(source, now)
            self._collect(source, now)

    def _refuse(self) -> None:
        self._gives_up_at = None
        self._handshakes.clear()
        if not self._is_over:
            self._is_over = True
            self._events.append(Refused(self._problem))
