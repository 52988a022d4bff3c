"""Names that requests wait for: asked of whoever drives us, who hands the answers back.

Sans-I/O.  A request whose next hop is only a name is held until its name is
found, or for :data:`PATIENCE` seconds; requests with one hop leave in order.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from ..flow import Flow
from ..wire.uri import Uri

__all__ = ["PATIENCE", "Destination", "Lookups", "Then"]

PATIENCE: Final = 5.0
_MOST: Final = 1024  # requests held; one more goes without, as if its name led nowhere

Then: TypeAlias = Callable[[Sequence[Flow], float], None]


class Destination(NamedTuple):
    """All of an address that matters for the way to it (RFC 3263 section 4)."""

    scheme: str
    host: str
    port: int | None
    transport: str

    @classmethod
    def of(cls, uri: Uri) -> "Destination":
        """Return that of an address, whose ``maddr`` stands in for its host."""
        host = (uri.params.get("maddr") or uri.address).lower().strip("[]").rstrip(".")
        return cls(uri.scheme, host, uri.port, (uri.params.get("transport") or "").lower())


@dataclass(slots=True)
class _Held:
    until: float
    destination: Destination
    then: Then


class Lookups:
    """The questions open, and what waits for each."""

    def __init__(self) -> None:
        self.dropped = 0  # did not wait: too many did already
        self._held: deque[_Held] = deque()
        self._asked: set[Destination] = set()
        self._wanted: list[Uri] = []

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        return self._held[0].until if self._held else None

    def find(self, uri: Uri, now: float, then: Then) -> None:
        """Have ``then`` told the ways to an address, none where it leads nowhere."""
        if len(self._held) >= _MOST:
            self.dropped += 1
            then((), now)
            return
        destination = Destination.of(uri)
        self._held.append(_Held(now + PATIENCE, destination, then))
        if destination not in self._asked:
            self._asked.add(destination)
            self._wanted.append(uri)

    def wanted(self) -> list[Uri]:
        """Drain the addresses to be found."""
        wanted, self._wanted = self._wanted, []
        return wanted

    def found(self, uri: Uri, flows: Sequence[Flow], now: float) -> None:
        """Let go what waits for an address."""
        destination = Destination.of(uri)
        self._asked.discard(destination)
        ready = [held for held in self._held if held.destination == destination]
        if ready:
            self._held = deque(held for held in self._held if held.destination != destination)
        for held in ready:
            held.then(flows, now)

    def wake(self, now: float) -> None:
        """Let go what has waited too long."""
        while self._held and self._held[0].until <= now:
            held = self._held.popleft()
            self._asked.discard(held.destination)
            held.then((), now)
