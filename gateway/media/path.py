"""The way to the other side, where it must be proved: checks are answered, and hands shaken.

Both cost a thousand times what a packet of sound does, so they are done on the event loop and
not on the media thread, which only passes datagrams here and sends what comes back.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from ..rtp.association import Association, Refused
from ..rtp.dtls import Identity
from ..rtp.ice import IceLite
from ..rtp.records import is_dtls
from ..sdp.crypto import SrtpKeys
from ..sdp.dtls import Dtls
from ..sdp.ice import Ice
from ..sdp.negotiate import Negotiated
from .ports import Address

__all__ = ["Datagram", "Found", "Keyed", "Path", "PathEvent", "Refused"]

_PROVED: Final = ("", 0)
"""Whoever signed a check, from whatever address: one and the same to a handshake."""


class Datagram(NamedTuple):
    """STUN or DTLS that came to a port of a lane; ``is_report`` says to that of the reports."""

    data: bytes
    source: Address
    is_report: bool
    at: float


@dataclass(slots=True)
class Found:
    """Here the other side is, and nowhere else."""

    address: Address


@dataclass(slots=True)
class Keyed:
    """The handshake brought keys, with whoever is at that address."""

    keys: SrtpKeys
    address: Address


PathEvent: TypeAlias = Found | Keyed | Refused


class Path:
    """The way of one port, sans-I/O; drain :meth:`data_to_send` and :meth:`events`."""

    def __init__(self, identity: Identity, *, is_report: bool = False) -> None:
        self.is_report = is_report
        self.dropped = 0  # datagrams of strangers
        self._identity = identity
        self._agreed: tuple[Dtls | None, Ice | None] = (None, None)
        self._ice: IceLite | None = None
        self._association: Association | None = None
        self._announced: Address | None = None
        self._host = ""
        self._sends: list[tuple[bytes, Address]] = []
        self._events: list[PathEvent] = []

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        return self._association.deadline if self._association is not None else None

    @property
    def is_wanted(self) -> bool:
        """Whether there is anything to prove at all."""
        return self._ice is not None or self._association is not None

    def configure(self, negotiated: Negotiated, now: float) -> None:
        """Take over what was negotiated; what has not changed goes on (RFC 8842 section 4)."""
        dtls, ice = negotiated.dtls, negotiated.ice
        before = self._agreed
        self._announced = negotiated.remote_rtcp if self.is_report else negotiated.remote
        self._host = negotiated.peer_host
        if self.is_report and negotiated.is_rtcp_mux:
            dtls = ice = None  # reports go the way of the sound
        self._agreed = dtls, ice
        if ice != before[1]:
            self._ice = None
            if ice is not None:
                self._ice = IceLite(ice.local.ufrag, ice.local.password, ice.remote.ufrag)
        if dtls is None:
            self._association = None
        elif dtls != before[0] or self._association is None:
            self._association = Association(
                self._identity, dtls.fingerprints, is_client=dtls.is_client, now=now
            )
        self._aim(now)

    def receive(self, datagram: Datagram) -> None:
        """Take in what came to the port."""
        data, source, now = datagram.data, datagram.source, datagram.at
        if not is_dtls(data):
            self._answer_check(data, source, now)
        elif self._association is None:
            self.dropped += 1
        elif self._ice is None:
            self._association.receive(data, source, now)
        elif self._ice.is_proved(source):
            self._association.receive(data, _PROVED, now, is_proved=True)
        else:
            self.dropped += 1

    def wake(self, now: float) -> None:
        """Run whatever timers are due at ``now``."""
        if self._association is not None:
            self._association.wake(now)

    def data_to_send(self) -> list[tuple[bytes, Address]]:
        """Drain the datagrams waiting to go out, each with where to."""
        sends, self._sends = self._sends, []
        if self._association is not None:
            for data, address in self._association.data_to_send():
                to = self._ice.remote if self._ice is not None else address
                if to is not None:
                    sends.append((data, to))
        return sends

    def events(self) -> list[PathEvent]:
        """Drain what happened since the last call."""
        events, self._events = self._events, []
        for event in self._association.events() if self._association is not None else ():
            if isinstance(event, Refused):
                events.append(event)
                continue
            secret = event.keys
            keys = SrtpKeys(secret.suite, secret.local, secret.remote)
            to = self._ice.remote if self._ice is not None else event.source
            events.append(Keyed(keys, to or event.source))
        return events

    @property
    def refused(self) -> int:
        """Datagrams that led to nothing: of strangers, unsigned, or unreadable."""
        refused = self.dropped
        if self._ice is not None:
            refused += self._ice.refused
        if self._association is not None:
            refused += self._association.dropped
        return refused

    def _answer_check(self, data: bytes, source: Address, now: float) -> None:
        ice = self._ice
        if ice is None:
            self.dropped += 1  # nothing is answered that nobody signed
            return
        before = ice.remote
        answer = ice.receive(data, source)
        if answer is not None:
            self._sends.append((answer, source))
        if ice.remote is not None and ice.remote != before:
            self._events.append(Found(ice.remote))
            self._aim(now)

    def _aim(self, now: float) -> None:
        """Say to a handshake with whom it is made."""
        if self._association is None:
            return
        to = self._announced
        if self._ice is not None:
            to = _PROVED if self._ice.remote is not None else None
        if to is not None:
            self._association.aim(to, now, self._host)
