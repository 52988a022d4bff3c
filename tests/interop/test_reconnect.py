"""The service is killed in mid-call and comes back: the call stays, and the agent remembers."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from peers import TAPPED, free_port

from gateway.app import Gateway
from gateway.calls.registry import CallRecord
from gateway.calls.softphone import Softphone
from gateway.embedded.agents.script import load_script
from gateway.embedded.speech.voice import load_voice
from gateway.testing.hearing import heard_pieces
from gateway.testing.loopback import loopback_gateway

pytestmark = pytest.mark.interop

AWAY_SECONDS = 5.0
RATE = 24_000


class Service:
    """The embedded service as a process of its own, on a port that it keeps."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"ws://127.0.0.1:{self.port}/v1/realtime"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        arguments = ("embedded", "--port", str(self.port), "--json")
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, str(TAPPED), *arguments,
            stdout=asyncio.subprocess.PIPE, env=os.environ,
        )  # fmt: skip
        assert self._process.stdout is not None
        async with asyncio.timeout(30.0):
            assert json.loads(await self._process.stdout.readline())["event"] == "ready"

    async def kill(self) -> None:
        """Take it away without a word (SIGKILL)."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


class Scene:
    """A caller, a gateway in this process, and a service in another."""

    def __init__(self, service: Service, gateway: Gateway, phone: Softphone) -> None:
        self.service, self.gateway, self.phone = service, gateway, phone

    @property
    def record(self) -> CallRecord:
        (record,) = self.gateway.registry.records()
        return record

    async def until_told_anew(self, within: float = 30.0) -> None:
        """Wait until a second session was set up, and told of the first."""
        async with asyncio.timeout(within):
            while sum(entry["name"] == "session.updated" for entry in self.record.timeline) < 2:
                await asyncio.sleep(0.05)

    async def hears(self, words: NDArray[np.int16], *, since: int, within: float = 20.0) -> None:
        """Wait until the caller has heard at least the beginning of what is said."""
        beginning = words[: 2 * RATE]
        async with asyncio.timeout(within):
            while not self.has_heard(beginning, since=since):
                await asyncio.sleep(0.3)

    def has_heard(self, words: NDArray[np.int16], *, since: int) -> bool:
        pieces = heard_pieces(self.phone.ear.recording(since), words, RATE)
        return sum(pieces) > 0.7 * len(pieces)


@contextlib.asynccontextmanager
async def in_call(link: str, **tables: Any) -> AsyncIterator[Scene]:
    service = Service()
    await service.start()
    try:
        async with (
            loopback_gateway(service.url, realtime={"link": link}, **tables) as gateway,
            Softphone() as phone,
        ):
            await phone.dial(gateway.sip_uri("demo"))
            yield Scene(service, gateway, phone)
    finally:
        await service.kill()


def said_in(state: Literal["welcome", "sales", "main"]) -> NDArray[np.int16]:
    """Return a state's speech: 24 kHz."""
    script = load_script("demo")
    return np.concatenate(list(load_voice(script.voice).speak(script.states[state].say)))


@pytest.mark.parametrize("link", ["websocket", "webrtc"])
async def test_a_call_outlives_its_service_and_goes_on_where_it_was(link: str) -> None:
    async with in_call(link) as scene:
        phone, service = scene.phone, scene.service
        await scene.hears(said_in("welcome"), since=0)
        phone.press("1")
        await scene.hears(said_in("sales"), since=0)

        await service.kill()
        killed_at = len(phone.ear)
        assert not await phone.wait_ended(AWAY_SECONDS)
        await service.start()
        await scene.until_told_anew()
        phone.press("*")  # from sales, and only from there, it leads back to the menu
        await scene.hears(said_in("main"), since=killed_at)

        assert scene.record.state == "talking"
        assert scene.record.link["connections"] >= 2
        assert not scene.has_heard(said_in("welcome"), since=killed_at), "it greets anew"
        told = str(scene.record.timeline)
        assert "You have reached sales" in told
        await phone.hang_up()
        said = [turn.get("text") for turn in scene.record.transcript]
        assert "[DTMF 1]" in said
        assert "[DTMF *]" in said


async def test_a_service_that_stays_away_leaves_nobody_in_silence() -> None:
    realtime = {"reconnect_seconds": 2.0}
    service = Service()
    await service.start()
    try:
        async with (
            loopback_gateway(service.url, realtime=realtime) as gateway,
            Softphone() as phone,
        ):
            await phone.dial(gateway.sip_uri("demo"))
            await phone.ear.sound(1.0, within=10.0)
            await service.kill()
            before = len(phone.ear)
            assert await phone.wait_ended(20.0)
            record = gateway.registry.records()[0]
            assert record.ended_by == "gateway"
            heard = phone.ear.recording(before)
            assert np.abs(heard.astype(np.int32)).max() > 1000, "nothing was said to the caller"
    finally:
        await service.kill()
