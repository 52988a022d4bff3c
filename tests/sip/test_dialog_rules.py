"""Rules of RFC 3261 that are known to be broken in the field, each played from end to end."""

import itertools

import pytest
from test_agent_refusals import forge
from test_dialog_changes import inside

from gateway.sip.dialogs.incoming import IncomingSession
from gateway.sip.dialogs.outgoing import OutgoingSession
from gateway.sip.dialogs.session_events import AnswerReceived, Ended, OfferReceived, Ringing
from gateway.sip.wire.message import Request, Response, response_to
from gateway.testing.sip import Phone, VirtualNetwork

OFFER, ANSWER = b"v=0 offer", b"v=0 answer"


def acks(network: VirtualNetwork) -> list[int]:
    return [s.message.cseq.number for s in network.sent if s.title == "ACK"]


def test_an_answer_that_comes_again_after_a_reinvite_is_still_acknowledged(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    first = network.last("200 INVITE")
    call.reinvite(b"hold", network.now)
    network.run(0.1)
    taken.answer_offer(b"held", network.now)
    network.run(0.1)
    second = network.last("200 INVITE")
    network.carry(bytes(second), bob.flow_to(ann))
    network.carry(bytes(first), bob.flow_to(ann))
    network.run(0.1)
    assert acks(network) == [1, 2, 2, 1]
    assert ann.heard(call) == [AnswerReceived(b"held")]


def test_the_ack_to_a_refusal_goes_where_the_invite_went_whatever_contact_it_names(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    network.drop = lambda sent: sent.flow.remote == bob.address
    ann.call(bob, OFFER)
    invite = network.last_request("INVITE")
    refusal = response_to(invite, 486, to_tag="b")
    refusal.headers.add("Contact", "<sip:elsewhere@192.0.2.99:5099>")
    network.carry(bytes(refusal), bob.flow_to(ann))
    network.run(0.1)
    ack = network.sent[-1]
    assert isinstance(ack.message, Request)
    assert (ack.message.method, ack.message.uri) == ("ACK", str(bob.uri))
    assert ack.message.via.branch == invite.via.branch
    assert ack.flow.remote == bob.address


def test_the_ack_takes_the_route_that_the_answer_names_and_not_the_one_of_the_ringing(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    """Section 13.2.2.4: the route of a confirmed dialog is computed anew from the 2xx."""
    network.drop = lambda sent: sent.flow.remote == bob.address
    ann.call(bob, OFFER)
    invite = network.last_request("INVITE")
    for status, proxy in ((180, "192.0.2.7"), (200, "192.0.2.8")):
        response = response_to(invite, status, to_tag="b")
        response.headers.add("Record-Route", f"<sip:{proxy};lr>")
        response.headers.add("Contact", f"<{bob.uri}>")
        if status == 200:
            response.headers.add("Content-Type", "application/sdp")
            response.body = ANSWER
        network.carry(bytes(response), bob.flow_to(ann))
        network.run(0.1)
    ack = network.last_request("ACK")
    assert ack.headers.get_all("Route") == ["<sip:192.0.2.8;lr>"]
    assert network.sent[-1].flow.remote[0] == "192.0.2.8"


def test_a_bye_that_comes_again_gets_the_same_answer(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, _ = ann.connect(bob)
    call.hang_up(network.now)
    network.run(5.0)
    network.carry(bytes(network.last("BYE")), ann.flow_to(bob))
    network.run(0.1)
    first, again = (bytes(s.message) for s in network.sent if s.title == "200 BYE")
    assert first == again
    assert "481 BYE" not in network.titles()


def test_a_cancel_after_the_answer_is_answered_and_changes_nothing(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    _, taken = ann.connect(bob)
    invite = network.last_request("INVITE")
    headers = invite.headers.copy()
    headers.set("CSeq", f"{invite.cseq.number} CANCEL")
    headers.remove("Content-Type")
    network.carry(bytes(Request("CANCEL", invite.uri, headers)), ann.flow_to(bob))
    network.run(0.1)
    assert network.titles()[-1] == "200 CANCEL"
    assert taken.is_live
    assert bob.heard(taken) == []


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_the_contact_in_the_answer_to_our_change_is_where_the_bye_goes(
    network: VirtualNetwork, ann: Phone, bob: Phone, method: str
) -> None:
    call, taken = ann.connect(bob)
    if method == "INVITE":
        call.reinvite(b"hold", network.now)
        network.drop = lambda sent: sent.title == "200 INVITE"
        network.run(0.1)
        taken.answer_offer(b"held", network.now)
        bob.flush()
    else:
        network.drop = lambda sent: sent.title == "200 UPDATE"
        call._refreshes._refresh(network.now)
        network.run(0.1)
    answer = network.last(f"200 {method}")
    answer.headers.set("Contact", "<sip:moved@192.0.2.77:5099>")
    network.drop = lambda sent: False
    network.carry(bytes(answer), bob.flow_to(ann))
    network.run(0.1)
    call.hang_up(network.now)
    ann.flush()
    bye = network.sent[-1]
    assert isinstance(bye.message, Request)
    assert (bye.message.uri, bye.flow.remote) == (
        *("sip:moved@192.0.2.77:5099", ("192.0.2.77", 5099)),
    )


def test_two_proxies_with_a_private_contact_behind_them_are_passed_in_order() -> None:
    """As Twilio and Kamailio do it: two routes for one proxy, and a target only they can reach."""
    network = VirtualNetwork()
    proxy, bob = network.phone("198.51.100.7"), network.phone("192.0.2.2")
    routes = "<sip:198.51.100.7;lr;r2=on>, <sip:172.25.0.1;lr;r2=on>"
    data = forge("INVITE", extra=f"Record-Route: {routes}\n", body="v=0")
    data = data.replace(b"Contact: <sip:ann@192.0.2.1>", b"Contact: <sip:ann@172.25.3.4:5060>")
    bob.agent.receive(data, bob.flow_to(proxy), network.now)
    bob.flush()
    taken = bob.calls[0]
    taken.answer(ANSWER, network.now)
    bob.flush()
    assert network.last("200 INVITE").headers.get_all("Record-Route") == [routes]
    ack = forge("ACK", to_tag=f";tag={taken.local_tag}").replace(b"z9hG4bK-1", b"z9hG4bK-2")
    bob.agent.receive(ack, bob.flow_to(proxy), network.now)
    taken.hang_up(network.now)
    bob.flush()
    bye = network.sent[-1]
    assert isinstance(bye.message, Request)
    assert bye.message.uri == "sip:ann@172.25.3.4:5060"
    assert bye.message.headers.get_all("Route") == routes.split(", ")
    assert bye.flow.remote == proxy.address


def test_what_is_required_of_proxies_is_none_of_ours(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    data = forge("INVITE", extra="Proxy-Require: sec-agree\n", body="v=0")
    bob.agent.receive(data, bob.flow_to(ann), network.now)
    bob.flush()
    assert len(bob.calls) == 1


class TestUpdate:
    """The other side's UPDATE before the call is answered, and beside other offers (RFC 3311)."""

    branches = itertools.count(1)

    def ring(
        self, network: VirtualNetwork, ann: Phone, bob: Phone, offer: bytes | None = OFFER
    ) -> tuple[OutgoingSession, IncomingSession]:
        call = ann.call(bob, offer)
        network.run(0.1)
        return call, bob.calls[0]

    def update(
        self, network: VirtualNetwork, ann: Phone, bob: Phone, call: OutgoingSession, body: bytes
    ) -> str:
        dialog = call._early.with_tag(bob.calls[0].local_tag)
        assert dialog is not None
        update = dialog.request("UPDATE", body, "application/sdp" if body else "")
        branch = f"z9hG4bK-update{next(self.branches)}"
        update.headers.add_first("Via", f"SIP/2.0/UDP 192.0.2.1:5060;branch={branch}")
        update.headers.add("Contact", "<sip:user@192.0.2.1:5060>")
        network.carry(bytes(update), ann.flow_to(bob))
        network.run(0.1)
        return network.titles(by=bob)[-1]

    def test_an_offer_before_the_first_is_answered_is_put_off(
        self, network: VirtualNetwork, ann: Phone, bob: Phone
    ) -> None:
        call, taken = self.ring(network, ann, bob)
        taken.ring(network.now)
        network.run(0.1)
        assert self.update(network, ann, bob, call, b"too soon") == "500 UPDATE"
        wait = network.last("500 UPDATE").headers.get("Retry-After")
        assert 0 <= int(wait or "") <= 10
        assert self.update(network, ann, bob, call, b"") == "200 UPDATE", "it offers nothing"
        assert bob.heard(taken) == []

    def test_an_offer_after_the_first_is_agreed_is_taken_while_it_rings(
        self, network: VirtualNetwork, ann: Phone, bob: Phone
    ) -> None:
        call, taken = self.ring(network, ann, bob)
        taken.progress(ANSWER, network.now)
        network.run(0.1)
        self.update(network, ann, bob, call, b"moved")
        assert bob.heard(taken) == [OfferReceived(b"moved", "UPDATE")]
        assert self.update(network, ann, bob, call, b"and again") == "500 UPDATE"
        taken.answer_offer(b"so be it", network.now)
        network.run(0.1)
        assert network.last("200 UPDATE").body == b"so be it"
        taken.answer(ANSWER, network.now)
        network.run(0.1)
        assert network.titles()[-2:] == ["200 INVITE", "ACK"]

    def test_an_offer_while_ours_waits_for_its_answer_is_refused(
        self, network: VirtualNetwork, ann: Phone, bob: Phone
    ) -> None:
        call, taken = self.ring(network, ann, bob, None)
        taken.progress(OFFER, network.now)
        network.run(0.1)
        ann.heard(call)
        network.drop = lambda sent: sent.title == "PRACK"
        assert self.update(network, ann, bob, call, b"mine") == "491 UPDATE"
        assert bob.heard(taken) == []

    def test_answering_an_offer_that_nobody_made_does_not_answer_the_call(
        self, network: VirtualNetwork, ann: Phone, bob: Phone
    ) -> None:
        _, taken = self.ring(network, ann, bob)
        taken.answer_offer(b"nothing was asked", network.now)
        taken.refuse_offer(488, network.now)
        network.run(0.1)
        assert network.titles(by=bob) == []
        taken.answer(ANSWER, network.now)
        network.run(0.1)
        assert network.last("200 INVITE").body == ANSWER

    def test_a_call_hung_up_with_an_update_open_ends_both(
        self, network: VirtualNetwork, ann: Phone, bob: Phone
    ) -> None:
        call, taken = ann.connect(bob)
        update = inside(call, "UPDATE", b"offer", "application/sdp")
        network.carry(bytes(update), ann.flow_to(bob))
        network.run(0.1)
        taken.hang_up(network.now)
        network.run(0.1)
        assert {"487 UPDATE", "BYE"} <= {*network.titles(by=bob)}

    def test_a_session_too_short_is_refused_within_a_call_too(
        self, network: VirtualNetwork, ann: Phone, bob: Phone
    ) -> None:
        call, taken = ann.connect(bob)
        for method in ("UPDATE", "INVITE"):
            change = inside(call, method)
            change.headers.add("Supported", "timer")
            change.headers.add("Session-Expires", "30")
            network.carry(bytes(change), ann.flow_to(bob))
            network.run(0.1)
            assert network.last(f"422 {method}").headers.get("Min-SE") == "90"
        assert taken.is_live


def test_a_call_that_comes_back_to_us_rings_reliably_and_is_answered(
    network: VirtualNetwork, ann: Phone
) -> None:
    """A call hairpinned to ourselves: the same Call-ID on both sides, told apart by the tags."""
    call = ann.call(ann, OFFER)
    network.run(0.1)
    taken = ann.calls[0]
    taken.progress(ANSWER, network.now)
    network.run(0.1)
    taken.answer(ANSWER, network.now)
    network.run(0.1)
    assert ann.heard(call)[0] == Ringing(183, ANSWER)
    assert len(ann.agent.sessions) == 2
    call.hang_up(network.now)
    network.run(0.1)
    assert ann.heard(taken)[-1] == Ended("peer", 200, None)


def test_an_invite_answered_with_nonsense_is_survived(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    network.drop = lambda sent: sent.flow.remote == bob.address
    call = ann.call(bob, OFFER)
    for status, headers in (
        (183, [("Require", "100rel"), ("RSeq", "99999999999")]),
        (180, [("Allow", '"never, closed'), ("Require", "100rel")]),
        (422, [("Min-SE", "a lot")]),
    ):
        response: Response = response_to(network.last_request("INVITE"), status, to_tag="b")
        for name, value in headers:
            response.headers.add(name, value)
        network.carry(bytes(response), bob.flow_to(ann))
        network.run(0.1)
    assert ann.heard(call)[-1] == Ended("peer", 422, None)
