"""Webhooks and tools against real servers on loopback: what is sent, and how it ends.

The openai SDK, whose verifier is for the same convention, judges the signatures.
"""

import asyncio
import base64
import hmac
import json
import re
import time
from pathlib import Path

import pytest
import structlog
from aiohttp import web
from errand_servers import (
    CALL,
    CARD,
    SECRET,
    Errands,
    errands_at,
    hangs,
    ok,
    sdk_believes,
    serving,
)

from gateway.calls.errands import ErrandRunner
from gateway.clock import RandomIds
from gateway.config import Settings
from gateway.control.actions import RunErrand
from gateway.control.events import ErrandDone
from gateway.control.sealed import Sealed
from gateway.control.timeline import Timeline
from tests.calls import own_functions

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("kind", ["webhook", "tool"])
async def test_a_request_is_signed_as_other_peoples_verifiers_have_it(kind: str) -> None:
    async with serving(ok) as server, errands_at(server.url) as errands:
        done = await (errands.post() if kind == "webhook" else errands.ask(town="Rome"))
    assert done.problem == ""
    ((headers, body),) = server.requests
    assert sdk_believes(headers, body, SECRET)
    assert not sdk_believes(headers, body + b" ", SECRET)
    assert not sdk_believes(headers, body, "whsec_" + base64.b64encode(b"another").decode())
    assert headers["content-type"] == "application/json"


def documented_check() -> str:
    """Return the lines that the documentation gives receivers for checking a signature."""
    text = (Path(__file__).parents[2] / "docs" / "call-flows.md").read_text()
    (lines,) = (
        block for block in re.findall(r"```python\n(.*?)```", text, re.S) if "hmac" in block
    )
    return str(lines)


async def test_the_documented_lines_believe_what_is_ours_and_nothing_else() -> None:
    async with serving(ok) as server, errands_at(server.url) as errands:
        await errands.post()
    ((headers, body),) = server.requests
    given = {"secret": SECRET, "headers": headers, "base64": base64, "hmac": hmac, "time": time}
    exec(documented_check(), {**given, "body": body})
    with pytest.raises(AssertionError):
        exec(documented_check(), {**given, "body": body + b" "})


async def test_a_webhook_tells_how_the_call_stands_and_what_is_sealed() -> None:
    async with serving(ok) as server, errands_at(server.url) as errands:
        done = await errands.post()
    assert done == ErrandDone("webhook-crm-1", 200)  # what it answers is nobody's business
    told = json.loads(server.requests[0][1])
    assert told == {
        "webhook": "crm",
        "call": CALL | {"variables": {"language": "en", "card": CARD}},
    }


async def test_a_tool_is_told_its_arguments_and_its_answer_comes_back() -> None:
    async with serving(ok) as server, errands_at(server.url) as errands:
        done = await errands.ask(town="Rome")
    assert done == ErrandDone("tool-weather-1", 200, '{"sky": "blue"}')
    told = json.loads(server.requests[0][1])
    assert told == {
        "tool": "weather",
        "call_id": "f1",
        "arguments": {"town": "Rome"},
        "call": CALL,
    }


@pytest.mark.parametrize("arguments", [{"town": "\ud800"}, {"town": "Zürich \0 \u2028"}])
async def test_odd_letters_of_the_model_reach_the_tool(arguments: dict[str, str]) -> None:
    async with serving(ok) as server, errands_at(server.url) as errands:
        done = await errands.ask(**arguments)
    assert done.problem == ""
    assert json.loads(server.requests[0][1])["arguments"] == arguments


async def test_a_number_that_json_has_no_word_for_is_told_to_the_model() -> None:
    async with serving(ok) as server, errands_at(server.url) as errands:
        done = await errands.ask(degrees=float("inf"))
    assert "a number" in done.problem
    assert not server.requests


async def test_no_secret_and_no_card_is_in_any_log_or_timeline() -> None:
    async def echoes(request: web.Request) -> web.Response:
        return web.Response(status=422, text=await request.text())

    timeline = Timeline()
    payload = {"webhook": "crm", "call": CALL}
    errand = RunErrand("webhook-crm-1", "webhook", "crm", payload, Sealed({"card": CARD}))
    with structlog.testing.capture_logs() as lines:
        async with serving(echoes) as server, errands_at(server.url) as errands:
            done = await errands.run(errand)
    assert CARD.encode() in server.requests[0][1]
    timeline.add_action(0.0, errand)
    timeline.add_event(1.0, done)
    told = f"{lines} {timeline.as_list()} {done!r} {errand!r} {errands.runner.stats}"
    assert done.problem == "it answered 422"
    assert "not delivered" in told
    for hidden in (CARD, SECRET, SECRET[6:], server.url):
        assert hidden not in told


# Ends


async def test_a_cancelled_errand_lets_go_of_its_connection() -> None:
    async with serving(hangs) as server, errands_at(server.url, timeout_seconds=60) as errands:
        told = {"tool": "weather", "call_id": "f1", "arguments": {}, "call": CALL}
        done: list[ErrandDone] = []
        cancel = errands.runner.begin(RunErrand("t", "tool", "weather", told), done.append)
        async with asyncio.timeout(5):
            while not server.requests:
                await asyncio.sleep(0.01)
            cancel()
            while not server.lost:
                await asyncio.sleep(0.01)
    assert not done


async def test_a_webhook_under_way_is_waited_for_at_the_end() -> None:
    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.3)
        return web.Response()

    done: list[ErrandDone] = []
    async with serving(slow) as server:
        errands = Errands(server.url)
        payload = {"webhook": "crm", "call": CALL}
        errands.runner.begin(RunErrand("w", "webhook", "crm", payload), done.append)
        await errands.runner.close()
    assert done == [ErrandDone("w", 200)]


async def test_functions_that_hang_take_a_few_threads_and_no_other_tool_waits_for_them() -> None:
    here = "tests.calls.own_functions"
    schema = {"type": "object", "properties": {"town": {}}, "required": ["town"]}
    tools = {
        "held": {"description": "x", "entry": f"{here}:held", "timeout_seconds": 0.3},
        "weather": {"description": "x", "entry": f"{here}:weather", "parameters": schema},
    }
    errands = Errands("http://127.0.0.1:1/")
    errands.runner = ErrandRunner(Settings.model_validate({"tools": tools}), ids=RandomIds())
    told = {"tool": "held", "call_id": "f1", "arguments": {}, "call": CALL}
    held = RunErrand("tool-held-1", "tool", "held", told)
    own_functions.HELD.clear()
    own_functions.AT_ONCE.clear()
    try:
        done = await asyncio.gather(*(errands.run(held) for _ in range(20)))
        assert {one.problem for one in done} == {"it took too long"}
        assert len(own_functions.AT_ONCE) == 8
        assert (await errands.ask(town="Rome")).status == 200
    finally:
        own_functions.HELD.set()
    async with asyncio.timeout(10):
        while (await errands.run(held)).problem:  # the threads come back
            pass
    await errands.runner.close()
