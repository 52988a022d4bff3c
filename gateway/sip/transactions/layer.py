"""All transactions of one element: who a message belongs to, and what is due next.

RFC 3261 sections 17.1.3, 17.2.3 and 18.  Sans-I/O: messages come in with the
flow they arrived on, bytes go out with the flow they must leave by.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from ..flow import Flow, default_port
from ..wire.headers import BRANCH_COOKIE
from ..wire.keepalive import PING
from ..wire.message import Request, Response, response_to, stamp_received
from .client import InviteClient, NonInviteClient
from .machine import Passed, State
from .server import InviteServer, NonInviteServer
from .timers import Timers

__all__ = [
    "AckReceived",
    "LayerEvent",
    "RequestReceived",
    "ResponseReceived",
    "Stats",
    "TransactionLayer",
    "TransactionTimedOut",
    "TransportFailed",
]

_Client: TypeAlias = InviteClient | NonInviteClient
_Server: TypeAlias = InviteServer | NonInviteServer


@dataclass(slots=True)
class RequestReceived:
    """A new request, to be answered under ``key``."""

    key: str
    request: Request
    flow: Flow


@dataclass(slots=True)
class AckReceived:
    """An ACK for a 2xx: the dialog's affair."""

    request: Request
    flow: Flow


@dataclass(slots=True)
class ResponseReceived:
    """A response to our request ``key``; ``None`` for a 2xx whose transaction is over."""

    key: str | None
    response: Response
    flow: Flow


@dataclass(slots=True)
class TransactionTimedOut:
    """Our request got no answer, or our refusal no ACK, within 64 × T1."""

    key: str
    request: Request


@dataclass(slots=True)
class TransportFailed:
    """The flow a transaction used is gone."""

    key: str
    request: Request


LayerEvent: TypeAlias = (
    RequestReceived | AckReceived | ResponseReceived | TransactionTimedOut | TransportFailed
)


@dataclass(slots=True)
class Stats:
    """What the layer dropped, and why."""

    stray_responses: int = 0
    refused_when_full: int = 0
    late_answers: int = 0


@dataclass(slots=True)
class _Entry:
    """A transaction, and where its messages go."""

    key: str
    transaction: _Client | _Server
    flow: Flow
    due: float | None = None


class TransactionLayer:
    """Keeps every transaction, and finds the one a message belongs to.

    At most ``limit`` run at once; a request beyond that is answered 503
    without one.  ``on_request`` is told of each request of ours, and when it goes.
    """

    def __init__(
        self,
        timers: Timers | None = None,
        *,
        limit: int = 65_536,
        on_request: Callable[[Flow, float], None] = lambda flow, now: None,
    ) -> None:
        self.stats = Stats()
        self._on_request = on_request
        self._timers = timers or Timers()
        self._limit = limit
        self._entries: dict[str, _Entry] = {}
        self._due: list[tuple[float, int, _Entry]] = []
        self._pushes = 0
        self._sends: list[tuple[bytes, Flow]] = []
        self._events: list[LayerEvent] = []

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        self._skip_stale()
        return self._due[0][0] if self._due else None

    def wake(self, now: float) -> None:
        """Run whatever timers are due at ``now``."""
        while (due := self.deadline) is not None and due <= now:
            entry = heapq.heappop(self._due)[2]
            entry.due = None
            entry.transaction.wake(now)
            self._drain(entry)

    def receive(self, message: Request | Response, flow: Flow, now: float) -> None:
        """Take in a checked message that came by ``flow``."""
        if isinstance(message, Response):
            self._receive_response(message, flow, now)
        else:
            self._receive_request(message, flow, now)

    def send_request(self, request: Request, flow: Flow, now: float) -> str:
        """Send a request, whose topmost Via names its branch, and return its key."""
        key = _client_key(request)
        kind = InviteClient if request.method == "INVITE" else NonInviteClient
        transaction = kind(request, now=now, timers=self._timers, reliable=flow.is_reliable)
        self._add(_Entry(key, transaction, flow))
        self._on_request(flow, now)
        return key

    def send_direct(self, message: Request | Response, flow: Flow) -> None:
        """Send a message that has no transaction: the ACK to a 2xx, a stateless answer."""
        self._sends.append((bytes(message), flow))

    def send_ping(self, flow: Flow) -> None:
        """Send a double CRLF, which is no message and keeps a way open."""
        self._sends.append((PING, flow))

    def respond(self, key: str, response: Response, now: float) -> None:
        """Answer the request received under ``key``; too late, it is only counted."""
        entry = self._entries.get(key)
        if entry is None or not isinstance(entry.transaction, InviteServer | NonInviteServer):
            self.stats.late_answers += 1
            return
        entry.transaction.respond(response, now)
        self._drain(entry)

    def abandon(self, key: str) -> None:
        """End our request ``key``: nobody waits for its answer any more (section 9.1)."""
        entry = self._entries.get(key)
        if entry is not None and isinstance(entry.transaction, InviteClient | NonInviteClient):
            entry.transaction.end()
            self._drain(entry)

    def silence(self, key: str) -> None:
        """Repeat our request ``key`` no more; what comes of it is still told."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.transaction.stop_repeating()
            self._drain(entry)

    def is_known(self, request: Request) -> bool:
        """Tell whether a request is a copy of one we are at, or cancels or acknowledges it."""
        is_about = request.method in ("ACK", "CANCEL")
        return _server_key(request, "INVITE" if is_about else request.method) in self._entries

    def is_ongoing(self, key: str) -> bool:
        """Tell whether a transaction goes on: a refusal of ours, once acknowledged, ends it."""
        entry = self._entries.get(key)
        return entry is not None and entry.transaction.state is not State.CONFIRMED

    def invite_of(self, cancel: Request) -> str | None:
        """Return the key of the INVITE that a CANCEL means (section 9.2)."""
        key = _server_key(cancel, "INVITE")
        return key if key in self._entries else None

    def transport_failed(self, flow: Flow) -> None:
        """End every transaction of a flow that is gone, and say so.

        What is still to be answered is answered over another connection (section 18.2.2).
        """
        for entry in [e for e in self._entries.values() if e.flow == flow]:
            is_client = isinstance(entry.transaction, InviteClient | NonInviteClient)
            if not is_client and flow.id:
                entry.flow = _way_back(entry.transaction.request, flow)
                continue
            self._fail(entry)

    def request_failed(self, request: Request) -> None:
        """End a request of ours that could not be sent, and say so."""
        if entry := self._entries.get(_client_key(request)):
            self._fail(entry)

    def data_to_send(self) -> list[tuple[bytes, Flow]]:
        """Drain the messages waiting to go out."""
        sends, self._sends = self._sends, []
        return sends

    def events(self) -> list[LayerEvent]:
        """Drain what happened since the last call."""
        events, self._events = self._events, []
        return events

    def _receive_request(self, request: Request, flow: Flow, now: float) -> None:
        is_ack = request.method == "ACK"
        key = _server_key(request, "INVITE" if is_ack else request.method)
        entry = self._entries.get(key)
        if entry is not None and isinstance(entry.transaction, InviteServer | NonInviteServer):
            entry.transaction.receive(request, now)
            self._drain(entry)
            return
        stamp_received(request, flow.remote)
        if is_ack:
            self._events.append(AckReceived(request, flow))
            return
        if len(self._entries) >= self._limit:
            self.stats.refused_when_full += 1
            refusal = response_to(request, 503)
            refusal.headers.add("Retry-After", "5")
            self.send_direct(refusal, flow)
            return
        kind = InviteServer if request.method == "INVITE" else NonInviteServer
        transaction = kind(request, now=now, timers=self._timers, reliable=flow.is_reliable)
        self._add(_Entry(key, transaction, flow))
        self._events.append(RequestReceived(key, request, flow))

    def _receive_response(self, response: Response, flow: Flow, now: float) -> None:
        entry = None
        if len(response.vias) == 1:  # more than one: meant for somebody behind (8.1.3.3)
            entry = self._entries.get(_client_key(response))
        if entry is not None and isinstance(entry.transaction, InviteClient | NonInviteClient):
            entry.transaction.receive(response, now)
            self._drain(entry, flow)
        elif response.cseq.method == "INVITE" and response.status // 100 == 2:
            self._events.append(ResponseReceived(None, response, flow))
        else:
            self.stats.stray_responses += 1

    def _fail(self, entry: _Entry) -> None:
        entry.transaction.end()
        self._events.append(TransportFailed(entry.key, entry.transaction.request))
        self._drain(entry)

    def _add(self, entry: _Entry) -> None:
        self._entries[entry.key] = entry
        self._drain(entry)

    def _drain(self, entry: _Entry, came_by: Flow | None = None) -> None:
        """Move on what a transaction has to send and to tell, and note its next timer."""
        transaction, key = entry.transaction, entry.key
        self._sends += [(data, entry.flow) for data in transaction.data_to_send()]
        for outcome in transaction.events():
            if not isinstance(outcome, Passed):
                self._events.append(TransactionTimedOut(key, transaction.request))
            elif isinstance(outcome.message, Response):
                flow = came_by or entry.flow
                self._events.append(ResponseReceived(key, outcome.message, flow))
            elif isinstance(outcome.message, Request):
                self._events.append(AckReceived(outcome.message, entry.flow))
        if transaction.state is State.TERMINATED:
            self._entries.pop(key, None)
        due = transaction.deadline
        if due != entry.due:
            entry.due = due
            if due is not None:
                self._pushes += 1
                heapq.heappush(self._due, (due, self._pushes, entry))

    def _skip_stale(self) -> None:
        """Drop from the top of the heap the times that have been moved since."""
        while self._due and self._due[0][2].due != self._due[0][0]:
            heapq.heappop(self._due)


def _way_back(request: Request, flow: Flow) -> Flow:
    """Return where a request came from once its connection is gone: the port its sender named."""
    port = request.via.port or default_port(flow.transport)
    return replace(flow, remote=(flow.remote[0], port), id=0)


def _client_key(message: Request | Response) -> str:
    """Name one of our transactions (section 17.1.3)."""
    return f"{message.via.branch}|{message.cseq.method}"


def _server_key(request: Request, method: str) -> str:
    """Name a neighbour's transaction (section 17.2.3), by RFC 2543's rules if it must be."""
    via = request.via
    branch = via.branch or ""
    if branch.startswith(BRANCH_COOKIE) and len(branch) > len(BRANCH_COOKIE):
        return f"{branch}|{via.sent_by.lower()}|{method}"
    tag, number = request.from_.tag, request.cseq.number
    parts = (request.uri, tag, request.call_id, number, via.sent_by, branch, method)
    return "|".join(str(part) for part in parts)
