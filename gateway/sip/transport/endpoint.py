"""Drives a user agent by real sockets and the clock of the event loop."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from weakref import WeakKeyDictionary

import structlog

from ...config import TlsSettings
from ...errors import SipError
from ..agent import AgentEvent, Invited, UserAgent
from ..dialogs.incoming import IncomingSession
from ..dialogs.session import Session
from ..dialogs.session_events import SessionEvent
from ..duties.standing import Reported
from ..flow import Flow, Transport
from ..guard.visitors import Visitors
from ..ways.locate import Reach, Target, family_of, reach_of
from ..wire.uri import Uri, bracketed
from .address import Bind
from .certificates import Certificates
from .resolver import Resolver
from .streams import StreamSocket
from .udp import UdpSocket

__all__ = ["SipEndpoint"]


class SipEndpoint:
    """The sockets, the one timer and the listeners of a user agent.

    Args:
        agent: Whom to drive.
        binds: Where to listen, e.g. ``udp:0.0.0.0:5060``; port 0 lets the system choose.
        on_invite: Told of each call that comes in.
        tls: Our certificate, and whom we believe.
        origins: Where pages must come from that connect by WebSocket; none: it does not matter.
        resolver: Looks names up; without one, this machine's servers are asked.

    """

    def __init__(
        self,
        agent: UserAgent,
        binds: Iterable[str],
        on_invite: Callable[[IncomingSession], None],
        tls: TlsSettings | None = None,
        origins: Sequence[str] = (),
        resolver: Resolver | None = None,
    ) -> None:
        self.agent = agent
        self._certificates = Certificates(tls or TlsSettings())
        self._binds = [Bind.parse(text) for text in binds]
        self._on_invite = on_invite
        self._origins = origins
        self._visitors = Visitors(agent.guard) if agent.guard is not None else None
        self._resolver = resolver or Resolver()
        self._lookups: set[asyncio.Task[None]] = set()
        self._sockets: list[UdpSocket | StreamSocket] = []
        self._listeners: WeakKeyDictionary[Session, Callable[[SessionEvent], None]]
        self._listeners = WeakKeyDictionary()
        self._unheard: WeakKeyDictionary[Session, list[SessionEvent]] = WeakKeyDictionary()
        self._inbox: deque[AgentEvent] = deque()
        self._unsent = 0
        self._is_flushing = False
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def addresses(self) -> list[str]:
        """Where we listen, as given to the constructor but with the ports in use."""
        return [
            f"{kind.transport}:{bracketed(kind.local[0])}:{kind.local[1]}"
            for kind in self._sockets
            if kind.is_listening
        ]

    @property
    def counters(self) -> dict[str, int]:
        """How often something was turned away, dropped or broken, by reason, over all sockets."""
        total = Counter(self.agent.counters | {"unsent": self._unsent})
        for part in (self._resolver, *self._sockets):
            total.update(part.counters)
        return dict(total)

    async def start(self) -> None:
        """Open the sockets.

        Raises:
            OSError: An address is not free, or not ours.
            ConfigError: A certificate is missing or no good.

        """
        self._loop = asyncio.get_running_loop()
        self._certificates.check()
        for bind in self._binds:
            kind: UdpSocket | StreamSocket
            if bind.transport == "udp":
                kind = UdpSocket(self._receive, self._refuse)
            else:
                kind = self._streams(bind.transport)
            await kind.open(bind)
            self._sockets.append(kind)
        self._open_for_calling()

    def _open_for_calling(self) -> None:
        """Have TLS towards others even where nobody may call us by it."""
        has = {(kind.transport, _is_v6(kind.local[0])) for kind in self._sockets}
        for bind in self._binds:
            if ("tls", _is_v6(bind.host)) not in has:
                has.add(("tls", _is_v6(bind.host)))
                kind = self._streams("tls")
                kind.open_for_calling(bind.host)
                self._sockets.append(kind)

    def _streams(self, transport: Transport) -> StreamSocket:
        return StreamSocket(
            transport,
            self._certificates,
            self._receive,
            self._lose,
            origins=self._origins,
            visitors=self._visitors,
        )

    async def close(self) -> None:
        """Close the sockets; calls still up are not told."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._lookups:
            task.cancel()
        await asyncio.gather(*self._lookups, return_exceptions=True)
        await self._resolver.close()
        for kind in self._sockets:
            if isinstance(kind, StreamSocket):
                await kind.close()
            else:
                kind.close()
        self._sockets.clear()

    @property
    def datagram_sockets(self) -> list[UdpSocket]:
        """The sockets for UDP."""
        return [kind for kind in self._sockets if isinstance(kind, UdpSocket)]

    def now(self) -> float:
        """Return the time to give to the agent and its sessions."""
        return self._running_loop().time()

    def listen(self, session: Session, on_event: Callable[[SessionEvent], None]) -> None:
        """Have ``on_event`` told all that happens to ``session``, and what already has."""
        self._listeners[session] = on_event
        for event in self._unheard.pop(session, ()):
            on_event(event)

    def flush(self) -> None:
        """Send what waits, tell what happened, set the timer: after every word to a session."""
        if self._is_flushing:
            return  # the outer call goes on until nothing is left
        self._is_flushing = True
        try:
            self._work_off()
        finally:
            self._is_flushing = False
            self._arm()

    @property
    def _reach(self) -> Reach:
        return reach_of((kind.transport, kind.local[0]) for kind in self._sockets)

    async def resolve(self, uri: Uri) -> list[Flow]:
        """Return the ways to ``uri``, best first: at least one.

        Raises:
            SipError: There is no such host, or we have no socket for it.

        """
        targets = await self._resolver.targets(uri, self._reach)
        if not targets:
            raise SipError(f"no way to {uri}: no such host, or no socket for it", status=502)
        return [self._flow_to(target) for target in targets]

    def _flow_to(self, target: Target) -> Flow:
        wanted = (target.transport, family_of(target.host))
        local = next(
            kind.local
            for kind in self._sockets
            if (kind.transport, family_of(kind.local[0])) == wanted
        )
        return Flow(target.transport, local, (target.host, target.port), domain=target.domain)

    async def _look_up(self, uri: Uri) -> None:
        """Find the way to an address for the requests that wait for it."""
        try:
            flows = await self.resolve(uri)
        except SipError:
            flows = []
        self.agent.found(uri, flows, self.now())
        self.flush()

    def _work_off(self) -> None:
        while True:
            for uri in self.agent.lookups():
                task = self._running_loop().create_task(self._look_up(uri))
                self._lookups.add(task)
                task.add_done_callback(self._lookups.discard)
            for data, flow in self.agent.data_to_send():
                self._send(data, flow)
            self._inbox += self.agent.events()
            if not self._inbox:
                return
            event = self._inbox.popleft()
            if isinstance(event, Invited):
                self._on_invite(event.session)
            elif isinstance(event, Reported):
                event.duty.on_event(event.event)
            elif listener := self._listeners.get(event.session):
                listener(event.event)
            else:
                self._unheard.setdefault(event.session, []).append(event.event)

    def _receive(self, data: bytes, flow: Flow) -> None:
        if self.agent.receive(data, flow, self.now()):
            self.flush()

    def _refuse(self, flow: Flow) -> None:
        self.agent.refused(flow, self.now())
        self.flush()

    def _lose(self, flow: Flow) -> None:
        self.agent.connection_lost(flow, self.now())
        self.flush()

    def _send(self, data: bytes, flow: Flow) -> None:
        """Send one message; one that cannot be sent fails by itself, a moment later."""
        kind = self._socket_towards(flow)
        try:
            if kind is None:
                raise SipError("no socket reaches that address")
            kind.send(data, flow)
        except Exception as error:  # what event loops raise for an address differs
            self._unsent += 1
            structlog.get_logger().debug("not sent", to=flow.remote[0], problem=str(error))
            self._running_loop().call_soon(self._fail, data)

    def _fail(self, data: bytes) -> None:
        self.agent.unsent(data, self.now())
        self.flush()

    def _socket_towards(self, flow: Flow) -> UdpSocket | StreamSocket | None:
        """Return the socket of a flow, or else one of the target's family.

        A datagram leaves by no other; a connection is not tied to where we listen.
        """
        rivals = [kind for kind in self._sockets if kind.transport == flow.transport]
        is_v6 = _is_v6(flow.remote[0])
        alike = [kind for kind in rivals if _is_v6(kind.local[0]) == is_v6]
        exact = [kind for kind in alike if kind.local == flow.local]
        left = rivals if flow.is_reliable else []
        return next(iter((*exact, *alike, *left)), None)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.agent.deadline
        if deadline is not None:
            self._timer = self._running_loop().call_at(deadline, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.agent.wake(self.now())
        self.flush()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("start() comes first")
        return self._loop


def _is_v6(host: str) -> bool:
    return ":" in host
