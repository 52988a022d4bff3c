"""A registrar on the virtual network that does as a test tells it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.clock import CountedIds
from gateway.sip.credentials.account import Account
from gateway.sip.credentials.challenger import Challenger, Proof
from gateway.sip.credentials.digest import Secret
from gateway.sip.duties.registration import Enrolment, Registration
from gateway.sip.duties.standing import Changed, DutyEvent, WayDue
from gateway.sip.flow import Flow
from gateway.sip.wire.message import Request, Response, response_to
from gateway.sip.wire.uri import Uri
from gateway.testing.sip import Phone, VirtualNetwork

HOST = "192.0.2.9"


@dataclass
class Registrar:
    """Keeps what it was asked, and answers by ``answers`` as long as there are any, then 200."""

    network: VirtualNetwork
    transport: Any = "udp"
    password: str = ""
    others: tuple[str, ...] = ()  # bindings it lists before the one asked for
    extra: tuple[tuple[str, str], ...] = ()
    grants: int | None = None  # seconds, in place of those asked for
    lists: bool = True  # the binding itself, in the answer
    rewrites: Callable[[str], str] | None = None
    answers: list[tuple[int, tuple[tuple[str, str], ...]]] = field(default_factory=list)
    asked: list[tuple[float, Request]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.phone = self.network.phone(HOST, transport=self.transport)
        secrets = {"ann": Secret("ann", self.password)}
        self._challenger = Challenger("pbx", secrets, CountedIds("n"))
        self.phone.agent._layer.receive = self._receive  # type: ignore[method-assign]

    def _receive(self, request: Any, flow: Flow, now: float) -> None:
        assert isinstance(request, Request)
        self.asked.append((round(now, 3), request))
        self.phone.agent._layer.send_direct(self._answer(request, now), flow)

    def _answer(self, request: Request, now: float) -> Response:
        if self.answers:
            status, headers = self.answers.pop(0)
            return _with(response_to(request, status, to_tag="r"), headers)
        if self.password and self._challenger.judge(request, now)[0] is not Proof.GOOD:
            return _with(response_to(request, 401, to_tag="r"), self._challenger.challenges(now))
        seconds = self.grants if self.grants is not None and request.expires else request.expires
        own = request.headers.get("Contact") or ""
        own = own if self.rewrites is None else self.rewrites(own)
        listed = [("Contact", f"{own};expires={seconds}")] if self.lists and seconds else []
        others = [("Contact", other) for other in self.others]
        return _with(response_to(request, 200, to_tag="r"), (*others, *listed, *self.extra))


@dataclass
class Registree:
    """A phone that registers, and what it is told of that."""

    phone: Phone
    registrar: Registrar
    events: list[DutyEvent] = field(default_factory=list)
    has_way: bool = True

    def register(self, password: str = "", **options: Any) -> Registration:
        transport = self.registrar.transport
        params: Any = {} if transport == "udp" else {"transport": transport}
        account = Account("ann", password) if password else None
        enrolment = Enrolment(Uri("sip", None, HOST, params=params), "ann", account, **options)

        def on_event(event: DutyEvent) -> None:
            self.events.append(event)
            if isinstance(event, WayDue) and self.has_way:
                registration.go([self.phone.flow_to(self.registrar.phone)], self.phone.now())
            elif isinstance(event, WayDue):
                registration.no_way("no such host", self.phone.now())

        registration = self.phone.agent.duties.register(enrolment, on_event)
        self.phone.flush()
        return registration

    @property
    def news(self) -> list[tuple[bool, str]]:
        """What changed, in words."""
        return [(e.is_well, e.why) for e in self.events if isinstance(e, Changed)]


def _with(response: Response, headers: tuple[tuple[str, str], ...]) -> Response:
    for name, value in headers:
        response.headers.add(name, value)
    return response
