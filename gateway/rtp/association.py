"""The keys of one stream by DTLS, whoever else knocks at its port (RFC 5763 section 6).

Behind a NAT a handshake comes from an address that nobody announced.  So each of a few sources
may shake hands on its own; only the one with the right certificate gets anywhere, and what the
others do, or break, does not touch it.

It begins with a hello that brings the cookie its source was told (RFC 6347 section 4.2.1), or that
comes from where ICE proved somebody to be: junk, and what is sent under a false address, costs a
few bytes and leaves nothing behind.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from .dtls import LIMIT, Digest, DtlsState, Handshake, Identity, Keys
from .records import hello_of

__all__ = ["Address", "Association", "AssociationEvent", "Refused", "Secured"]

Address: TypeAlias = tuple[str, int]

SOURCES: Final = 4
"""Sources beside the announced one that may shake hands at a time."""
ATTEMPTS: Final = 8
"""Handshakes begun with the announced address, and as many with each other host.

Each costs as much time as some hundred packets.
"""
STRANGERS: Final = 32
"""Handshakes begun with all hosts of which nothing was said."""
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
        now: from when on a handshake is waited for.
        carries_data: data follows the handshake, both ways.

    """

    def __init__(
        self,
        identity: Identity,
        digests: Iterable[Digest],
        *,
        is_client: bool,
        now: float,
        carries_data: bool = False,
    ) -> None:
        self.is_keyed = False
        self.is_closed = False  # the other side said goodbye
        self.dropped = 0  # datagrams that begin nothing, or for which there was no room
        self._attempts: Counter[str] = Counter()  # by host, the announced address under ""
        self._identity = identity
        self._digests = frozenset(digests)
        self._is_client = is_client
        self._carries_data = carries_data
        self._data: list[bytes] = []
        self._remote: Address | None = None
        self._hosts: frozenset[str] = frozenset()  # from which we expect them
        self._handshakes: dict[Address, Handshake] = {}
        self._hellos: dict[Address, bytes] = {}  # what each began with
        self._door: Handshake | None = None  # who has yet to bring a cookie is spoken to here
        self._sends: list[tuple[bytes, Address]] = []
        self._events: list[AssociationEvent] = []
        self._problem = ""  # of the handshake that failed last
        self._gives_up_at: float | None = now + LIMIT
        self._is_over = False

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        times = [handshake.deadline for handshake in self._handshakes.values()]
        return min((t for t in (*times, self._gives_up_at) if t is not None), default=None)

    def aim(self, remote: Address, now: float, host: str = "") -> None:
        """Say who was announced: nobody takes their place, and what goes wrong there is told.

        ``host`` is where their signalling comes from.  Where they have moved before we were done
        with them, we begin anew.
        """
        has_moved = remote != self._remote
        self._remote = remote
        self._hosts = frozenset((remote[0], host))
        if has_moved:
            del self._attempts[""]
        if not self._is_client or self.is_keyed or self._is_over:
            return
        if has_moved:
            self._handshakes.clear()
            self._problem, self._gives_up_at = "", now + LIMIT
        if not self._handshakes:
            self._begin(remote, now)
            self._collect(remote, now)

    def receive(
        self, datagram: bytes, source: Address, now: float, *, is_proved: bool = False
    ) -> None:
        """Take in a DTLS datagram; ``is_proved`` says that its source is the other side's."""
        handshake, hello = self._handshakes.get(source), hello_of(datagram)
        is_new = bool(hello) and hello != self._hellos.get(source)
        if handshake is not None and not (is_new and handshake.state is DtlsState.SHAKING):
            handshake.receive(datagram, now)
        elif not hello or not self._may_begin(source):
            self.dropped += 1
            return
        elif is_proved:
            self._begin(source, now).receive(datagram, now)
            self._hellos[source] = hello
        elif self._admit(datagram, hello, source, now):
            self._hellos[source] = hello
        else:
            return
        self._collect(source, now)

    def wake(self, now: float) -> None:
        """Run whatever timers are due at ``now``."""
        for source, handshake in tuple(self._handshakes.items()):
            if handshake.deadline is not None and now >= handshake.deadline:
                handshake.wake(now)
                self._collect(source, now)
        if self._gives_up_at is not None and now >= self._gives_up_at:
            if self._handshakes and not self._problem:
                self._gives_up_at = None  # somebody came, and has a time of their own
            else:
                self._problem = self._problem or "nobody began the DTLS handshake in time"
                self._refuse()

    def send(self, data: bytes) -> None:
        """Encrypt data for the other side; before the keys and after its goodbye none goes."""
        may_send = self.is_keyed and not self.is_closed
        for source, handshake in self._handshakes.items() if may_send else ():
            handshake.send(data)
            self._sends += [(datagram, source) for datagram in handshake.data_to_send()]

    def data_received(self) -> list[bytes]:
        """Drain the data that the other side sent."""
        data, self._data = self._data, []
        return data

    def close(self) -> None:
        """Say goodbye to whom the keys were agreed with."""
        for source, handshake in self._handshakes.items() if self.is_keyed else ():
            handshake.close()
            self._sends += [(datagram, source) for datagram in handshake.data_to_send()]

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
        purse = self._purse(source)
        if self._is_client or self._is_over or self._attempts[purse] >= ATTEMPTS:
            return False
        if source == self._remote or purse in self._hosts:
            return True
        return sum(self._attempts[other] for other in self._strangers) < STRANGERS

    def _purse(self, source: Address) -> str:
        """Return whose attempts a handshake with a source is one of."""
        return "" if source == self._remote else source[0]

    @property
    def _strangers(self) -> list[str]:
        return [host for host in self._attempts if host and host not in self._hosts]

    def _admit(self, datagram: bytes, hello: bytes, source: Address, now: float) -> bool:
        """Begin with who brings the cookie for an address; who does not is told it."""
        door = self._door or Handshake(self._identity, self._digests, is_client=False, now=now)
        claim = b"%s %d %s" % (source[0].encode(), source[1], hello)
        if door.admit(datagram, claim, now):
            self._door = None
            self._seat(source, door)
            return True
        self._door = door
        told = door.data_to_send()
        self.dropped += not told
        self._sends += [(cookie, source) for cookie in told]
        return False

    def _begin(self, source: Address, now: float) -> Handshake:
        handshake = Handshake(self._identity, self._digests, is_client=self._is_client, now=now)
        self._seat(source, handshake)
        return handshake

    def _seat(self, source: Address, handshake: Handshake) -> None:
        """Give a handshake its place, if need be that of the longest at it."""
        self._attempts[self._purse(source)] += 1
        self._handshakes.pop(source, None)
        others = [other for other in self._handshakes if other != self._remote]
        if source != self._remote and len(others) >= SOURCES:
            same = (other for other in others if other[0] == source[0])
            strange = (other for other in others if other[0] not in self._hosts)
            leaves = next(same, None) or next(strange, others[0])
            del self._handshakes[leaves]
            self._hellos.pop(leaves, None)
        self._handshakes[source] = handshake

    def _collect(self, source: Address, now: float) -> None:
        """Take what a handshake has to send, and what it came to."""
        handshake = self._handshakes[source]
        self._sends += [(datagram, source) for datagram in handshake.data_to_send()]
        self.is_closed |= handshake.is_closed
        data = handshake.data_received()
        if self._carries_data:
            self._data += data
        keys, handshake.keys = handshake.keys, None
        if keys is not None:
            self.is_keyed = True
            self._door = None
            self._is_over, self._gives_up_at = True, None
            self._handshakes = {source: handshake}
            self._hellos.clear()
            self._events.append(Secured(keys, source))
        elif handshake.state is DtlsState.FAILED:
            self._lose(source, handshake, now)
        elif handshake.is_over and not self._carries_data:
            del self._handshakes[source]

    def _lose(self, source: Address, handshake: Handshake, now: float) -> None:
        """Go on after a handshake that came to nothing."""
        del self._handshakes[source]
        self._hellos.pop(source, None)
        is_first = not self._problem
        self._problem = handshake.problem
        if not self._is_over and (is_first or self._gives_up_at is None):
            # A stranger's failure does not shorten the time of those we wait for.
            waits_until = 0.0 if source[0] in self._hosts else self._gives_up_at or 0.0
            self._gives_up_at = max(now + PATIENCE, waits_until)
        if source == self._remote and (handshake.is_mismatch or handshake.is_late):
            self._refuse()
        elif self._is_client and self._attempts[""] < ATTEMPTS:
            self._begin(source, now)
            self._collect(source, now)

    def _refuse(self) -> None:
        self._gives_up_at = None
        self._handshakes.clear()
        self._door = None
        if not self._is_over:
            self._is_over = True
            self._events.append(Refused(self._problem))
