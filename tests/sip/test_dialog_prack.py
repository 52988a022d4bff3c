"""Provisional responses made reliable (RFC 3262), on both sides and under every policy."""

import pytest
from test_challenged_calls import account, challenge_inside, guarded

from gateway.sip.admission import Policy, Prack, Verdict
from gateway.sip.dialogs.incoming import IncomingSession
from gateway.sip.dialogs.outgoing import OutgoingSession
from gateway.sip.dialogs.session_events import (
    Answered,
    AnswerReceived,
    Confirmed,
    Ended,
    OfferReceived,
    Ringing,
)
from gateway.sip.dialogs.session_state import SessionState
from gateway.sip.wire.message import Request, Response, response_to
from gateway.testing.sip import Phone, VirtualNetwork

OFFER, ANSWER = b"v=0 offer", b"v=0 answer"


def phone(network: VirtualNetwork, prack: Prack) -> Phone:
    return network.phone("192.0.2.3", accepts=lambda _, flow: Verdict(policy=Policy(prack=prack)))


def ringing(
    network: VirtualNetwork, ann: Phone, bob: Phone, offer: bytes | None = OFFER, **options: object
) -> tuple[OutgoingSession, IncomingSession]:
    call = ann.call(bob, offer, **options)
    network.run(0.1)
    return call, bob.calls[-1]


def prack_of(call: OutgoingSession, response: Response, number: int = 2) -> Request:
    """Return the PRACK that the caller of ``call`` sends for a response, to forge with."""
    invite = call.request
    prack = Request("PRACK", str(response.contacts[0].uri), invite.headers.copy())
    prack.headers.set("Via", f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-prack{number}")
    prack.headers.set("To", response.headers.get("To") or "")
    prack.headers.set("CSeq", f"{number} PRACK")
    prack.headers.remove("Content-Type")
    prack.headers.set("RAck", f"{response.headers.get('RSeq')} {invite.cseq.number} INVITE")
    return prack


def test_early_media_is_made_certain_and_the_answer_needs_no_description(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ringing(network, ann, bob)
    taken.progress(ANSWER, network.now)
    network.run(0.1)
    progress, prack = network.last("183 INVITE"), network.last("PRACK")
    assert progress.require == ["100rel"]
    assert prack.headers.get("RAck") == f"{progress.headers.get('RSeq')} 1 INVITE"
    assert prack.to.tag == taken.local_tag
    taken.answer(ANSWER, network.now)
    network.run(0.1)
    assert network.last("200 INVITE").body == b""
    assert ann.heard(call) == [Ringing(183, ANSWER), Answered(ANSWER)]
    assert bob.heard(taken) == [Confirmed()]
    taken.hang_up(network.now)
    network.run(0.1)
    assert network.titles()[-2:] == ["BYE", "200 BYE"]


def test_requests_after_a_prack_go_on_counting(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ringing(network, ann, bob)
    taken.progress(ANSWER, network.now)
    network.run(0.1)
    taken.answer(ANSWER, network.now)
    network.run(0.1)
    call.hang_up(network.now)
    network.run(0.1)
    assert [network.last(t).cseq.number for t in ("PRACK", "ACK", "BYE")] == [2, 1, 3]
    assert network.titles()[-1] == "200 BYE"


@pytest.mark.parametrize(
    ("prack", "header", "is_reliable"),
    [
        ("supported", "Supported", False),
        ("supported", "Require", True),
        ("required", "Supported", True),
    ],
)
def test_plain_ringing_is_certain_only_where_one_side_demands_it(
    network: VirtualNetwork, ann: Phone, prack: Prack, header: str, is_reliable: bool
) -> None:
    bob = phone(network, prack)
    asked: Prack = "required" if header == "Require" else "supported"
    call, taken = ringing(network, ann, bob, policy=Policy(prack=asked))
    taken.ring(network.now)
    network.run(0.1)
    assert ("RSeq" in network.last("180 INVITE").headers) is is_reliable
    assert ("200 PRACK" in network.titles()) is is_reliable
    assert ann.heard(call) == [Ringing(180, None)]


def test_who_rings_for_certain_says_so_again_after_two_and_a_half_minutes(
    network: VirtualNetwork, ann: Phone
) -> None:
    bob = phone(network, "required")
    _, taken = ringing(network, ann, bob)
    taken.ring(network.now)
    network.run(179.0)
    assert network.times("180 INVITE") == [0.1, 150.1]
    first, second = (s.message for s in network.sent if s.title == "180 INVITE")
    numbers = [int(message.headers.get("RSeq") or 0) for message in (first, second)]
    assert numbers[1] == numbers[0] + 1
    assert network.titles().count("200 PRACK") == 2
    taken.answer(ANSWER, network.now)
    network.run(0.1)
    assert bob.heard(taken) == [Confirmed()]


def test_callers_who_know_no_prack_hear_early_media_as_ever(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ringing(network, ann, bob, policy=Policy(prack="off"))
    assert "100rel" not in call.request.supported
    taken.progress(ANSWER, network.now)
    network.run(1.0)
    assert "RSeq" not in network.last("183 INVITE").headers
    taken.answer(ANSWER, network.now)
    network.run(0.1)
    assert network.last("200 INVITE").body == ANSWER


@pytest.mark.parametrize(
    ("ours", "theirs", "status", "header"),
    [("off", "required", 420, "Unsupported"), ("required", "off", 421, "Require")],
)
def test_sides_that_cannot_agree_on_it_do_not_talk(
    network: VirtualNetwork, ann: Phone, ours: Prack, theirs: Prack, status: int, header: str
) -> None:
    bob = phone(network, ours)
    call = ann.call(bob, OFFER, policy=Policy(prack=theirs))
    network.run(0.1)
    assert network.last(f"{status} INVITE").headers.get(header) == "100rel"
    assert ann.heard(call) == [Ended("peer", status, None)]
    assert bob.calls == []


def test_a_response_is_repeated_ever_later_until_its_prack_and_then_the_call_is_refused(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    network.drop = lambda sent: sent.title == "PRACK"
    call, taken = ringing(network, ann, bob)
    start = network.now
    taken.progress(ANSWER, start)
    network.run(40.0)
    sent = [round(at - start, 1) for at in network.times("183 INVITE")]
    assert sent == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert network.times("504 INVITE") == [pytest.approx(start + 32)]
    (ended,) = bob.heard(taken)
    assert isinstance(ended, Ended)
    assert (ended.by, ended.status) == ("gateway", 504)
    assert [type(event) for event in ann.heard(call)] == [Ringing, Ended], "copies are no news"


def test_the_answer_waits_for_the_prack_of_a_description_and_goes_after_it(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    network.drop = lambda sent: sent.title == "PRACK" and network.now < 1.0
    call, taken = ringing(network, ann, bob)
    taken.progress(ANSWER, network.now)
    taken.answer(ANSWER, network.now)
    network.run(0.5)
    assert "200 INVITE" not in network.titles()
    assert taken.state is SessionState.EARLY
    network.run(2.0)
    titles = network.titles(by=bob)
    assert titles.index("200 PRACK") < titles.index("200 INVITE")
    assert bob.heard(taken) == [Confirmed()]
    assert ann.heard(call)[-1] == Answered(ANSWER)


def test_a_call_taken_back_while_its_answer_waits_is_over(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    network.drop = lambda sent: sent.title == "PRACK"
    call, taken = ringing(network, ann, bob)
    taken.progress(ANSWER, network.now)
    taken.answer(ANSWER, network.now)
    network.run(0.3)
    call.hang_up(network.now)
    network.run(0.3)
    assert bob.heard(taken) == [Ended("peer", 487, None)]
    assert "200 INVITE" not in network.titles()
    network.run(64.0)
    assert bob.agent.is_idle


def test_an_answer_does_not_wait_for_mere_ringing(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    network.drop = lambda sent: sent.title == "PRACK" and network.now < 1.0
    _, taken = ringing(network, ann, bob, policy=Policy(prack="required"))
    taken.ring(network.now)
    taken.answer(ANSWER, network.now)
    network.run(3.0)
    assert network.titles().count("180 INVITE") == 1
    assert network.titles()[-1] == "200 PRACK", "a late one is still welcome"
    assert bob.heard(taken) == [Confirmed()]


def test_no_second_reliable_response_before_the_prack_of_the_first(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    network.drop = lambda sent: sent.title == "PRACK" and network.now < 1.0
    call, taken = ringing(network, ann, bob, policy=Policy(prack="required"))
    taken.ring(network.now)
    taken.progress(ANSWER, network.now)
    network.run(0.3)
    assert "183 INVITE" not in network.titles()
    network.run(3.0)
    first, second = (network.last(f"{s} INVITE").headers.get("RSeq") for s in (180, 183))
    assert int(second or "") == int(first or "") + 1
    assert ann.heard(call) == [Ringing(180, None), Ringing(183, ANSWER)]


@pytest.mark.parametrize(
    "rack", ["", "x", "1 1 INVITE", "{} 2 INVITE", "{} 1 BYE", "{}", "{} 1", "99999999999 1 INVITE"]
)
def test_a_prack_for_no_response_of_ours_gets_481(
    network: VirtualNetwork, ann: Phone, bob: Phone, rack: str
) -> None:
    network.drop = lambda sent: sent.title == "PRACK"
    call, taken = ringing(network, ann, bob)
    taken.progress(ANSWER, network.now)
    network.run(0.1)
    response = network.last("183 INVITE")
    assert isinstance(response, Response)
    prack = prack_of(call, response)
    prack.headers.set("RAck", rack.format(response.headers.get("RSeq")))
    network.drop = lambda sent: False
    network.carry(bytes(prack), ann.flow_to(bob))
    network.run(0.1)
    assert network.titles(by=bob)[-1] == "481 PRACK"
    assert taken.is_live


def test_a_prack_may_bring_a_new_offer(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    network.drop = lambda sent: sent.title == "PRACK"
    call, taken = ringing(network, ann, bob)
    taken.progress(ANSWER, network.now)
    network.run(0.1)
    response = network.last("183 INVITE")
    assert isinstance(response, Response)
    prack = prack_of(call, response)
    prack.body = b"v=0 another"
    network.drop = lambda sent: False
    taken.answer(ANSWER, network.now)
    network.carry(bytes(prack), ann.flow_to(bob))
    network.run(0.1)
    assert bob.heard(taken) == [OfferReceived(b"v=0 another", "PRACK")]
    assert "200 INVITE" not in network.titles(), "the offer is open"
    taken.answer_offer(b"v=0 other answer", network.now)
    network.run(0.1)
    assert network.last("200 PRACK").body == b"v=0 other answer"
    assert "200 INVITE" in network.titles()


def test_a_late_offer_is_made_while_ringing_and_answered_by_prack(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ringing(network, ann, bob, None)
    taken.progress(OFFER, network.now)
    network.run(0.6)
    assert ann.heard(call) == [Ringing(183, OFFER)]
    assert "PRACK" not in network.titles(), "it brings the answer"
    call.answer_offer(ANSWER, network.now)
    network.run(0.1)
    assert network.last("PRACK").body == ANSWER
    assert bob.heard(taken) == [AnswerReceived(ANSWER)]
    taken.answer(OFFER, network.now)
    network.run(0.1)
    assert (network.last("200 INVITE").body, network.last("ACK").body) == (b"", b"")
    assert ann.heard(call) == [Answered(None)]
    assert bob.heard(taken) == [Confirmed()]


def test_an_offer_of_a_call_that_is_over_is_answered_no_more(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ringing(network, ann, bob, None)
    taken.progress(OFFER, network.now)
    network.run(0.1)
    taken.reject(486, network.now)
    network.run(0.1)
    call.answer_offer(ANSWER, network.now)
    network.run(40.0)
    assert "PRACK" not in network.titles()
    assert ann.agent.is_idle


def test_a_prack_that_leaves_our_offer_unanswered_ends_the_call(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ringing(network, ann, bob, None)
    taken.progress(OFFER, network.now)
    network.run(0.1)
    call.answer_offer(b"", network.now)
    network.run(0.1)
    assert {"200 PRACK", "488 INVITE"} <= {*network.titles(by=bob)}
    assert not taken.is_live


def test_an_offer_never_goes_where_it_may_get_lost(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    _, taken = ringing(network, ann, bob, None, policy=Policy(prack="off"))
    taken.progress(OFFER, network.now)
    network.run(0.1)
    assert network.last("183 INVITE").body == b""


class TestCaller:
    """Ann's side, bob's responses forged."""

    @pytest.fixture
    def call(self, network: VirtualNetwork, ann: Phone, bob: Phone) -> OutgoingSession:
        bob.agent.is_draining = True
        network.drop = lambda sent: sent.title == "503 INVITE" or sent.title.endswith("PRACK")
        call = ann.call(bob, OFFER)
        network.run(0.1)
        return call

    def ring(
        self, network: VirtualNetwork, bob: Phone, ann: Phone, call: OutgoingSession, **says: object
    ) -> None:
        status, tag, rseq = says.get("status", 183), says.get("tag", "b"), says.get("rseq")
        response = response_to(network.last_request("INVITE"), int(str(status)), to_tag=str(tag))
        response.headers.add("Contact", f"<sip:{tag}@192.0.2.2>")
        if rseq is not None:
            response.headers.add("Require", "100rel")
            response.headers.add("RSeq", str(rseq))
        response.body = str(says.get("sdp", "")).encode()
        network.carry(bytes(response), bob.flow_to(ann))
        network.run(0.1)

    def racks(self, network: VirtualNetwork) -> list[tuple[str, str | None]]:
        pracks = {bytes(s.message): s.message for s in network.sent if s.title == "PRACK"}
        return [(p.to.tag or "", p.headers.get("RAck")) for p in pracks.values()]

    def test_copies_and_what_comes_out_of_turn_are_not_acknowledged(
        self, network: VirtualNetwork, ann: Phone, bob: Phone, call: OutgoingSession
    ) -> None:
        for rseq in (7, 7, 9, 8, 8, 9):
            self.ring(network, bob, ann, call, rseq=rseq, sdp=f"early {rseq}")
        assert self.racks(network) == [("b", f"{n} 1 INVITE") for n in (7, 8, 9)]
        assert ann.heard(call) == [Ringing(183, b"early %d" % n) for n in (7, 8, 9)]

    def test_each_place_counts_for_itself(
        self, network: VirtualNetwork, ann: Phone, bob: Phone, call: OutgoingSession
    ) -> None:
        for tag, rseq in (("b", 7), ("c", 3), ("b", 8), ("c", 4), ("c", 9)):
            self.ring(network, bob, ann, call, tag=tag, rseq=rseq)
        assert self.racks(network) == [
            *(("b", "7 1 INVITE"), ("c", "3 1 INVITE"), ("b", "8 1 INVITE"), ("c", "4 1 INVITE")),
        ]
        prack = network.last("PRACK")
        assert isinstance(prack, Request)
        assert prack.uri == "sip:c@192.0.2.2"

    def test_a_response_that_only_says_it_is_reliable_is_taken_as_plain(
        self, network: VirtualNetwork, ann: Phone, bob: Phone, call: OutgoingSession
    ) -> None:
        self.ring(network, bob, ann, call, rseq="many")
        assert self.racks(network) == []
        assert ann.heard(call) == [Ringing(183, None)]

    def test_no_more_places_than_a_proxy_would_try_are_kept(
        self, network: VirtualNetwork, ann: Phone, bob: Phone, call: OutgoingSession
    ) -> None:
        for number in range(40):
            self.ring(network, bob, ann, call, tag=f"t{number}", rseq=1)
        assert len(self.racks(network)) == 32


def test_a_prack_and_a_refresh_that_are_asked_for_a_password_are_sent_again_with_it(
    network: VirtualNetwork, ann: Phone
) -> None:
    bob = guarded(network)
    challenge_inside(bob, "PRACK UPDATE")
    policy = Policy(session_expires=90, account=account())
    call, taken = ringing(network, ann, bob, policy=policy)
    taken.progress(ANSWER, network.now)
    network.run(0.1)
    taken.answer(ANSWER, network.now)
    network.run(600.0)
    assert network.titles().count("200 PRACK") == 1
    assert network.titles().count("200 UPDATE") == 13
    numbers = [s.message.cseq.number for s in network.sent if s.flow.local == ann.address]
    assert numbers[:2] == [1, 1], "the INVITE and the ACK to its challenge"
    assert numbers[-1] == max(numbers)
    assert call.is_live
    assert taken.is_live


@pytest.mark.parametrize("seed", range(12))
def test_reliable_ringing_survives_a_network_that_loses_a_third(seed: int) -> None:
    network = VirtualNetwork(loss=0.33, jitter=0.05, seed=seed)
    ann, bob = network.phone("192.0.2.1"), network.phone("192.0.2.2")
    call = ann.call(bob, OFFER, policy=Policy(prack="required"))
    network.run(8.0)
    taken = bob.calls[0]
    taken.ring(network.now)
    taken.progress(ANSWER, network.now)
    network.run(30.0)
    taken.answer(ANSWER, network.now)
    network.run(20.0)
    assert ann.heard(call) == [Ringing(180, None), Ringing(183, ANSWER), Answered(ANSWER)]
    assert bob.heard(taken) == [Confirmed()]
    call.hang_up(network.now)
    network.run(80.0)
    assert ann.agent.is_idle
    assert bob.agent.is_idle
