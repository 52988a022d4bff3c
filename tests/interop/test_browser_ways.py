"""A page by aiortc calls a lane of ours: sound, messages, and the end, each way."""

import asyncio

import numpy as np
import pytest
from pages import Page, answering

from gateway.media.events import Mark
from gateway.rtc.way import WayState
from gateway.testing.hearing import tone_share
from gateway.testing.media import tone

pytestmark = pytest.mark.interop


async def test_a_page_and_the_lane_hear_each_other_and_exchange_messages() -> None:
    async with answering() as ours, asyncio.timeout(30):
        page = Page(440.0)
        ours.lane.play(tone(611, 10.0, 24000).tobytes(), Mark("resp_1", "item_1"))
        await page.accept(await ours.answer(await page.offer()))
        await ours.reach(WayState.CONNECTED)
        await ours.opened.wait()
        assert ours.way.send('{"type":"caption"}')
        await page.send('{"type":"key","key":"5"}')
        await asyncio.sleep(2.0)
        stats = ours.lane.stats()
        await page.close()
        await ours.reach(WayState.GONE)
    assert ours.way.reason == "the other side said goodbye"
    assert (stats.srtp, stats.wrong_source, stats.forged) == ("AEAD_AES_128_GCM", 0, 0)
    assert page.messages == ['{"type":"caption"}']
    assert ours.messages == ['{"type":"key","key":"5"}']
    heard = np.concatenate(page.heard)
    sound = np.frombuffer(b"".join(ours.chunks), np.int16)
    assert tone_share(heard[-48000:], 611, 48000) > 0.9
    assert tone_share(sound[-24000:], 440, 24000) > 0.9
