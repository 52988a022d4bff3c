"""The SIP user agent: every call of this gateway, and what is said outside of calls.

Sans-I/O.  Its owner says what arrived, by which flow and when; it drains what
to send and what happened, and sleeps until :attr:`UserAgent.deadline`.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Final, TypeAlias

from ..clock import Ids
from ..errors import SipError
from .admission import Policy, Verdict
from .alarms import Alarms
from .credentials.account import Account
from .deadline import earliest
from .dialogs.incoming import IncomingSession
from .dialogs.outgoing import OutgoingSession
from .dialogs.replaces import Predecessors, Replaces
from .dialogs.screening import ALLOW, add_capabilities, bad_event, policy_refusal, refusal
from .dialogs.session import Session
from .dialogs.session_events import Replaced, SessionEvent
from .dialogs.session_state import RING_LIMIT, SessionState
from .duties.duties import Duties
from .duties.standing import Reported
from .flow import Flow
from .guard.doorway import Doorway, Judge
from .guard.guard import Guard
from .transactions.layer import AckReceived, RequestReceived, TransactionLayer
from .transactions.merging import MergeWatch
from .transactions.timers import Timers
from .ways.courier import Courier
from .ways.posted import OnResponse, Posted
from .ways.routing import Way
from .wire.message import MessageError, Request, parse, read, response_to, stamp_received
from .wire.multipart import SDP
from .wire.uri import Uri

__all__ = ["AgentEvent", "AgentStats", "Happened", "Invited", "UserAgent"]


@dataclass(slots=True)
class Invited:
    """Somebody calls: ring, answer or reject."""

    session: IncomingSession


@dataclass(slots=True)
class Happened:
    """Something happened to a call."""

    session: Session
    event: SessionEvent


AgentEvent: TypeAlias = Invited | Happened | Reported


@dataclass(slots=True)
class AgentStats:
    """What the agent turned away, and why."""

    malformed: int = 0
    refused: int = 0
    overloaded: int = 0
    merged: int = 0
    unknown_dialog: int = 0


_ESSENTIAL: Final = ("Via", "CSeq")  # by which a sender knows what an answer is about


def _accept_all(request: Request, flow: Flow) -> Verdict:
    del request, flow
    return Verdict()


class UserAgent:
    """Places and takes calls.

    Args:
        ids: Where tags, branches and Call-IDs come from.
        advertise: Host and port under which the far end of a flow can reach us.
        accepts: Judges a request outside of any call: whether it may come in, with what it
            is refused if not, and what a call that it opens is held to.
        guard: Says of each message whether it is read at all, and who is a stranger, whose
            requests are judged before anything else is; without one there are no strangers.
        overloaded: Says whether calls must be turned away now (503).
        retry_after: Says how many seconds a caller is told to wait after such a 503.
        has_streams: Whether TCP may carry what is too big for a datagram.
        name: What we call ourselves in User-Agent and Server.

    """

    def __init__(
        self,
        ids: Ids,
        *,
        advertise: Callable[[Flow], tuple[str, int]],
        accepts: Judge = _accept_all,
        guard: Guard | None = None,
        overloaded: Callable[[], bool] = lambda: False,
        retry_after: Callable[[], int] = lambda: 5,
        has_streams: bool = False,
        timers: Timers | None = None,
        name: str = "voice-gateway",
    ) -> None:
        timers = timers or Timers()
        self.stats = AgentStats()
        self.is_draining = False
        self.sessions: dict[tuple[str, str], Session] = {}  # by Call-ID and our tag
        self._ids = ids
        self.guard = guard
        self._overloaded = overloaded
        self._retry_after = retry_after
        self._layer = TransactionLayer(timers, on_request=lambda *sent: self._door.spoke_to(*sent))
        self._door = Doorway(
            guard,
            self._layer,
            accepts,
            lambda request: self._session_of(request) is not None,
            secret=ids.token(),
            name=name,
        )
        self._courier = Courier(
            self._layer, ids, timers, advertise=advertise, name=name, has_streams=has_streams
        )
        self.duties = Duties(self._courier)
        self._merges = MergeWatch(self._layer.is_ongoing)
        self._predecessors = Predecessors(self.sessions)
        self._opened: dict[str, IncomingSession] = {}  # by the key of the first INVITE
        self._touched: dict[Session, None] = {}
        self._alarms: Alarms[Session] = Alarms()
        self._events: list[AgentEvent] = []

    @property
    def retry_after(self) -> int:
        """Seconds a caller is told to wait when there is no room."""
        return self._retry_after()

    @property
    def is_idle(self) -> bool:
        """Whether no call is left and nothing waits to be repeated."""
        self._settle()
        return not self.sessions and not len(self._layer)

    @property
    def has_calls(self) -> bool:
        """Whether a call is left that is up, or whose end the peer has not confirmed."""
        self._settle()
        return bool(self.sessions)

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        self._settle()
        return earliest(
            self._layer.deadline,
            self._courier.deadline,
            self._alarms.deadline,
            self.duties.deadline,
        )

    @property
    def counters(self) -> dict[str, int]:
        """How often something was turned away or dropped, by reason."""
        courier = {
            "failovers": self._courier.failovers,
            "forks_dropped": self._courier.forks_dropped,
            "lookups_dropped": self._courier.lookups.dropped,
        }
        kept_out = asdict(self.guard.stats) if self.guard is not None else {}
        return asdict(self.stats) | asdict(self._layer.stats) | courier | kept_out

    def receive(self, data: bytes, flow: Flow, now: float) -> bool:
        """Take in one message off the wire; ``False`` if it was dropped unread."""
        if not self._door.admits(data, flow, now):
            return False
        try:
            message = parse(data)
        except MessageError as error:
            self._refuse_malformed(error, flow, now, len(data))
            return True
        if isinstance(message, Request) and self._door.turns_away(
            message, flow, now, size=len(data)
        ):
            return True
        self._layer.receive(message, flow, now)
        self._dispatch(now)
        return True

    def wake(self, now: float) -> None:
        """Run whatever timers are due at ``now``."""
        self._layer.wake(now)
        self._dispatch(now)
        self._courier.wake(now)
        self._settle()
        for session in self._alarms.due(now):
            session.wake(now)
            self._touch(session)
        self.duties.wake(now)

    def connection_lost(self, flow: Flow, now: float) -> None:
        """Take note that a connection is gone: what waited on it has failed."""
        for session in self.sessions.values():
            session.lose(flow)
        self.duties.lose(flow, now)
        self._layer.transport_failed(flow)
        self._dispatch(now)

    def unsent(self, data: bytes, now: float) -> None:
        """Take note that a message could not be sent; where it was a request, that has failed."""
        with suppress(SipError):
            message = read(data)
            if isinstance(message, Request):
                self._layer.request_failed(message)
                self._dispatch(now)

    def refused(self, flow: Flow, now: float) -> None:
        """Take note that nobody took a datagram that went by ``flow`` (ICMP)."""
        self._courier.refused(flow, now)

    def lookups(self) -> list[Uri]:
        """Drain the addresses that requests wait for; :meth:`found` hands in what was found."""
        return self._courier.lookups.wanted()

    def found(self, uri: Uri, flows: Sequence[Flow], now: float) -> None:
        """Take in the ways to an address of :meth:`lookups`, none where it leads nowhere."""
        self._courier.lookups.found(uri, flows, now)

    def data_to_send(self) -> list[tuple[bytes, Flow]]:
        """Drain the messages waiting to go out."""
        return self._layer.data_to_send()

    def events(self) -> list[AgentEvent]:
        """Drain what happened since the last call."""
        self._settle()
        events, self._events = self._events, []
        return events + self.duties.events()

    def invite(
        self,
        target: Uri,
        way: Flow | Sequence[Flow],
        now: float,
        *,
        from_uri: Uri,
        sdp: bytes | None,
        headers: Iterable[tuple[str, str]] = (),
        ring_limit: float = RING_LIMIT,
        policy: Policy | None = None,
    ) -> OutgoingSession:
        """Call ``target``; without ``sdp`` the other side makes the offer.

        Of several flows the first goes first, and the next ones only where it fails.
        """
        session = OutgoingSession(
            target,
            way,
            self._courier,
            self._touch,
            now,
            from_uri=from_uri,
            sdp=sdp,
            headers=headers,
            ring_limit=ring_limit,
            policy=policy or Policy(),
        )
        self.sessions[session.call_id, session.local_tag] = session
        self._touch(session)
        return session

    def ask(
        self,
        request: Request,
        way: Way,
        now: float,
        on_response: OnResponse,
        account: Account | None = None,
    ) -> Posted:
        """Send a request outside of any call, as it is."""
        return self._courier.send(request, way, now, on_response, account=account)

    def host_towards(self, flow: Flow) -> str:
        """Return our address as the far end of ``flow`` sees it."""
        return self._courier.host_towards(flow)

    def _dispatch(self, now: float) -> None:
        for event in self._layer.events():
            match event:
                case RequestReceived(key, request, flow):
                    self._on_request(key, request, flow, now)
                case AckReceived(request, _):
                    if session := self._session_of(request):
                        session.receive_ack(request, now)
                case _:
                    self._courier.deliver(event, now)

    def _on_request(self, key: str, request: Request, flow: Flow, now: float) -> None:
        if request.method == "CANCEL":
            self._on_cancel(key, request, now)
        elif refused := refusal(request, self._ids.token()):
            self.stats.refused += 1
            self._courier.respond(key, refused, now)
        elif request.to.tag is not None:
            if session := self._session_of(request):
                session.receive(key, request, flow, now)
            else:
                self._refuse_unknown(key, request, now)
        elif self._merges.is_merged(key, request):
            self.stats.merged += 1
            self._refuse(key, request, 482, now)
        elif request.method in ("INVITE", "OPTIONS"):
            self._on_opening(key, request, flow, now)
        else:
            self._refuse_outside(key, request, now)

    def _on_opening(self, key: str, request: Request, flow: Flow, now: float) -> None:
        verdict, tag = self._door.verdict_of(request, flow), self._ids.token()
        if not verdict.lets_in:
            self.stats.refused += 1
            if verdict.why:
                self._door.refused(flow, verdict.why, now)
            self._refuse(key, request, verdict.status, now, headers=verdict.headers)
        elif request.method == "INVITE" and (unfit := policy_refusal(request, verdict.policy, tag)):
            self.stats.refused += 1
            self._courier.respond(key, unfit, now)
        elif request.method == "INVITE" and "Replaces" in request.headers:
            self._on_replacing(key, request, flow, verdict.policy, now)
        elif self.is_draining or self._overloaded():
            self.stats.overloaded += 1
            wait = (("Retry-After", str(self.retry_after)),)
            self._refuse(key, request, 503, now, headers=wait)
        elif request.method == "OPTIONS":
            response = response_to(request, 200, to_tag=tag)
            add_capabilities(response, verdict.policy)
            response.headers.add("Accept", SDP)
            self._courier.respond(key, response, now)
        else:
            session = self._open(key, request, flow, verdict.policy, now)
            self._events.append(Invited(session))

    def _open(
        self, key: str, request: Request, flow: Flow, policy: Policy, now: float
    ) -> IncomingSession:
        session = IncomingSession(
            key, request, flow, self._courier, self._touch, now, policy=policy
        )
        self.sessions[session.call_id, session.local_tag] = session
        self._opened[key] = session
        self._touch(session)
        return session

    def _on_replacing(
        self, key: str, request: Request, flow: Flow, policy: Policy, now: float
    ) -> None:
        """Offer a new call to the owner of the one whose place it asks for (RFC 3891)."""
        try:
            if not policy.accepts_transfer:
                raise SipError("no transfers are accepted from here", status=403)
            predecessor = self._predecessors.find(Replaces.of(request))
            theirs = predecessor.policy
            if not theirs.accepts_transfer and theirs.trunk != policy.trunk:
                raise SipError("that call is another neighbour's", status=403)
        except SipError as error:
            self.stats.refused += 1
            self._refuse(key, request, error.status, now)
        else:
            session = self._open(key, request, flow, policy, now)
            self._events.append(Happened(predecessor, Replaced(session)))

    def _on_cancel(self, key: str, cancel: Request, now: float) -> None:
        invite = self._layer.invite_of(cancel)
        if invite is None:
            self._refuse_unknown(key, cancel, now)
            return
        session = self._opened.get(invite) or self._session_of(cancel)
        to_tag = self._ids.token() if session is None else session.local_tag
        self._courier.respond(key, response_to(cancel, 200, to_tag=to_tag), now)
        if session is not None:
            session.cancel(cancel, now)

    def _session_of(self, request: Request) -> Session | None:
        """Return the session whose dialog a request names: Call-ID and both tags."""
        session = self.sessions.get((request.call_id, request.to.tag or ""))
        is_peer = session is not None and session.has_peer(request.from_.tag or "")
        return session if is_peer else None

    def _refuse_malformed(self, error: MessageError, flow: Flow, now: float, size: int) -> None:
        """Answer what cannot be read, if its sender could tell what the answer is about."""
        self.stats.malformed += 1
        request = error.answerable
        if self._door.turns_away_malformed(error, flow, now, size=size):
            return
        if request is None or not all(name in request.headers for name in _ESSENTIAL):
            return
        stamp_received(request, flow.remote)
        answer = response_to(request, error.status, str(error), to_tag=self._ids.token())
        self._layer.send_direct(answer, flow)

    def _refuse_unknown(self, key: str, request: Request, now: float) -> None:
        self.stats.unknown_dialog += 1
        self._refuse(key, request, 481, now)

    def _refuse_outside(self, key: str, request: Request, now: float) -> None:
        """Refuse what makes sense inside a call alone, or for a subscription we never made."""
        match request.method:
            case "NOTIFY" | "SUBSCRIBE":
                self.stats.refused += 1
                self._courier.respond(key, bad_event(request, self._ids.token()), now)
            case "REFER":
                self.stats.refused += 1
                self._refuse(key, request, 405, now, headers=(("Allow", ", ".join(ALLOW)),))
            case _:
                self._refuse_unknown(key, request, now)

    def _refuse(
        self,
        key: str,
        request: Request,
        status: int,
        now: float,
        *,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        response = response_to(request, status, to_tag=self._ids.token())
        for name, value in headers:
            response.headers.add(name, value)
        self._courier.respond(key, response, now)

    def _touch(self, session: Session) -> None:
        self._touched[session] = None

    def _settle(self) -> None:
        """Collect the news of the sessions touched, note their timers, drop those that are over."""
        touched, self._touched = self._touched, {}
        for session in touched:
            self._events += [Happened(session, event) for event in session.events()]
            is_over = session.state is SessionState.TERMINATED
            self._alarms.set(session, None if is_over else session.deadline)
            if is_over:
                self.sessions.pop((session.call_id, session.local_tag), None)
                self._predecessors.note_end(session)
                if isinstance(session, IncomingSession):
                    self._opened.pop(session.key, None)
