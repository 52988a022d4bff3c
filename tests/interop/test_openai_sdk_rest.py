"""The openai SDK asks the embedded service for secrets and for WebRTC calls, as a program would.

The other end of WebRTC is aiortc's own peer connection, as a script of anybody's would use it.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from aiortc import RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from sdk_judge import Judge, client_for

from gateway.embedded.server import EmbeddedService

pytestmark = pytest.mark.interop

SESSION: dict[str, Any] = {"type": "realtime", "model": "gpt-realtime", "instructions": "Be brief."}


@pytest.fixture
async def service() -> AsyncIterator[EmbeddedService]:
    service = EmbeddedService("127.0.0.1", 0, key="sk-test")
    await service.start()
    yield service
    await service.close()


@pytest.fixture
async def client(service: EmbeddedService) -> AsyncIterator[Any]:
    async with client_for(service) as client:
        yield client


class Browser:
    """A WebRTC client with a data channel; what comes over it is read by the SDK's types."""

    def __init__(self) -> None:
        self.peer = RTCPeerConnection()
        self.peer.addTrack(AudioStreamTrack())
        self.channel: RTCDataChannel = self.peer.createDataChannel("oai-events")
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()
        self.sounds = asyncio.Event()
        self.judge = Judge(self)

        @self.channel.on("message")  # type: ignore[untyped-decorator]
        def take(text: str) -> None:
            self.frames.put_nowait(text.encode())

        @self.peer.on("track")  # type: ignore[untyped-decorator]
        def listen(track: Any) -> None:
            self.listening = asyncio.create_task(self.hear(track))

    async def recv_bytes(self) -> bytes:
        return await self.frames.get()

    async def hear(self, track: Any) -> None:
        while True:
            frame = await track.recv()
            if abs(frame.to_ndarray()).max() > 1000:
                self.sounds.set()

    async def call(self, client: Any) -> str:
        """Offer a call; returns the service's name for it."""
        await self.peer.setLocalDescription(await self.peer.createOffer())
        answer = await client.realtime.calls.create(
            sdp=self.peer.localDescription.sdp, session=SESSION
        )
        assert answer.response.status_code == 201
        where = answer.response.headers["Location"]
        assert where.startswith("/v1/realtime/calls/rtc_")
        await self.peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        return str(where.rpartition("/")[2])

    async def close(self) -> None:
        await self.peer.close()
        self.listening.cancel()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    browser = Browser()
    yield browser
    await browser.close()


async def hang_up_for_ever(client: Any, call_id: str) -> None:
    """Hang up until that is refused: 200 says that the end has begun."""
    async with asyncio.timeout(10):
        while True:
            await client.realtime.calls.hangup(call_id)


async def test_a_client_secret_opens_the_session_it_was_made_for(
    service: EmbeddedService, client: Any
) -> None:
    made = await client.realtime.client_secrets.create(
        session=SESSION, expires_after={"anchor": "created_at", "seconds": 60}
    )
    assert made.value.startswith("ek_")
    assert made.expires_at == pytest.approx(time.time() + 60, abs=5)
    assert made.session.instructions == "Be brief."
    async with (
        client_for(service, key=made.value) as guest,
        guest.realtime.connect(model="gpt-realtime") as connection,
    ):
        judge = Judge(connection)
        created = await judge.until("session.created")
        assert created.session.instructions == "Be brief."


@pytest.mark.parametrize("seconds", [9, 7201])
async def test_a_secret_may_not_live_shorter_or_longer_than_documented(
    client: Any, seconds: int
) -> None:
    with pytest.raises(openai.BadRequestError):
        await client.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": seconds}
        )


async def test_a_call_is_made_heard_watched_and_ended(client: Any, browser: Browser) -> None:
    call_id = await browser.call(client)
    created = await browser.judge.until("session.created")
    assert created.session.instructions == "Be brief."
    async with client.realtime.connect(call_id=call_id) as connection:
        sideband = Judge(connection)
        await connection.response.create()
        started = await sideband.until("output_audio_buffer.started")
        assert (await browser.judge.until("output_audio_buffer.started")) == started
        async with asyncio.timeout(10):
            await browser.sounds.wait()
        await client.realtime.calls.hangup(call_id)
        with pytest.raises(Exception, match="1000"):
            await sideband.until("never")
    with pytest.raises(openai.NotFoundError) as gone:
        await hang_up_for_ever(client, call_id)
    assert gone.value.code == "call_id_not_found"


@pytest.mark.parametrize("sdp", ["", "v=0\r\n", "this is no offer"])
async def test_an_offer_that_is_none_is_refused(client: Any, sdp: str) -> None:
    with pytest.raises(openai.BadRequestError):
        await client.realtime.calls.create(sdp=sdp, session=SESSION)


async def test_a_call_with_a_wrong_key_is_refused(service: EmbeddedService) -> None:
    async with client_for(service, key="sk-wrong") as guest:
        with pytest.raises(openai.AuthenticationError):
            await guest.realtime.calls.create(sdp="v=0\r\n", session=SESSION)
        with pytest.raises(openai.AuthenticationError):
            await guest.realtime.client_secrets.create()
