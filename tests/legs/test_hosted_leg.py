"""A call that the service holds: what it is asked for, and what its silence means."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from gateway.errors import LinkError
from gateway.legs import hosted_leg
from gateway.legs.events import LegAnswered, LegEnded, LegEvent, TransferEnded, TransferProgress
from gateway.legs.hosted_leg import HostedLeg

GONE = LinkError("no such call", status=404)
LOST = LinkError("the connection broke")


class Desk:
    """The service's HTTP side: notes what it is asked, and answers as told."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.fault: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def accept(self, call_id: str, session: Mapping[str, Any]) -> None:
        await self._answer("accept", call_id, dict(session))

    async def reject(self, call_id: str, status: int) -> None:
        await self._answer("reject", call_id, status)

    async def refer(self, call_id: str, target: str) -> None:
        await self._answer("refer", call_id, target)

    async def hangup(self, call_id: str) -> None:
        await self._answer("hangup", call_id)

    async def _answer(self, *asked: Any) -> None:
        self.asked.append(asked)
        await self.answers.wait()
        if self.fault is not None:
            raise self.fault


class Scene:
    def __init__(self) -> None:
        self.desk = Desk()
        self.told: list[LegEvent] = []
        self.leg = HostedLeg(
            "rtc_1",
            self.desk,
            self.told.append,
            caller="+15550100",
            called="support",
            headers={"X-Account": "7"},
            session={"type": "realtime"},
            transfer_seconds=40.0,
        )

    async def answered(self, *, is_linked: bool = True) -> None:
        self.leg.answer()
        await settle()
        if is_linked:
            self.leg.note_link()
        self.told.clear()
        self.desk.asked.clear()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def scene() -> Scene:
    return Scene()


async def test_an_answer_accepts_the_call_with_its_session(scene: Scene) -> None:
    scene.leg.ring()
    scene.leg.answer()
    await settle()
    assert scene.desk.asked == [("accept", "rtc_1", {"type": "realtime"})]
    assert scene.told == [LegAnswered()]


async def test_answering_twice_accepts_once(scene: Scene) -> None:
    scene.leg.answer()
    scene.leg.answer()
    await settle()
    scene.leg.answer()
    await settle()
    assert len(scene.desk.asked) == 1


async def test_a_caller_who_gave_up_before_the_answer_is_told_as_such(scene: Scene) -> None:
    scene.desk.fault = GONE
    scene.leg.answer()
    await settle()
    assert scene.told == [LegEnded("caller", 487, "gave up before the call was answered")]


async def test_a_service_that_does_not_take_the_call_ends_it_and_says_why(scene: Scene) -> None:
    scene.desk.fault = LinkError("the service refuses the key (401)", status=401)
    scene.leg.answer()
    await settle()
    (ended,) = scene.told
    assert isinstance(ended, LegEnded)
    assert (ended.by, ended.status) == ("gateway", 503)
    assert "refuses the key" in ended.reason


async def test_a_refusal_carries_its_status(scene: Scene) -> None:
    scene.leg.reject(486, "busy")
    await settle()
    assert scene.desk.asked == [("reject", "rtc_1", 486)]
    assert scene.told == [LegEnded("gateway", 486, "busy")]


async def test_a_hang_up_before_the_answer_is_a_decline(scene: Scene) -> None:
    scene.leg.hang_up("no time")
    await settle()
    assert scene.desk.asked == [("reject", "rtc_1", 603)]
    assert scene.told == [LegEnded("gateway", 603, "no time")]


async def test_a_hang_up_while_the_answer_is_under_way_follows_it(scene: Scene) -> None:
    scene.desk.answers.clear()
    scene.leg.answer()
    await settle()
    scene.leg.hang_up("changed our mind")
    await settle()
    assert [asked[0] for asked in scene.desk.asked] == ["accept"]
    scene.desk.answers.set()
    await settle()
    assert [asked[0] for asked in scene.desk.asked] == ["accept", "hangup"]
    assert scene.told == [LegEnded("gateway", 200, "changed our mind")]


async def test_a_call_ends_though_the_service_will_not_end_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosted_leg, "_LEAVE_SECONDS", 0.0)
    await scene.answered()
    scene.desk.fault = LinkError("server error", status=500)
    scene.leg.hang_up("done")
    await settle()
    assert scene.told == [LegEnded("gateway", 200, "done")]


async def test_a_service_that_does_not_end_the_call_is_asked_until_it_does(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosted_leg, "_FIRST_PAUSE", 0.0)
    monkeypatch.setattr(hosted_leg, "_LONGEST_PAUSE", 0.0)
    await scene.answered()
    scene.desk.fault = LinkError("too busy", status=503)
    scene.leg.hang_up("done")
    await settle()
    assert scene.told == []  # the caller is still there, and so are we
    scene.desk.fault = None
    await settle()
    assert scene.told == [LegEnded("gateway", 200, "done")]
    assert scene.desk.asked.count(("hangup", "rtc_1")) >= 2


async def test_the_end_of_the_socket_is_the_callers_hanging_up(scene: Scene) -> None:
    await scene.answered()
    assert scene.leg.ends_with(GONE)
    assert scene.told == [LegEnded("caller", 200, "hung up, or let go by the service")]
    scene.leg.hang_up()
    await settle()
    assert scene.desk.asked == []


async def test_a_socket_that_is_merely_lost_ends_nothing(scene: Scene) -> None:
    await scene.answered()
    assert not scene.leg.ends_with(LOST)
    assert scene.told == []


async def test_an_acceptance_that_fails_later_is_told_as_such(scene: Scene) -> None:
    await scene.answered(is_linked=False)
    assert scene.leg.ends_with(GONE)
    (ended,) = scene.told
    assert isinstance(ended, LegEnded)
    assert ended.status == 480
    assert "accepted, but then" in ended.reason


async def test_the_end_of_the_socket_shows_that_a_transfer_was_taken(scene: Scene) -> None:
    await scene.answered()
    scene.leg.transfer("sip:operator@pbx.example")
    await settle()
    assert scene.desk.asked == [("refer", "rtc_1", "sip:operator@pbx.example")]
    assert scene.told == [TransferProgress(202)]
    assert scene.leg.ends_with(GONE)
    assert scene.told[1:] == [TransferEnded(True, 200), LegEnded("gateway", 200, "transferred")]


async def test_a_transfer_of_which_nothing_is_heard_comes_to_nothing() -> None:
    scene = Scene()
    scene.leg._transfer_seconds = 0.001
    await scene.answered()
    scene.leg.transfer("tel:+15550199")
    async with asyncio.timeout(5):
        while len(scene.told) < 2:
            await asyncio.sleep(0)
    assert scene.told == [TransferProgress(202), TransferEnded(False, 408)]
    assert scene.leg.ends_with(GONE)
    assert scene.told[-1] == LegEnded("caller", 200, "hung up, or let go by the service")


async def test_a_transfer_that_the_service_refuses_is_told_at_once(scene: Scene) -> None:
    await scene.answered()
    scene.desk.fault = LinkError("server error", status=500)
    scene.leg.transfer("tel:+15550199")
    await settle()
    assert scene.told == [TransferEnded(False, 500)]


async def test_a_call_that_is_not_up_cannot_be_transferred(scene: Scene) -> None:
    scene.leg.transfer("tel:+15550199")
    assert scene.told == [TransferEnded(False, 481)]
    assert scene.desk.asked == []


async def test_what_a_held_call_cannot_do_does_nothing(scene: Scene) -> None:
    await scene.answered()
    scene.leg.hold()
    scene.leg.resume()
    scene.leg.send_dtmf("123")
    await settle()
    assert scene.told == []
    assert scene.desk.asked == []


@pytest.mark.parametrize("is_up", [False, True])
async def test_a_fault_of_our_own_leaves_no_call_hanging(scene: Scene, is_up: bool) -> None:
    if is_up:
        await scene.answered()
    scene.desk.fault = TypeError("a session that is no JSON")
    scene.leg.hang_up("done") if is_up else scene.leg.answer()
    await settle()
    assert [type(event) for event in scene.told] == [LegEnded]


async def test_a_call_that_is_to_go_elsewhere_is_refused_for_the_service_cannot_send_it(
    scene: Scene,
) -> None:
    scene.leg.redirect("sip:sales@pbx.example")
    await settle()
    assert scene.desk.asked == [("reject", "rtc_1", 480)]
