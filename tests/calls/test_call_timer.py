"""The one timer of a call: set where the controller wants it, left alone by all other events."""

import asyncio
from typing import Any, cast

import pytest
from call_parts import parts

from gateway.calls.call import Call
from gateway.control.controller import Controller
from gateway.control.events import LegAnswered


class Brain:
    """A controller that only has a deadline."""

    def __init__(self) -> None:
        self.deadline: float | None = None
        self.woken = 0

    def handle(self, event: object, now: float) -> list[Any]:
        return []

    def wake(self, now: float) -> list[Any]:
        self.woken += 1
        return []


@pytest.fixture
async def brain() -> Brain:
    return Brain()


@pytest.fixture
async def call(brain: Brain) -> Call:
    return Call("1", cast("Controller", brain), parts())


async def test_an_event_that_moves_no_deadline_leaves_the_timer_alone(
    call: Call, brain: Brain, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    armed: list[float] = []
    call_at = loop.call_at

    def note(when: float, *rest: Any, **more: Any) -> asyncio.TimerHandle:
        armed.append(when)
        return call_at(when, *rest, **more)

    monkeypatch.setattr(loop, "call_at", note)
    far = loop.time() + 1000
    for deadline in (far, far, None, None, far + 1, far):
        brain.deadline = deadline
        call.post(LegAnswered())
    assert armed == [far, far + 1, far]


async def test_a_deadline_that_stays_after_its_time_is_served_again(
    call: Call, brain: Brain
) -> None:
    brain.deadline = asyncio.get_running_loop().time()
    call.post(LegAnswered())
    while brain.woken < 3:
        await asyncio.sleep(0)
    brain.deadline = None
    call.post(LegAnswered())
    woken = brain.woken
    for _ in range(5):
        await asyncio.sleep(0)
    assert brain.woken == woken


async def test_a_timer_that_goes_off_early_does_not_wake_the_controller(
    call: Call, brain: Brain, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_at", lambda when, work, **_: loop.call_soon(work))
    brain.deadline = due = loop.time() + 0.01
    call.post(LegAnswered())
    woken_at = 0.0
    while not brain.woken:
        await asyncio.sleep(0)
        woken_at = loop.time()
    brain.deadline = None
    call.post(LegAnswered())
    assert woken_at >= due


async def test_a_deadline_that_is_put_off_leaves_the_timer_alone_and_is_kept(
    call: Call, brain: Brain, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    armed: list[float] = []
    now = loop.time()

    def note(when: float, work: Any, *_: Any, **__: Any) -> asyncio.TimerHandle:
        armed.append(when)
        return asyncio.TimerHandle(when, work, (), loop)

    monkeypatch.setattr(loop, "call_at", note)
    for deadline in (now + 1, now + 2, now + 3):
        brain.deadline = deadline
        call.post(LegAnswered())
    assert armed == [now + 1]
    monkeypatch.setattr(loop, "time", lambda: now + 1.001)
    call._wake()
    assert brain.woken == 0
    assert armed == [now + 1, pytest.approx(now + 3)]
    monkeypatch.setattr(loop, "time", lambda: now + 3.001)
    call._wake()
    assert brain.woken == 1
