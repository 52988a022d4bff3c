"""Every state meets every input: the machines of RFC 3261 section 17, row by row."""

import pytest

from gateway.sip.transactions.client import (
    INVITE_CLIENT,
    NON_INVITE_CLIENT,
    InviteClient,
    NonInviteClient,
)
from gateway.sip.transactions.machine import (
    Action,
    Input,
    Passed,
    State,
    Table,
    TimedOut,
    Transaction,
)
from gateway.sip.transactions.server import (
    INVITE_SERVER,
    NON_INVITE_SERVER,
    InviteServer,
    NonInviteServer,
)
from gateway.sip.transactions.timers import Timers
from gateway.sip.wire.message import Headers, Request, Response, parse, response_to

REQUESTS = (Input.REQUEST, Input.ACK)
TABLES: dict[type[Transaction], Table] = {
    InviteClient: INVITE_CLIENT,
    NonInviteClient: NON_INVITE_CLIENT,
    InviteServer: INVITE_SERVER,
    NonInviteServer: NON_INVITE_SERVER,
}


def request(method: str = "INVITE") -> Request:
    return Request(
        method,
        "sip:demo@192.0.2.9",
        Headers(
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa, SIP/2.0/UDP far;branch=z9hG4bKf"),
            ("Max-Forwards", "70"),
            ("Route", "<sip:p1;lr>"),
            ("Route", "<sip:p2;lr>"),
            ("From", "<sip:alice@h>;tag=a1"),
            ("To", "<sip:demo@192.0.2.9>"),
            ("Call-ID", "c1"),
            ("CSeq", f"7 {method}"),
        ),
    )


def start(kind: type[Transaction], *, reliable: bool = False) -> Transaction:
    method = "INVITE" if kind in (InviteClient, InviteServer) else "BYE"
    return kind(request(method), now=0.0, timers=Timers(), reliable=reliable)


def feed(tx: Transaction, what: Input, now: float = 1.0) -> None:
    """Bring one input about, in the way its owner would."""
    statuses = {Input.PROVISIONAL: 180, Input.SUCCESS: 200, Input.REFUSAL: 486}
    if what in statuses:
        response = response_to(tx.request, statuses[what], to_tag="b2")
        if isinstance(tx, InviteClient | NonInviteClient):
            tx.receive(response, now)
        elif isinstance(tx, InviteServer | NonInviteServer):
            tx.respond(response, now)
    elif what in REQUESTS and isinstance(tx, InviteServer | NonInviteServer):
        tx.receive(request("ACK" if what is Input.ACK else tx.request.method), now)
    else:
        tx._take(what, now)


def reach(kind: type[Transaction], state: State) -> Transaction:
    """Drive a new transaction into ``state`` by the shortest way its table has."""
    ways: dict[State, list[Input]] = {kind.FIRST: []}
    queue = [kind.FIRST]
    for here in queue:
        for (before, what), (after, _) in TABLES[kind].items():
            if before is here and after not in ways:
                ways[after] = [*ways[here], what]
                queue.append(after)
    tx = start(kind)
    for what in ways[state]:
        feed(tx, what)
    tx.data_to_send(), tx.events()
    return tx


def states(kind: type[Transaction]) -> set[State]:
    return {kind.FIRST, *(after for after, _ in TABLES[kind].values())}


EVERY_PAIR = [
    pytest.param(kind, state, what, id=f"{kind.__name__}-{state.name}-{what.name}")
    for kind in TABLES
    for state in sorted(states(kind), key=lambda s: s.value)
    for what in Input
]


@pytest.mark.parametrize(("kind", "state", "what"), EVERY_PAIR)
def test_every_state_meets_every_input(kind: type[Transaction], state: State, what: Input) -> None:
    tx = reach(kind, state)
    assert tx.state is state
    feed(tx, what)
    after, actions = TABLES[kind].get((state, what), (state, Action.NONE))
    assert tx.state is after
    sends = bool(actions & (Action.SEND | Action.ACKNOWLEDGE))
    assert len(tx.data_to_send()) == sends
    told = [Passed] * (Action.PASS in actions) + [TimedOut] * (Action.GIVE_UP in actions)
    assert [type(event) for event in tx.events()] == told
    if after is State.TERMINATED:
        assert tx.deadline is None


@pytest.mark.parametrize("kind", TABLES)
def test_every_state_but_those_a_user_must_end_has_a_timer(kind: type[Transaction]) -> None:
    for state in states(kind) - {State.TERMINATED}:
        is_open = kind.PHASES[state].is_open
        assert (reach(kind, state)._expires_at is None) is is_open


@pytest.mark.parametrize("kind", TABLES)
def test_every_state_can_be_left_for_good(kind: type[Transaction]) -> None:
    for state in states(kind) - {State.TERMINATED}:
        tx = reach(kind, state)
        tx.end()
        assert (tx.state, tx.deadline) == (State.TERMINATED, None)


def test_the_ack_to_a_refusal_takes_the_way_of_the_invite() -> None:
    tx = start(InviteClient)
    tx.data_to_send()
    assert isinstance(tx, InviteClient)
    busy = response_to(tx.request, 486, to_tag="b2")
    busy.headers.add("Contact", "<sip:elsewhere@h>")
    tx.receive(busy, 1.0)
    ack = parse(tx.data_to_send()[0])
    assert isinstance(ack, Request)
    assert (ack.method, ack.uri) == ("ACK", "sip:demo@192.0.2.9")
    assert [via.branch for via in ack.vias] == ["z9hG4bKa"]
    assert ack.headers.get_all("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert (ack.from_.tag, ack.to.tag, ack.cseq.number) == ("a1", "b2", 7)
    assert "Contact" not in ack.headers


def test_a_response_too_late_for_its_kind_changes_nothing() -> None:
    tx = reach(InviteServer, State.COMPLETED)
    assert isinstance(tx, InviteServer)
    tx.respond(Response(200), 2.0)
    tx.receive(request(), 2.0)
    assert tx.data_to_send()[0].startswith(b"SIP/2.0 486 ")
