"""The runner in virtual time: each errand is over once, or cancelled; too many are refused."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from gateway.calls.errands import ErrandRunner, ErrandStats
from gateway.clock import CountedIds
from gateway.config import Settings
from gateway.control.actions import RunErrand
from gateway.control.events import ErrandDone
from gateway.testing.virtual_time import run

PATIENT = {
    "description": "Waits",
    "entry": "tests.calls.own_functions:patient",
    "parameters": {
        "type": "object",
        "properties": {"seconds": {"type": "number"}},
        "required": ["seconds"],
    },
    "timeout_seconds": 100,
}
SETTINGS = Settings.model_validate({"tools": {"patient": PATIENT, "other": PATIENT}})


def errand(number: int, seconds: float = 1.0, tool: str = "patient") -> RunErrand:
    told = {"tool": tool, "call_id": "c", "arguments": {"seconds": seconds}, "call": {"id": "1"}}
    return RunErrand(f"tool-{tool}-{number}", "tool", tool, told)


class Scene:
    """A runner in virtual time, and what it said is done."""

    def __init__(self) -> None:
        self.runner = ErrandRunner(SETTINGS, ids=CountedIds())
        self.done: list[tuple[float, ErrandDone]] = []

    def note(self, done: ErrandDone) -> None:
        self.done.append((asyncio.get_running_loop().time(), done))


def played(scene: Any) -> Scene:
    """Live a scene, and close its runner."""

    async def main() -> Scene:
        stage = Scene()
        coroutine: Coroutine[Any, Any, None] = scene(stage)
        await coroutine
        await stage.runner.close()
        return stage

    return run(main())


def test_an_errand_is_over_once_and_later() -> None:
    async def scene(stage: Scene) -> None:
        stage.runner.begin(errand(1), stage.note)
        assert not stage.done
        await asyncio.sleep(5)

    stage = played(scene)
    assert stage.done == [(1.0, ErrandDone("tool-patient-1", 200, '"done"'))]
    assert stage.runner.stats == ErrandStats(begun=1, failed=0, retried=0, dropped=0)


def test_a_cancelled_errand_is_never_over() -> None:
    async def scene(stage: Scene) -> None:
        cancel = stage.runner.begin(errand(1), stage.note)
        stage.runner.begin(errand(2), stage.note)()
        await asyncio.sleep(0.5)
        cancel()
        cancel()
        await asyncio.sleep(5)

    stage = played(scene)
    assert not stage.done
    assert stage.runner.stats == ErrandStats(begun=2, failed=0, retried=0, dropped=0)


def test_to_cancel_what_is_over_does_nothing() -> None:
    async def scene(stage: Scene) -> None:
        cancel = stage.runner.begin(errand(1), stage.note)
        await asyncio.sleep(5)
        cancel()

    assert len(played(scene).done) == 1


def test_too_many_of_one_name_are_refused_and_no_other_name_suffers() -> None:
    async def scene(stage: Scene) -> None:
        for number in range(256):
            stage.runner.begin(errand(number, 50), stage.note)
        stage.runner.begin(errand(256), stage.note)
        stage.runner.begin(errand(257), stage.note)()  # a refusal may be cancelled as well
        assert not stage.done
        stage.runner.begin(errand(1, tool="other"), stage.note)
        await asyncio.sleep(60)
        stage.runner.begin(errand(258), stage.note)
        await asyncio.sleep(2)

    stage = played(scene)
    first, second = stage.done[:2]
    assert first == (
        0.0,
        ErrandDone("tool-patient-256", 0, problem="too much is under way already"),
    )
    assert second == (1.0, ErrandDone("tool-other-1", 200, '"done"'))
    assert len(stage.done) == 259
    assert stage.runner.stats == ErrandStats(begun=258, failed=0, retried=0, dropped=2)


def test_a_problem_is_told_and_counted() -> None:
    async def scene(stage: Scene) -> None:
        stage.runner.begin(errand(1, 1000), stage.note)
        await asyncio.sleep(200)

    stage = played(scene)
    assert stage.done == [(100.0, ErrandDone("tool-patient-1", 0, problem="it took too long"))]
    assert stage.runner.stats.failed == 1


def test_at_the_end_those_under_way_get_a_few_seconds() -> None:
    async def scene(stage: Scene) -> None:
        stage.runner.begin(errand(1, 4), stage.note)
        stage.runner.begin(errand(2, 50), stage.note)

    stage = played(scene)
    assert [done.errand_id for _, done in stage.done] == ["tool-patient-1"]
    assert stage.runner.stats.dropped == 1


def test_after_the_end_nothing_is_begun() -> None:
    async def scene(stage: Scene) -> None:
        await stage.runner.close()
        stage.runner.begin(errand(1), stage.note)
        await asyncio.sleep(1)

    stage = played(scene)
    assert [done.problem for _, done in stage.done] == ["the gateway stops"]
    assert stage.runner.stats == ErrandStats(begun=0, failed=0, retried=0, dropped=1)
