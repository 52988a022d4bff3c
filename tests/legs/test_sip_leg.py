"""A leg in virtual time: real sessions and descriptions, and a lane that only takes notes."""

import asyncio

import pytest

from gateway.clock import CountedIds
from gateway.errors import NegotiationError, SipError
from gateway.legs.events import (
    LegAnswered,
    LegEnded,
    LegEvent,
    LegHeld,
    LegKey,
    LegMedia,
    LegRinging,
    TransferEnded,
)
from gateway.legs.leg import Leg
from gateway.legs.sip_leg import SipLeg
from gateway.sdp.negotiate import OfferAnswer
from gateway.sdp.terms import Terms
from gateway.sip.dialogs.session import Session
from gateway.sip.dialogs.session_events import OfferReceived
from gateway.sip.wire.uri import Uri
from gateway.testing.lanes import NotedLane
from gateway.testing.sip import VirtualNetwork

CODECS = ("PCMU", "PCMA")


class Desk:
    """Bob's phone is a leg; ann's is plain, with descriptions of her own."""

    def __init__(self, **options: float) -> None:
        self.network = VirtualNetwork(**options)  # type: ignore[arg-type]
        self.ann = self.network.phone("192.0.2.1")
        self.bob = self.network.phone("192.0.2.2")
        self.media = OfferAnswer("192.0.2.1", 30000, Terms(CODECS), ids=CountedIds())
        self.lane = NotedLane()
        self.told: list[LegEvent] = []
        self.session: Session

    def call(self, offer: bytes | None, **options: object) -> SipLeg:
        self.session = self.ann.call(self.bob, offer, **options)
        self.network.run(0.1)
        return self.take()

    def take(self) -> SipLeg:
        return SipLeg.incoming(
            self.bob.calls[-1],
            self.bob,
            self.lane,
            Terms(CODECS),
            self.told.append,
            ids=CountedIds(),
        )

    def connect(self) -> SipLeg:
        leg = self.call(self.media.offer())
        leg.answer()
        self.network.run(0.1)
        self.media.accept(self.answered())
        self.told.clear()
        return leg

    def answer_offer(self) -> None:
        events = self.ann.heard(self.session)
        offer = next(e.sdp for e in reversed(events) if isinstance(e, OfferReceived))
        self.session.answer_offer(self.media.answer(offer or b""), self.network.now)

    def answered(self) -> bytes:
        return self.network.last("200 INVITE").body

    def news(self) -> list[LegEvent]:
        told = self.told.copy()
        self.told.clear()
        return told


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_call_in_is_negotiated_answered_and_ended_by_the_caller(desk: Desk) -> None:
    leg: Leg = desk.call(desk.media.offer())
    assert (leg.caller, leg.called) == ("user", "user")
    assert leg.headers["Max-Forwards"] == "70"
    leg.ring()
    leg.answer()
    desk.network.run(0.1)
    (agreed,) = desk.lane.agreed
    assert (agreed.remote, agreed.codec.name) == (("192.0.2.1", 30000), "PCMU")
    assert desk.news() == [LegMedia(agreed), LegAnswered()]
    desk.media.accept(desk.answered())
    assert desk.media.negotiated is not None
    assert desk.media.negotiated.remote == ("192.0.2.2", 40000)

    desk.session.hang_up(desk.network.now)
    desk.network.run(0.1)
    assert desk.news() == [LegEnded("caller", 200, "hung up")]


def test_call_without_a_codec_in_common_cannot_become_a_leg(desk: Desk) -> None:
    desk.media = OfferAnswer("192.0.2.1", 30000, Terms(("G722",)), ids=CountedIds())
    with pytest.raises(NegotiationError) as refused:
        desk.call(desk.media.offer())
    assert refused.value.status == 488


def test_call_with_an_unreadable_offer_cannot_become_a_leg(desk: Desk) -> None:
    with pytest.raises(SipError) as refused:
        desk.call(b"\xff\x00nonsense")
    assert refused.value.status == 400


def test_late_offer_is_made_in_the_answer(desk: Desk) -> None:
    leg = desk.call(None)
    leg.answer()
    desk.network.run(0.1)
    desk.session.answer_offer(desk.media.answer(desk.answered()), desk.network.now)
    desk.network.run(0.1)
    (agreed,) = desk.lane.agreed
    assert agreed.remote == ("192.0.2.1", 30000)
    assert desk.news() == [LegMedia(agreed), LegAnswered()]


def test_lane_on_every_address_is_described_by_the_one_the_caller_reaches(desk: Desk) -> None:
    desk.lane.host = "0.0.0.0"
    leg = desk.call(desk.media.offer())
    leg.answer()
    desk.network.run(0.1)
    assert b"c=IN IP4 192.0.2.2" in desk.answered()


def test_answering_a_call_given_up_meanwhile_does_nothing(desk: Desk) -> None:
    leg = desk.call(desk.media.offer())
    leg.ring()
    desk.network.run(0.1)
    desk.session.hang_up(desk.network.now)
    desk.network.run(0.1)
    leg.answer()
    desk.network.run(0.1)
    assert desk.news() == [LegEnded("caller", 487, "Request Terminated")]
    assert desk.lane.agreed == []


@pytest.mark.parametrize(("status", "cause"), [(486, 17), (503, 41), (404, 1)])
def test_rejection_carries_status_and_cause(desk: Desk, status: int, cause: int) -> None:
    desk.call(desk.media.offer()).reject(status, "not now")
    desk.network.run(0.1)
    refusal = desk.network.last(f"{status} INVITE")
    assert refusal.headers.get("Reason") == f'Q.850;cause={cause};text="not now"'
    assert desk.news() == [LegEnded("gateway", status, "not now", cause)]


def test_hanging_up_tells_the_caller_the_reason(desk: Desk) -> None:
    desk.connect().hang_up("goodbye said")
    desk.network.run(0.1)
    assert desk.network.last("BYE").headers.get("Reason") == 'Q.850;cause=16;text="goodbye said"'
    assert desk.news() == [LegEnded("gateway", 200, "goodbye said")]


def test_caller_who_holds_and_resumes_is_followed(desk: Desk) -> None:
    desk.connect()
    for direction, is_held in (("inactive", True), ("sendrecv", False)):
        desk.session.reinvite(desk.media.offer(direction), desk.network.now)  # type: ignore[arg-type]
        desk.network.run(0.1)
        desk.media.accept(desk.answered())
        assert desk.news() == [LegMedia(desk.lane.agreed[-1]), LegHeld(is_held)]
        assert desk.lane.agreed[-1].is_held is is_held


def test_session_refresh_disturbs_no_media(desk: Desk) -> None:
    desk.connect()
    desk.session.reinvite(desk.network.last("INVITE").body, desk.network.now)
    desk.network.run(0.1)
    assert desk.news() == []
    assert len(desk.lane.agreed) == 1


def test_offer_we_cannot_take_is_refused_and_the_call_goes_on(desk: Desk) -> None:
    leg = desk.connect()
    other = OfferAnswer("192.0.2.1", 30000, Terms(("G722",)), ids=CountedIds())
    desk.session.reinvite(other.offer(), desk.network.now)
    desk.network.run(0.1)
    assert "488 INVITE" in desk.network.titles()
    assert desk.news() == []
    leg.hang_up()
    assert desk.news() == [LegEnded("gateway", 200, "hung up")]


def test_hold_offers_sendonly_and_resume_takes_the_caller_back(desk: Desk) -> None:
    leg = desk.connect()
    for act, direction in ((leg.hold, b"a=sendonly"), (leg.resume, b"a=sendrecv")):
        act()
        desk.network.run(0.1)
        assert direction in desk.network.last("INVITE").body
        desk.answer_offer()
        desk.network.run(0.1)
    assert desk.lane.holds == [True, False]
    assert [agreed.direction for agreed in desk.lane.agreed] == [
        *("sendrecv", "sendonly", "sendrecv"),
    ]
    assert not any(isinstance(event, LegHeld) for event in desk.news())


def test_resuming_before_the_hold_was_agreed_settles_on_the_last_wish(desk: Desk) -> None:
    leg = desk.connect()
    leg.hold()
    leg.resume()
    desk.network.run(0.1)
    for _ in range(2):
        desk.answer_offer()
        desk.network.run(0.1)
    assert desk.lane.agreed[-1].direction == "sendrecv"


def test_hold_that_meets_an_offer_of_the_callers_is_made_again(desk: Desk) -> None:
    leg = desk.connect()
    leg.hold()
    desk.session.reinvite(desk.media.offer(), desk.network.now)
    desk.network.run(0.1)
    desk.media.withdraw()
    assert desk.network.titles().count("491 INVITE") == 2
    desk.network.run(2.05)
    desk.answer_offer()
    desk.network.run(0.1)
    assert desk.lane.agreed[-1].direction == "sendonly"


def test_refused_hold_is_given_up(desk: Desk) -> None:
    leg = desk.connect()
    leg.hold()
    desk.network.run(0.1)
    desk.session.refuse_offer(488, desk.network.now)
    desk.network.run(10.0)
    assert desk.network.titles(by=desk.bob).count("INVITE") == 1
    assert len(desk.lane.agreed) == 1


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", LegKey("5", "info", 160)),
        ("application/dtmf-relay", b"Signal= *\nDuration= 250", LegKey("*", "info", 250)),
        ("application/dtmf-relay", b"Signal=11\r\n", LegKey("#", "info", 0)),
        ("application/dtmf-relay", b"Signal=16\r\n", LegKey("flash", "info", 0)),
        ("application/dtmf", b"7", LegKey("7", "info", 0)),
        ("application/dtmf", b"d\r\n", LegKey("D", "info", 0)),
        ("application/dtmf", b"Signal=0\r\nDuration=99999999\r\n", LegKey("0", "info", 60000)),
        ("application/dtmf-relay", b"Signal=x\r\n", None),
        ("application/dtmf-relay", b"\xff\xfe", None),
        ("application/dtmf", b"12", None),
    ],
)
def test_keys_by_info(desk: Desk, kind: str, body: bytes, key: LegKey | None) -> None:
    desk.connect()
    desk.session.info(kind, body, desk.network.now)
    desk.network.run(0.1)
    assert desk.news() == ([key] if key else [])
    assert "200 INFO" in desk.network.titles()


def test_keys_go_as_events_where_both_sides_can(desk: Desk) -> None:
    desk.connect().send_dtmf("12#x")
    assert desk.lane.digits == ["12#"]


def test_keys_go_by_info_where_events_were_not_agreed(desk: Desk) -> None:
    offer = desk.media.offer().replace(b"telephone-event", b"something-else")
    leg = desk.call(offer)
    leg.answer()
    desk.network.run(0.1)
    leg.send_dtmf("1a")
    desk.network.run(1.0)
    bodies = [s.message.body for s in desk.network.sent if s.title == "INFO"]
    assert bodies == [b"Signal=1\r\nDuration=160\r\n", b"Signal=A\r\nDuration=160\r\n"]
    assert desk.lane.digits == []


def test_transfer_that_the_phone_refuses_is_told(desk: Desk) -> None:
    leg = desk.connect()
    leg.transfer("sip:operator@192.0.2.9")
    desk.network.run(0.1)
    assert desk.news() == [TransferEnded(is_accepted=False, status=403)]


def test_transfer_to_no_address_fails_at_once(desk: Desk) -> None:
    desk.connect().transfer("nobody at all")
    (ended,) = desk.news()
    assert isinstance(ended, TransferEnded)
    assert not ended.is_accepted


def test_a_transfer_into_the_place_of_another_call_names_it_in_the_address(desk: Desk) -> None:
    leg = desk.connect()
    leg.transfer("sip:operator@192.0.2.9", "a@b;to-tag=1;from-tag=2")
    desk.network.run(0.1)
    refer_to = desk.network.last("REFER").headers.get("Refer-To")
    assert refer_to == ("<sip:operator@192.0.2.9?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>")


def test_what_replaces_a_call_is_told_with_the_tags_as_the_far_end_knows_them(desk: Desk) -> None:
    leg = desk.connect()
    ack = desk.network.last("ACK").headers
    theirs = (ack.get("From") or "").partition("tag=")[2]
    ours = (ack.get("To") or "").partition("tag=")[2]
    assert leg.replaced_by == f"{ack.get('Call-ID')};to-tag={theirs};from-tag={ours}"
    assert place(desk).replaced_by == "", "it is not up"


def test_a_caller_is_sent_elsewhere_before_the_answer(desk: Desk) -> None:
    leg = desk.call(desk.media.offer())
    leg.redirect("sip:sales@pbx.example")
    desk.network.run(0.1)
    assert desk.network.last("302 INVITE").headers.get("Contact") == "<sip:sales@pbx.example>"
    (ended,) = desk.news()
    assert isinstance(ended, LegEnded)
    assert (ended.by, ended.status) == ("gateway", 302)


def test_a_caller_who_was_answered_is_not_sent_elsewhere(desk: Desk) -> None:
    leg = desk.connect()
    leg.redirect("sip:sales@pbx.example")
    desk.network.run(0.1)
    assert not desk.news()


def test_a_caller_is_not_sent_to_what_is_no_address(desk: Desk) -> None:
    desk.call(desk.media.offer()).redirect("nobody at all")
    desk.network.run(0.1)
    (ended,) = desk.news()
    assert isinstance(ended, LegEnded)
    assert ended.status == 404


@pytest.mark.parametrize(
    ("cause", "status"), [(17, 486), (1, 404), (34, 503), (31, 480), (16, 480), (99, 480)]
)
def test_a_call_that_is_hung_up_before_the_answer_is_refused_for_that_cause(
    desk: Desk, cause: int, status: int
) -> None:
    desk.call(desk.media.offer()).hang_up("not now", cause)
    desk.network.run(0.1)
    refusal = desk.network.last(f"{status} INVITE")
    assert refusal.headers.get("Reason") == f'Q.850;cause={cause};text="not now"'


@pytest.mark.parametrize(("cause", "header"), [(17, "17"), (31, "31")])
def test_the_far_end_is_told_the_cause_of_q_850(desk: Desk, cause: int, header: str) -> None:
    desk.connect().hang_up("busy elsewhere", cause)
    desk.network.run(0.1)
    reason = desk.network.last("BYE").headers.get("Reason")
    assert reason == f'Q.850;cause={header};text="busy elsewhere"'


def test_a_call_whose_other_side_is_not_who_it_should_be_is_ended_in_words(desk: Desk) -> None:
    desk.connect()
    desk.lane.refuse("the certificate is another")
    desk.network.run(0.1)
    reason = desk.network.last("BYE").headers.get("Reason")
    assert reason == 'Q.850;cause=57;text="the certificate is another"'
    assert desk.news()[-1] == LegEnded("gateway", 200, "the certificate is another", 57)


def test_a_second_transfer_takes_the_place_of_one_that_was_given_up(desk: Desk) -> None:
    leg = desk.connect()
    desk.network.drop = lambda sent: sent.title == "REFER"
    leg.transfer("sip:operator@192.0.2.9")
    desk.network.run(0.1)
    desk.network.drop = lambda sent: False
    leg.transfer("sip:sales@192.0.2.9")
    desk.network.run(2.0)
    assert desk.network.titles()[-2:] == ["REFER", "500 REFER"], "the first one, late"
    assert desk.news() == [TransferEnded(is_accepted=False, status=403)], "of one of them alone"


def place(desk: Desk) -> SipLeg:
    return asyncio.run(
        SipLeg.outgoing(
            desk.bob,
            Uri.parse("sip:ann@192.0.2.1"),
            desk.lane,
            Terms(CODECS),
            desk.told.append,
            ids=CountedIds(),
        )
    )


def test_placed_call_rings_with_early_media_and_is_answered(desk: Desk) -> None:
    leg = place(desk)
    desk.network.run(0.1)
    taken = desk.ann.calls[0]
    assert (leg.caller, leg.called) == ("gateway", "ann")
    answer = desk.media.answer(taken.offer or b"")
    taken.progress(answer, desk.network.now)
    desk.network.run(1.0)
    assert desk.news() == [LegRinging(183), LegMedia(desk.lane.agreed[0])]
    taken.answer(answer, desk.network.now)
    desk.network.run(0.1)
    assert desk.news() == [LegAnswered()]
    taken.hang_up(desk.network.now)
    desk.network.run(0.1)
    assert desk.news() == [LegEnded("peer", 200, "hung up")]


def test_placed_call_that_is_busy_ends_with_the_status(desk: Desk) -> None:
    place(desk)
    desk.network.run(0.1)
    desk.ann.calls[0].reject(486, desk.network.now)
    desk.network.run(0.1)
    (ended,) = desk.news()
    assert (ended.by, ended.status) == ("peer", 486)  # type: ignore[union-attr]


@pytest.mark.parametrize("answer", [b"not a description", b""])
def test_placed_call_with_an_answer_of_no_use_is_hung_up(desk: Desk, answer: bytes) -> None:
    place(desk)
    desk.network.run(0.1)
    desk.ann.calls[0].answer(answer, desk.network.now)
    desk.network.run(0.1)
    (ended,) = desk.news()
    assert isinstance(ended, LegEnded)
    assert ended.by == "gateway"
    assert desk.network.titles(by=desk.bob) == ["INVITE", "ACK", "BYE"]


@pytest.mark.parametrize("seed", range(6))
def test_leg_lives_through_a_lossy_network(seed: int) -> None:
    desk = Desk(loss=0.3, jitter=0.03, seed=seed)
    offer = desk.media.offer()
    desk.session = desk.ann.call(desk.bob, offer)
    desk.network.run(10.0)
    leg = desk.take()
    leg.answer()
    desk.network.run(20.0)
    leg.hang_up("done")
    desk.network.run(60.0)
    kinds = [type(event) for event in desk.told]
    assert kinds == [LegMedia, LegAnswered, LegEnded]
    assert desk.bob.agent.is_idle
