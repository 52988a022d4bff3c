"""A leg whose session is refreshed, rings in several places, or ends for a cause: all in order."""

import pytest
from test_sip_leg import CODECS, Desk, place

from gateway.clock import CountedIds
from gateway.legs.events import LegAnswered, LegEnded, LegHeld, LegMedia, LegRinging
from gateway.sdp.negotiate import OfferAnswer
from gateway.sdp.terms import Terms
from gateway.sip.admission import Policy, Verdict
from gateway.sip.dialogs.session_events import OfferReceived
from gateway.sip.wire.message import Request, response_to
from gateway.sip.wire.reason import Reason

HALF_HOUR = Policy(session_expires=1800)


class RefreshingDesk(Desk):
    """Bob's leg refreshes the session."""

    def __init__(self) -> None:
        super().__init__()
        self.bob = self.network.phone(
            "192.0.2.2", accepts=lambda request, flow: Verdict(policy=HALF_HOUR)
        )

    def begin(self) -> None:
        self.session = self.ann.call(
            self.bob, self.media.offer(), headers=[("Session-Expires", "1800;refresher=uas")]
        )
        self.network.run(0.1)
        self.leg = self.take()
        self.leg.answer()
        self.network.run(0.1)
        self.media.accept(self.answered())
        self.news()
        self.ann.heard(self.session)

    def refreshed(self) -> bytes:
        """Return the offer of the last refresh by re-INVITE."""
        self.leg._session._line.peer_methods = frozenset()  # as of one who told none
        self.network.run(900.0)
        (offer,) = self.ann.heard(self.session)
        assert isinstance(offer, OfferReceived)
        return offer.sdp or b""


def test_refresh_by_update_is_nobodys_concern() -> None:
    desk = RefreshingDesk()
    desk.begin()
    desk.network.run(3605.0)
    assert desk.network.titles().count("200 UPDATE") == 4
    assert desk.news() == []
    assert len(desk.lane.agreed) == 1


def test_refresh_by_reinvite_repeats_the_description_and_disturbs_no_media() -> None:
    desk = RefreshingDesk()
    desk.begin()
    said = desk.network.last("200 INVITE").body
    for _ in range(3):
        offer = desk.refreshed()
        assert offer == said, "o= and all"
        desk.session.answer_offer(desk.media.answer(offer), desk.network.now)
        desk.network.run(0.1)
    assert desk.news() == []
    assert len(desk.lane.agreed) == 1


def test_far_end_that_moves_in_its_answer_to_a_refresh_is_followed() -> None:
    desk = RefreshingDesk()
    desk.begin()
    moved = OfferAnswer("192.0.2.1", 34567, Terms(CODECS), ids=CountedIds())
    desk.session.answer_offer(moved.answer(desk.refreshed()), desk.network.now)
    desk.network.run(0.1)
    (media,) = desk.news()
    assert isinstance(media, LegMedia)
    assert media.negotiated.remote == ("192.0.2.1", 34567)


def test_refresh_while_on_hold_stays_on_hold() -> None:
    desk = RefreshingDesk()
    desk.begin()
    desk.session.reinvite(desk.media.offer("sendonly"), desk.network.now)
    desk.network.run(0.1)
    answer = desk.answered()
    desk.media.accept(answer)
    desk.ann.heard(desk.session)
    assert desk.news()[-1] == LegHeld(True)
    assert desk.refreshed() == answer
    assert b"a=recvonly" in answer
    desk.session.answer_offer(desk.media.answer(answer), desk.network.now)
    desk.network.run(0.1)
    assert LegHeld(False) not in desk.news()


def test_the_last_of_several_places_to_send_early_sound_is_heard_until_one_answers() -> None:
    desk = Desk()
    desk.network.drop = lambda sent: sent.flow.remote == desk.ann.address
    place(desk)
    desk.network.run(0.1)
    invite = desk.network.last("INVITE")
    assert isinstance(invite, Request)
    heard = []
    for status, tag, port in ((183, "b", 31000), (183, "c", 32000), (200, "b", 31000)):
        response = response_to(invite, status, to_tag=tag)
        response.headers.add("Contact", f"<sip:{tag}@192.0.2.1>")
        if status == 183:
            response.headers.add("Require", "100rel")
            response.headers.add("RSeq", "1")
            media = OfferAnswer("192.0.2.1", port, Terms(CODECS), ids=CountedIds())
            response.body = media.answer(invite.body)
        desk.network.carry(bytes(response), desk.ann.flow_to(desk.bob))
        desk.network.run(0.1)
        heard.append(desk.lane.agreed[-1].remote)
    assert heard == [("192.0.2.1", port) for port in (31000, 32000, 31000)]
    news = [event for event in desk.news() if not isinstance(event, LegMedia)]
    assert news == [LegRinging(183), LegRinging(183), LegAnswered()]


CAUSES = [
    (Reason("Q.850", 16), "hung up", 16),
    (Reason("Q.850", 17, "busy, they say"), "busy, they say", 17),
    (Reason("Q.850", 31), "Q.850 31", 31),
    (Reason("Q.850", 102, "timer"), "timer", 102),
    (Reason("SIP", 200), "answered elsewhere", 16),
    (Reason("SIP", 200, "Call completed elsewhere"), "Call completed elsewhere", 16),
    (None, "hung up", 16),
]


@pytest.mark.parametrize(("reason", "words", "cause"), CAUSES)
def test_cause_of_a_bye_is_told(reason: Reason | None, words: str, cause: int) -> None:
    desk = Desk()
    desk.connect()
    desk.session.hang_up(desk.network.now, reason)
    desk.network.run(0.1)
    assert desk.news() == [LegEnded("caller", 200, words, cause)]


@pytest.mark.parametrize(
    ("reason", "words", "cause"),
    [
        (Reason("SIP", 200, "Call completed elsewhere"), "Call completed elsewhere", 16),
        (Reason("SIP", 200), "answered elsewhere", 16),
        (Reason("Q.850", 102, "timer"), "timer", 102),
        (None, "Request Terminated", 16),
    ],
)
def test_cause_of_a_cancel_is_told(reason: Reason | None, words: str, cause: int) -> None:
    desk = Desk()
    leg = desk.call(desk.media.offer())
    leg.ring()
    desk.network.run(0.1)
    desk.session.hang_up(desk.network.now, reason)
    desk.network.run(0.1)
    assert desk.news() == [LegEnded("caller", 487, words, cause)]


@pytest.mark.parametrize(
    ("status", "header", "cause"),
    [
        (486, "", 17),
        (404, "", 1),
        (603, "", 21),
        (488, "", 65),
        (480, "Q.850;cause=20", 20),
        (500, 'SIP;cause=486;text="x", Q.850;cause=34', 34),
        (500, 'Q.850;text="never, closed', 41),
        (433, "Preemption;cause=1", 127),
    ],
)
def test_cause_of_a_refusal_is_told_or_follows_from_its_status(
    status: int, header: str, cause: int
) -> None:
    desk = Desk()
    desk.network.drop = lambda sent: sent.flow.remote == desk.ann.address
    place(desk)
    desk.network.run(0.1)
    invite = desk.network.last("INVITE")
    assert isinstance(invite, Request)
    refusal = response_to(invite, status, to_tag="b")
    if header:
        refusal.headers.add("Reason", header)
    desk.network.carry(bytes(refusal), desk.ann.flow_to(desk.bob))
    desk.network.run(0.1)
    (ended,) = desk.news()
    assert isinstance(ended, LegEnded)
    assert (ended.by, ended.status, ended.q850) == ("peer", status, cause)
