"""A caller, an agent and somebody who is called, each with a tone: who hears whom, over real RTP.

The one who is called is another gateway, whose own service speaks there.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.tones import tone

from gateway.app import Gateway
from gateway.calls.softphone import Softphone
from gateway.testing.hearing import tone_share
from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService, ServiceSession
from gateway.testing.sound import write_wav

pytestmark = pytest.mark.interop

CALLER, AGENT, CALLEE = 407.0, 1037.0, 1673.0  # Hz; none is near a multiple of another
TONES = {"caller": CALLER, "agent": AGENT, "callee": CALLEE}
WORDS = 0.6  # seconds that the agent takes to say something
DTMF = "input_audio_buffer.dtmf_event_received"
_LOUD = 0.05  # of the energy: a tone with so much of it is heard


def heard(recording: NDArray[np.int16], rate: int) -> set[str]:
    """Return who is heard in a recording."""
    return {who for who, hertz in TONES.items() if tone_share(recording, hertz, rate) > _LOUD}


class Scene:
    """A call that is up, and what is around it."""

    def __init__(
        self, phone: Softphone, gateways: list[Gateway], services: list[LoopbackService]
    ) -> None:
        self.phone = phone
        self.gateway, self._there = gateways
        self.ours, self.theirs = services

    @property
    def timeline(self) -> list[dict[str, Any]]:
        record = next(iter(self.gateway.registry.records()))
        return record.timeline

    @property
    def patches(self) -> list[str]:
        return [e["detail"]["line"] for e in self.timeline if e["name"] == "Patch"]

    async def until(self, holds: Callable[[], bool], within: float = 10.0) -> None:
        async with asyncio.timeout(within):
            while not holds():
                await asyncio.sleep(0.02)

    async def patched(self, line: str) -> None:
        await self.until(lambda: self.patches[-1:] == [line])

    async def agent(self) -> ServiceSession:
        return await self.ours.session(0)

    async def callee(self) -> ServiceSession:
        """Return the one who is called, speaking."""
        session = await self.theirs.session(0)
        await session.until(lambda: bool(session.of("response.create")))
        return session

    @property
    def is_anybody_there(self) -> bool:
        return bool(len(self.gateway.registry) or len(self._there.registry))

    def callee_hangs_up(self) -> None:
        (call,) = self._there.registry
        call.hang_up("done")

    async def caller_hears(self, seconds: float = 1.0) -> set[str]:
        """Return who is heard from now on, once it is."""
        since = len(self.phone.ear) + 10
        await self.until(lambda: len(self.phone.ear) >= since + seconds * 50)
        return heard(self.phone.ear.recording(since), 24_000)

    async def hears(self, session: ServiceSession, seconds: float = 1.0) -> set[str]:
        await session.hears(0.2)
        return heard(await session.hears(seconds), session.rate)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Return a way to set the scene: a caller who presses 0, and a target as configured."""
    async with AsyncExitStack() as stack:

        async def set_up(rules: list[dict[str, Any]] | None = None, **target: Any) -> Scene:
            enter = stack.enter_async_context
            ours = await enter(LoopbackService([AGENT], reply_seconds=WORDS))
            theirs = await enter(LoopbackService([CALLEE]))
            there = await enter(loopback_gateway(theirs.url))
            host, port = sip_address(there)
            step = {"on": DTMF, "digit": "0", "do": {"transfer": "operator"}}
            gateway = await enter(
                loopback_gateway(
                    ours.url,
                    targets={"operator": {"uri": f"sip:operator@{host}:{port}", **target}},
                    rules=[*(rules or ()), step],
                    dial={"answering_machine": False},
                )
            )
            phone = await enter(Softphone())
            host, port = sip_address(gateway)
            await phone.dial(f"sip:demo@{host}:{port}")
            await ours.session(0)
            phone.play(write_wav(tmp_path / "caller.wav", tone(CALLER, 60_000, 8000, -15.0), 8000))
            scene = Scene(phone, [gateway, there], [ours, theirs])
            await asyncio.sleep(WORDS + 1)  # the greeting
            phone.press("0")
            return scene

        yield set_up


async def test_a_bridge_joins_the_two_and_lets_the_agent_go(stage: Callable[..., Any]) -> None:
    scene = await stage(mode="bridge")
    await scene.patched("bridge")
    callee = await scene.callee()
    assert await scene.caller_hears() == {"callee"}
    assert await scene.hears(callee) == {"caller"}


async def test_a_human_is_told_first_and_the_caller_does_not_hear_it(
    stage: Callable[..., Any],
) -> None:
    scene = await stage(mode="bridge", whisper="Somebody about a chair.", accept="1")
    callee = await scene.callee()
    told = await callee.hears(WORDS + 0.5)
    assert heard(told, callee.rate) == {"agent"}
    assert await scene.caller_hears() == set(), "ringing is all the caller is to hear"
    assert scene.patches == ["consult"]


async def test_in_a_conference_all_three_hear_each_other(stage: Callable[..., Any]) -> None:
    scene = await stage(mode="bridge", agent="stays")
    await scene.patched("conference")
    agent, callee = await scene.agent(), await scene.callee()
    assert await scene.hears(agent) == {"caller", "callee"}
    await agent.hush()
    agent.talk(5.0)
    await asyncio.sleep(0.3)
    assert await scene.caller_hears() == {"callee", "agent"}
    assert await scene.hears(callee) == {"caller", "agent"}


async def test_an_agent_who_only_listens_hears_both_and_is_heard_by_nobody(
    stage: Callable[..., Any],
) -> None:
    scene = await stage(mode="bridge", agent="silent")
    await scene.patched("monitor")
    agent, callee = await scene.agent(), await scene.callee()
    assert await scene.hears(agent) == {"caller", "callee"}
    agent.talk(3.0)
    assert await scene.caller_hears() == {"callee"}
    assert await scene.hears(callee) == {"caller"}


async def test_keys_pass_from_one_leg_to_the_other(stage: Callable[..., Any]) -> None:
    scene = await stage(mode="bridge")
    await scene.patched("bridge")
    callee = await scene.callee()
    scene.phone.press("42")
    await callee.until(lambda: len(callee.of("conversation.item.create")) >= 2)
    texts = [item["item"]["content"][0]["text"] for item in callee.of("conversation.item.create")]
    assert texts == ["[DTMF 4]", "[DTMF 2]"]


async def test_with_the_caller_the_one_who_was_called_is_let_go(stage: Callable[..., Any]) -> None:
    scene = await stage(mode="bridge")
    await scene.patched("bridge")
    await scene.phone.hang_up()
    await scene.until(lambda: not scene.is_anybody_there)


async def test_with_the_one_who_was_called_a_bridge_is_over(stage: Callable[..., Any]) -> None:
    scene = await stage(mode="bridge")
    await scene.patched("bridge")
    scene.callee_hangs_up()
    assert await scene.phone.wait_ended(5.0)


async def test_a_conference_goes_on_without_the_one_who_was_called(
    stage: Callable[..., Any],
) -> None:
    scene = await stage(mode="bridge", agent="stays")
    await scene.patched("conference")
    agent = await scene.agent()
    scene.callee_hangs_up()
    await scene.patched("caller")
    await agent.until(lambda: bool(agent.of("response.create")[1:]))
    await agent.until_hushed()
    agent.talk(2.0)
    assert await scene.caller_hears() == {"agent"}
    assert await scene.hears(agent) == {"caller"}
