"""Whole calls between two agents: answered, rejected, forked, lost and repeated."""

import pytest

from gateway.sip.admission import Policy
from gateway.sip.dialogs.session_events import Answered, AnswerReceived, Confirmed, Ended, Ringing
from gateway.sip.dialogs.session_state import SessionState
from gateway.sip.flow import Transport
from gateway.sip.wire.message import Request, Response
from gateway.sip.wire.reason import Reason
from gateway.testing.sip import Phone, VirtualNetwork

OFFER, ANSWER = b"v=0 offer", b"v=0 answer"


def test_a_call_rings_is_answered_and_ended_by_the_caller(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call = ann.call(bob, OFFER)
    network.run(0.1)
    taken = bob.calls[0]
    assert taken.offer == OFFER
    taken.ring(network.now)
    network.run(1.0)
    taken.answer(ANSWER, network.now)
    network.run(1.0)
    assert ann.heard(call) == [Ringing(180, None), Answered(ANSWER)]
    assert bob.heard(taken) == [Confirmed()]

    call.hang_up(network.now, Reason("Q.850", 16, "done"))
    network.run(0.1)
    assert ann.heard(call) == [Ended("gateway", 200, Reason("Q.850", 16, "done"))]
    assert bob.heard(taken) == [Ended("peer", 200, Reason("Q.850", 16, "done"))]
    assert network.titles() == [
        *("INVITE", "180 INVITE", "200 INVITE", "ACK"),
        *("BYE", "200 BYE"),
    ]
    network.run(40.0)
    assert ann.agent.is_idle
    assert bob.agent.is_idle


def test_both_ends_name_the_dialog_alike(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    call, taken = ann.connect(bob)
    assert call.dialog is not None
    assert taken.dialog is not None
    ours, theirs = call.dialog.id, taken.dialog.id
    assert ours == (theirs.call_id, theirs.remote_tag, theirs.local_tag)
    assert (call.local_uri, taken.local_uri) == (ann.uri, bob.uri)


def test_slow_answer_is_preceded_by_trying(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    ann.call(bob, OFFER)
    network.run(1.0)
    assert network.times("100 INVITE") == [pytest.approx(0.21)]


def test_early_media_reaches_the_caller(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    call = ann.call(bob, OFFER)
    network.run(0.1)
    bob.calls[0].progress(ANSWER, network.now)
    network.run(0.1)
    assert ann.heard(call) == [Ringing(183, ANSWER)]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_answer_is_repeated_until_the_ack_and_then_given_up(
    network: VirtualNetwork, transport: Transport
) -> None:
    ann = network.phone("192.0.2.1", transport=transport)
    bob = network.phone("192.0.2.2", transport=transport)
    network.drop = lambda sent: sent.title == "ACK"
    ann.call(bob, OFFER)
    network.run(0.1)
    taken = bob.calls[0]
    start = network.now
    taken.answer(ANSWER, start)
    network.run(40.0)
    sent = [round(at - start, 1) for at in network.times("200 INVITE")]
    assert sent == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert [round(at - start, 1) for at in network.times("BYE")] == [32.0]
    assert bob.heard(taken) == [Ended("gateway", 408, None)]


def test_every_repeated_answer_is_acknowledged_again(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    lost = iter([True, True, False])
    network.drop = lambda sent: sent.title == "ACK" and next(lost)
    call = ann.call(bob, OFFER)
    network.run(0.1)
    bob.calls[0].answer(ANSWER, network.now)
    network.run(5.0)
    assert network.titles().count("200 INVITE") == 3
    acks = [s.message for s in network.sent if s.title == "ACK"]
    assert len(acks) == 3
    assert len({bytes(ack) for ack in acks}) == 1
    assert bob.heard(bob.calls[0]) == [Confirmed()]
    assert ann.heard(call) == [Answered(ANSWER)]


def test_ack_to_an_answer_is_a_transaction_of_its_own(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    ann.connect(bob)
    invite, ack = network.last("INVITE"), network.last("ACK")
    assert isinstance(ack, Request)
    assert ack.via.branch != invite.via.branch
    assert ack.cseq.number == invite.cseq.number
    assert ack.uri == str(network.last("200 INVITE").contacts[0].uri)


@pytest.mark.parametrize("status", [404, 486, 488, 503, 603])
def test_rejection_tells_the_caller_why(
    network: VirtualNetwork, ann: Phone, bob: Phone, status: int
) -> None:
    call = ann.call(bob, OFFER)
    network.run(0.1)
    bob.calls[0].reject(status, network.now, retry_after=7)
    network.run(0.1)
    (ended,) = ann.heard(call)
    assert isinstance(ended, Ended)
    assert (ended.by, ended.status) == ("peer", status)
    assert ended.reason is not None
    assert network.last(f"{status} INVITE").headers.get("Retry-After") == "7"
    assert call.state is SessionState.TERMINATED


def test_a_rejection_is_repeated_until_its_ack(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    network.drop = lambda sent: sent.title == "ACK"
    ann.call(bob, OFFER)
    network.run(0.1)
    start = network.now
    bob.calls[0].reject(486, start)
    network.run(40.0)
    sent = [round(at - start, 1) for at in network.times("486 INVITE")]
    assert sent[:5] == [0, 0.5, 1.5, 3.5, 7.5]
    assert sent[-1] < 32


def test_an_unreachable_phone_is_given_up_after_32_seconds(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    network.drop = lambda sent: True
    call = ann.call(bob, OFFER)
    network.run(31.9)
    assert ann.heard(call) == []
    network.run(0.2)
    assert ann.heard(call) == [Ended("peer", 408, None)]


def test_a_phone_may_ring_for_a_minute(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    call = ann.call(bob, OFFER)
    network.run(0.1)
    bob.calls[0].ring(network.now)
    network.run(60.0)
    bob.calls[0].answer(ANSWER, network.now)
    network.run(0.1)
    assert ann.heard(call) == [Ringing(180, None), Ringing(180, None), Answered(ANSWER)]


def test_ringing_ends_at_our_own_limit(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    call = ann.call(bob, OFFER, ring_limit=20.0)
    network.run(0.1)
    bob.calls[0].ring(network.now)
    network.run(25.0)
    assert ann.heard(call) == [Ringing(180, None), Ended("gateway", 408, None)]
    assert bob.heard(bob.calls[0]) == [Ended("peer", 487, None)]


def test_ringing_ends_at_the_callers_limit(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    call = ann.call(bob, OFFER, headers=[("Expires", "20")])
    network.run(0.1)
    bob.calls[0].ring(network.now)
    network.run(25.0)
    assert bob.heard(bob.calls[0]) == [Ended("peer", 487, None)]
    assert ann.heard(call)[-1] == Ended("peer", 487, None)


def test_a_caller_who_vanished_does_not_ring_for_ever(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    ann.call(bob, OFFER)
    network.run(0.1)
    bob.calls[0].ring(network.now)
    network.drop = lambda sent: True
    network.run(200.0)
    assert bob.heard(bob.calls[0]) == [Ended("gateway", 480, None)]
    network.run(40.0)
    assert bob.agent.is_idle


@pytest.mark.parametrize("early", [None, b"early sound"])
def test_who_rings_for_long_says_so_every_minute(
    network: VirtualNetwork, ann: Phone, bob: Phone, early: bytes | None
) -> None:
    call = ann.call(bob, OFFER, policy=Policy(prack="off"))
    network.run(0.1)
    taken = bob.calls[0]
    if early is None:
        taken.ring(network.now)
    else:
        taken.progress(early, network.now)
    network.run(130.0)
    title = "180 INVITE" if early is None else "183 INVITE"
    assert network.times(title) == [0.1, 60.1, 120.1]
    assert network.last(title).body == (early or b"")
    taken.answer(ANSWER, network.now)
    network.run(200.0)
    assert len(network.times(title)) == 3
    assert call.is_live


def test_late_offer_is_answered_in_the_ack(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    call = ann.call(bob, None)
    network.run(0.1)
    assert bob.calls[0].offer is None
    bob.calls[0].answer(OFFER, network.now)
    network.run(0.1)
    assert ann.heard(call) == [Answered(OFFER)]
    call.answer_offer(ANSWER, network.now)
    network.run(0.1)
    assert bob.heard(bob.calls[0]) == [AnswerReceived(ANSWER), Confirmed()]
    assert network.last("ACK").content_type == "application/sdp"


def test_late_offer_left_unanswered_ends_the_call(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call = ann.call(bob, None)
    network.run(0.1)
    bob.calls[0].answer(OFFER, network.now)
    network.run(0.1)
    call.answer_offer(b"", network.now)
    network.run(0.1)
    assert bob.heard(bob.calls[0]) == [Ended("gateway", 488, None)]
    assert network.titles(by=bob)[-1] == "BYE"


def test_every_fork_that_answers_is_acknowledged_and_all_but_the_first_ended(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call = ann.call(bob, OFFER)
    network.run(0.1)
    bob.calls[0].ring(network.now)
    bob.calls[0].answer(ANSWER, network.now)
    network.run(0.1)
    answer = network.last("200 INVITE")
    assert isinstance(answer, Response)
    answer.headers.set("To", f"{answer.headers.get('To')}-other")
    for _ in range(2):
        network.carry(bytes(answer), bob.flow_to(ann))
        network.run(0.1)
    sent = network.titles(by=ann)
    assert sent == ["INVITE", "ACK", "ACK", "BYE", "ACK"]
    bye = network.last("BYE")
    assert (bye.to.tag or "").endswith("-other")
    assert ann.heard(call) == [Ringing(180, None), Answered(ANSWER)]


def send_by_another_way(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    invite = network.last("INVITE")
    via = invite.via
    via.params["branch"] = "z9hG4bK-another-way"
    invite.headers.set("Via", str(via))
    network.carry(bytes(invite), ann.flow_to(bob))
    network.run(0.1)


@pytest.mark.parametrize("step", ["it rings", "it is answered", "its refusal has no ACK yet"])
def test_a_merged_invite_is_told_so(
    network: VirtualNetwork, ann: Phone, bob: Phone, step: str
) -> None:
    ann.call(bob, OFFER)
    network.run(0.1)
    if step == "it is answered":
        bob.calls[0].answer(ANSWER, network.now)
        network.run(20.0)
    elif step != "it rings":
        network.drop = lambda sent: sent.title == "ACK"
        bob.calls[0].reject(486, network.now)
        network.run(0.1)
    send_by_another_way(network, ann, bob)
    assert "482 INVITE" in network.titles()
    assert len(bob.calls) == 1


@pytest.mark.parametrize("wait", [0.1, 10.0])
def test_a_call_that_was_refused_may_come_back_by_another_way(
    network: VirtualNetwork, ann: Phone, bob: Phone, wait: float
) -> None:
    ann.call(bob, OFFER)
    network.run(0.1)
    bob.calls[0].reject(503, network.now)
    network.run(wait)
    send_by_another_way(network, ann, bob)
    assert "482 INVITE" not in network.titles()
    assert len(bob.calls) == 2


def test_two_callers_who_chose_the_same_call_id_and_number_are_two_calls(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    """The From tag tells them apart (section 8.2.2.2)."""
    ann.call(bob, OFFER)
    network.run(0.1)
    invite = network.last("INVITE")
    via = invite.via
    via.params["branch"] = "z9hG4bK-somebody-else"
    invite.headers.set("Via", str(via))
    invite.headers.set("From", f"<{ann.uri}>;tag=somebody-else")
    network.carry(bytes(invite), ann.flow_to(bob))
    network.run(0.1)
    assert "482 INVITE" not in network.titles()
    assert len(bob.calls) == 2


def test_an_ack_of_somebody_elses_dialog_confirms_nothing(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    """A dialog is its Call-ID and both tags: the From tag counts too (section 12)."""
    network.drop = lambda sent: sent.title == "ACK"
    ann.call(bob, OFFER)
    network.run(0.1)
    taken = bob.calls[0]
    taken.answer(ANSWER, network.now)
    network.run(0.1)
    network.drop = lambda sent: False
    ack = network.last_request("ACK")
    own = ack.headers.get("From") or ""
    ack.headers.set("From", f"<{ann.uri}>;tag=somebody-else")
    network.carry(bytes(ack), ann.flow_to(bob))
    network.run(0.1)
    assert bob.heard(taken) == []
    ack.headers.set("From", own)
    network.carry(bytes(ack), ann.flow_to(bob))
    network.run(0.1)
    assert bob.heard(taken) == [Confirmed()]


def test_a_phone_can_call_itself(network: VirtualNetwork, ann: Phone) -> None:
    call = ann.call(ann, OFFER)
    network.run(0.1)
    taken = ann.calls[0]
    assert taken.call_id == call.call_id
    taken.answer(ANSWER, network.now)
    network.run(0.1)
    assert ann.heard(call) == [Answered(ANSWER)]
    assert ann.heard(taken) == [Confirmed()]
    taken.hang_up(network.now)
    network.run(0.1)
    assert ann.heard(call) == [Ended("peer", 200, None)]


@pytest.mark.parametrize("seed", range(12))
def test_calls_survive_a_network_that_loses_a_third(seed: int) -> None:
    network = VirtualNetwork(loss=0.33, jitter=0.05, seed=seed)
    ann, bob = network.phone("192.0.2.1"), network.phone("192.0.2.2")
    call = ann.call(bob, OFFER)
    network.run(8.0)
    taken = bob.calls[0]
    taken.answer(ANSWER, network.now)
    network.run(20.0)
    assert ann.heard(call)[-1] == Answered(ANSWER)
    assert bob.heard(taken) == [Confirmed()]
    taken.hang_up(network.now)
    network.run(80.0)
    assert ann.heard(call) == [Ended("peer", 200, None)]
    assert len(bob.calls) == 1
    assert ann.agent.is_idle
    assert bob.agent.is_idle
