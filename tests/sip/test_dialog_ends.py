"""Calls given up, cancelled and hung up, whoever is first."""

import pytest

from gateway.sip.dialogs.session_events import Confirmed, Ended, Ringing
from gateway.sip.dialogs.session_state import SessionState
from gateway.sip.wire.message import Request
from gateway.sip.wire.reason import Reason
from gateway.testing.sip import Phone, VirtualNetwork

OFFER, ANSWER = b"v=0 offer", b"v=0 answer"


def test_a_call_given_up_while_ringing_is_cancelled(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call = ann.call(bob, OFFER)
    network.run(0.1)
    bob.calls[0].ring(network.now)
    network.run(0.1)
    call.hang_up(network.now, Reason("SIP", 200, "Call completed elsewhere"))
    network.run(0.1)
    assert network.titles()[-4:] == ["CANCEL", "200 CANCEL", "487 INVITE", "ACK"]
    invite, cancel = network.last("INVITE"), network.last("CANCEL")
    assert isinstance(cancel, Request)
    assert cancel.via.branch == invite.via.branch
    (ended,) = bob.heard(bob.calls[0])
    assert isinstance(ended, Ended)
    assert ended.reason == Reason("SIP", 200, "Call completed elsewhere")
    assert ann.heard(call)[-1].by == "gateway"  # type: ignore[union-attr]
    network.run(40.0)
    assert ann.agent.is_idle


def test_a_cancel_takes_the_route_of_its_invite(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    """Section 9.1: a stateless proxy must send both the same way."""
    routes = ["<sip:192.0.2.2:5060;lr>", "<sip:p2.example;lr>"]
    call = ann.call(bob, OFFER, headers=[("Route", route) for route in routes])
    network.run(0.1)
    bob.calls[0].ring(network.now)
    network.run(0.1)
    call.hang_up(network.now)
    network.run(0.1)
    invite, cancel = network.last_request("INVITE"), network.last_request("CANCEL")
    assert invite.headers.get_all("Route") == routes
    assert cancel.headers.get_all("Route") == routes
    assert cancel.uri == invite.uri


def test_cancel_waits_for_the_first_provisional_response(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    network.drop = lambda sent: sent.title == "INVITE" and network.now < 1.0
    call = ann.call(bob, OFFER)
    call.hang_up(0.0)
    network.run(1.4)
    assert "CANCEL" not in network.titles()
    network.run(1.0)
    assert network.titles().count("CANCEL") == 1
    assert bob.heard(bob.calls[0]) == [Ended("peer", 487, None)]


def test_an_answer_that_crosses_our_cancel_is_acknowledged_and_ended(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call = ann.call(bob, OFFER)
    network.run(0.1)
    bob.calls[0].ring(network.now)
    network.run(0.1)
    call.hang_up(network.now)
    bob.calls[0].answer(ANSWER, network.now)
    network.run(1.0)
    assert network.titles(by=ann) == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert [s for s in network.titles(by=bob) if "CANCEL" in s] == ["200 CANCEL"]
    assert bob.heard(bob.calls[0]) == [Confirmed(), Ended("peer", 200, None)]
    assert [type(e) for e in ann.heard(call)] == [Ringing, Ended]


STREAMS = b"v=0\r\nt=1 2\r\nm=audio 4000 RTP/AVP 0 8\r\na=mid:0\r\nm=video 4002/2 RTP/SAVP 31\r\n"


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_an_offer_in_an_answer_that_comes_too_late_is_turned_down_in_the_ack(
    network: VirtualNetwork, ann: Phone, bob: Phone, is_cancelled: bool
) -> None:
    call = ann.call(bob, None)
    network.run(0.1)
    bob.calls[0].ring(network.now)
    network.run(0.1)
    if is_cancelled:
        call.hang_up(network.now)
    bob.calls[0].answer(STREAMS, network.now)
    network.run(0.1)
    call.hang_up(network.now)
    network.run(1.0)
    assert network.titles(by=ann)[-2:] == ["ACK", "BYE"]
    ack = network.last_request("ACK")
    assert ack.content_type == "application/sdp"
    assert ack.body.split(b"\r\n") == [
        *(b"v=0", b"o=- 0 0 IN IP4 192.0.2.1", b"s=-", b"c=IN IP4 192.0.2.1", b"t=1 2"),
        *(b"m=audio 0 RTP/AVP 0 8", b"m=video 0 RTP/SAVP 31", b""),
    ]
    assert bob.heard(bob.calls[0])[-2:] == [Confirmed(), Ended("peer", 200, None)]


def test_an_answer_that_crosses_our_cancel_is_owed_none_when_we_made_the_offer(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call = ann.call(bob, OFFER)
    network.run(0.1)
    call.hang_up(network.now)
    bob.calls[0].answer(STREAMS, network.now)
    network.run(1.0)
    assert network.last_request("ACK").body == b""


def test_a_second_cancel_is_answered_like_the_first(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call = ann.call(bob, OFFER)
    network.run(0.3)
    call.hang_up(network.now)
    network.run(0.1)
    cancel = network.last("CANCEL")
    network.carry(bytes(cancel), ann.flow_to(bob))
    network.run(0.1)
    assert network.titles().count("200 CANCEL") == 2
    assert "481 CANCEL" not in network.titles()


def test_a_cancelled_call_that_is_never_heard_of_again_is_forgotten(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call = ann.call(bob, OFFER)
    network.run(0.3)
    network.drop = lambda sent: sent.flow.local == bob.address
    call.hang_up(network.now)
    network.run(33.0)
    assert call.state is SessionState.TERMINATED
    network.run(1.0)
    assert ann.agent.is_idle


def test_caller_who_hangs_up_before_our_ack_hears_the_bye_after_it(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    """Section 15: the callee must not send a BYE before its answer is acknowledged."""
    network.drop = lambda sent: sent.title == "ACK" and network.now < 1.0
    ann.call(bob, OFFER)
    network.run(0.1)
    taken = bob.calls[0]
    taken.answer(ANSWER, network.now)
    taken.hang_up(network.now)
    network.run(0.4)
    assert "BYE" not in network.titles()
    network.run(3.0)
    assert network.titles(by=bob).count("BYE") == 1
    assert taken.state is SessionState.TERMINATED
    assert bob.heard(taken) == [Ended("gateway", 200, None)]


def test_both_hang_up_at_once(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    call, taken = ann.connect(bob)
    call.hang_up(network.now)
    taken.hang_up(network.now)
    network.run(1.0)
    assert network.titles().count("200 BYE") == 2
    assert len(ann.heard(call)) == len(bob.heard(taken)) == 1
    assert not ann.agent.sessions
    assert not bob.agent.sessions


def test_hanging_up_twice_ends_once(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    call, _ = ann.connect(bob)
    for _ in range(3):
        call.hang_up(network.now)
    network.run(1.0)
    assert network.titles().count("BYE") == 1
    assert len(ann.heard(call)) == 1
