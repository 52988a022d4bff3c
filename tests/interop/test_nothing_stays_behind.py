"""Calls that end at any moment, by anybody: afterwards no call, task, lane or dialog is left."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from peers import free_port

from gateway.app import Gateway
from gateway.calls.softphone import Softphone
from gateway.errors import SipError
from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService

pytestmark = pytest.mark.interop

CALLERS = 12
LONGEST = 2.5  # seconds until somebody ends it
_LAST_WORDS = 1.0  # seconds that a phone stays to confirm that a call is over
DTMF = "input_audio_buffer.dtmf_event_received"
WAYS: dict[str, Any] = {
    "1": {"transfer": "human"},
    "2": {"transfer": {"target": "human", "mode": "blind"}},
    "3": {"transfer": {"target": "human", "mode": "attended", "whisper": "A caller."}},
    "4": {"menu": "main"},
    "5": {"collect": "card"},
    "6": {"transfer": {"profile": "other"}},
    "7": [{"play": {"tone": "ringback", "repeat": True}}, {"record": "start"}],
    "8": ["hold", "resume", {"mute": "both"}],
    "9": [{"webhook": "slow"}, {"say": "Wait."}],
    "0": [{"say": "Goodbye."}, {"hangup": {"cause": 31}}],
    "*": {"transfer": {"target": "human", "agent": "stays"}},
    "#": {"transfer": {"target": "human", "agent": "silent", "whisper": "A caller."}},
}


@asynccontextmanager
async def hanging_server() -> AsyncIterator[str]:
    """A server that takes requests and does not answer them."""

    async def wait(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise web.HTTPGone

    app = web.Application()
    app.router.add_post("/", wait)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", free_port())
    await site.start()
    yield site.name
    await runner.cleanup()


class Chaos:
    """Callers who press keys, and somebody who ends each call."""

    def __init__(self, ours: Gateway, theirs: Gateway, service: LoopbackService, seed: int) -> None:
        self._ours, self._theirs, self._service = ours, theirs, service
        self._chance = random.Random(seed)
        self.seen: set[str] = set()  # the states that calls were in when they were ended

    async def call(self) -> None:
        chance = self._chance
        host, port = sip_address(self._ours)
        async with Softphone(transport="udp") as phone:
            if chance.random() < 0.15:  # gives up before it is answered
                try:
                    async with asyncio.timeout(chance.uniform(0.0, 0.03)):
                        await phone.dial(f"sip:demo@{host}:{port}")
                except (TimeoutError, SipError):
                    await phone.hang_up()
                    await asyncio.sleep(_LAST_WORDS)
                    return
            await phone.dial(f"sip:demo@{host}:{port}")
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(chance.uniform(0.0, LONGEST / 3))
                phone.press(chance.choice(list(WAYS)) * chance.randrange(1, 3))
            await asyncio.sleep(chance.uniform(0.0, LONGEST))
            self.seen |= {call.record().state for call in self._ours.registry}
            await self._end(phone)
            await phone.wait_ended(LONGEST)
            await phone.hang_up()
            await asyncio.sleep(_LAST_WORDS)

    async def _end(self, phone: Softphone) -> None:
        chance = self._chance
        match chance.randrange(4):
            case 0:
                await phone.hang_up()
            case 1:
                for call in list(self._ours.registry)[:1]:
                    call.hang_up("ended from outside")
            case 2:
                for other in list(self._theirs.registry)[:1]:
                    other.hang_up("ended by who was called")
            case _:
                for session in self._service.sessions[-1:]:
                    await session.vanish()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_stays_behind(seed: int) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        ours_service = await enter(LoopbackService([1037.0], reply_seconds=1.0))
        theirs_service = await enter(LoopbackService([1673.0]))
        slow = await enter(hanging_server())
        before = asyncio.all_tasks()
        async with loopback_gateway(theirs_service.url) as theirs:
            host, port = sip_address(theirs)
            human = {"uri": f"sip:human@{host}:{port}", "mode": "bridge", "seconds": 5.0}
            async with loopback_gateway(
                ours_service.url,
                targets={"human": human},
                profiles={"other": {"session": {"instructions": "Be brief."}}},
                rules=[{"on": DTMF, "digit": key, "do": do} for key, do in WAYS.items()],
                menus={"main": {"say": "One.", "keys": {"1": {"hangup": "menu"}}}},
                collects={"card": {"say": "Your card.", "min": 4, "max": 16, "sensitive": True}},
                webhooks={"slow": {"url": f"{slow}/", "timeout_seconds": 2.0, "retries": 0}},
                call={"goodbye_seconds": 2.0, "transfer_seconds": 2.0},
            ) as ours:
                chaos = Chaos(ours, theirs, ours_service, seed)
                async with asyncio.timeout(60):
                    await asyncio.gather(*(chaos.call() for _ in range(CALLERS)))
                assert chaos.seen >= {"talking", "transferring"}
                for call in ours.registry:
                    call.hang_up("the test is over")
                await _until_quiet(ours)
                await _until_quiet(theirs)
                assert ours._engine.stats().faults == theirs._engine.stats().faults == 0
        left = {task for task in asyncio.all_tasks() - before if not _is_of_service(task)}
        assert not left


async def _until_quiet(gateway: Gateway) -> None:
    """Wait until nothing of any call is left; SIP may still repeat a last word for a while."""
    async with asyncio.timeout(40):
        while (
            len(gateway.registry)
            or gateway._engine.stats().lanes
            or gateway.telephony.agent.has_calls
        ):
            await asyncio.sleep(0.05)


def _is_of_service(task: asyncio.Task[Any]) -> bool:
    """Tell whether a task belongs to the test's own servers, which go on."""
    servers = ("websockets", "LoopbackService", "RequestHandler")
    return any(server in repr(task.get_coro()) for server in servers)
