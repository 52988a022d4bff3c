"""Requests with several targets: who is turned to when one fails (RFC 3263 section 4.3)."""

from random import Random
from typing import Any

import pytest

from gateway.sip.dialogs.outgoing import OutgoingSession
from gateway.sip.dialogs.session_events import Answered, Ended, Ringing
from gateway.sip.dialogs.session_state import SessionState
from gateway.sip.flow import Flow
from gateway.sip.ways.lookups import PATIENCE
from gateway.sip.wire.message import Request, Response
from gateway.sip.wire.uri import Uri
from gateway.testing.sip import Phone, Sent, VirtualNetwork

OFFER, ANSWER = b"v=0 offer", b"v=0 answer"
NOBODY = ("192.0.2.99", 5060)
TARGET = Uri.parse("sip:bob@pbx.example")


def dial(ann: Phone, *targets: Phone | tuple[str, int], **options: Any) -> OutgoingSession:
    """Call the first of several targets that answers."""
    remotes = [t if isinstance(t, tuple) else t.address for t in targets]
    flows = [Flow(ann.transport, ann.address, remote) for remote in remotes]
    session = ann.agent.invite(
        TARGET, flows, ann.network.now, from_uri=ann.uri, sdp=OFFER, **options
    )
    ann.flush()
    return session


def sent(network: VirtualNetwork, title: str) -> list[Sent]:
    return [one for one in network.sent if one.title == title]


def hosts(network: VirtualNetwork, title: str) -> list[str]:
    return [one.flow.remote[0] for one in sent(network, title)]


@pytest.fixture
def carl(network: VirtualNetwork) -> Phone:
    return network.phone("192.0.2.3")


def test_a_silent_target_gives_way_to_the_next_as_a_new_transaction(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call = dial(ann, NOBODY, bob)
    network.run(5.2)
    bob.calls[0].answer(ANSWER, network.now)
    network.run(1.0)
    assert ann.heard(call) == [Answered(ANSWER)]
    invites = sent(network, "INVITE")
    assert [(round(one.at, 1), one.flow.remote) for one in invites] == [
        *((at, NOBODY) for at in (0.0, 0.5, 1.5, 3.5)),
        (5.0, bob.address),
    ]
    first, last = invites[0].message, invites[-1].message
    assert first.via.branch != last.via.branch
    assert (first.call_id, first.cseq.number) == (last.call_id, last.cseq.number)
    assert first.headers.get("From") == last.headers.get("From")
    assert hosts(network, "ACK") == [bob.address[0]]
    call.hang_up(network.now)
    network.run(40.0)
    assert ann.agent.is_idle
    assert ann.agent.counters["failovers"] == 1


def test_the_last_target_has_all_the_time_there_is(network: VirtualNetwork, ann: Phone) -> None:
    call = dial(ann, NOBODY, ("192.0.2.98", 5060))
    network.run(36.9)
    assert ann.heard(call) == []
    network.run(0.2)
    assert ann.heard(call) == [Ended("peer", 408, None)]


def test_a_target_that_is_busy_with_others_gives_way_to_the_next(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone
) -> None:
    bob.agent.is_draining = True
    call = dial(ann, bob, carl)
    network.run(0.2)
    carl.calls[0].answer(ANSWER, network.now)
    network.run(0.2)
    assert ann.heard(call) == [Answered(ANSWER)]
    (refused, taken) = sent(network, "INVITE")
    acks = sent(network, "ACK")
    assert [ack.flow.remote for ack in acks] == [bob.address, carl.address]
    assert acks[0].message.via.branch == refused.message.via.branch
    assert acks[1].message.via.branch not in (
        refused.message.via.branch,
        taken.message.via.branch,
    )


@pytest.mark.parametrize("status", [404, 486, 500, 603])
def test_any_other_refusal_is_final(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone, status: int
) -> None:
    call = dial(ann, bob, carl)
    network.run(0.1)
    bob.calls[0].reject(status, network.now)
    network.run(0.1)
    (ended,) = ann.heard(call)
    assert isinstance(ended, Ended)
    assert ended.status == status
    assert carl.calls == []


def test_nobody_else_is_called_once_a_phone_has_rung(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone
) -> None:
    call = dial(ann, bob, carl)
    network.run(0.1)
    bob.calls[0].ring(network.now)
    network.run(20.0)
    bob.calls[0].reject(503, network.now)
    network.run(0.1)
    ringing, ended = ann.heard(call)
    assert ringing == Ringing(180, None)
    assert isinstance(ended, Ended)
    assert ended.status == 503
    assert carl.calls == []


def test_a_target_that_said_trying_is_waited_for_but_may_still_refuse(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone
) -> None:
    dial(ann, bob, carl)
    network.run(12.0)
    assert carl.calls == []
    bob.calls[0].reject(503, network.now)
    network.run(0.1)
    assert len(carl.calls) == 1


def test_a_connection_that_fails_gives_way_at_once(network: VirtualNetwork) -> None:
    ann = network.phone("192.0.2.1", transport="tcp")
    bob = network.phone("192.0.2.2", transport="tcp")
    call = dial(ann, NOBODY, bob)
    network.run(0.1)
    ann.agent.connection_lost(Flow("tcp", ann.address, NOBODY), network.now)
    network.run(0.1)
    bob.calls[0].answer(ANSWER, network.now)
    network.run(0.1)
    assert ann.heard(call) == [Answered(ANSWER)]


def test_a_datagram_that_nobody_takes_gives_way_at_once(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    dial(ann, NOBODY, bob)
    ann.agent.refused(Flow("udp", ann.address, NOBODY), network.now)
    network.run(0.1)
    assert len(bob.calls) == 1


def test_the_last_target_may_refuse_one_datagram_but_not_two(
    network: VirtualNetwork, ann: Phone
) -> None:
    call = dial(ann, NOBODY)
    refusal = Flow("udp", ann.address, NOBODY)
    ann.agent.refused(refusal, network.now)
    network.run(0.6)
    assert ann.heard(call) == []
    ann.agent.refused(refusal, network.now)
    assert ann.heard(call) == [Ended("peer", 503, None)]
    network.run(40.0)
    assert ann.agent.is_idle


def test_a_target_that_has_answered_is_not_given_up_for_a_refused_datagram(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call = dial(ann, bob)
    network.run(0.5)
    for _ in range(5):
        ann.agent.refused(Flow("udp", ann.address, bob.address), network.now)
    assert ann.heard(call) == []


def test_cancel_follows_the_target_that_the_invite_went_to(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call = dial(ann, NOBODY, bob)
    network.run(5.5)
    call.hang_up(network.now)
    network.run(0.1)
    (cancel,) = sent(network, "CANCEL")
    invite = sent(network, "INVITE")[-1]
    assert cancel.flow.remote == invite.flow.remote == bob.address
    assert cancel.message.headers.get("Via") == invite.message.headers.get("Via")
    (ack,) = sent(network, "ACK")
    assert ack.flow.remote == bob.address
    assert ack.message.via.branch == invite.message.via.branch
    network.run(70.0)
    assert ann.agent.is_idle


def test_cancel_waits_for_a_1xx_of_the_target_it_is_for(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone
) -> None:
    """Bob has said 100 and 503; that says nothing of Carl, who has said nothing."""
    network.drop = lambda one: one.flow.local == carl.address and one.at < 3.0
    call = dial(ann, bob, carl)
    network.run(1.0)
    bob.calls[0].reject(503, network.now)
    network.run(0.2)
    call.hang_up(network.now)
    network.run(1.0)
    assert sent(network, "CANCEL") == []
    network.run(4.0)
    assert hosts(network, "CANCEL") == [carl.address[0]]
    network.run(70.0)
    assert ann.agent.is_idle


def test_who_hangs_up_while_nobody_answers_calls_nobody_else(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call = dial(ann, NOBODY, bob)
    network.run(2.0)
    call.hang_up(network.now)
    network.run(60.0)
    assert bob.calls == []
    assert sent(network, "CANCEL") == []
    assert ann.agent.is_idle


def test_a_target_that_rings_after_it_was_left_behind_is_cancelled(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone
) -> None:
    network.drop = lambda one: one.flow.local == bob.address and one.at < 10.0
    call = dial(ann, bob, carl)
    network.run(6.0)
    carl.calls[0].answer(ANSWER, network.now)
    network.run(5.0)
    bob.calls[0].ring(network.now)
    network.run(0.1)
    assert hosts(network, "CANCEL") == [bob.address[0]]
    assert [e for e in bob.heard(bob.calls[0]) if isinstance(e, Ended)]
    assert ann.heard(call) == [Answered(ANSWER)]
    assert call.is_live


def test_a_target_left_behind_that_never_ends_its_ringing_is_forgotten_in_time(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone
) -> None:
    network.drop = lambda one: (
        one.flow.local == bob.address and (one.at < 5.5 or one.title != "180 INVITE")
    )
    call = dial(ann, bob, carl)
    network.run(5.6)
    bob.calls[0].ring(network.now)
    network.run(0.1)
    assert hosts(network, "CANCEL") == [bob.address[0]]
    carl.calls[0].reject(486, network.now)
    network.run(0.1)
    assert not call.is_live
    network.run(70.0)
    assert ann.agent.is_idle


def test_a_target_that_answers_after_it_was_left_behind_has_the_call(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone
) -> None:
    network.drop = lambda one: one.flow.local == bob.address and one.at < 5.5
    call = dial(ann, bob, carl)
    network.run(5.6)
    bob.calls[0].answer(ANSWER, network.now)
    network.run(0.5)
    assert ann.heard(call) == [Answered(ANSWER)]
    assert hosts(network, "ACK") == [bob.address[0], carl.address[0]]  # Carl's is of his 487
    assert hosts(network, "CANCEL") == [carl.address[0]]
    call.hang_up(network.now)
    network.run(0.1)
    assert hosts(network, "BYE") == [bob.address[0]]
    network.run(70.0)
    assert ann.agent.is_idle


def test_two_targets_that_both_answer_leave_one_call(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone
) -> None:
    network.drop = lambda one: one.flow.local == bob.address and one.at < 5.5
    call = dial(ann, bob, carl)
    network.run(5.6)
    bob.calls[0].answer(ANSWER, network.now)
    carl.calls[0].answer(ANSWER, network.now)
    network.run(1.0)
    assert ann.heard(call) == [Answered(ANSWER)]
    assert len(hosts(network, "BYE")) == 1
    assert bob.calls[0].is_live != carl.calls[0].is_live
    network.run(70.0)
    assert call.is_live


def test_what_failed_lately_is_tried_last(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    dial(ann, NOBODY, bob)
    network.run(6.0)
    tries = len(network.sent)
    dial(ann, NOBODY, bob)
    network.run(1.0)
    assert [one.flow.remote for one in network.sent[tries:] if one.title == "INVITE"] == [
        bob.address
    ]
    network.run(35.0)  # what once failed is believed again
    tries = len(network.sent)
    dial(ann, NOBODY, bob)
    assert network.sent[tries].flow.remote == NOBODY


def test_a_target_is_left_alone_for_as_long_as_it_asks(
    network: VirtualNetwork, ann: Phone, carl: Phone
) -> None:
    bob = network.phone("192.0.2.2", retry_after=lambda: 60)
    bob.agent.is_draining = True
    dial(ann, bob, carl)
    network.run(50.0)
    dial(ann, bob, carl)
    network.run(20.0)
    dial(ann, bob, carl)
    network.run(1.0)
    firsts = [one.flow.remote[0] for one in sent(network, "INVITE")]
    assert firsts == ["192.0.2.2", "192.0.2.3", "192.0.2.3", "192.0.2.2", "192.0.2.3"]


def test_a_target_of_another_kind_is_told_another_contact(network: VirtualNetwork) -> None:
    ann = network.phone("192.0.2.1")
    flows = [
        Flow("udp", ann.address, NOBODY),
        Flow("tcp", ("2001:db8::1", 5062), ("2001:db8::2", 5060)),
    ]
    ann.agent.invite(TARGET, flows, 0.0, from_uri=ann.uri, sdp=OFFER)
    network.run(6.0)
    contacts = [one.message.headers.get("Contact") for one in sent(network, "INVITE")]
    assert contacts[0] == "<sip:192.0.2.1:5060>"
    assert contacts[-1] == "<sip:[2001:db8::1]:5062;transport=tcp>"
    via = sent(network, "INVITE")[-1].message.via
    assert (via.transport, via.sent_by) == ("TCP", "[2001:db8::1]:5062")


def test_a_request_too_big_for_a_datagram_goes_by_tcp_and_falls_back_to_udp(
    network: VirtualNetwork,
) -> None:
    ann = network.phone("192.0.2.1", has_streams=True)
    bob = network.phone("192.0.2.2")
    filler = [("X-Filler", "x" * 1300)]
    network.drop = lambda one: one.flow.transport == "tcp"
    dial(ann, bob, headers=filler)
    network.run(0.1)
    assert [one.flow.transport for one in sent(network, "INVITE")] == ["tcp"]
    ann.agent.connection_lost(Flow("tcp", ann.address, bob.address), network.now)
    network.run(0.1)
    assert [one.flow.transport for one in sent(network, "INVITE")] == ["tcp", "udp"]
    assert len(bob.calls) == 1
    dial(ann, bob, headers=filler)
    assert sent(network, "INVITE")[-1].flow.transport == "udp"  # known not to take TCP


@pytest.mark.parametrize(("size", "transport"), [(1300, "udp"), (1301, "tcp")])
def test_a_datagram_is_1300_bytes_at_most(
    network: VirtualNetwork, size: int, transport: str
) -> None:
    """RFC 3261 section 18.1.1; the Via to come counts as 80 bytes."""
    via = 80
    ann = network.phone("192.0.2.1", has_streams=True)
    bob = network.phone("192.0.2.2")
    dial(ann, bob, headers=[("X-Filler", "x" * 100)])
    (first,) = sent(network, "INVITE")
    without = first.message
    without.headers.remove("Via")
    filler = 100 + size - via - len(bytes(without))
    again = network.phone("192.0.2.1", has_streams=True)  # whose tokens are as long
    dial(again, bob, headers=[("X-Filler", "x" * filler)])
    last = sent(network, "INVITE")[-1]
    assert last.flow.transport == transport
    via_sent = len(last.message.headers.get("Via") or "") + len("Via: \r\n")
    assert via_sent <= via
    if transport == "udp":
        assert len(bytes(last.message)) == size - via + via_sent


def test_a_request_too_big_tries_each_target_both_ways(network: VirtualNetwork) -> None:
    ann = network.phone("192.0.2.1", has_streams=True)
    call = dial(ann, NOBODY, ("192.0.2.98", 5060), headers=[("X-Filler", "x" * 1300)])
    network.run(60.0)
    tried = list(dict.fromkeys((s.flow.transport, s.flow.remote[0]) for s in network.sent))
    assert tried == [
        *(("tcp", "192.0.2.99"), ("udp", "192.0.2.99")),
        *(("tcp", "192.0.2.98"), ("udp", "192.0.2.98")),
    ]
    assert ann.heard(call) == [Ended("peer", 408, None)]


def with_contact(network: VirtualNetwork, phone: Phone, contact: str) -> None:
    """Have a phone name itself ``contact`` in what it sends."""
    carry = network.carry

    def rename(data: bytes, flow: Flow) -> None:
        if flow.local == phone.address:
            data = data.replace(f"<sip:{phone.address[0]}:5060>".encode(), contact.encode())
        carry(data, flow)

    network.carry = rename  # type: ignore[method-assign]


def test_requests_of_a_call_go_where_the_peers_name_leads(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone
) -> None:
    network.names["pbx.example"] = [carl.address]
    with_contact(network, bob, "<sip:bob@pbx.example>")
    call = dial(ann, bob)
    network.run(0.1)
    bob.calls[0].answer(ANSWER, network.now)
    network.run(0.1)
    call.hang_up(network.now)
    network.run(0.1)
    for title in ("ACK", "BYE"):
        message = network.last(title)
        assert isinstance(message, Request)
        assert message.uri == "sip:bob@pbx.example"
        assert set(hosts(network, title)) == {carl.address[0]}


@pytest.mark.parametrize("is_loose", [True, False])
def test_a_private_contact_is_reached_through_the_names_of_the_record_route(
    network: VirtualNetwork, ann: Phone, bob: Phone, carl: Phone, is_loose: bool
) -> None:
    """As by Twilio and Telnyx: two Record-Routes, and behind them a Contact of nobody's world."""
    lr = ";lr" if is_loose else ""
    network.names["edge.trunk.example"] = [carl.address]
    carry = network.carry

    def record(data: bytes, flow: Flow) -> None:
        if flow.local == bob.address:
            routes = (f"<sip:inner.trunk.example{lr}>", f"<sip:edge.trunk.example{lr};r2=on>")
            lines = "".join(f"Record-Route: {route}\r\n" for route in routes)
            data = data.replace(b"From:", f"{lines}From:".encode(), 1)
            data = data.replace(b"<sip:192.0.2.2:5060>", b"<sip:+15550100@172.25.1.9:5060>")
        carry(data, flow)

    network.carry = record  # type: ignore[method-assign]
    call = dial(ann, bob)
    network.run(0.1)
    bob.calls[0].answer(ANSWER, network.now)
    network.run(0.1)
    call.hang_up(network.now)
    network.run(0.1)
    contact = "sip:+15550100@172.25.1.9:5060"
    edge, inner = f"sip:edge.trunk.example{lr};r2=on", f"sip:inner.trunk.example{lr}"
    for title in ("ACK", "BYE"):
        message = network.last(title)
        assert isinstance(message, Request)
        routes = [route.strip("<>") for route in message.headers.get_all("Route")]
        if is_loose:
            assert (message.uri, routes) == (contact, [edge, inner])
        else:
            assert (message.uri, routes) == (edge, [inner, contact])
        assert set(hosts(network, title)) == {carl.address[0]}


def test_requests_of_a_call_turn_to_the_next_host_of_a_name(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    network.names["pbx.example"] = [NOBODY, bob.address]
    with_contact(network, bob, "<sip:bob@pbx.example>")
    call, _ = ann.connect(bob)
    network.names["pbx.example"] = [NOBODY, ("192.0.2.98", 5060)]
    call.hang_up(network.now)
    network.run(20.0)
    assert list(dict.fromkeys(hosts(network, "BYE"))) == ["192.0.2.99", "192.0.2.98"]


def test_a_name_that_leads_nowhere_leaves_the_way_in_use(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    with_contact(network, bob, "<sip:bob@gone.example>")
    call, taken = ann.connect(bob)
    call.hang_up(network.now)
    network.run(0.1)
    assert [e for e in bob.heard(taken) if isinstance(e, Ended)]


def test_a_name_that_nobody_looks_up_is_not_waited_for_long(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    with_contact(network, bob, "<sip:bob@slow.example>")
    asked: list[Uri] = []
    ann.agent.found = lambda uri, flows, now: asked.append(uri)  # type: ignore[method-assign]
    call = dial(ann, bob)
    network.run(0.1)
    bob.calls[0].answer(ANSWER, network.now)
    start = network.now
    network.run(0.1)
    call.hang_up(network.now)
    network.run(PATIENCE + 0.2)
    assert [str(uri) for uri in asked] == ["sip:bob@slow.example"]  # once for both requests
    order = [(one.title, round(one.at - start, 1)) for one in network.sent]
    assert ("ACK", PATIENCE) in order
    assert order.index(("ACK", PATIENCE)) < order.index(("BYE", PATIENCE + 0.1))


def test_the_answer_of_a_call_says_who_gave_it(network: VirtualNetwork, ann: Phone) -> None:
    """A target may be dead and its answer forged from elsewhere: branches tell them apart."""
    dial(ann, NOBODY, ("192.0.2.98", 5060))
    network.run(6.0)
    first = sent(network, "INVITE")[0].message
    assert isinstance(first, Request)
    late = Response(100, headers=first.headers)
    network.carry(bytes(late), Flow("udp", NOBODY, ann.address))
    network.run(0.1)
    assert hosts(network, "CANCEL") == [NOBODY[0]]


@pytest.mark.parametrize("seed", range(40))
def test_whatever_targets_do_and_the_network_loses_one_call_is_left_at_most(seed: int) -> None:
    chance = Random(seed)
    network = VirtualNetwork(loss=0.3, jitter=0.5, seed=seed)
    ann = network.phone("192.0.2.1", has_streams=bool(seed % 2))
    others = [network.phone(f"192.0.2.{number}") for number in (2, 3, 4)]
    for other in others:
        other.on_invite = lambda session: chance.choice(
            [
                lambda: session.answer(ANSWER, network.now),
                lambda: session.ring(network.now),
                lambda: session.reject(503, network.now, retry_after=chance.choice([None, 9])),
                lambda: session.reject(486, network.now),
                lambda: None,
            ]
        )()
    call = dial(ann, *chance.sample([NOBODY, *others], 4))
    for _ in range(30):
        network.run(chance.random() * 3)
        for taken in (taken for other in others for taken in other.calls):
            if chance.random() < 0.1 and taken.state is SessionState.EARLY:
                taken.answer(ANSWER, network.now)
        if chance.random() < 0.03:
            call.hang_up(network.now)
    network.run(120.0)
    up = [taken for other in others for taken in other.calls if taken.is_live]
    assert len(up) == int(call.is_live)
    heard_of: set[str | None] = set()
    for one in network.sent:  # nothing is cancelled of which nothing was heard (section 9.1)
        if one.title == "CANCEL":
            assert one.message.via.branch in heard_of
        elif one.title.startswith("1") and not one.is_lost:
            heard_of.add(one.message.via.branch)
    call.hang_up(network.now)
    network.run(300.0)
    assert ann.agent.is_idle
    assert all(other.agent.is_idle for other in others)
