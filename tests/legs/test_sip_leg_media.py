"""What the descriptions of a call come to at its lane: holds, late offers, encryption."""

import re

import pytest

from gateway.clock import RandomIds
from gateway.errors import NegotiationError
from gateway.legs.events import LegEvent, LegHeld, LegMedia
from gateway.legs.sip_leg import SipLeg
from gateway.sdp.description import SessionDescription
from gateway.sdp.negotiate import Negotiated, OfferAnswer
from gateway.sdp.terms import Srtp, Terms
from gateway.sip.dialogs.session import Session
from gateway.sip.dialogs.session_events import Answered
from gateway.sip.wire.message import Request, response_to
from gateway.testing.lanes import NotedLane
from gateway.testing.sip import VirtualNetwork

CODECS = ("PCMU", "PCMA", "G722")


class Desk:
    """Bob's phone is a leg on certain terms; ann's is plain, with descriptions of her own."""

    def __init__(self, *, ours: Srtp = "off", theirs: Srtp = "off") -> None:
        self.network = VirtualNetwork()
        self.ann = self.network.phone("192.0.2.1")
        self.bob = self.network.phone("192.0.2.2")
        terms = Terms(CODECS, srtp=theirs)
        self.media = OfferAnswer("192.0.2.1", 30000, terms, ids=RandomIds(), is_private=True)
        self.terms = Terms(CODECS, srtp=ours)
        self.lane = NotedLane()
        self.told: list[LegEvent] = []
        self.session: Session

    def take(self, offer: bytes | None) -> SipLeg:
        self.session = self.ann.call(self.bob, offer)
        self.network.run(0.1)
        return SipLeg.incoming(
            self.bob.calls[-1], self.bob, self.lane, self.terms, self.told.append
        )

    def connect(self) -> SipLeg:
        leg = self.take(self.media.offer())
        leg.answer()
        self.network.run(0.1)
        self.media.accept(self.answer())
        self.told.clear()
        return leg

    def reinvite(self, offer: bytes | None) -> bytes:
        self.session.reinvite(offer or b"", self.network.now)
        self.network.run(0.1)
        return self.answer()

    def answer(self) -> bytes:
        return self.network.last("200 INVITE").body

    @property
    def agreed(self) -> Negotiated:
        return self.lane.agreed[-1]


def sections(description: bytes) -> list[str]:
    return [f"{m.protocol} {m.port}" for m in SessionDescription.parse(description).media]


HOLDS = {
    "sendonly": (lambda sdp: sdp.replace(b"a=sendrecv", b"a=sendonly"), "recvonly"),
    "inactive": (lambda sdp: sdp.replace(b"a=sendrecv", b"a=inactive"), "inactive"),
    "0.0.0.0": (lambda sdp: sdp.replace(b"c=IN IP4 192.0.2.1", b"c=IN IP4 0.0.0.0"), "recvonly"),
}


@pytest.mark.parametrize("spelling", HOLDS)
def test_a_hold_is_understood_in_all_its_spellings(spelling: str) -> None:
    desk = Desk()
    desk.connect()
    change, answer = HOLDS[spelling]
    offer = desk.media.offer()
    desk.media.withdraw()
    held = re.sub(rb"(o=- \d+) \d+", rb"\1 7", change(offer))
    assert f"a={answer}\r\n".encode() in desk.reinvite(held)
    assert desk.told == [LegMedia(desk.agreed), LegHeld(True)]
    assert not desk.agreed.sends
    desk.told.clear()
    assert b"a=sendrecv\r\n" in desk.reinvite(offer)
    assert desk.told == [LegMedia(desk.agreed), LegHeld(False)]
    assert desk.agreed.direction == "sendrecv"


def test_many_refreshes_change_the_media_not_once() -> None:
    desk = Desk(ours="optional", theirs="required")
    desk.connect()
    offer, answers = desk.network.last("INVITE").body, {desk.answer()}
    for version in range(5):
        later = re.sub(rb"(o=- \d+) \d+", rb"\1 %d" % (version + 1), offer)
        answers.add(desk.reinvite(later))
    assert len(answers) == len(desk.lane.agreed) == 1


def test_who_asks_for_an_offer_in_mid_call_gets_all_we_have_at_the_same_port() -> None:
    desk = Desk()
    desk.media = OfferAnswer("192.0.2.1", 30000, Terms(("PCMA",)), ids=RandomIds())
    desk.connect()
    offered = desk.reinvite(None)
    assert sections(desk.answer()) == ["RTP/AVP 40000"]
    (section,) = SessionDescription.parse(offered).media
    assert section.formats == ["0", "8", "9", "101"]


@pytest.mark.parametrize(("ours", "theirs"), [("off", "required"), ("required", "off")])
def test_a_call_that_is_not_as_secure_as_it_must_be_or_may_be_is_not_taken(
    ours: Srtp, theirs: Srtp
) -> None:
    desk = Desk(ours=ours, theirs=theirs)
    with pytest.raises(NegotiationError, match="secure") as caught:
        desk.take(desk.media.offer())
    assert caught.value.status == 488


@pytest.mark.parametrize(("ours", "theirs"), [("optional", "required"), ("required", "optional")])
def test_an_encrypted_call_stays_so_through_a_hold_and_a_change_of_keys(
    ours: Srtp, theirs: Srtp
) -> None:
    desk = Desk(ours=ours, theirs=theirs)
    leg = desk.connect()
    first = desk.agreed.srtp
    assert first is not None
    leg.hold()
    desk.network.run(0.1)
    offer = desk.network.last("INVITE").body
    assert b"a=crypto:" in offer
    desk.session.answer_offer(desk.media.answer(offer), desk.network.now)
    desk.network.run(0.1)
    assert desk.agreed.direction == "sendonly"
    assert desk.agreed.srtp == first
    fresh = OfferAnswer("192.0.2.1", 30000, Terms(CODECS, srtp="required"), ids=RandomIds())
    fresh.accept(desk.reinvite(fresh.offer()))
    assert fresh.negotiated is not None
    theirs_now, ours_now = fresh.negotiated.srtp, desk.agreed.srtp
    assert theirs_now is not None
    assert ours_now is not None
    assert (ours_now.local, ours_now.remote) == (theirs_now.remote, theirs_now.local)
    assert ours_now.remote != first.remote
    assert ours_now.local != first.local


def test_a_secure_call_is_not_made_plain_where_it_must_be_encrypted() -> None:
    desk = Desk(ours="required", theirs="required")
    desk.connect()
    plain = OfferAnswer("192.0.2.1", 30000, Terms(CODECS), ids=RandomIds())
    desk.session.reinvite(plain.offer(), desk.network.now)
    desk.network.run(0.1)
    assert desk.network.last("488 INVITE") is not None
    assert len(desk.lane.agreed) == 1
    assert desk.session.is_live


PLAIN_INVITE = """INVITE sip:user@192.0.2.2:5060 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-plain;rport
From: <sip:user@192.0.2.1>;tag=plain
To: <sip:user@192.0.2.2>
Call-ID: plain@192.0.2.1
CSeq: 1 INVITE
Contact: <sip:user@192.0.2.1:5060>
Max-Forwards: 70
{kind}Content-Length: {length}

"""
TERSE = (
    "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 5000 RTP/AVP 0 101\n"
)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("kind", ["", "Content-Type: application/sdp\n"])
def test_a_description_without_its_type_or_with_bare_line_feeds_is_read(
    kind: str, ending: str
) -> None:
    desk = Desk()
    body = TERSE.replace("\n", ending).encode()
    head = PLAIN_INVITE.format(kind=kind, length=len(body)).replace("\n", "\r\n")
    desk.network.carry(head.encode() + body, desk.ann.flow_to(desk.bob))
    desk.network.run(0.1)
    leg = SipLeg.incoming(desk.bob.calls[-1], desk.bob, desk.lane, desk.terms, desk.told.append)
    leg.answer()
    desk.network.run(0.1)
    assert desk.agreed.remote == ("192.0.2.1", 5000)
    assert desk.agreed.codec.name == "PCMU"


def test_an_answer_without_its_type_is_taken() -> None:
    desk = Desk()
    call = desk.ann.call(desk.bob, desk.media.offer())
    invite = desk.network.last("INVITE")
    assert isinstance(invite, Request)
    answer = response_to(invite, 200, to_tag="far")
    answer.headers.add("Contact", "<sip:bob@192.0.2.2>")
    answer.body = TERSE.encode()
    desk.network.carry(bytes(answer), desk.bob.flow_to(desk.ann))
    desk.network.run(0.1)
    (answered,) = [event for event in desk.ann.heard(call) if isinstance(event, Answered)]
    assert answered.sdp is not None
    desk.media.accept(answered.sdp)
    assert desk.media.negotiated is not None
    assert desk.media.negotiated.codec.name == "PCMU"
