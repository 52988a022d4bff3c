"""Plain aiortc as the one who is called: it says speech and hears, and does nothing with either.

    python -m rig.plain_webrtc

Prints its WHIP address.
"""

import asyncio
import contextlib
import fractions
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
from aiohttp import web
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError

import gateway.embedded
from gateway.media.prompts import Prompt

RATE = 48_000
FRAME = RATE // 50


class Speaker(AudioStreamTrack):
    """Says the same over and over."""

    def __init__(self) -> None:
        super().__init__()
        voice = Path(gateway.embedded.__file__).parent / "voice"
        self._speech = Prompt.load(max(voice.glob("we-are-open*.wav"))).at(RATE)
        self._at = 0
        self._begun: float | None = None

    async def recv(self) -> av.AudioFrame:
        """Return the next 20 ms when they are due."""
        loop = asyncio.get_running_loop()
        self._begun = self._begun or loop.time()
        await asyncio.sleep(max(0.0, self._begun + self._at / RATE - loop.time()))
        pcm = np.take(self._speech, np.arange(self._at, self._at + FRAME), mode="wrap")
        frame = av.AudioFrame.from_ndarray(pcm[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, self._at
        frame.time_base = fractions.Fraction(1, RATE)
        self._at += FRAME
        return frame


async def consume(track: Any) -> None:
    with contextlib.suppress(MediaStreamError):
        while True:
            await track.recv()


class Calls:
    """All that were answered."""

    def __init__(self) -> None:
        self._connections: list[RTCPeerConnection] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def answer(self, request: web.Request) -> web.Response:
        """Take an offer, and answer it."""
        connection = RTCPeerConnection()
        self._connections.append(connection)
        connection.on("track", self._listen)
        await connection.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        connection.addTrack(Speaker())
        await connection.setLocalDescription(await connection.createAnswer())
        return web.Response(status=201, text=connection.localDescription.sdp)

    def _listen(self, track: Any) -> None:
        self._tasks.append(asyncio.create_task(consume(track)))


async def main() -> None:
    app = web.Application()
    app.add_routes([web.post("/whip", Calls().answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (address,) = runner.addresses
    print(json.dumps({"url": f"http://127.0.0.1:{address[1]}/whip"}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
