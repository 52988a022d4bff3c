"""The second leg: placed, told of, dropped, and never mixed up with the one before."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
import structlog

from gateway.calls.callee import Callee
from gateway.calls.outbound import Outbound, Placed
from gateway.calls.patchbay import Patchbay
from gateway.control import events as control
from gateway.errors import CapacityError, GatewayError, SipError
from gateway.legs import events as legs
from gateway.media.events import MediaTimeout, PlayoutStarted, PromptStopped
from gateway.media.options import LaneOptions

TARGET = "sip:operator@pbx.example"


class Thing:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.did: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **named: self.did.append((name, *args))


class Way:
    """Places calls when it is told to."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.opens = asyncio.Event()
        self.legs: list[Thing] = []
        self.lanes: list[Thing] = []
        self.callbacks: list[dict[str, Callable[[Any], None]]] = []

    async def place(
        self, target: str, options: LaneOptions, *, seconds: float, **callbacks: Any
    ) -> Placed:
        await self.opens.wait()
        if self.fault is not None:
            raise self.fault
        self.callbacks.append(callbacks)
        self.legs.append(Thing())
        self.lanes.append(Thing())
        return Placed(cast("Any", self.legs[-1]), cast("Any", self.lanes[-1]))


class Scene:
    def __init__(self) -> None:
        self.way = Way()
        self.told: list[control.Event] = []
        self.bay = Thing()
        self.callee = Callee(
            cast("Outbound", self.way),
            LaneOptions(),
            cast("Patchbay", self.bay),
            self.told.append,
            structlog.get_logger(),
        )

    async def call(self) -> None:
        self.way.opens.set()
        self.callee.call(TARGET, 20.0)
        for _ in range(3):
            await asyncio.sleep(0)

    def tell(self, event: legs.LegEvent, attempt: int = -1) -> None:
        self.way.callbacks[attempt]["on_leg"](event)


@pytest.fixture
async def scene() -> Scene:
    return Scene()


async def test_what_becomes_of_it_is_told_in_the_words_of_control(scene: Scene) -> None:
    await scene.call()
    assert [done[0] for done in scene.bay.did] == ["attach_callee"]
    for event in (legs.LegRinging(180), legs.LegAnswered(), legs.LegKey("5", "info", 160)):
        scene.tell(event)
    scene.tell(legs.LegEnded("peer", 200, "hung up"))
    ringing, answered, key, ended = scene.told
    assert (ringing, answered) == (control.CalleeProgress(180), control.CalleeAnswered())
    assert isinstance(key, control.KeyPressed)
    assert (key.key, key.leg) == ("5", "callee")
    assert ended == control.CalleeEnded(200, "hung up")


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (SipError("no such host: pbx.example", status=502), 502),
        (CapacityError("all ports are in use"), 503),
    ],
)
async def test_a_call_that_cannot_be_placed_has_ended(
    scene: Scene, fault: GatewayError, status: int
) -> None:
    scene.way.fault = fault
    await scene.call()
    assert scene.told == [control.CalleeEnded(status, str(fault))]
    assert scene.bay.did == [("detach_callee",)]


async def test_a_fault_of_ours_while_placing_is_told_as_the_end(scene: Scene) -> None:
    scene.way.fault = ValueError("nobody expects this")
    await scene.call()
    assert scene.told == [control.CalleeEnded(500, "fault inside the gateway")]


async def test_the_lane_of_whoever_refuses_is_given_back(scene: Scene) -> None:
    await scene.call()
    scene.tell(legs.LegRinging(183))
    scene.tell(legs.LegEnded("peer", 486, "Busy Here"))
    assert [done[0] for done in scene.bay.did] == ["attach_callee", "detach_callee"]


async def test_whoever_is_dropped_is_hung_up_and_told_of_once(scene: Scene) -> None:
    await scene.call()
    scene.callee.drop("nobody answered")
    scene.callee.drop("again")
    scene.tell(legs.LegEnded("gateway", 487, "nobody answered"))
    assert scene.told == [control.CalleeEnded(487, "nobody answered")]
    assert scene.way.legs[0].did == [("hang_up", "nobody answered")]


async def test_whoever_is_dropped_before_the_call_is_on_its_way_is_never_called(
    scene: Scene,
) -> None:
    scene.callee.call(TARGET, 20.0)
    await asyncio.sleep(0)
    scene.callee.drop("normal")
    scene.way.opens.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert not scene.way.legs
    assert scene.told == [control.CalleeEnded(487, "normal")]


async def test_the_end_of_one_is_not_taken_for_the_end_of_the_next(scene: Scene) -> None:
    await scene.call()
    await scene.call()
    assert scene.told == [control.CalleeEnded(487, "another is called")]
    scene.tell(legs.LegEnded("gateway", 487, "another is called"), attempt=0)
    scene.tell(legs.LegAnswered(), attempt=0)
    assert scene.told[1:] == []
    scene.tell(legs.LegAnswered())
    assert scene.told[1:] == [control.CalleeAnswered()]


async def test_their_sound_goes_to_the_patchbay_until_they_are_gone(scene: Scene) -> None:
    await scene.call()
    scene.way.callbacks[0]["on_audio"](b"\1")
    scene.callee.drop("normal")
    scene.way.callbacks[0]["on_audio"](b"\2")
    assert scene.bay.did[1:] == [("hear_callee", b"\1"), ("detach_callee",)]


async def test_a_callee_of_whom_nothing_is_heard_is_hung_up(scene: Scene) -> None:
    await scene.call()
    scene.tell(legs.LegAnswered())
    scene.way.callbacks[0]["on_lane"](MediaTimeout(60.0, 1.0))
    assert scene.way.legs[0].did == [("hang_up", "no media")]
    assert scene.told == [control.CalleeAnswered()]


@pytest.mark.parametrize(
    "events", [[], [legs.LegAnswered(), legs.LegHeld(is_held=True)]], ids=["rings", "holds us"]
)
async def test_a_callee_who_need_not_be_heard_is_left_alone(
    scene: Scene, events: list[legs.LegEvent]
) -> None:
    await scene.call()
    for event in events:
        scene.tell(event)
    scene.way.callbacks[0]["on_lane"](MediaTimeout(60.0, 1.0))
    assert not scene.way.legs[0].did
    scene.tell(legs.LegAnswered() if not events else legs.LegHeld(is_held=False))
    scene.way.callbacks[0]["on_lane"](MediaTimeout(60.0, 1.0))
    assert scene.way.legs[0].did == [("hang_up", "no media")]


async def test_a_callee_who_holds_us_for_ever_is_hung_up(scene: Scene) -> None:
    await scene.call()
    scene.tell(legs.LegAnswered())
    scene.tell(legs.LegHeld(is_held=True))
    scene.way.callbacks[0]["on_lane"](MediaTimeout(1800.0, 1.0, is_held=True))
    assert scene.way.legs[0].did == [("hang_up", "no media")]


async def test_of_their_playout_what_counts_is_told_even_after_they_are_gone(
    scene: Scene,
) -> None:
    await scene.call()
    scene.bay.counts = lambda event: isinstance(event, PromptStopped)  # type: ignore[attr-defined]
    scene.callee.drop("normal")
    scene.told.clear()
    scene.way.callbacks[0]["on_lane"](PlayoutStarted("r1", 1.0))
    scene.way.callbacks[0]["on_lane"](PromptStopped("beep", True, 1.0))
    assert scene.told == [control.PromptStopped("beep")]


async def test_with_the_call_they_are_let_go_and_nobody_is_told(scene: Scene) -> None:
    await scene.call()
    scene.callee.close()
    assert scene.way.legs[0].did == [("hang_up",)]
    scene.tell(legs.LegEnded("gateway", 200, ""))
    assert not scene.told
    assert scene.callee.replaced_by == ""
