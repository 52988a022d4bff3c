"""Whole calls whose model asks for functions and whose rules post webhooks, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from errand_servers import SECRET, Server, serving

from gateway.app import Gateway
from gateway.calls.softphone import Softphone
from gateway.testing.hearing import tone_share
from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService, ServiceSession
from gateway.testing.sound import read_recording

pytestmark = pytest.mark.interop

DTMF = "input_audio_buffer.dtmf_event_received"
CARD = "4111111111111111"
AGENT = 1037.0  # Hz


class Line:
    """A call that is up, its service, and the server that its errands go to."""

    def __init__(
        self, gateway: Gateway, phone: Softphone, session: ServiceSession, server: Server
    ) -> None:
        self.gateway, self.phone, self.session, self.server = gateway, phone, session, server

    async def call_function(self, name: str, arguments: Any, call_id: str = "fc-1") -> None:
        """Have the model call a function and wait for the result."""
        where = {"response_id": f"resp-{call_id}", "item_id": f"item-{call_id}", "output_index": 0}
        response = {"id": where["response_id"], "object": "realtime.response", "output": []}
        asked = {"name": name, "call_id": call_id, "arguments": json.dumps(arguments)}
        send = self.session.send
        await send("response.created", response=response | {"status": "in_progress"})
        await send("response.function_call_arguments.done", **where, **asked)
        item = {"id": where["item_id"], "type": "function_call", **asked}
        await send("response.done", response=response | {"status": "completed", "output": [item]})

    def results(self, call_id: str = "fc-1") -> list[Any]:
        """Return the results that the model was given."""
        items = (c["item"] for c in self.session.of("conversation.item.create"))
        return [json.loads(i["output"]) for i in items if i.get("call_id") == call_id]

    async def result(self, call_id: str = "fc-1") -> Any:
        await self.session.until(lambda: bool(self.results(call_id)))
        return self.results(call_id)[0]

    async def over(self) -> dict[str, Any]:
        await self.phone.hang_up()
        async with asyncio.timeout(10):
            while len(self.gateway.registry):
                await asyncio.sleep(0.02)
        (record,) = self.gateway.registry.records()
        return record.as_dict()


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Any]:
    """Return a way to set a call up; ``answer`` is what the errands' server does."""
    async with AsyncExitStack() as stack:

        async def set_up(answer: Any, **tables: Any) -> Line:
            enter = stack.enter_async_context
            server = await enter(serving(answer))
            service = await enter(LoopbackService([AGENT], reply_seconds=0.5))
            posted = {"url": server.url, "secret": SECRET, "timeout_seconds": 2.0, "retries": 0}
            number = {"type": "string", "pattern": "^[0-9]{4}$"}
            order = {
                "description": "How an order stands.",
                "parameters": {
                    "type": "object",
                    "properties": {"number": number},
                    "required": ["number"],
                },
            }
            gateway = await enter(
                loopback_gateway(
                    service.url,
                    tools={"find_order": posted | order},
                    webhooks={"crm": posted},
                    media={"recordings": str(tmp_path), "recording_format": "opus"},
                    **tables,
                )
            )
            phone = await enter(Softphone())
            host, port = sip_address(gateway)
            await phone.dial(f"sip:demo@{host}:{port}")
            session = await service.session(0)
            await session.until(lambda: bool(session.of("response.create")))
            await asyncio.sleep(0.8)  # the greeting
            return Line(gateway, phone, session, server)

        yield set_up


async def on_its_way(request: web.Request) -> web.StreamResponse:
    return web.json_response({"status": "on its way"})


async def never(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    raise web.HTTPGone


async def ten_megabytes(request: web.Request) -> web.StreamResponse:
    return web.json_response({"padding": "x" * 10_000_000})


async def test_the_model_is_given_what_the_function_answers_and_then_speaks(line: Any) -> None:
    call = await line(on_its_way)
    asked = len(call.session.of("response.create"))
    await call.call_function("find_order", {"number": "4711"})
    assert await call.result() == {"status": "on its way"}
    await call.session.until(lambda: len(call.session.of("response.create")) > asked)
    ((_, body),) = call.server.requests
    assert json.loads(body)["arguments"] == {"number": "4711"}
    assert len(call.results()) == 1


@pytest.mark.parametrize("arguments", [{"number": "all"}, {}, {"number": 4711}, []])
async def test_arguments_that_do_not_fit_are_explained_and_nobody_is_asked(
    line: Any, arguments: Any
) -> None:
    call = await line(on_its_way)
    await call.call_function("find_order", arguments)
    assert "error" in await call.result()
    assert not call.server.requests


@pytest.mark.parametrize("answer", [ten_megabytes, never])
async def test_a_function_that_floods_or_hangs_is_a_problem_the_model_is_told(
    line: Any, answer: Any
) -> None:
    call = await line(answer)
    await call.call_function("find_order", {"number": "4711"})
    assert "error" in await call.result()
    assert await call.phone.ear.sound(0.3, within=5.0), "the agent speaks on"


async def test_a_function_under_way_is_given_up_with_the_call(line: Any) -> None:
    call = await line(never)
    await call.call_function("find_order", {"number": "4711"})
    async with asyncio.timeout(5):
        while not call.server.requests:
            await asyncio.sleep(0.02)
    await call.over()
    async with asyncio.timeout(5):
        while not call.server.lost:
            await asyncio.sleep(0.02)


async def test_a_card_number_reaches_the_webhook_and_nothing_else(
    line: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = await line(
        on_its_way,
        collects={
            "card": {
                "say": "Your card, please.",
                "min": 16,
                "max": 16,
                "check": "luhn",
                "sensitive": True,
                "to": "webhook",
                "webhook": "crm",
                "then": [{"say": "Thank you."}, {"menu": "close"}],
            }
        },
        rules=[
            {"on": "leg.answered", "do": {"record": "start"}, "go_on": True},
            {"on": DTMF, "digit": "#", "do": {"collect": "card"}},
        ],
    )
    call.phone.press("#")
    await asyncio.sleep(1.5)  # the prompt
    heard_before = len(call.session.heard)
    call.phone.press(CARD)
    async with asyncio.timeout(15):
        while not call.server.requests:
            await asyncio.sleep(0.05)
    sound = call.session.heard[heard_before:]
    record = await call.over()
    ((_, body),) = call.server.requests
    assert json.loads(body)["call"]["variables"]["card"] == CARD
    told = json.dumps(call.session.commands) + json.dumps(record) + capsys.readouterr().out
    assert CARD not in told
    assert not any(run in told for run in _runs(CARD)), "a part of the number is told somewhere"
    assert not sound.any(), "the service heard something of it"
    (path,) = tmp_path.glob("*.opus")
    recording = read_recording(path)
    caller, agent = recording.sides
    assert not any(tone_share(caller, hertz, recording.rate) > 0.01 for hertz in (697, 1209))
    pieces = np.array_split(agent, 20)
    assert max(tone_share(piece, AGENT, recording.rate) for piece in pieces) > 0.9


def _runs(number: str, length: int = 8) -> list[str]:
    return [number[start : start + length] for start in range(len(number) - length + 1)]
