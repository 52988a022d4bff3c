"""Somebody else comes into the place of a leg's far end, in virtual time."""

import asyncio

import pytest

from gateway.clock import CountedIds
from gateway.errors import SipError
from gateway.legs.events import (
    LegAnswered,
    LegEnded,
    LegEvent,
    LegHeld,
    LegMedia,
    LegMoved,
    LegReferred,
    LegRinging,
)
from gateway.legs.sip_leg import SipLeg
from gateway.sdp.negotiate import OfferAnswer
from gateway.sdp.terms import Terms
from gateway.sip.admission import Policy, Verdict
from gateway.sip.dialogs.session import Session
from gateway.sip.dialogs.session_events import Ended, OfferReceived, ReferEnded, ReferReceived
from gateway.sip.wire.reason import NORMAL
from gateway.sip.wire.uri import Uri
from gateway.testing.lanes import NotedLane
from gateway.testing.sip import Phone, VirtualNetwork

CODECS = ("PCMU", "PCMA")
WELCOME = Policy(accepts_transfer=True)


class Scene:
    """Bob is a leg; ann asks him to talk to carl, whose phone is plain as hers is."""

    def __init__(self, **options: float) -> None:
        self.network = VirtualNetwork(**options)  # type: ignore[arg-type]
        self.ann = self.network.phone("192.0.2.1")
        self.bob = self.network.phone(
            "192.0.2.2", accepts=lambda request, flow: Verdict(policy=WELCOME)
        )
        self.carl = self.network.phone("192.0.2.3")
        self.lane = NotedLane()
        self.told: list[LegEvent] = []
        self.asked: list[ReferReceived] = []

    def connect(self) -> SipLeg:
        media = OfferAnswer("192.0.2.1", 30000, Terms(CODECS), ids=CountedIds())
        self.call = self.ann.call(self.bob, media.offer())
        self.network.run(0.1)
        leg = SipLeg.incoming(
            self.bob.calls[-1],
            self.bob,
            self.lane,
            Terms(CODECS),
            self.told.append,
            on_refer=lambda leg, wish: self.asked.append(wish),
        )
        leg.answer()
        self.network.run(0.1)
        self.ann.heard(self.call)
        self.told.clear()
        return leg

    def refer(self, leg: SipLeg) -> None:
        """Ann asks, and bob follows."""
        self.call.refer(self.carl.uri, self.network.now)
        self.network.run(0.1)
        asyncio.run(
            leg.follow(self.asked[-1].target, Terms(CODECS), policy=WELCOME, ids=CountedIds())
        )
        self.network.run(0.1)

    def answer(self, phone: Phone, port: int = 30002, codecs: tuple[str, ...] = CODECS) -> None:
        media = OfferAnswer(phone.address[0], port, Terms(codecs), ids=CountedIds())
        session = phone.calls[-1]
        session.answer(media.answer(session.offer or b""), self.network.now)
        self.network.run(0.1)

    def replace(self, session: Session, offer: bytes | None, more: str = "") -> Session:
        """Carl calls in the place of a session of bob's."""
        tag = self.network.last("180 INVITE").to.tag if session.dialog is None else None
        tag = tag or (session.dialog.id.remote_tag if session.dialog else "")
        named = f"{session.call_id};to-tag={session.local_tag};from-tag={tag}{more}"
        call = self.carl.call(self.bob, offer, headers=[("Replaces", named)])
        self.network.run(0.1)
        return call

    def news(self) -> list[LegEvent]:
        told = self.told.copy()
        self.told.clear()
        return told

    def ends_idle(self) -> bool:
        self.network.run(200.0)
        return all(phone.agent.is_idle for phone in (self.ann, self.bob, self.carl))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def carls_offer() -> bytes:
    return OfferAnswer("192.0.2.3", 30002, Terms(CODECS), ids=CountedIds()).offer()


def test_the_call_goes_on_with_whom_the_caller_sent_us_to(scene: Scene) -> None:
    leg = scene.connect()
    scene.refer(leg)
    scene.carl.calls[0].ring(scene.network.now)
    scene.network.run(0.1)
    assert scene.lane.agreed[-1].remote == ("192.0.2.1", 30000), "ann is heard until then"
    scene.answer(scene.carl)
    agreed = scene.lane.agreed[-1]
    assert agreed.remote == ("192.0.2.3", 30002)
    assert scene.news() == [LegReferred(str(scene.carl.uri)), LegMedia(agreed), LegMoved("user")]
    assert scene.ann.heard(scene.call)[-1] == ReferEnded(200)
    scene.call.hang_up(scene.network.now)
    scene.network.run(0.1)
    assert scene.news() == [], "ann's going is not the end"
    assert leg.caller == "user"
    scene.carl.calls[0].hang_up(scene.network.now)
    scene.network.run(0.1)
    assert scene.news() == [LegEnded("caller", 200, "hung up")]
    assert scene.ends_idle()


def test_the_new_call_says_who_asked_and_whose_place_it_takes(scene: Scene) -> None:
    leg = scene.connect()
    scene.call.refer(scene.carl.uri, scene.network.now)
    scene.network.run(0.1)
    headers = [("Referred-By", scene.asked[0].referred_by), ("Replaces", "a@b;to-tag=1;from-tag=2")]
    asyncio.run(leg.follow(scene.asked[0].target, Terms(CODECS), headers=headers))
    scene.network.run(0.1)
    invite = scene.network.last("INVITE")
    assert invite.headers.get("Referred-By") == f"<{scene.ann.uri}>"
    assert invite.headers.get("Replaces") == "a@b;to-tag=1;from-tag=2"


def test_a_caller_who_stays_after_the_transfer_is_let_go(scene: Scene) -> None:
    scene.refer(scene.connect())
    scene.answer(scene.carl)
    scene.network.run(6.0)
    assert isinstance(scene.ann.heard(scene.call)[-1], Ended)
    assert scene.carl.calls[0].is_live


@pytest.mark.parametrize("status", [404, 486, 603])
def test_a_transfer_that_is_refused_leaves_the_caller_where_they_were(
    scene: Scene, status: int
) -> None:
    leg = scene.connect()
    scene.refer(leg)
    scene.carl.calls[0].reject(status, scene.network.now)
    scene.network.run(0.1)
    assert scene.news() == [LegReferred(str(scene.carl.uri)), LegMoved("user", status)]
    assert scene.ann.heard(scene.call)[-1] == ReferEnded(status)
    assert len(scene.lane.agreed) == 1
    scene.call.hang_up(scene.network.now)
    scene.network.run(0.1)
    assert scene.news() == [LegEnded("caller", 200, "hung up")]
    assert scene.ends_idle()


def test_an_answer_without_a_codec_in_common_is_no_transfer(scene: Scene) -> None:
    scene.refer(scene.connect())
    scene.carl.calls[0].answer(b"not a description", scene.network.now)
    scene.network.run(0.1)
    assert scene.news()[-1] == LegMoved("user", 488)
    assert not scene.carl.calls[0].is_live
    assert scene.call.is_live


def test_a_target_there_is_no_way_to_is_told_as_a_failure(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nowhere(uri: Uri) -> None:
        raise SipError("no such host", status=502)

    monkeypatch.setattr(type(scene.bob), "resolve", lambda self, uri: nowhere(uri))
    scene.refer(scene.connect())
    assert scene.news()[-1] == LegMoved("user", 502)
    assert scene.ann.heard(scene.call)[-1] == ReferEnded(502)


def test_a_caller_who_goes_at_once_is_not_the_end_while_somebody_is_on_the_way(
    scene: Scene,
) -> None:
    scene.refer(scene.connect())
    scene.call.hang_up(scene.network.now)
    scene.network.run(1.0)
    assert scene.news() == [LegReferred(str(scene.carl.uri))]
    scene.answer(scene.carl)
    assert scene.news()[-1] == LegMoved("user")
    assert scene.lane.agreed[-1].remote == ("192.0.2.3", 30002)


@pytest.mark.parametrize("is_hung_up", [False, True])
def test_a_caller_may_go_before_the_calling_has_begun(scene: Scene, is_hung_up: bool) -> None:
    leg = scene.connect()
    scene.call.refer(scene.carl.uri, scene.network.now)
    scene.network.run(0.1)
    calling = leg.follow(scene.asked[-1].target, Terms(CODECS), policy=WELCOME)
    scene.call.hang_up(scene.network.now)
    scene.network.run(0.1)
    assert scene.news() == [LegReferred(str(scene.carl.uri))]
    if is_hung_up:
        leg.hang_up("enough")
    asyncio.run(calling)
    scene.network.run(0.1)
    assert len(scene.carl.calls) == (0 if is_hung_up else 1)
    assert scene.news() == ([LegEnded("gateway", 200, "enough")] if is_hung_up else [])


def test_a_caller_who_went_is_the_end_when_nobody_comes(scene: Scene) -> None:
    scene.refer(scene.connect())
    scene.call.hang_up(scene.network.now)
    scene.network.run(0.1)
    scene.carl.calls[0].reject(486, scene.network.now)
    scene.network.run(0.1)
    assert scene.news()[1:] == [LegMoved("user", 486), LegEnded("caller", 200, "hung up")]
    assert scene.ends_idle()


@pytest.mark.parametrize("has_left", [False, True])
def test_hanging_up_while_somebody_is_on_the_way_ends_both(scene: Scene, has_left: bool) -> None:
    leg = scene.connect()
    scene.refer(leg)
    scene.carl.calls[0].ring(scene.network.now)
    if has_left:
        scene.call.hang_up(scene.network.now)
    scene.network.run(0.1)
    scene.news()
    leg.hang_up("enough")
    scene.network.run(0.1)
    assert scene.news() == [LegEnded("gateway", 200, "enough")]
    assert not scene.carl.calls[0].is_live
    assert not scene.call.is_live
    assert scene.ends_idle()


def test_a_leg_that_may_follow_nobody_refuses(scene: Scene) -> None:
    leg = scene.connect()
    leg._on_refer = None
    scene.call.refer(scene.carl.uri, scene.network.now)
    scene.network.run(0.1)
    assert scene.ann.heard(scene.call)[-1] == ReferEnded(403)


def test_an_attended_transfer_comes_into_the_place_of_an_answered_call(scene: Scene) -> None:
    scene.connect()
    call = scene.replace(scene.bob.calls[-1], carls_offer())
    agreed = scene.lane.agreed[-1]
    assert agreed.remote == ("192.0.2.3", 30002)
    assert scene.news() == [LegMedia(agreed), LegMoved("user")], "it is answered only once"
    assert scene.ann.heard(scene.call)[-1] == Ended("peer", 200, NORMAL)
    call.hang_up(scene.network.now)
    scene.network.run(0.1)
    assert scene.news() == [LegEnded("caller", 200, "hung up")]
    assert scene.ends_idle()


def test_a_caller_on_hold_is_taken_back_by_who_takes_their_place(scene: Scene) -> None:
    scene.connect()
    held = OfferAnswer("192.0.2.1", 30000, Terms(CODECS), ids=CountedIds())
    scene.call.reinvite(held.offer("sendonly"), scene.network.now)
    scene.network.run(0.1)
    assert scene.news()[-1] == LegHeld(is_held=True)
    scene.replace(scene.bob.calls[-1], carls_offer())
    assert LegHeld(is_held=False) in scene.news()


def test_who_takes_the_place_may_leave_the_offer_to_us(scene: Scene) -> None:
    scene.connect()
    media = OfferAnswer("192.0.2.3", 30002, Terms(CODECS), ids=CountedIds())
    call = scene.replace(scene.bob.calls[-1], None)
    call.answer_offer(media.answer(scene.network.last("200 INVITE").body), scene.network.now)
    scene.network.run(0.1)
    assert scene.lane.agreed[-1].remote == ("192.0.2.3", 30002)
    assert call.is_live


@pytest.mark.parametrize("offer", [b"nonsense", "G722"])
def test_a_place_cannot_be_taken_by_who_cannot_be_understood(
    scene: Scene, offer: bytes | str
) -> None:
    scene.connect()
    if isinstance(offer, str):
        offer = OfferAnswer("192.0.2.3", 30002, Terms((offer,)), ids=CountedIds()).offer()
    call = scene.replace(scene.bob.calls[-1], offer)
    assert not call.is_live
    assert scene.call.is_live
    assert scene.news() == []
    assert len(scene.lane.agreed) == 1


def test_a_call_we_place_is_taken_over_while_it_rings(scene: Scene) -> None:
    leg = asyncio.run(
        SipLeg.outgoing(
            scene.bob,
            scene.ann.uri,
            scene.lane,
            Terms(CODECS),
            scene.told.append,
            policy=WELCOME,
        )
    )
    scene.network.run(0.1)
    scene.ann.calls[0].ring(scene.network.now)
    scene.network.run(0.1)
    assert scene.news() == [LegRinging(180)]
    (session,) = scene.bob.agent.sessions.values()
    scene.replace(session, carls_offer(), ";early-only")
    agreed = scene.lane.agreed[-1]
    assert scene.news() == [LegMedia(agreed), LegMoved("user"), LegAnswered()]
    assert "CANCEL" in scene.network.titles(by=scene.bob)
    cancelled = scene.network.last("CANCEL").headers.get("Reason")
    assert cancelled == 'SIP;cause=200;text="Call completed elsewhere"'
    leg.hang_up()
    assert scene.ends_idle()


def test_a_place_taken_ends_the_call_to_somebody_else_for_it(scene: Scene) -> None:
    leg = scene.connect()
    taken = scene.bob.calls[-1]
    dora = scene.network.phone("192.0.2.4")
    scene.call.refer(dora.uri, scene.network.now)
    scene.network.run(0.1)
    asyncio.run(leg.follow(scene.asked[0].target, Terms(CODECS)))
    scene.network.run(0.1)
    dora.calls[0].ring(scene.network.now)
    scene.network.run(0.1)
    scene.replace(taken, carls_offer())
    assert not dora.calls[0].is_live
    assert scene.lane.agreed[-1].remote == ("192.0.2.3", 30002)


def test_what_the_one_before_still_offers_is_refused(scene: Scene) -> None:
    scene.refer(scene.connect())
    scene.answer(scene.carl)
    again = OfferAnswer("192.0.2.1", 30000, Terms(CODECS), ids=CountedIds()).offer()
    scene.call.reinvite(again, scene.network.now)
    scene.network.run(0.1)
    assert "488 INVITE" in scene.network.titles(by=scene.bob)
    assert scene.lane.agreed[-1].remote == ("192.0.2.3", 30002)
    assert not any(isinstance(e, OfferReceived) for e in scene.ann.heard(scene.call))


@pytest.mark.parametrize("seed", range(4))
def test_a_transfer_lives_through_a_lossy_network(seed: int) -> None:
    scene = Scene(loss=0.25, jitter=0.03, seed=seed)
    media = OfferAnswer("192.0.2.1", 30000, Terms(CODECS), ids=CountedIds())
    call = scene.ann.call(scene.bob, media.offer())
    scene.network.run(10.0)
    leg = SipLeg.incoming(
        scene.bob.calls[-1],
        scene.bob,
        scene.lane,
        Terms(CODECS),
        scene.told.append,
        on_refer=lambda leg, wish: scene.asked.append(wish),
    )
    leg.answer()
    scene.network.run(10.0)
    call.refer(scene.carl.uri, scene.network.now)
    scene.network.run(10.0)
    asyncio.run(leg.follow(scene.asked[-1].target, Terms(CODECS)))
    scene.network.run(10.0)
    scene.answer(scene.carl)
    scene.network.run(20.0)
    assert LegMoved("user") in scene.told
    assert ReferEnded(200) in scene.ann.heard(call)
    leg.hang_up()
    assert scene.ends_idle()
