"""A page by aiortc calls a lane of ours: sound, messages, and the end, also over a relay."""

import asyncio
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pages import Answerer, Page, answering
from stun_server import stun_server
from turn_server import turn_server

from gateway.errors import RtcError
from gateway.media.events import Mark
from gateway.rtc.servers import Server
from gateway.rtc.way import WayState, WayTerms
from gateway.testing.hearing import tone_share
from gateway.testing.media import tone

pytestmark = pytest.mark.interop


async def talk(ours: Answerer, page: Page) -> None:
    """Let both say a tone and a message, and hear the other's."""
    ours.lane.play(tone(611, 20.0, 24000).tobytes(), Mark("resp_1", "item_1"))
    await page.accept(await ours.answer(await page.offer()))
    await ours.reach(WayState.CONNECTED)
    await ours.opened.wait()
    assert ours.way.send('{"type":"caption"}')
    await page.send('{"type":"key","key":"5"}')
    while len(page.heard) < 100 or len(ours.chunks) < 100 or not (ours.messages and page.messages):
        await asyncio.sleep(0.1)
    assert page.messages == ['{"type":"caption"}']
    assert ours.messages == ['{"type":"key","key":"5"}']
    heard, sound = np.concatenate(page.heard), np.frombuffer(b"".join(ours.chunks), np.int16)
    assert _share(heard[-24000:], 611, 48000) > 0.9
    assert _share(sound[-24000:], 440, 24000) > 0.9


def _share(sound: NDArray[np.int16], frequency: float, rate: int) -> float:
    """Return a tone's share in the middle one of ten pieces: it may stumble on a busy machine."""
    return float(np.median([tone_share(p, frequency, rate) for p in np.array_split(sound, 10)]))


async def test_a_page_and_the_lane_hear_each_other_and_exchange_messages() -> None:
    async with answering() as ours, asyncio.timeout(40):
        page = Page(440.0)
        await talk(ours, page)
        stats = ours.lane.stats()
        await page.close()
        await ours.reach(WayState.GONE)
    assert "other side" in ours.way.reason
    assert (stats.srtp, stats.wrong_source, stats.forged) == ("AEAD_AES_128_GCM", 0, 0)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_goes_over_a_relay_where_nothing_else_may_be_used(
    tmp_path: Path, transport: str
) -> None:
    if shutil.which("turnserver") is None:
        pytest.skip("coturn is not installed")
    with turn_server(tmp_path) as where:
        relay = Server((f"turn:{where}?transport={transport}",), "ann", "secret")
        terms = WayTerms(servers=(relay,), is_relay_only=True)
        async with answering(terms) as ours, asyncio.timeout(40):
            page = Page(440.0)
            await talk(ours, page)
            assert ours.way.stats.pair.startswith("relay/")
            await page.close()
            await ours.reach(WayState.GONE)


async def test_a_relay_that_does_not_know_us_is_no_way(tmp_path: Path) -> None:
    if shutil.which("turnserver") is None:
        pytest.skip("coturn is not installed")
    with turn_server(tmp_path) as where:
        relay = Server((f"turn:{where}",), "ann", "guess")
        async with answering(WayTerms(servers=(relay,), is_relay_only=True)) as ours:
            with pytest.raises(RtcError, match="relay"):
                await ours.way.gather()


async def test_a_stun_server_is_asked_from_the_lanes_own_port_and_what_it_sees_is_told() -> None:
    async with stun_server() as (server, url):
        terms = WayTerms(servers=(Server((url,)),))
        async with answering(terms) as ours, asyncio.timeout(20):
            local = await ours.way.gather()
            assert server.asked_by == [("127.0.0.1", ours.lane.port)]
            told = [" ".join(line.split()[4:]) for line in local.candidates]
    assert told == [
        f"127.0.0.1 {ours.lane.port} typ host",
        f"203.0.113.5 40123 typ srflx raddr 127.0.0.1 rport {ours.lane.port}",
    ]


async def test_a_stun_server_that_says_nothing_is_not_waited_for_long() -> None:
    async with stun_server() as (server, url):
        server.seen = None
        loop = asyncio.get_running_loop()
        async with answering(WayTerms(servers=(Server((url,)),))) as ours:
            begun = loop.time()
            local = await ours.way.gather()
            assert loop.time() - begun < 10
    assert len(local.candidates) == 1
