"""Whole calls and stories are made beside the event loop, and once for all who ask."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from call_record import event, record_of

from gateway.ops import stories as module
from gateway.ops.clerk import Clerk
from gateway.ops.recordings import Recordings
from gateway.ops.stories import Stage, Stories
from gateway.testing.virtual_time import run

ENTRIES = 20_000


class Calls:
    """Calls by their names; counts how often one was asked for."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, Any]] = {}
        self.asked = 0

    async def stage(self, call_id: str) -> Stage:
        known = self.known.get(call_id)
        return "" if known is None else "over" if known["ended_by"] else "live"

    async def get(self, call_id: str) -> dict[str, Any] | None:
        self.asked += 1
        return self.known.get(call_id)


@pytest.fixture
def calls() -> Calls:
    made = Calls()
    entries = [event(number / 10, "menu.opened", name="main") for number in range(ENTRIES)]
    made.known["live"] = record_of(*entries, ended_by=None, state="talking", duration=2000.0)
    made.known["over"] = made.known["live"] | {"ended_by": "caller", "state": "ended"}
    return made


@pytest.fixture
async def stories(calls: Calls, tmp_path: Path) -> AsyncIterator[Stories]:
    made = Stories(calls, Recordings(tmp_path), unix_clock=lambda: 10_000.0)
    yield made
    made.close()


@pytest.mark.parametrize("work", ["_story_json", "json_of", "told_of"])
async def test_the_loop_goes_round_while_a_long_call_is_told(
    stories: Stories, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    is_begun, has_turned = threading.Event(), threading.Event()
    do = getattr(module, work)

    def waits_for_the_loop(*given: Any) -> Any:
        is_begun.set()
        assert has_turned.wait(30), "the loop stands still"
        return do(*given)

    monkeypatch.setattr(module, work, waits_for_the_loop)
    told = stories.whole_json("live") if work == "json_of" else stories.story_json("live")
    telling = asyncio.create_task(told)
    while not is_begun.is_set():
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    assert not telling.done()
    has_turned.set()
    assert json.loads(await telling or b"")["caller"] == "ann"


@pytest.mark.parametrize("call_id", ["live", "over"])
async def test_all_viewers_are_told_what_was_made_once(
    stories: Stories, calls: Calls, call_id: str
) -> None:
    told = await asyncio.gather(*(stories.story_json(call_id) for _ in range(20)))
    assert calls.asked == 1
    assert json.loads(told[0] or b"")["steps_left_out"] == ENTRIES - 4000
    whole = await asyncio.gather(*(stories.whole_json(call_id) for _ in range(20)))
    assert calls.asked == 2
    assert json.loads(whole[0] or b"") == calls.known[call_id]


def asked_again(calls: Calls, call_id: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how often a call is read for two who ask for its story, a minute apart."""

    async def at_once(_: Clerk, work: Callable[..., Any], *given: Any) -> Any:
        return work(*given)

    async def ask() -> int:
        stories = Stories(calls, Recordings(None), unix_clock=lambda: 10_000.0)
        await stories.story_json(call_id)
        await asyncio.sleep(60)
        await stories.story_json(call_id)
        stories.close()
        return calls.asked

    monkeypatch.setattr(Clerk, "do", at_once)
    return run(ask())


def test_a_call_that_is_over_is_told_as_it_was(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked_again(calls, "over", monkeypatch) == 1


def test_a_call_in_progress_is_told_as_it_is(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked_again(calls, "live", monkeypatch) == 2


def test_of_a_call_that_has_only_just_ended_more_may_come(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls.known["over"] |= {"started_at": 10_000.0 - 2010.0}
    assert asked_again(calls, "over", monkeypatch) == 2


async def test_what_a_call_was_is_told_once_it_is_over(stories: Stories, calls: Calls) -> None:
    before = json.loads(await stories.story_json("live") or b"")
    calls.known["live"] = calls.known["over"]
    after = json.loads(await stories.story_json("live") or b"")
    assert (before["is_live"], after["is_live"]) == (True, False)


async def test_a_call_that_was_forgotten_is_told_of_no_more(stories: Stories, calls: Calls) -> None:
    assert await stories.story_json("over")
    assert await stories.whole_json("over")
    del calls.known["over"]
    assert await stories.story_json("over") is None
    assert await stories.whole_json("over") is None
    assert await stories.story("over") is None
