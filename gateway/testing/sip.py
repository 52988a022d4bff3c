"""User agents joined by a network in memory, in a time that moves only when told to.

    network = VirtualNetwork(loss=0.3, seed=7)
    ann, bob = network.phone("192.0.2.1"), network.phone("192.0.2.2")
    call = ann.call(bob, b"offer")
    network.run(1.0)

Nothing waits: a minute of retransmissions takes milliseconds.  What went over
the wire, lost or not, is in ``network.sent``.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from weakref import WeakKeyDictionary

from ..clock import CountedIds
from ..sip.agent import Invited, UserAgent
from ..sip.dialogs.incoming import IncomingSession
from ..sip.dialogs.outgoing import OutgoingSession
from ..sip.dialogs.session import Session
from ..sip.dialogs.session_events import SessionEvent
from ..sip.duties.standing import Reported
from ..sip.flow import Flow, Transport
from ..sip.wire.keepalive import PING
from ..sip.wire.message import Request, Response, read
from ..sip.wire.uri import Uri, bracketed
from .loss import Loss

__all__ = ["Phone", "Sent", "VirtualNetwork"]

_PORT: Final = 5060


@dataclass(slots=True)
class Sent:
    """One message on the wire."""

    at: float
    message: Request | Response
    flow: Flow
    is_lost: bool

    @property
    def title(self) -> str:
        """The method of a request, the status and method of a response."""
        if isinstance(self.message, Request):
            return self.message.method
        return f"{self.message.status} {self.message.cseq.method}"


@dataclass(slots=True)
class Phone:
    """One user agent at one address; takes calls into ``calls`` and notes what happens."""

    network: "VirtualNetwork"
    address: tuple[str, int]
    transport: Transport
    agent: UserAgent
    calls: list[IncomingSession] = field(default_factory=list)
    on_invite: Callable[[IncomingSession], None] | None = None
    news: WeakKeyDictionary[Session, list[SessionEvent]] = field(default_factory=WeakKeyDictionary)
    listeners: WeakKeyDictionary[Session, Callable[[SessionEvent], None]] = field(
        default_factory=WeakKeyDictionary
    )

    @property
    def uri(self) -> Uri:
        """The address to call it by."""
        params: dict[str, str | None] = {}
        if self.transport != "udp":
            params["transport"] = self.transport
        host, port = self.address
        return Uri("sip", "user", bracketed(host), port, params)

    def flow_to(self, other: "Phone") -> Flow:
        """Return the way to another phone."""
        return Flow(self.transport, self.address, other.address)

    def call(self, other: "Phone", sdp: bytes | None, **options: Any) -> OutgoingSession:
        """Call another phone."""
        session = self.agent.invite(
            other.uri,
            self.flow_to(other),
            self.network.now,
            from_uri=self.uri,
            sdp=sdp,
            **options,
        )
        self.flush()
        return session

    def connect(
        self, other: "Phone", offer: bytes = b"offer", answer: bytes = b"answer"
    ) -> tuple[OutgoingSession, IncomingSession]:
        """Call another phone, have it answer, and return both ends, their news heard."""
        call = self.call(other, offer)
        self.network.run(0.1)
        taken = other.calls[-1]
        taken.answer(answer, self.network.now)
        self.network.run(0.1)
        self.heard(call)
        other.heard(taken)
        return call, taken

    def heard(self, session: Session) -> list[SessionEvent]:
        """Return what happened to a call since the last time it was asked for."""
        self.flush()
        return self.news.pop(session, [])

    def now(self) -> float:
        """Return the time to give to sessions."""
        return self.network.now

    def listen(self, session: Session, on_event: Callable[[SessionEvent], None]) -> None:
        """Have ``on_event`` told what happens to a session, and what already has."""
        self.listeners[session] = on_event
        for event in self.news.pop(session, []):
            on_event(event)

    async def resolve(self, uri: Uri) -> list[Flow]:
        """Return the ways to an address."""
        remotes = self.network.names.get(uri.host, [(uri.address, uri.port or _PORT)])
        return [Flow(self.transport, self.address, remote) for remote in remotes]

    def flush(self) -> None:
        """Put on the wire what waits, and note what happened."""
        while True:
            for uri in self.agent.lookups():
                found = self.network.names.get(uri.host, ())
                flows = [Flow(self.transport, self.address, remote) for remote in found]
                self.agent.found(uri, flows, self.network.now)
            for data, flow in self.agent.data_to_send():
                self.network.carry(data, flow)
            events = self.agent.events()
            if not events:
                return
            for event in events:
                if isinstance(event, Invited):
                    self.calls.append(event.session)
                    if self.on_invite is not None:
                        self.on_invite(event.session)
                elif isinstance(event, Reported):
                    event.duty.on_event(event.event)
                elif listener := self.listeners.get(event.session):
                    listener(event.event)
                else:
                    self.news.setdefault(event.session, []).append(event.event)


class VirtualNetwork:
    """Carries messages between phones, and loses, delays and shuffles them as asked.

    Args:
        delay: Seconds each message takes.
        jitter: Seconds it may take longer, at random: more than a little reorders.
        loss: Share of datagrams lost; connections lose nothing.
        burst: How many of them in a row are lost on average.
        seed: Makes every run the same.

    """

    def __init__(
        self,
        *,
        delay: float = 0.01,
        jitter: float = 0.0,
        loss: float = 0.0,
        burst: float = 1.0,
        seed: int = 1,
    ) -> None:
        self.now = 0.0
        self.sent: list[Sent] = []
        self.pings: list[tuple[float, Flow]] = []  # when, and by which way
        self.names: dict[str, list[tuple[str, int]]] = {}  # what look-ups of them find, in order
        self.drop: Callable[[Sent], bool] = lambda sent: False
        self._delay = delay
        self._jitter = jitter
        self._loss = Loss(loss, burst)
        self._random = Random(seed)
        self._phones: dict[tuple[str, int], Phone] = {}
        self._transit: list[tuple[float, int, bytes, Flow]] = []
        self._count = itertools.count()

    def phone(self, host: str, *, transport: Transport = "udp", **options: Any) -> Phone:
        """Return a new phone; ``options`` go to its user agent."""
        address = (host, _PORT)
        told = {"advertise": lambda flow: flow.local} | options
        agent = UserAgent(CountedIds(f"{host}-"), **told)
        phone = self._phones[address] = Phone(self, address, transport, agent)
        return phone

    def carry(self, data: bytes, flow: Flow) -> None:
        """Take a message from a phone, or from nowhere: tests may forge."""
        if data == PING:
            self.pings.append((self.now, flow))
            return
        sent = Sent(self.now, read(data), flow, is_lost=False)
        is_lossy = not flow.is_reliable and self._loss.is_next_lost(self._random)
        sent.is_lost = is_lossy or self.drop(sent)
        self.sent.append(sent)
        if not sent.is_lost:
            late = self._jitter * self._random.random() if not flow.is_reliable else 0.0
            arrival = Flow(flow.transport, flow.remote, flow.local)
            entry = (self.now + self._delay + late, next(self._count), data, arrival)
            heapq.heappush(self._transit, entry)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        self._flush()
        while (due := self._due()) is not None and due <= end:
            self.now = max(self.now, due)
            self._step()
        self.now = end

    def titles(self, *, by: Phone | None = None) -> list[str]:
        """Return what went over the wire in short, of one sender if asked."""
        return [s.title for s in self.sent if by is None or s.flow.local == by.address]

    def times(self, title: str) -> list[float]:
        """Return when messages of this title were sent, to the millisecond."""
        return [round(s.at, 3) for s in self.sent if s.title == title]

    def last(self, title: str) -> Request | Response:
        """Return the last message of this title."""
        return next(s.message for s in reversed(self.sent) if s.title == title)

    def last_request(self, method: str) -> Request:
        """Return the last request of this method, as it went over the wire."""
        message = self.last(method)
        assert isinstance(message, Request)
        return message

    def _due(self) -> float | None:
        times = [phone.agent.deadline for phone in self._phones.values()]
        arrivals = [self._transit[0][0]] if self._transit else []
        return min([*arrivals, *(t for t in times if t is not None)], default=None)

    def _step(self) -> None:
        while self._transit and self._transit[0][0] <= self.now:
            _, _, data, flow = heapq.heappop(self._transit)
            if phone := self._phones.get(flow.local):
                phone.agent.receive(data, flow, self.now)
                phone.flush()
        for phone in self._phones.values():
            if (at := phone.agent.deadline) is not None and at <= self.now:
                phone.agent.wake(self.now)
        self._flush()

    def _flush(self) -> None:
        for phone in self._phones.values():
            phone.flush()
