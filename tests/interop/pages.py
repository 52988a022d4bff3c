"""A page of a browser, by aiortc, and a lane that it calls over a way of ours."""

import asyncio
import contextlib
import fractions
from collections.abc import AsyncIterator
from typing import Any

import av
import numpy as np
from aioice import Candidate
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError

from gateway.media.engine import Lane, MediaEngine
from gateway.media.ports import PortPool
from gateway.rtc.description import Local as Described
from gateway.rtc.description import Remote
from gateway.rtc.finder import Local
from gateway.rtc.way import Way, WayState, WayTerms
from gateway.sdp.dtls import Dtls, Fingerprint
from gateway.sdp.ice import Credentials, Ice
from gateway.sdp.negotiate import Codec, Negotiated
from gateway.testing.media import tone

__all__ = ["Answerer", "Page", "ToneTrack", "answering"]

RATE = 48_000


class ToneTrack(AudioStreamTrack):
    """A microphone before which a tone sounds."""

    def __init__(self, frequency: float) -> None:
        super().__init__()
        self._tone = tone(frequency, 1.0, RATE)
        self._at = 0
        self._start: float | None = None

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        self._start = self._start or loop.time()
        await asyncio.sleep(max(0.0, self._start + self._at / RATE - loop.time()))
        pcm = np.take(self._tone, np.arange(self._at, self._at + RATE // 50), mode="wrap")
        frame = av.AudioFrame.from_ndarray(pcm[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, self._at
        frame.time_base = fractions.Fraction(1, RATE)
        self._at += RATE // 50
        return frame


class Page:
    """A browser's side: says a tone, hears, and has a data channel."""

    def __init__(self, frequency: float = 440.0, label: str = "gateway") -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.addTrack(ToneTrack(frequency))
        self.channel = self.connection.createDataChannel(label)
        self.messages: list[str] = []
        self.heard: list[Any] = []
        self.channel.on("message", self.messages.append)
        self.connection.on("track", self._listen)
        self._ears: list[asyncio.Task[None]] = []

    def _listen(self, track: Any) -> None:
        self._ears.append(asyncio.create_task(self._hear(track)))

    async def _hear(self, track: Any) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                self.heard.append(frame.to_ndarray()[0][::2])

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return str(self.connection.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def send(self, message: str) -> None:
        while self.channel.readyState != "open":
            await asyncio.sleep(0.01)
        self.channel.send(message)

    async def close(self) -> None:
        await self.connection.close()
        for ear in self._ears:
            ear.cancel()


class Answerer:
    """A lane, and the way to it."""

    def __init__(self, engine: MediaEngine, terms: WayTerms | None = None) -> None:
        self.chunks: list[bytes] = []
        self.messages: list[str] = []
        self.states: list[WayState] = []
        self.opened = asyncio.Event()
        self.lane: Lane = engine.open(lambda _: None, self.chunks.append)
        self.way = Way(
            self.lane,
            terms or WayTerms(),
            on_state=self.states.append,
            on_open=self.opened.set,
            on_message=self.messages.append,
        )

    async def answer(self, offer: str) -> str:
        """Take an offer of a page and return the answer."""
        local = await self.way.gather()
        remote = Remote.parse(offer)
        number, name = next(iter(remote.codecs.items()))
        lines = [f"candidate:{one.to_sdp()}" for one in remote.candidates]
        theirs = Credentials(remote.ufrag, remote.password)
        prints = (Fingerprint.parse(f"{a} {d}") for a, d in remote.fingerprints)
        dtls = Dtls(frozenset(one for one in prints if one), is_client=False)
        codec = Codec(name, 48000 if name == "opus" else 8000, payload_type=number)
        self.lane.configure(
            Negotiated(
                None,
                None,
                codec,
                {number: codec},
                is_rtcp_mux=True,
                is_secure=True,
                dtls=dtls,
                ice=Ice(local.credentials, theirs),
            )
        )
        self.way.connect(theirs, dtls, lines, sctp_port=remote.sctp_port)
        return self.describe(local, remote, {number: name})

    def describe(self, local: Local, remote: Remote, codecs: dict[int, str]) -> str:
        described = Described(
            local.credentials.ufrag,
            local.credentials.password,
            self.lane.fingerprint.split()[1],
            [Candidate.from_sdp(line) for line in local.candidates],
            self.lane.ssrc,
            "gateway",
            1,
        )
        return described.answer(remote, codecs, "passive")

    async def reach(self, state: WayState, seconds: float = 10) -> None:
        async with asyncio.timeout(seconds):
            while state not in self.states:
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        await self.way.close()
        self.lane.close()


@contextlib.asynccontextmanager
async def answering(
    terms: WayTerms | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Answerer]:
    engine = MediaEngine(PortPool("33000-33999", host))
    engine.start()
    one = Answerer(engine, terms)
    try:
        yield one
    finally:
        await one.close()
        engine.close()
