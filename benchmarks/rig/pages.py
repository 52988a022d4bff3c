"""Callers from the browser, lean ones: they call a WHIP address, speak Opus made beforehand, count.

    python -m rig.pages --url http://127.0.0.1:8080/whip --calls 10 --seconds 10

Prints a line when all talk, one when they stop, and one with what came.
"""

import argparse
import asyncio
import json
import time
from pathlib import Path

import aiohttp
import numpy as np
from voicecodecs.wideband import Opus

import gateway.embedded
from gateway.media.prompts import Prompt
from gateway.rtc import Peer, PeerState

FRAME = 480  # samples at 24 kHz
SAMPLES = 960  # of the RTP clock


def speech() -> list[bytes]:
    """Return some seconds of speech as payloads of 20 ms."""
    voice = Path(gateway.embedded.__file__).parent / "voice"
    pcm, coder = Prompt.load(max(voice.glob("we-are-open*.wav"))).at(24_000), Opus()
    frames = [pcm[at : at + FRAME] for at in range(0, len(pcm) - FRAME, FRAME)]
    return [payload for frame in frames if (payload := coder.encode(frame))]


class Page:
    """One caller."""

    def __init__(self, payloads: list[bytes], start: int) -> None:
        self.heard = 0  # packets
        self.messages = 0
        self._payloads = payloads
        self._at = start
        self._opened = asyncio.Event()
        self.peer = Peer(
            on_rtp=self._hear, on_message=self._read, on_state=self._change, is_local=True
        )

    def _hear(self, packet: object) -> None:
        self.heard += 1

    def _read(self, message: str) -> None:
        self.messages += 1

    def _change(self, state: PeerState) -> None:
        if state is PeerState.OPEN:
            self._opened.set()

    async def call(self, session: aiohttp.ClientSession, url: str) -> None:
        """Call, and wait until sound can go."""
        offer = await self.peer.offer("gateway")
        headers = {"Content-Type": "application/sdp"}
        async with session.post(url, data=offer, headers=headers) as response:
            answer = await response.text()
            if response.status != 201:
                raise SystemExit(f"{response.status}: {answer}")
        await self.peer.accept(answer)
        async with asyncio.timeout(20):
            await self._opened.wait()

    def speak(self) -> None:
        """Send 20 ms."""
        payload = self._payloads[self._at % len(self._payloads)]
        self._at += 1
        self.peer.send_audio(payload, payload_type=self.peer.preferred, samples=SAMPLES)


async def talk(pages: list[Page], until: float) -> None:
    """Let all of them speak, spread over each 20 ms."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while loop.time() < until:
        for number, page in enumerate(pages):
            page.speak()
            await asyncio.sleep(max(0.0, due + 0.02 * (number + 1) / len(pages) - loop.time()))
        due += 0.02


async def main(url: str, calls: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    payloads = speech()
    rng = np.random.default_rng(5)
    pages = [Page(payloads, int(rng.integers(len(payloads)))) for _ in range(calls)]
    async with aiohttp.ClientSession() as session:
        for page in pages:
            await page.call(session, url)
        await talk(pages, loop.time() + 2.0)
        before = [page.heard for page in pages]
        print(json.dumps({"talking_from": time.monotonic()}), flush=True)
        await talk(pages, loop.time() + seconds)
        print(json.dumps({"talking_to": time.monotonic()}), flush=True)
        heard = [page.heard - was for page, was in zip(pages, before, strict=True)]
        lost = [page.peer.stats.lost for page in pages]
        messages = [page.messages for page in pages]
        print(json.dumps({"heard": heard, "lost": lost, "messages": messages}), flush=True)
        await asyncio.gather(*(page.peer.close() for page in pages))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--calls", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10.0)
    chosen = parser.parse_args()
    asyncio.run(main(chosen.url, chosen.calls, chosen.seconds))
