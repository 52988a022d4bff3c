"""A call that takes the place of another: Replaces (RFC 3891)."""

import pytest

from gateway.errors import SipError
from gateway.sip.admission import Policy, Verdict
from gateway.sip.dialogs.outgoing import OutgoingSession
from gateway.sip.dialogs.replaces import Predecessors, Replaces
from gateway.sip.dialogs.session import Session
from gateway.sip.dialogs.session_events import Replaced
from gateway.testing.sip import Phone, VirtualNetwork

OFFER = b"v=0 offer"
WELCOME = Verdict(policy=Policy(accepts_transfer=True))


@pytest.fixture
def bob(network: VirtualNetwork) -> Phone:
    return network.phone("192.0.2.2", accepts=lambda request, flow: WELCOME)


@pytest.fixture
def carl(network: VirtualNetwork) -> Phone:
    return network.phone("192.0.2.3")


def name(session: Session) -> str:
    """Write what names a call of bob's to bob."""
    remote_tag = tag_of(session)
    return f"{session.call_id};to-tag={session.local_tag};from-tag={remote_tag}"


def tag_of(session: Session) -> str:
    """Return how the far end of a call is told from others, also while it rings."""
    if session.dialog is not None:
        return session.dialog.id.remote_tag
    assert isinstance(session, OutgoingSession)
    (fork,) = session._early._forks.values()
    return fork.dialog.id.remote_tag


def invite(network: VirtualNetwork, carl: Phone, bob: Phone, *headers: tuple[str, str]) -> str:
    """Call bob with headers, and return what is answered, if anything yet."""
    before = len(network.sent)
    carl.call(bob, OFFER, headers=headers)
    network.run(0.1)
    titles = [s.title for s in network.sent[before:] if s.flow.local == bob.address]
    return next((t for t in titles if t.endswith("INVITE") and not t.startswith("1")), "")


def test_a_call_is_offered_the_place_of_one_that_is_up(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone
) -> None:
    _, taken = ann.connect(bob)
    assert invite(network, carl, bob, ("Replaces", name(taken)), ("Require", "replaces")) == ""
    (event,) = bob.heard(taken)
    assert isinstance(event, Replaced)
    assert event.by.request.from_.uri.host == "192.0.2.3"
    assert event.by not in bob.calls, "it is no call of its own"
    event.by.answer(b"answer", network.now)
    taken.hang_up(network.now)
    network.run(1.0)
    assert network.titles(by=bob)[-2:] == ["200 INVITE", "BYE"]
    assert list(bob.agent.sessions.values()) == [event.by]


def test_a_call_we_place_can_be_replaced_while_it_rings(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone
) -> None:
    call = bob.call(ann, OFFER)
    network.run(0.1)
    ann.calls[0].ring(network.now)
    network.run(0.1)
    bob.heard(call)
    early = f"{name(call)};early-only"
    assert invite(network, carl, bob, ("Replaces", early)) == ""
    (event,) = bob.heard(call)
    assert isinstance(event, Replaced)
    event.by.answer(b"answer", network.now)
    call.hang_up(network.now)
    network.run(1.0)
    assert {"CANCEL", "487 INVITE"} <= {*network.titles()}
    assert list(bob.agent.sessions.values()) == [event.by]


def test_a_call_that_rings_here_cannot_be_replaced(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone
) -> None:
    ann.call(bob, OFFER)
    network.run(0.1)
    bob.calls[0].ring(network.now)
    assert invite(network, carl, bob, ("Replaces", name(bob.calls[0]))) == "481 INVITE"


def test_an_answered_call_is_not_replaced_by_who_meant_a_ringing_one(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone
) -> None:
    _, taken = ann.connect(bob)
    assert invite(network, carl, bob, ("Replaces", f"{name(taken)};early-only")) == "486 INVITE"
    assert bob.heard(taken) == []


@pytest.mark.parametrize("is_heard_of", [True, False], ids=["ended", "still ending"])
def test_a_call_that_is_over_is_declined(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone, is_heard_of: bool
) -> None:
    _, taken = ann.connect(bob)
    named = name(taken)
    if not is_heard_of:
        network.drop = lambda sent: sent.flow.local == ann.address
    taken.hang_up(network.now)
    network.run(0.1)
    assert invite(network, carl, bob, ("Replaces", named)) == "603 INVITE"


@pytest.mark.parametrize("part", ["call", "to-tag", "from-tag"])
def test_a_call_that_never_was_is_unknown(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone, part: str
) -> None:
    _, taken = ann.connect(bob)
    call_id, local, remote = name(taken).split(";")
    named = {
        "call": f"x{call_id};{local};{remote}",
        "to-tag": f"{call_id};{local}x;{remote}",
        "from-tag": f"{call_id};{local};{remote}x",
    }[part]
    assert invite(network, carl, bob, ("Replaces", named)) == "481 INVITE"
    assert taken.is_live


@pytest.mark.parametrize(
    "headers",
    [
        [("Replaces", "{}"), ("Replaces", "{}")],
        [("Replaces", "{}, {}")],
        [("Replaces", "{}"), ("Join", "{}")],
        [("Replaces", "only-a-call-id")],
        [("Replaces", ";to-tag=1;from-tag=2")],
        [("Replaces", "a@b;to-tag=1;;")],
    ],
)
def test_what_names_no_one_call_is_a_bad_request(
    network: VirtualNetwork,
    ann: Phone,
    bob: Phone,
    carl: Phone,
    headers: list[tuple[str, str]],
) -> None:
    _, taken = ann.connect(bob)
    filled = [(header, value.replace("{}", name(taken))) for header, value in headers]
    assert invite(network, carl, bob, *filled) == "400 INVITE"


def test_replaces_outside_an_invite_is_a_bad_request(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    request = call._line.request("OPTIONS")
    request.headers.add("Replaces", name(taken))
    call._line.send(request, network.now, lambda response, now: None)
    network.run(0.1)
    assert "400 OPTIONS" in network.titles()


@pytest.mark.parametrize(
    ("headers", "status"),
    [([], "403 INVITE"), ([("Require", "replaces")], "420 INVITE")],
)
def test_who_may_not_transfer_replaces_nobody(
    network: VirtualNetwork,
    ann: Phone,
    carl: Phone,
    headers: list[tuple[str, str]],
    status: str,
) -> None:
    dora = network.phone("192.0.2.4")
    _, taken = ann.connect(dora)
    assert invite(network, carl, dora, ("Replaces", name(taken)), *headers) == status
    assert dora.heard(taken) == []
    if headers:
        assert network.last(status).headers.get("Unsupported") == "replaces"


def test_a_full_agent_still_lets_a_call_change_hands(
    network: VirtualNetwork, ann: Phone, carl: Phone
) -> None:
    full = network.phone(
        "192.0.2.5", accepts=lambda request, flow: WELCOME, overloaded=lambda: True
    )
    call = full.call(ann, OFFER)
    network.run(0.1)
    ann.calls[0].answer(b"answer", network.now)
    network.run(0.1)
    full.heard(call)
    assert invite(network, carl, full, ("Replaces", name(call))) == ""
    assert isinstance(full.heard(call)[0], Replaced)


def test_who_only_knows_how_to_replace_calls_as_anybody(
    network: VirtualNetwork, bob: Phone, carl: Phone
) -> None:
    invite(network, carl, bob, ("Require", "replaces"))
    assert len(bob.calls) == 1


def test_only_so_many_ended_calls_are_remembered(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    _, taken = ann.connect(bob)
    memory = Predecessors({})
    for number in range(5000):
        taken.call_id = str(number)
        memory.note_end(taken)
    assert len(memory._over) == 4096
    tag = tag_of(taken)
    for call_id, status in (("4999", 603), ("0", 481)):
        with pytest.raises(SipError) as refused:
            memory.find(Replaces(call_id, taken.local_tag, tag))
        assert refused.value.status == status


@pytest.mark.parametrize(
    ("trunk", "accepts_transfer", "answer"),
    [("b", False, "403 INVITE"), ("b", True, ""), ("a", False, "")],
    ids=["of another trunk", "of another that allows it", "of the same trunk"],
)
def test_a_trunk_takes_over_the_calls_of_none_but_its_own_and_of_those_who_allow_it(
    network: VirtualNetwork,
    ann: Phone,
    carl: Phone,
    trunk: str,
    accepts_transfer: bool,
    answer: str,
) -> None:
    policies = {
        ann.address: Policy(trunk=trunk, accepts_transfer=accepts_transfer),
        carl.address: Policy(trunk="a", accepts_transfer=True),
    }
    bob = network.phone(
        "192.0.2.2", accepts=lambda request, flow: Verdict(policy=policies[flow.remote])
    )
    _, taken = ann.connect(bob)
    assert invite(network, carl, bob, ("Replaces", name(taken))) == answer
    assert [type(event) for event in bob.heard(taken)] == ([] if answer else [Replaced])
