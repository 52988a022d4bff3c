"""A registration: telling a server where we are, again and again (RFC 3261 section 10, RFC 5626).

Our Contact has a user that nobody else knows: it is how we find our own binding among several, and
how a call is recognised that the server sends us because we registered there.
"""

import enum
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..credentials.account import Account
from ..deadline import earliest
from ..dialogs.screening import ALLOW
from ..flow import Flow
from ..ways.courier import Courier
from ..ways.posted import Posted, unheard
from ..ways.routing import Way
from ..wire.grammar import parse_number
from ..wire.message import Headers, Request, Response
from ..wire.uri import Uri
from .bindings import granted, routes
from .opening import Opening
from .standing import Changed, DutyEvent, WayDue

__all__ = ["Enrolment", "Registration", "RegistrationState", "address_of_record"]

_SUPPORTED: Final = "outbound, path"
_REFRESH: Final = (0.80, 0.10)  # of the time granted: at least, and more by chance
_BASE_WAIT: Final = 30.0  # RFC 5626 section 4.5, doubled with each failure in a row
_LONGEST_WAIT: Final = 1800.0
_SHORTEST_WAIT: Final = 5.0  # whatever a server says
_LONGEST: Final = 7 * 86_400  # seconds that we believe in a Min-Expires or Retry-After
_MOST_ADDRESSES: Final = 64
_HOPELESS: Final = frozenset({401, 403, 404, 407})  # asking again soon does not help
_WORDS: Final = {
    401: "it does not believe our password",
    403: "it does not let us register",
    404: "it does not know the user",
    407: "it does not believe our password",
    408: "it does not answer",
}


class RegistrationState(enum.Enum):
    """How far a registration has come."""

    LOOKING = enum.auto()  # the way to the server is being found
    ASKING = enum.auto()  # a REGISTER is out
    REGISTERED = enum.auto()
    WAITING = enum.auto()  # it failed, and is tried again later
    LEAVING = enum.auto()  # the REGISTER that ends it is out
    OVER = enum.auto()


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Where to register, and as whom.

    Attributes:
        server: the registrar, such as ``sip:pbx.example;transport=tcp``.
        user: the user whose address is bound to us, at the host of the server.
        account: who we are where it asks for a password.
        seconds: for how long at a time.
        instance: a URN that stays the same when the program is started anew (RFC 5626 section
            4.1); empty leaves it out.

    """

    server: Uri
    user: str
    account: Account | None = None
    seconds: int = 600
    instance: str = ""


class Registration:
    """One binding at one server, kept alive until :meth:`end`."""

    def __init__(
        self,
        enrolment: Enrolment,
        courier: Courier,
        on_event: Callable[[DutyEvent], None],
    ) -> None:
        self.on_event = on_event
        self.state = RegistrationState.LOOKING
        self.why = "not yet tried"
        self.token = courier.ids.token(128)
        self.addresses: dict[str, None] = {}  # hosts that the server was found at
        self.service_routes: list[str] = []  # RFC 3608: the way of later requests
        self.path: list[str] = []  # RFC 3327: the way that calls to us take
        self.is_outbound = False  # RFC 5626: the server keeps to our flow
        self.expires_at: float | None = None  # of the binding, if there is one
        self._enrolment = enrolment
        self._courier = courier
        self._flow: Flow | None = None
        self._seconds = enrolment.seconds
        self._has_reg_id = bool(enrolment.instance)
        self._call_id, self._tag = courier.ids.token(128), courier.ids.token()
        self._sequence = 0
        self._posted: Posted | None = None
        self._failures = 0
        self._has_been_corrected = False  # since the last answer that was neither yes nor no
        self._has_been_cut = False  # its connection was lost, and no refresh went well since
        self._is_leaving = False
        self._due_at: float | None = None
        self._opening = Opening(courier)  # as long as there is a binding
        self._told: Changed | None = None
        self._events: list[DutyEvent] = [WayDue(enrolment.server)]

    @property
    def is_registered(self) -> bool:
        """Whether the server has our binding."""
        return self.expires_at is not None

    @property
    def is_over(self) -> bool:
        """Whether it has come to its end."""
        return self.state is RegistrationState.OVER

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        opening = self._opening.deadline if self.is_registered else None
        return earliest(self._due_at, self.expires_at, opening)

    def events(self) -> list[DutyEvent]:
        """Drain what happened since the last call."""
        events, self._events = self._events, []
        return events

    def go(self, flows: Sequence[Flow], now: float) -> None:
        """Register by the first of the ways that answers."""
        if self.state is not RegistrationState.LOOKING:
            return
        hosts = dict.fromkeys(flow.remote[0] for flow in flows)
        self.addresses = dict.fromkeys(itertools.islice(hosts | self.addresses, _MOST_ADDRESSES))
        self._ask(flows, now)

    def no_way(self, why: str, now: float) -> None:
        """Take note that the server was not found."""
        if self.state is RegistrationState.LOOKING:
            self._fail(why, now)

    def wake(self, now: float) -> None:
        """Refresh the binding, try again, or take note that it has expired."""
        if self.expires_at is not None and now >= self.expires_at:
            self.expires_at = None
            self._tell(self.why if self.state is RegistrationState.WAITING else "it has expired")
        if self.is_registered:
            self._opening.wake(now)
        if self._due_at is None or now < self._due_at:
            return
        self._due_at = None
        if self.state is RegistrationState.REGISTERED and self._flow is not None:
            self._ask(self._flow, now)
        elif self.state in (RegistrationState.REGISTERED, RegistrationState.WAITING):
            self._look()

    def lose(self, flow: Flow, now: float) -> None:
        """Register anew where the connection to the server is gone (RFC 5626 section 4.5)."""
        own = self._flow
        if own is None or (own.transport, own.remote) != (flow.transport, flow.remote):
            return
        if self.state is RegistrationState.LEAVING:
            self._finish()
        elif self.state in (RegistrationState.ASKING, RegistrationState.REGISTERED):
            was_well = self.state is RegistrationState.REGISTERED
            if self._posted is not None:
                self._courier.abandon(self._posted)
            self.expires_at = None
            # One that was well is tried anew nearly at once, for until then no call comes; but
            # not for ever where a server takes us and cuts us off.
            is_first = was_well and not self._has_been_cut
            wait = 0.001 * self._courier.ids.number(2001) if is_first else None
            self._has_been_cut = True
            self._fail("the connection is gone", now, wait)

    def move(self, now: float) -> None:
        """Refresh the binding at once where it names an address that is ours no more."""
        if self.state is RegistrationState.REGISTERED and self._has_moved:
            self._due_at = now

    def end(self, now: float) -> None:
        """Take the binding back; with a REGISTER out, once that is answered (section 10.2)."""
        self._is_leaving = True
        if self.state in (RegistrationState.ASKING, RegistrationState.OVER):
            return
        if self.is_registered and self._flow is not None:
            self._leave(self._flow, now)
        elif self.state is not RegistrationState.LEAVING:
            self._finish()

    def _look(self) -> None:
        self.state, self._flow = RegistrationState.LOOKING, None
        self._events.append(WayDue(self._enrolment.server))

    def _ask(self, way: Way, now: float) -> None:
        self.state = RegistrationState.ASKING
        self._send(self._seconds, way, now)

    def _leave(self, flow: Flow, now: float) -> None:
        self.state, self._due_at = RegistrationState.LEAVING, None
        self._send(0, flow, now)

    def _send(self, seconds: int, way: Way, now: float) -> None:
        enrolment = self._enrolment
        domain = Uri("sip", None, enrolment.server.host, enrolment.server.port)
        own = address_of_record(enrolment.server, enrolment.user)
        request = Request(
            "REGISTER",
            str(domain),
            Headers(
                ("Max-Forwards", "70"),
                ("From", f"<{own}>;tag={self._tag}"),
                ("To", f"<{own}>"),
                ("Call-ID", self._call_id),
                ("CSeq", f"{self._next_sequence()} REGISTER"),
                ("Contact", self._contact(way)),
                ("Expires", str(seconds)),
                ("Allow", ", ".join(ALLOW)),
                ("Supported", _SUPPORTED),
            ),
        )
        self._posted = self._courier.send(
            request,
            way,
            now,
            self._on_response,
            account=enrolment.account,
            renumber=self._next_sequence,
        )

    def _next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    @property
    def _has_moved(self) -> bool:
        """Whether the server was last told another Contact than it would be now."""
        if self._flow is None or self._posted is None:
            return False
        return self._posted.request.headers.get("Contact") != self._contact(self._flow)

    def _contact(self, way: Way) -> str:
        contact = self._courier.contact(way, user=self.token)
        if self._enrolment.instance:
            contact += f';+sip.instance="<{self._enrolment.instance}>"'
        return f"{contact};reg-id=1" if self._has_reg_id else contact

    def _on_response(self, response: Response, now: float) -> None:
        status = response.status
        if status < 200 or self._posted is None:
            return
        flow = self._posted.flow
        if self.state is RegistrationState.LEAVING:
            self._finish()
        elif status < 300:
            self._flow = flow
            self._take(response, flow, now)
        elif self._is_leaving:
            self._finish()
        elif not self._has_been_corrected and self._correct(response):
            self._has_been_corrected = True
            self._ask(flow, now)
        else:
            self._refused(response, now)

    def _take(self, response: Response, flow: Flow, now: float) -> None:
        enrolment = self._enrolment
        seconds = granted(response, self.token, enrolment.instance, self._seconds)
        if seconds <= 0:
            self._fail("it did not keep our binding", now)
            return
        self.state = RegistrationState.REGISTERED
        self._failures, self._has_been_corrected = 0, False
        self._has_been_cut = self._has_been_cut and not self.is_registered
        self.expires_at = now + seconds
        self._opening.keep(flow, now)
        self.service_routes = routes(response, "Service-Route")
        self.path = routes(response, "Path")
        self.is_outbound = "outbound" in response.require
        least, more = _REFRESH
        share = least + more * self._courier.ids.number(1001) / 1000
        self._due_at = now if self._has_moved else now + max(seconds * share, _SHORTEST_WAIT)
        self._tell("registered")
        if self._is_leaving:
            self._leave(flow, now)

    def _correct(self, response: Response) -> bool:
        """Ask for what the server wants instead, if it says what; ``False`` if it does not."""
        if response.status == 423:
            wanted = parse_number(response.headers.get("Min-Expires") or "") or 0
            is_more = self._seconds < wanted <= _LONGEST
            self._seconds = wanted if is_more else self._seconds
            return is_more
        has_hop_refused = response.status == 439 and self._has_reg_id  # RFC 5626 section 11.6
        self._has_reg_id = self._has_reg_id and not has_hop_refused
        return has_hop_refused

    def _refused(self, response: Response, now: float) -> None:
        status = response.status
        words = _WORDS.get(status, "")
        if status in (401, 407) and self._enrolment.account is None:
            words = "it asks for a password"
        told = f"{status} {response.reason}".strip()
        if self._posted is not None and self._posted.is_unheard:
            words, told = unheard(status, self._posted.flow), ""
        wait = None
        if (after := response.retry_after) is not None:
            wait = max(min(after, _LONGEST), _SHORTEST_WAIT) + 0.001 * self._courier.ids.number(
                1001
            )
        if status in _HOPELESS:
            self.expires_at = None
            self._failures = max(self._failures, 6)
        self._fail(f"{words} ({told})" if words and told else words or told, now, wait)

    def _fail(self, why: str, now: float, wait: float | None = None) -> None:
        """Wait before the next try: longer with each failure, and not all at the same moment."""
        if self._is_leaving:
            self._finish()
            return
        if wait is None:
            longest = min(_LONGEST_WAIT, _BASE_WAIT * 2 ** min(self._failures, 10))
            wait = longest * (0.5 + 0.5 * self._courier.ids.number(1001) / 1000)
            self._failures += 1
        self.state, self._flow, self._has_been_corrected = RegistrationState.WAITING, None, False
        self._due_at = now + wait
        self._tell(why)

    def _finish(self) -> None:
        self.state, self.expires_at, self._due_at = RegistrationState.OVER, None, None
        self._tell("no longer registered")

    def _tell(self, why: str) -> None:
        self.why = why
        changed = Changed(self.state is RegistrationState.REGISTERED, why)
        if changed != self._told:
            self._told = changed
            self._events.append(changed)


def address_of_record(server: Uri, user: str) -> Uri:
    """Return the address that ``user`` has at a server."""
    return Uri("sip", user, server.host)
