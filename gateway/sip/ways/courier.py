"""Carries requests out and brings each response back to whoever awaits it.

Everything above sees only responses: a request nobody answered comes back as
408, one the transport could not carry as 503 (RFC 3261 section 8.1.3.1).  What
is asked for a password is sent again with it, the same way (section 22.2).

A request may have several targets (RFC 3263 section 4.3).  The next one is
turned to, by a transaction of its own, when one refuses by 503, cannot be
reached, or stays silent for :attr:`~..transactions.timers.Timers.silence` while others are
left; never once a 1xx other than 100 has come, since somebody's phone may ring
by then.  An INVITE that was left behind is not repeated any more, but a 1xx it
brings after all is answered by CANCEL, and a 2xx is the answer.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from ...clock import Ids
from ..alarms import Alarms
from ..credentials.account import Account
from ..deadline import earliest
from ..flow import Flow
from ..transactions.layer import (
    ResponseReceived,
    TransactionLayer,
    TransactionTimedOut,
    TransportFailed,
)
from ..transactions.timers import Timers
from ..wire.message import Headers, Request, Response, response_to
from .here import Here
from .lookups import Lookups
from .penalties import Penalties
from .posted import Attempt, OnResponse, Posted
from .routing import Hop, Way, flow_of, flows_towards

__all__ = ["Courier"]

_REFUSALS: Final = 2  # datagrams of one request that are refused before its last target is given up
_LARGEST_DATAGRAM: Final = 1300  # section 18.1.1, path MTU unknown


class Courier:
    """The way from the sessions of one user agent to its transactions."""

    def __init__(
        self,
        layer: TransactionLayer,
        ids: Ids,
        timers: Timers,
        *,
        advertise: Callable[[Flow], tuple[str, int]],
        name: str,
        has_streams: bool = False,
    ) -> None:
        self.ids = ids
        self.timers = timers
        self.name = name
        self.lookups = Lookups()
        self.failovers = 0
        self.forks_dropped = 0  # answers to one INVITE from more phones than there can be
        self._layer = layer
        self._here = Here(advertise, ids)
        self._has_streams = has_streams
        self._attempts: dict[str, Attempt] = {}  # by the keys of their transactions
        self._leaving: deque[tuple[float, Attempt]] = deque()  # what to abandon, and when
        self._silence: Alarms[str] = Alarms()  # when to turn to the next target
        self._penalties = Penalties()

    def contact(self, way: Way, scheme: str = "sip", user: str = "") -> str:
        """Return our Contact as the far end of ``way`` must write it.

        ``scheme`` is that of the address called.
        """
        return self._here.contact(flow_of(way), scheme, user)

    def host_towards(self, flow: Flow) -> str:
        """Return our address as the far end of ``flow`` sees it."""
        return self._here.host(flow)

    def send(
        self,
        request: Request,
        way: Way,
        now: float,
        on_response: OnResponse,
        *,
        account: Account | None = None,
        renumber: Callable[[], int] | None = None,
    ) -> Posted:
        """Send a request as a new transaction, and another for each further target it needs.

        With an ``account`` a 401 or 407 is answered: the request itself is given credentials and
        the next CSeq, which ``renumber`` returns, or else the one after its own.
        """
        request.headers.set("User-Agent", self.name)
        posted = Posted(request, flow_of(way), on_response, account, renumber)

        def begin(flows: Sequence[Flow], now: float) -> None:
            if not posted.is_over:
                posted.left.extend(self._penalties.ordered(flows, now))
                self._turn_to_next(posted, now)

        self._find(way, now, begin)
        return posted

    def cancel(self, posted: Posted, now: float, reason: str = "") -> bool:
        """Cancel an INVITE, or have it cancelled as soon as a 1xx allows it (section 9.1).

        It goes to no further target.  Returns whether a CANCEL went out.
        """
        posted.stay()
        posted.cancel_reason = reason
        for attempt in posted.attempts.values():
            self._silence.set(attempt.key, None)
            self._take_back(attempt, now)
        return any(attempt.is_cancelled for attempt in posted.attempts.values())

    def abandon(self, posted: Posted) -> None:
        """Wait no more for what comes of a request."""
        posted.is_over = True
        for attempt in list(posted.attempts.values()):
            self._end(attempt)

    def abandon_later(self, posted: Posted, now: float) -> None:
        """Wait 64 × T1 at most for what may still come of a request."""
        posted.stay()
        posted.is_over = not posted.attempts
        for attempt in posted.attempts.values():
            self._end_later(attempt, now)

    def acknowledge(self, ack: Request, way: Way, now: float) -> None:
        """Send the ACK to a 2xx; the same one may be sent again for each repeat."""

        def send(flows: Sequence[Flow], now: float) -> None:
            flow = self._penalties.ordered(flows, now)[0]
            if not ack.headers.get("Via"):
                ack.headers.add_first("Via", self._here.via(flow))
            self._layer.send_direct(ack, flow)

        self._find(way, now, send)

    def keep_open(self, flow: Flow) -> None:
        """Send a sign of life that is no message (RFC 5626 section 3.5.1)."""
        self._layer.send_ping(flow)

    def respond(self, key: str, response: Response, now: float) -> None:
        """Answer the request received under ``key``."""
        response.headers.set("Server", self.name)
        self._layer.respond(key, response, now)

    def deliver(
        self, event: ResponseReceived | TransactionTimedOut | TransportFailed, now: float
    ) -> bool:
        """Hand what came of a request to its sender; ``False`` when nobody awaits it."""
        attempt = self._attempts.get(event.key) if event.key else None
        if attempt is None:
            return False
        match event:
            case ResponseReceived(response=response):
                self._on_response(attempt, response, now)
            case TransactionTimedOut():
                self._on_failure(attempt, 408, now)
            case TransportFailed():
                self._on_failure(attempt, 503, now)
        return True

    def refused(self, flow: Flow, now: float) -> None:
        """Take note that nobody took a datagram (section 18.4).

        It counts for requests of which nothing was heard: at once where there is another target,
        else when it happens again, for the peer may only just be starting.
        """
        unheard = [a for a in self._attempts.values() if a.flow == flow and not a.is_heard]
        for attempt in unheard:
            attempt.refusals += 1
            if attempt.may_turn or attempt.refusals >= _REFUSALS:
                self._layer.abandon(attempt.key)
                self._on_failure(attempt, 503, now)

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        leaving = self._leaving[0][0] if self._leaving else None
        return earliest(leaving, self._silence.deadline, self.lookups.deadline)

    def wake(self, now: float) -> None:
        """Abandon what has had its time, turn from who is silent, wait for no name too long."""
        while self._leaving and self._leaving[0][0] <= now:
            self._end(self._leaving.popleft()[1])
        for key in self._silence.due(now):
            if attempt := self._attempts.get(key):
                self._leave_behind(attempt, now)
        self.lookups.wake(now)

    def _find(self, way: Way, now: float, then: Callable[[Sequence[Flow], float], None]) -> None:
        """Tell ``then`` the flows of ``way``, now or once its name is looked up."""
        if isinstance(way, Hop):
            self.lookups.find(way.uri, now, lambda found, at: then(flows_towards(way, found), at))
        else:
            then([way] if isinstance(way, Flow) else way, now)

    def _turn_to_next(self, posted: Posted, now: float) -> None:
        """Send a request to the next of its targets, by TCP if it is too big for a datagram."""
        flow = posted.left.popleft()
        stream = Flow("tcp", flow.local, flow.remote)
        if self._is_too_big(posted.request, flow) and not self._penalties.holds(stream, now):
            self._start(posted, stream, now, fallback=flow)
        else:
            self._start(posted, flow, now)

    def _start(
        self, posted: Posted, flow: Flow, now: float, *, fallback: Flow | None = None
    ) -> None:
        template = posted.request
        self._here.readdress(template, posted.flow, flow)
        if posted.account is not None:
            posted.account.authorize(template, self.ids)
        request = Request(template.method, template.uri, template.headers.copy(), template.body)
        request.headers.add_first("Via", self._here.via(flow))
        key = self._layer.send_request(request, flow, now)
        posted.flow = flow
        attempt = posted.current = Attempt(posted, key, request, flow, fallback)
        self._attempts[key] = posted.attempts[key] = attempt
        if posted.left or fallback is not None:
            self._silence.set(key, now + self.timers.silence)

    def _on_response(self, attempt: Attempt, response: Response, now: float) -> None:
        posted, status = attempt.posted, response.status
        self._silence.set(attempt.key, None)
        self._penalties.lift(attempt.flow)
        if status < 200:
            attempt.is_heard = True
            attempt.has_progress = attempt.has_progress or status > 100
            if attempt.is_unwanted:
                self._take_back(attempt, now)
        elif status < 300 and attempt.request.method == "INVITE":
            self._settle_on(attempt, now)
        else:
            self._drop(attempt)
        is_answer = attempt.key in self._attempts and status >= 200
        if not (is_answer or attempt.is_current):
            return
        if self._has_proven(attempt, response, now):
            return
        if status == 503:
            attempt.fallback = None  # the same neighbour would say the same
            self._penalties.refused(attempt.flow, response, now)
            if attempt.may_turn:
                self._turn(attempt, now)
                return
        posted.flow, posted.is_unheard = attempt.flow, False
        posted.on_response(response, now)

    def _has_proven(self, attempt: Attempt, response: Response, now: float) -> bool:
        """Send a request again that was challenged, if that may help (section 22.2)."""
        posted = attempt.posted
        account, request = posted.account, posted.request
        if account is None or posted.is_final or not account.learn(response, posted.tries):
            return False
        number = posted.renumber() if posted.renumber else request.cseq.number + 1
        request.headers.set("CSeq", f"{number} {request.method}")
        self._start(posted, attempt.flow, now, fallback=attempt.fallback)
        return True

    def _on_failure(self, attempt: Attempt, status: int, now: float) -> None:
        """Turn from a target that is silent or out of reach to the next, or tell of it."""
        self._drop(attempt)
        if not attempt.is_current:
            return
        self._penalties.add(attempt.flow, now)
        if attempt.may_turn and not (status == 408 and attempt.is_heard):
            self._turn(attempt, now)
        else:
            attempt.posted.is_unheard = True
            attempt.posted.on_response(response_to(attempt.request, status), now)

    def _leave_behind(self, attempt: Attempt, now: float) -> None:
        """Turn to the next target, as this one has been silent for too long."""
        if not attempt.may_turn:
            return
        if attempt.request.method == "INVITE":
            attempt.is_unwanted = True
            self._layer.silence(attempt.key)
        else:
            self._end(attempt)
        self._penalties.add(attempt.flow, now)
        self._turn(attempt, now)

    def _turn(self, attempt: Attempt, now: float) -> None:
        self.failovers += 1
        if attempt.fallback is not None:
            self._start(attempt.posted, attempt.fallback, now)
        else:
            self._turn_to_next(attempt.posted, now)

    def _settle_on(self, attempt: Attempt, now: float) -> None:
        """Take the target that answered first, and call off the others."""
        posted = attempt.posted
        if posted.is_answered:
            return
        posted.is_answered, posted.current = True, attempt
        for rival in posted.attempts.values():
            if rival is not attempt:
                self._take_back(rival, now)
        self.abandon_later(posted, now)  # its 2xx may be repeated that long

    def _take_back(self, attempt: Attempt, now: float) -> None:
        """Cancel one attempt, or note that it is to be cancelled (section 9.1)."""
        attempt.is_unwanted = True
        if not attempt.is_heard or attempt.is_cancelled:
            return
        attempt.is_cancelled = True
        invite, headers = attempt.request, Headers()
        headers.add("Via", invite.headers.get_all("Via")[0])
        for name in ("Max-Forwards", "Route", "From", "To", "Call-ID"):
            for value in invite.headers.get_all(name):
                headers.add(name, value)
        headers.add("CSeq", f"{invite.cseq.number} CANCEL")
        if attempt.posted.cancel_reason:
            headers.add("Reason", attempt.posted.cancel_reason)
        self._layer.send_request(Request("CANCEL", invite.uri, headers), attempt.flow, now)
        if not attempt.is_current:
            self._end_later(attempt, now)

    def _end_later(self, attempt: Attempt, now: float) -> None:
        self._leaving.append((now + self.timers.patience, attempt))

    def _end(self, attempt: Attempt) -> None:
        if attempt.key in self._attempts:
            self._drop(attempt)
            self._layer.abandon(attempt.key)

    def _drop(self, attempt: Attempt) -> None:
        del self._attempts[attempt.key], attempt.posted.attempts[attempt.key]
        self._silence.set(attempt.key, None)

    def _is_too_big(self, request: Request, flow: Flow) -> bool:
        via = 80  # what the Via to come will add
        is_datagram = self._has_streams and flow.transport == "udp"
        return is_datagram and len(bytes(request)) + via > _LARGEST_DATAGRAM
