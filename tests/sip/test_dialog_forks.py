"""One call of ours that rings in several places, and what each of them may do before it answers."""

import pytest

from gateway.sip.dialogs.outgoing import OutgoingSession
from gateway.sip.dialogs.session_events import Answered, Ended, InfoReceived, OfferReceived, Ringing
from gateway.sip.wire.message import Request, Response, response_to
from gateway.testing.sip import Phone, VirtualNetwork

OFFER, ANSWER = b"v=0 offer", b"v=0 answer"


class Places:
    """Where ann's call rings: whoever goes by a tag, all behind bob's address."""

    def __init__(
        self, network: VirtualNetwork, ann: Phone, bob: Phone, offer: bytes | None
    ) -> None:
        self.network, self.ann, self.bob = network, ann, bob
        network.drop = lambda sent: sent.flow.remote == bob.address
        self.call: OutgoingSession = ann.call(bob, offer)
        self.sequence = 0

    def say(self, tag: str, status: int, sdp: bytes = b"", **headers: str) -> Response:
        response = response_to(self.network.last_request("INVITE"), status, to_tag=tag)
        response.headers.add("Contact", f"<sip:{tag}@192.0.2.2>")
        for name, value in headers.items():
            response.headers.add(name, value)
        response.body = sdp
        self.network.carry(bytes(response), self.bob.flow_to(self.ann))
        self.network.run(0.1)
        return response

    def ask(self, tag: str, method: str, body: bytes = b"", **headers: str) -> None:
        self.sequence += 1
        invite = self.network.last_request("INVITE")
        request = Request(method, str(self.ann.uri), body=body)
        for name, value in {
            "Via": f"SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK-{tag}{self.sequence}",
            "From": f"{invite.headers.get('To')};tag={tag}",
            "To": invite.headers.get("From") or "",
            "Call-ID": invite.call_id,
            "CSeq": f"{self.sequence} {method}",
            "Contact": f"<sip:{tag}@192.0.2.2>",
            **headers,
        }.items():
            request.headers.add(name, value)
        self.network.carry(bytes(request), self.bob.flow_to(self.ann))
        self.network.run(0.1)

    @property
    def last(self) -> str:
        return self.network.titles(by=self.ann)[-1]


@pytest.fixture
def places(network: VirtualNetwork, ann: Phone, bob: Phone) -> Places:
    return Places(network, ann, bob, OFFER)


RELIABLY = {"Require": "100rel", "RSeq": "1"}


def test_every_place_that_rings_is_told_and_the_one_that_answers_is_talked_to(
    places: Places, network: VirtualNetwork, ann: Phone
) -> None:
    places.say("b", 180)
    places.say("c", 180)
    places.say("c", 183, b"c early")
    places.say("b", 183, b"b early")
    answer = places.say("c", 200, ANSWER)
    assert ann.heard(places.call) == [
        *(Ringing(180, None), Ringing(180, None)),
        *(Ringing(183, b"c early"), Ringing(183, b"b early")),
        Answered(ANSWER),
    ]
    assert network.last("ACK").to.tag == answer.to.tag == "c"
    places.say("b", 200, b"too late")
    assert network.titles(by=ann)[-2:] == ["ACK", "BYE"]
    assert network.last("BYE").to.tag == "b"
    assert places.call.is_live


def test_one_who_described_itself_before_is_heard_again_when_it_answers(
    places: Places, ann: Phone
) -> None:
    places.say("b", 183, b"b early", **RELIABLY)
    places.say("c", 183, b"c early", **RELIABLY)
    places.say("b", 200)
    assert ann.heard(places.call)[-1] == Answered(b"b early")


def test_one_that_is_turned_down_after_a_prack_is_sent_the_next_number(
    places: Places, network: VirtualNetwork, ann: Phone
) -> None:
    places.say("b", 183, b"b early", **RELIABLY)
    places.say("c", 200, ANSWER)
    places.say("d", 200, ANSWER)
    assert network.last("BYE").cseq.number == 2
    places.say("b", 200, ANSWER)
    assert [r.to.tag for r in (network.last("PRACK"), network.last("BYE"))] == ["b", "b"]
    assert network.last("BYE").cseq.number in (2, 3)


def test_an_answer_that_crosses_our_cancel_is_ended_with_the_next_number(
    places: Places, network: VirtualNetwork
) -> None:
    places.say("b", 183, b"b early", **RELIABLY)
    places.call.hang_up(network.now)
    places.say("b", 200)
    assert network.titles(by=places.ann)[-2:] == ["ACK", "BYE"]
    assert network.last("BYE").cseq.number == 3


def test_news_that_one_place_is_out_is_no_ringing(places: Places, ann: Phone) -> None:
    places.say("b", 180)
    places.say("b", 199)
    places.say("c", 200, ANSWER)
    assert ann.heard(places.call) == [Ringing(180, None), Answered(ANSWER)]


def test_one_that_rings_may_change_its_media_once_the_first_is_agreed(
    places: Places, network: VirtualNetwork, ann: Phone
) -> None:
    places.say("b", 183, b"b early", **RELIABLY)
    ann.heard(places.call)
    places.ask("b", "UPDATE", b"b moves")
    assert ann.heard(places.call) == [OfferReceived(b"b moves", "UPDATE")]
    places.call.answer_offer(b"yes", network.now)
    network.run(0.1)
    assert network.last("200 UPDATE").body == b"yes"
    places.say("b", 200)
    assert network.titles(by=ann)[-1] == "ACK"
    places.call.hang_up(network.now)
    network.run(0.1)
    assert network.last("BYE").cseq.number == 3


@pytest.mark.parametrize("headers", [{}, RELIABLY])
def test_an_update_while_our_offer_is_open_is_refused(
    places: Places, ann: Phone, headers: dict[str, str]
) -> None:
    places.say("b", 180, **headers)
    places.ask("b", "UPDATE", b"b moves")
    assert places.last == "491 UPDATE"
    assert ann.heard(places.call) == [Ringing(180, None)]


def test_a_target_that_moves_while_it_rings_is_followed(
    places: Places, network: VirtualNetwork
) -> None:
    places.say("b", 180)
    places.ask("b", "UPDATE", Contact="<sip:moved@192.0.2.2>")
    assert places.last == "200 UPDATE"
    places.say("b", 183, b"b early", **RELIABLY)
    prack = network.last("PRACK")
    assert isinstance(prack, Request)
    assert prack.uri == "sip:moved@192.0.2.2"


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("BYE", "481 BYE"),
        ("NOTIFY", "481 NOTIFY"),
        ("INVITE", "491 INVITE"),
        ("OPTIONS", "200 OPTIONS"),
        ("PRACK", "481 PRACK"),
    ],
)
def test_what_one_that_rings_may_ask(places: Places, method: str, answer: str) -> None:
    places.say("b", 180)
    places.ask("b", method)
    assert places.last == answer
    assert places.call.is_live


def test_keys_pressed_before_the_answer_are_heard(places: Places, ann: Phone) -> None:
    places.say("b", 183, b"b early")
    places.ask("b", "INFO", b"5", **{"Content-Type": "application/dtmf"})
    assert ann.heard(places.call)[-1] == InfoReceived("application/dtmf", b"5")


def test_one_that_does_not_ring_here_is_unknown(places: Places) -> None:
    places.say("b", 180)
    places.ask("stranger", "UPDATE")
    assert places.last == "481 UPDATE"


def test_once_one_has_answered_the_others_are_unknown(places: Places) -> None:
    places.say("b", 180)
    places.say("c", 200, ANSWER)
    places.ask("b", "UPDATE")
    assert places.last == "481 UPDATE"
    places.ask("c", "UPDATE")
    assert places.last == "200 UPDATE"


def test_a_late_offer_is_answered_in_the_place_that_made_it(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    places = Places(network, ann, bob, None)
    places.say("b", 183, b"b offers", **RELIABLY)
    assert "PRACK" not in network.titles()
    places.call.answer_offer(b"answer to b", network.now)
    network.run(0.1)
    prack = network.last("PRACK")
    assert (prack.to.tag, prack.body) == ("b", b"answer to b")
    places.say("c", 200, b"c offers")
    assert ann.heard(places.call)[-1] == Answered(b"c offers")
    places.call.answer_offer(b"answer to c", network.now)
    network.run(0.1)
    assert (network.last("ACK").to.tag, network.last("ACK").body) == ("c", b"answer to c")


def test_all_places_refuse_when_one_refuses_for_all(places: Places, ann: Phone) -> None:
    places.say("b", 180)
    places.say("c", 180)
    places.say("b", 603)
    (*_, ended) = ann.heard(places.call)
    assert isinstance(ended, Ended)
    assert ended.status == 603


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_of_those_who_answer_as_well_only_so_many_are_told_that_they_are_not_wanted(
    places: Places, network: VirtualNetwork, ann: Phone, is_cancelled: bool
) -> None:
    if is_cancelled:
        places.say("first", 180)
        places.call.hang_up(network.now)
        network.run(0.1)
    for number in range(100):
        places.say(f"t{number}", 200, ANSWER)
    assert len({sent.message.to.tag for sent in network.sent if sent.title == "BYE"}) <= 32
    assert len({sent.message.to.tag for sent in network.sent if sent.title == "ACK"}) == 32
    assert ann.agent.counters["forks_dropped"] == 68
    places.say("t3", 200, ANSWER)
    assert network.last("ACK").to.tag == "t3", "a repeat is acknowledged as before"
