"""Within a call: re-INVITE and UPDATE, glare, keys by INFO, transfer, order of requests."""

import itertools

import pytest

from gateway.errors import SipError
from gateway.sip.dialogs.session import Session
from gateway.sip.dialogs.session_events import (
    AnswerReceived,
    Ended,
    InfoReceived,
    OfferDue,
    OfferReceived,
    OfferRefused,
    ReferEnded,
    ReferProgress,
)
from gateway.sip.wire.message import Request, Response, response_to
from gateway.sip.wire.uri import Uri
from gateway.testing.sip import Phone, VirtualNetwork

BRANCHES = itertools.count(1)
TARGET = Uri.parse("sip:operator@192.0.2.9")


def inside(session: Session, method: str, body: bytes = b"", kind: str = "") -> Request:
    """Return the next request of a dialog as its peer would see it, ready to forge with."""
    assert session.dialog is not None
    request = session.dialog.request(method, body, kind)
    request.headers.add_first("Via", f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{next(BRANCHES)}")
    request.headers.add("Contact", "<sip:user@192.0.2.1:5060>")
    return request


def test_hold_and_resume(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    call, taken = ann.connect(bob)
    for offer, answer in ((b"hold", b"held"), (b"resume", b"resumed")):
        assert call.reinvite(offer, network.now)
        network.run(0.1)
        assert bob.heard(taken) == [OfferReceived(offer, "INVITE")]
        taken.answer_offer(answer, network.now)
        network.run(0.1)
        assert ann.heard(call) == [AnswerReceived(answer)]
    network.run(40.0)
    assert call.is_live
    assert taken.is_live


def test_refused_offer_leaves_the_call_up(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    call, taken = ann.connect(bob)
    taken.reinvite(b"offer", network.now)
    network.run(0.1)
    call.refuse_offer(488, network.now)
    network.run(0.1)
    assert bob.heard(taken) == [OfferRefused(488)]
    assert taken.is_live


def test_offerless_reinvite_gets_an_offer_and_brings_the_answer(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    network.carry(bytes(inside(call, "INVITE")), ann.flow_to(bob))
    network.run(0.1)
    assert bob.heard(taken) == [OfferReceived(None, "INVITE")]
    taken.answer_offer(b"new offer", network.now)
    network.run(0.1)
    ack = inside(call, "ACK", b"new answer", "application/sdp")
    ack.headers.set("CSeq", f"{network.last('INVITE').cseq.number} ACK")
    network.carry(bytes(ack), ann.flow_to(bob))
    network.run(0.1)
    assert bob.heard(taken) == [AnswerReceived(b"new answer")]


def test_offers_that_meet_are_both_refused_and_made_again_one_by_one(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    start = network.now
    call.reinvite(b"ann's", start)
    taken.reinvite(b"bob's", start)
    network.run(0.1)
    assert network.titles().count("491 INVITE") == 2
    network.run(1.9)
    assert ann.heard(call) == [OfferRefused(491)]
    assert bob.heard(taken) == [OfferRefused(491), OfferDue()]  # the Call-ID is ann's
    taken.reinvite(b"bob's", network.now)
    network.run(0.05)
    assert ann.heard(call) == [OfferReceived(b"bob's", "INVITE")]
    call.answer_offer(b"yes", network.now)
    network.run(2.5)
    assert ann.heard(call) == [OfferDue()]
    assert bob.heard(taken) == [AnswerReceived(b"yes")]


def test_an_offer_before_the_ack_waits_until_it_may_go(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    network.drop = lambda sent: sent.title == "ACK" and network.now < 1.0
    ann.call(bob, b"offer")
    network.run(0.1)
    taken = bob.calls[0]
    taken.answer(b"answer", network.now)
    assert not taken.reinvite(b"too soon", network.now)
    network.run(3.0)
    assert OfferDue() in bob.heard(taken)
    assert taken.reinvite(b"now", network.now)


def test_second_reinvite_before_the_answer_to_the_first_is_put_off(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    for _ in range(2):
        network.carry(bytes(inside(call, "INVITE", b"o", "application/sdp")), ann.flow_to(bob))
    network.run(0.1)
    refusal = network.last("500 INVITE")
    assert 0 <= int(refusal.headers.get("Retry-After") or "") <= 10
    assert bob.heard(taken) == [OfferReceived(b"o", "INVITE")]


def test_reinvite_before_the_ack_of_the_last_is_refused(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    network.drop = lambda sent: sent.title == "ACK"
    call.reinvite(b"one", network.now)
    network.run(0.1)
    taken.answer_offer(b"yes", network.now)
    network.run(0.1)
    network.carry(bytes(inside(call, "INVITE", b"two", "application/sdp")), ann.flow_to(bob))
    network.run(0.1)
    assert "491 INVITE" in network.titles(by=bob)


def test_cancelled_reinvite_leaves_the_call_up(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    reinvite = inside(call, "INVITE", b"offer", "application/sdp")
    network.carry(bytes(reinvite), ann.flow_to(bob))
    network.run(0.1)
    bob.heard(taken)
    headers = reinvite.headers.copy()
    headers.set("CSeq", f"{reinvite.cseq.number} CANCEL")
    network.carry(bytes(Request("CANCEL", reinvite.uri, headers)), ann.flow_to(bob))
    network.run(0.1)
    assert {"200 CANCEL", "487 INVITE"} <= {*network.titles(by=bob)}
    taken.answer_offer(b"too late", network.now)
    network.run(0.1)
    assert network.titles(by=bob).count("200 INVITE") == 1
    assert taken.is_live


def test_reinvite_whose_ack_never_comes_ends_the_call(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    network.drop = lambda sent: sent.title == "ACK"
    call.reinvite(b"offer", network.now)
    network.run(0.1)
    bob.heard(taken)
    taken.answer_offer(b"yes", network.now)
    network.run(33.0)
    assert bob.heard(taken) == [Ended("gateway", 408, None)]


def test_new_contact_of_a_reinvite_is_where_the_bye_goes(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    moved = inside(call, "INVITE", b"offer", "application/sdp")
    moved.headers.set("Contact", "<sip:moved@192.0.2.77:5099>")
    network.carry(bytes(moved), ann.flow_to(bob))
    network.run(0.1)
    taken.answer_offer(b"yes", network.now)
    taken.hang_up(network.now)
    bob.flush()
    bye = network.sent[-1]
    assert isinstance(bye.message, Request)
    assert bye.message.uri == "sip:moved@192.0.2.77:5099"
    assert bye.flow.remote == ("192.0.2.77", 5099)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_the_contact_of_what_we_refuse_moves_nothing(
    network: VirtualNetwork, ann: Phone, bob: Phone, method: str
) -> None:
    call, taken = ann.connect(bob)
    strayed = inside(call, method, b"offer", "application/sdp")
    strayed.headers.set("Contact", "<sip:strayed@192.0.2.77:5099>")
    network.carry(bytes(strayed), ann.flow_to(bob))
    network.run(0.1)
    taken.refuse_offer(488, network.now)
    taken.hang_up(network.now)
    bob.flush()
    assert f"488 {method}" in network.titles(by=bob)
    assert network.last_request("BYE").uri == str(call.request.contacts[0].uri)
    assert network.sent[-1].flow.remote == ann.address


def test_update_is_answered_at_once_without_and_by_the_owner_with_an_offer(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    network.carry(bytes(inside(call, "UPDATE")), ann.flow_to(bob))
    network.run(0.1)
    assert network.titles().count("200 UPDATE") == 1
    assert bob.heard(taken) == []
    network.carry(bytes(inside(call, "UPDATE", b"o", "application/sdp")), ann.flow_to(bob))
    network.run(0.1)
    assert bob.heard(taken) == [OfferReceived(b"o", "UPDATE")]
    taken.answer_offer(b"a", network.now)
    network.run(0.1)
    assert network.last("200 UPDATE").body == b"a"


def test_update_while_our_offer_is_open_is_refused(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    taken.reinvite(b"bob's", network.now)
    network.carry(bytes(inside(call, "UPDATE", b"o", "application/sdp")), ann.flow_to(bob))
    network.run(0.005)
    network.run(0.1)
    assert "491 UPDATE" in network.titles(by=bob)


@pytest.mark.parametrize(("step", "status"), [(1, 200), (0, 482), (-1, 500), (40, 200)])
def test_requests_must_come_in_order_but_numbers_may_be_left_out(
    network: VirtualNetwork, ann: Phone, bob: Phone, step: int, status: int
) -> None:
    call, _ = ann.connect(bob)
    assert call.dialog is not None
    first = inside(call, "OPTIONS")
    network.carry(bytes(first), ann.flow_to(bob))
    network.run(0.1)
    second = inside(call, "OPTIONS")
    second.headers.set("CSeq", f"{first.cseq.number + step} OPTIONS")
    network.carry(bytes(second), ann.flow_to(bob))
    network.run(0.1)
    assert network.titles(by=bob)[-1] == f"{status} OPTIONS"


def test_keys_by_info_arrive_in_order_through_a_lossy_network() -> None:
    network = VirtualNetwork(seed=3)
    ann, bob = network.phone("192.0.2.1"), network.phone("192.0.2.2")
    call, taken = ann.connect(bob)
    drops = iter([True, False, False, True] * 20)
    network.drop = lambda sent: next(drops)
    for key in b"1234":
        call.info("application/dtmf-relay", bytes([key]), network.now)
    network.run(30.0)
    bodies = [e.body for e in bob.heard(taken) if isinstance(e, InfoReceived)]
    assert bodies == [b"1", b"2", b"3", b"4"]


def test_info_of_a_package_we_do_not_know_is_refused(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    info = inside(call, "INFO", b"x", "application/dtmf")
    info.headers.add("Info-Package", "weather")
    network.carry(bytes(info), ann.flow_to(bob))
    network.run(0.1)
    assert "469 INFO" in network.titles()
    assert bob.heard(taken) == []


class TestTransfer:
    """Bob asks ann to call somebody else; ann's side is forged, for our agents refuse REFER."""

    def refer(self, network: VirtualNetwork, ann: Phone, bob: Phone, **extra: str) -> Session:
        self.call, taken = ann.connect(bob)
        network.drop = lambda sent: sent.title == "405 REFER"
        taken.refer(TARGET, network.now)
        bob.flush()
        refer = network.last("REFER")
        assert isinstance(refer, Request)
        self.sequence = refer.cseq.number
        accepted = response_to(refer, 202)
        for name, value in extra.items():
            accepted.headers.add(name.replace("_", "-"), value)
        self.answer(network, ann, bob, accepted)
        return taken

    def answer(self, network: VirtualNetwork, ann: Phone, bob: Phone, reply: Response) -> None:
        network.carry(bytes(reply), ann.flow_to(bob))
        network.run(0.1)

    def notify(
        self, network: VirtualNetwork, ann: Phone, bob: Phone, text: str, state: str = "active"
    ) -> None:
        notify = inside(self.call, "NOTIFY", text.encode(), "message/sipfrag;version=2.0")
        notify.headers.add("Event", f"refer;id={self.sequence}")
        notify.headers.add("Subscription-State", state)
        network.carry(bytes(notify), ann.flow_to(bob))
        network.run(0.1)

    def test_news_is_followed_to_success(
        self, network: VirtualNetwork, ann: Phone, bob: Phone
    ) -> None:
        taken = self.refer(network, ann, bob)
        refer = network.last("REFER")
        assert refer.headers.get("Refer-To") == "<sip:operator@192.0.2.9>"
        assert refer.contacts
        self.notify(network, ann, bob, "SIP/2.0 100 Trying\r\n")
        self.notify(network, ann, bob, "SIP/2.0 180 Ringing\r\n")
        self.notify(network, ann, bob, "SIP/2.0 200 OK\r\n", "terminated;reason=noresource")
        assert bob.heard(taken) == [
            ReferProgress(202),
            ReferProgress(100),
            ReferProgress(180),
            ReferEnded(200),
        ]
        assert network.titles().count("200 NOTIFY") == 3
        assert taken.is_live

    def test_a_refusal_by_the_target_is_told(
        self, network: VirtualNetwork, ann: Phone, bob: Phone
    ) -> None:
        taken = self.refer(network, ann, bob)
        self.notify(network, ann, bob, "SIP/2.0 486 Busy Here\r\n", "terminated")
        assert bob.heard(taken)[-1] == ReferEnded(486)

    def test_news_that_end_without_an_outcome_count_as_failure(
        self, network: VirtualNetwork, ann: Phone, bob: Phone
    ) -> None:
        taken = self.refer(network, ann, bob)
        self.notify(network, ann, bob, "SIP/2.0 100 Trying\r\n", "terminated;reason=timeout")
        assert bob.heard(taken)[-1] == ReferEnded(408)

    def test_silence_ends_the_transfer(
        self, network: VirtualNetwork, ann: Phone, bob: Phone
    ) -> None:
        taken = self.refer(network, ann, bob)
        network.run(200.0)
        assert bob.heard(taken) == [ReferProgress(202), ReferEnded(408)]
        assert taken.is_live

    def test_no_news_are_awaited_where_none_are_promised(
        self, network: VirtualNetwork, ann: Phone, bob: Phone
    ) -> None:
        taken = self.refer(network, ann, bob, Refer_Sub="false")
        assert bob.heard(taken) == [ReferEnded(202)]

    def test_notify_about_nothing_we_asked_is_refused(
        self, network: VirtualNetwork, ann: Phone, bob: Phone
    ) -> None:
        self.refer(network, ann, bob)
        self.sequence += 1
        self.notify(network, ann, bob, "SIP/2.0 200 OK\r\n")
        assert "481 NOTIFY" in network.titles(by=bob)

    def test_news_of_a_transfer_that_was_given_up_is_not_taken_for_news_of_the_next(
        self, network: VirtualNetwork, ann: Phone, bob: Phone
    ) -> None:
        taken = self.refer(network, ann, bob)
        old = self.sequence
        taken.refer(TARGET, network.now)
        bob.flush()
        refer = network.last("REFER")
        assert isinstance(refer, Request)
        self.answer(network, ann, bob, response_to(refer, 202))
        bob.heard(taken)
        for event in (f"refer;id={old}", "refer"):
            notify = inside(self.call, "NOTIFY", b"SIP/2.0 486 Busy", "message/sipfrag")
            notify.headers.add("Event", event)
            notify.headers.add("Subscription-State", "terminated")
            network.carry(bytes(notify), ann.flow_to(bob))
            network.run(0.1)
        assert network.titles(by=bob).count("481 NOTIFY") == 2
        self.sequence = refer.cseq.number
        self.notify(network, ann, bob, "SIP/2.0 200 OK\r\n", "terminated")
        assert bob.heard(taken)[-1] == ReferEnded(200)

    def test_phones_that_take_no_transfer_say_so(
        self, network: VirtualNetwork, ann: Phone, bob: Phone
    ) -> None:
        _, taken = ann.connect(bob)
        taken.refer(TARGET, network.now)
        network.run(0.1)
        assert bob.heard(taken) == [ReferEnded(403)]
        taken.refer(TARGET, network.now)  # another attempt is free to be made


def test_a_peer_that_has_forgotten_the_call_ends_it(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    _, taken = ann.connect(bob)
    ann.agent.sessions.clear()
    taken.info("application/dtmf", b"1", network.now)
    network.run(0.1)
    assert bob.heard(taken) == [Ended("peer", 481, None)]


@pytest.mark.parametrize("is_ours", [True, False])
def test_offer_open_at_the_end_of_the_call_is_let_go(
    network: VirtualNetwork, ann: Phone, bob: Phone, is_ours: bool
) -> None:
    call, taken = ann.connect(bob)
    call.reinvite(b"offer", network.now)
    network.run(1.0)
    (call if is_ours else taken).hang_up(network.now)
    network.run(1.0)
    assert network.titles().count("487 INVITE") == 1
    network.run(100.0)
    assert ann.agent.is_idle
    assert bob.agent.is_idle


def test_offer_of_ours_that_is_never_answered_does_not_outlive_the_call(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, _ = ann.connect(bob)
    call.reinvite(b"offer", network.now)
    network.run(1.0)
    network.drop = lambda sent: sent.flow.local == bob.address
    call.hang_up(network.now)
    network.run(33.0)
    assert ann.agent.is_idle


def test_nothing_can_be_asked_of_a_call_that_is_not_up(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call = ann.call(bob, b"offer")
    with pytest.raises(SipError):
        call.refer(TARGET, network.now)
    call.info("application/dtmf", b"1", network.now)
    assert not call.reinvite(b"offer", network.now)
    ann.flush()
    assert network.titles() == ["INVITE"]
