"""A page calls by WHIP: aiortc's stack in the place of a browser's, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from pages import RATE
from whip_page import WhipPage, calling

from gateway.app import Gateway
from gateway.calls.registry import CallRecord
from gateway.testing.hearing import tone_share
from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService, ServiceSession

pytestmark = pytest.mark.interop

AGENT, PAGE, OPERATOR = 1000.0, 440.0, 1673.0  # Hz
DTMF = "input_audio_buffer.dtmf_event_received"


@dataclass
class Line:
    """A gateway whose page anybody may call from, and its service."""

    gateway: Gateway
    service: LoopbackService

    def calling(self) -> Any:
        return calling(self.gateway.page)

    async def agent(self) -> ServiceSession:
        return await self.service.session(0)

    @property
    def record(self) -> CallRecord:
        return self.gateway.registry.records()[0]

    def entries(self, name: str) -> list[dict[str, Any]]:
        return [entry for entry in self.record.timeline if entry["name"] == name]

    async def is_over(self, within: float = 15.0) -> CallRecord:
        async with asyncio.timeout(within):
            while len(self.gateway.registry) or self.lanes:
                await asyncio.sleep(0.02)
        return self.record

    @property
    def lanes(self) -> int:
        return self.gateway._engine.stats().lanes


def tables() -> dict[str, Any]:
    return {
        "http": {"bind": "127.0.0.1:0"},
        "webrtc": {"public": True, "connect_seconds": 2.0},
        "call": {"greeting": "Say hello.", "key_window_ms": 5000},
    }


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with (
        LoopbackService((AGENT,)) as service,
        loopback_gateway(service.url, **tables()) as gateway,
    ):
        yield Line(gateway, service)


async def test_a_page_and_the_agent_hear_each_other_and_the_page_sees_its_call(line: Line) -> None:
    async with line.calling() as page:
        heard = await page.hears(1.0)
        agent = await line.agent()
        said = await agent.hears(1.0)
        assert tone_share(heard[-RATE // 2 :], AGENT, RATE) > 0.9
        assert tone_share(said[-12_000:], PAGE, 24_000) > 0.9
        first = np.flatnonzero(np.abs(page.sound) > 500)[0] / RATE
        assert first < 1.0  # nothing of the greeting went before there was a way for it
        assert line.record.codec == "opus"
        assert line.record.media["srtp"]
        assert page.notices[0]["type"] == "call.began"
        assert page.notices[0]["call_id"] == line.record.call_id
        assert "speaking" in {notice["type"] for notice in page.notices}
        assert await page.hang_up() == 200
        record = await line.is_over()
    assert (record.ended_by, record.reason) == ("caller", "hung up")


async def test_keys_of_the_page_reach_the_agent(line: Line) -> None:
    async with line.calling() as page:
        await page.send('{"type":"key","key":"5","duration_ms":100}')
        await page.until(lambda: bool(page.told("key")))
        assert [(k["key"], k["source"]) for k in page.told("key")] == [("5", "browser")]
        agent = await line.agent()
        await agent.until(lambda: "[DTMF 5]" in str(agent.commands))
        (entry,) = line.entries(DTMF)
        assert entry["sources"] == ["browser"]


async def test_keys_in_the_sound_are_heard_at_the_clock_of_the_sound(line: Line) -> None:
    async with line.calling() as page:
        await page.hears(0.2)
        page.press("7")
        await page.until(lambda: bool(page.told("key")))
        assert [(k["key"], k["source"]) for k in page.told("key")] == [("7", "rfc4733")]
        await page.send('{"type":"key","key":"7"}')  # the same press, told again
        await page.send('{"type":"key","key":"8"}')
        await page.until(lambda: len(page.told("key")) == 2)
        assert [entry["sources"] for entry in line.entries(DTMF)] == [
            ["rfc4733", "browser"],
            ["browser"],
        ]


async def test_addresses_may_come_later(line: Line) -> None:
    page = WhipPage(line.gateway.page)
    candidates = await page.call_without_candidates()
    assert len(candidates) > 0
    fragment = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n" + "".join(f"{c}\r\n" for c in candidates)
    assert await page.patch(fragment) == (204, "", None)
    await page.hears(0.2)
    await page.close()


async def test_a_search_that_is_begun_anew_and_never_ends_leaves_the_call_as_it_is(
    line: Line,
) -> None:
    async with line.calling() as page:
        await page.hears(0.2)
        anew = "a=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n"
        status, body, tag = await page.patch(anew, "*")
        assert status == 200
        assert "a=ice-ufrag:" in body
        assert "a=candidate:" in body
        assert tag not in (None, page.tag)
        assert (await page.patch(anew))[0] == 412
        heard = await page.hears(1.0)
        assert tone_share(heard[-RATE // 4 :], AGENT, RATE) > 0.9


async def test_who_talks_over_the_agent_hears_no_more_of_it(line: Line) -> None:
    async with line.calling() as page:
        await page.hears(0.5)
        agent = await line.agent()
        await agent.send("input_audio_buffer.speech_started", audio_start_ms=0, item_id="item_c")
        await agent.until(lambda: bool(agent.of("conversation.item.truncate")))
        await page.hears(0.5)
        assert tone_share((await page.hears(0.4))[-RATE // 4 :], AGENT, RATE) < 0.1
        (cut,) = agent.of("conversation.item.truncate")
        loud = np.abs(page.sound) > 500
        heard_ms = 1000 * loud.sum() / RATE / 0.96  # a sine is under that for a while
        assert cut["audio_end_ms"] == pytest.approx(heard_ms, abs=200)


async def test_a_page_learns_that_the_gateway_hangs_up_and_why(line: Line) -> None:
    async with line.calling() as page:
        await page.hears(0.2)
        (call,) = line.gateway.registry
        call.hang_up("gateway stopped")
        await page.until(lambda: bool(page.told("call.ended")))
        (told,) = page.told("call.ended")
        assert (told["call"]["ended_by"], told["call"]["reason"]) == ("gateway", "gateway stopped")
        await page.until(lambda: page.connection.connectionState in ("closed", "failed"))
        assert (await line.is_over()).ended_by == "gateway"


async def test_a_page_is_joined_with_whom_others_would_be_sent_to() -> None:
    async with (
        LoopbackService((AGENT,)) as ours,
        LoopbackService((OPERATOR,)) as theirs,
        loopback_gateway(theirs.url) as there,
    ):
        host, port = sip_address(there)
        wanted = {
            "targets": {"operator": f"sip:operator@{host}:{port}"},
            "rules": [{"on": DTMF, "digit": "0", "do": [{"transfer": "operator"}]}],
        }
        async with (
            loopback_gateway(ours.url, **tables(), **wanted) as gateway,
            calling(gateway.page) as page,
        ):
            await page.hears(0.2)
            await page.send('{"type":"key","key":"0"}')
            callee = await theirs.session(0)
            await page.until(lambda: tone_share(page.sound[-RATE // 4 :], OPERATOR, RATE) > 0.8)
            said = await callee.hears(0.5)
            assert tone_share(said[-6000:], PAGE, 24_000) > 0.8


async def test_a_page_that_goes_without_a_word_is_noticed_and_leaves_nothing(line: Line) -> None:
    async with line.calling() as page:
        await page.hears(0.2)
    record = await line.is_over()
    assert (record.ended_by, record.state) == ("caller", "ended")
    assert line.gateway.browsers.connections == {}


async def test_a_page_that_never_connects_is_let_go(line: Line) -> None:
    page = WhipPage(line.gateway.page)
    page.accept = _nothing  # type: ignore[method-assign]
    await page.call()
    record = await line.is_over(5.0)
    assert (record.ended_by, record.reason) == ("caller", "it could not be connected in time")
    assert await page.hang_up() == 404
    assert not (await line.agent()).of("response.create")
    await page.close()


async def _nothing(_answer: str) -> None:
    pass
