"""The embedded service over WebRTC, called by the gateway's own link on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable
from importlib import resources
from typing import Any

import aiohttp
import numpy as np
import pytest
from voicecodecs.resample import StreamResampler

from gateway.embedded.server import EmbeddedService
from gateway.embedded.speech.phrases import read_wav
from gateway.errors import LinkError
from gateway.realtime import commands as c
from gateway.realtime import events as e
from gateway.realtime.client import ServiceClient
from gateway.realtime.credentials import Key
from gateway.realtime.endpoint import Endpoint
from gateway.realtime.sideband import SidebandLink
from gateway.realtime.webrtc import WebRtcLink
from gateway.rtc import AudioFormat
from gateway.testing.hearing import heard_part

pytestmark = pytest.mark.interop

KEY = "sk-test"
SESSION: dict[str, Any] = {"type": "realtime", "model": "gpt-realtime"}
FRAME = 960  # bytes of 20 ms


@pytest.fixture
async def service() -> AsyncIterator[EmbeddedService]:
    service = EmbeddedService("127.0.0.1", 0, key=KEY)
    await service.start()
    yield service
    await service.close()
    assert len(asyncio.all_tasks()) == 1


class Caller:
    """A client of one call: what it was told and what it heard."""

    def __init__(self, service: EmbeddedService) -> None:
        self.client = ServiceClient(Endpoint(service.url, Key(KEY)))
        self.events: list[e.ServerEvent | e.Unknown] = []
        self.sound = bytearray()
        self.ends: list[LinkError | None] = []
        self.link: WebRtcLink

    async def __aenter__(self) -> "Caller":
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.link.close()
        await self.client.close()

    async def call(self, audio_format: AudioFormat = "audio/pcm", **more: Any) -> None:
        self.link = WebRtcLink(
            self.client,
            SESSION,
            on_event=self.events.append,
            on_closed=self.ends.append,
            on_audio=self.sound.extend,
            audio_format=audio_format,
            **more,
        )
        await self.link.connect()

    @property
    def names(self) -> list[str]:
        return [e.wire_name(event) for event in self.events]

    async def until(self, name: str, count: int = 1) -> Any:
        await until(lambda: self.names.count(name) >= count)
        return [event for event in self.events if e.wire_name(event) == name][count - 1]

    async def say(self, speech: bytes, *, stop: Callable[[], bool] = lambda: False) -> None:
        """Speak in real time, as a caller would."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number, at in enumerate(range(0, len(speech), FRAME)):
            self.link.append(speech[at : at + FRAME])
            if stop():
                return
            await asyncio.sleep(max(0.0, start + 0.02 * number - loop.time()))


async def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.005)


@pytest.fixture
def speech() -> bytes:
    """Somebody saying one word, silence around it: 24 kHz PCM."""
    pcm, rate = read_wav(resources.files("gateway.embedded") / "voice" / "caller" / "sales.wav")
    hush = np.zeros(24_000, np.int16)
    return np.concatenate([hush[:6000], StreamResampler(rate, 24000).process(pcm), hush]).tobytes()


@pytest.mark.parametrize("with_secret", [False, True])
async def test_a_greeting_is_heard_and_its_end_is_told(
    service: EmbeddedService, with_secret: bool
) -> None:
    async with Caller(service) as caller:
        await caller.call(with_secret=with_secret)
        created = await caller.until("session.created")
        assert created.session["model"] == "gpt-realtime"
        assert caller.link.call_id.startswith("rtc_")
        caller.link.send(c.ResponseCreate(response={"instructions": 'say "Thank you."'}))
        stopped = await caller.until("output_audio_buffer.stopped")
        done = (await caller.until("response.done")).response
        assert (done.status, done.id) == ("completed", stopped.response_id)
        assert "response.output_audio.delta" not in caller.names
        names = caller.names
        assert names.index("output_audio_buffer.started") < names.index(
            "output_audio_buffer.stopped"
        )
        voice, rate = read_wav(resources.files("gateway.embedded") / "voice" / "thank-you.wav")
        heard = np.frombuffer(bytes(caller.sound), "<i2").astype(np.int16)
        passage = StreamResampler(rate, 24000).process(voice)
        assert heard_part(heard, passage, 24_000, probe_ms=400).similarity > 0.8


async def test_a_caller_who_talks_over_it_is_not_talked_over(
    service: EmbeddedService, speech: bytes
) -> None:
    async with Caller(service) as caller:
        await caller.call()
        caller.link.send(c.ResponseCreate())
        await caller.until("output_audio_buffer.started")
        await caller.say(speech, stop=lambda: "output_audio_buffer.cleared" in caller.names)
        cut = await caller.until("conversation.item.truncated")
        done = (await caller.until("response.done")).response
        assert done.id == (await caller.until("output_audio_buffer.cleared")).response_id
        assert cut.item_id == done.output[0].id
        assert 100 < cut.audio_end_ms < 10_000
        before = len(caller.sound)
        await asyncio.sleep(0.3)
        assert len(caller.sound) - before < 0.2 * 48_000, "it went on talking"


async def test_a_callers_own_law_is_what_comes_back(service: EmbeddedService) -> None:
    async with Caller(service) as caller:
        await caller.call("audio/pcmu")
        caller.link.send(c.ResponseCreate(response={"instructions": 'say "Thank you."'}))
        await caller.until("output_audio_buffer.stopped")
        assert len(caller.sound) > 4000
        loud = np.frombuffer(bytes(caller.sound), np.uint8)
        assert len(np.unique(loud)) > 50


async def test_a_sideband_sees_the_call_commands_it_and_may_come_and_go(
    service: EmbeddedService,
) -> None:
    endpoint = Endpoint(service.url, Key(KEY))
    async with Caller(service) as caller:
        await caller.call()
        seen: list[e.ServerEvent | e.Unknown] = []
        side = SidebandLink(
            endpoint,
            caller.link.call_id,
            on_event=seen.append,
            on_closed=lambda _: None,
            transport="webrtc",
        )
        await side.connect()
        side.send(c.SessionUpdate(session={"type": "realtime", "instructions": "Be brief."}))
        await until(lambda: bool(seen))
        assert e.wire_name(seen[0]) == "session.updated"
        side.send(c.ResponseCreate(response={"instructions": 'say "Goodbye."'}))
        await caller.until("output_audio_buffer.stopped")
        await until(lambda: e.wire_name(seen[-1]) == "output_audio_buffer.stopped")
        await side.close()
        caller.link.send(c.InputAudioBufferClear())
        await caller.until("input_audio_buffer.cleared")


async def test_a_call_is_ended_by_http_and_is_gone(service: EmbeddedService) -> None:
    async with Caller(service) as caller:
        await caller.call()
        call_id = caller.link.call_id
        await caller.client.hangup(call_id)
        await until(lambda: bool(caller.ends))
        await until(lambda: service.sessions == 0)
        with pytest.raises(LinkError) as gone:
            await caller.client.hangup(call_id)
        assert gone.value.status == 404


async def test_a_caller_who_goes_leaves_nothing_behind(service: EmbeddedService) -> None:
    async with Caller(service) as caller:
        await caller.call()
        assert service.sessions == 1
        await caller.link.close()
        await until(lambda: service.sessions == 0)


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", "application/sdp", 400, "invalid_offer"),
        (b"v=0\r\n", "application/sdp", 400, "invalid_offer"),
        (b"\xff" * 100, "application/sdp", 400, "invalid_offer"),
        (b"v=0" * 30_000, "application/sdp", 400, "invalid_offer"),
        (b"{}", "application/json", 415, "unsupported_content_type"),
        (b"no parts", "multipart/form-data; boundary=x", 400, "invalid_offer"),
    ],
    ids=["nothing", "too little", "no text", "too much", "json", "no form"],
)
async def test_what_is_no_offer_is_refused(
    service: EmbeddedService, body: bytes, kind: str, status: int, code: str
) -> None:
    url = service.url.replace("ws:", "http:") + "/calls"
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": kind}
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=body, headers=headers) as answer,
    ):
        assert answer.status == status
        assert (await answer.json())["error"]["code"] == code
    assert service.sessions == 0


def broken_forms() -> list[bytes]:
    """A form, and what becomes of it when bytes are lost, doubled or changed."""
    whole = (
        b'--x\r\nContent-Disposition: form-data; name="sdp"\r\nContent-Type: application/sdp\r\n'
        b'\r\nv=0\r\n\r\n--x\r\nContent-Disposition: form-data; name="session"\r\n'
        b'Content-Type: application/json\r\n\r\n{"type":"realtime"}\r\n--x--\r\n'
    )
    chance = np.random.default_rng(7)
    forms = [whole]
    for _ in range(150):
        form = bytearray(whole)
        for _ in range(int(chance.integers(1, 6))):
            start, length = int(chance.integers(len(form))), int(chance.integers(1, 30))
            what = chance.bytes(length) if chance.random() < 0.5 else form[start : start + length]
            form[start : start + (length if chance.random() < 0.7 else 0)] = bytes(what)
        forms.append(bytes(form[: int(chance.integers(len(form)))] if len(forms) % 3 else form))
    return forms


async def test_a_form_that_is_broken_is_refused_and_nothing_fails(
    service: EmbeddedService,
) -> None:
    url = service.url.replace("ws:", "http:") + "/calls"
    headers = {
        "Authorization": f"Bearer {KEY}",
        "Content-Type": "multipart/form-data; boundary=x",
    }
    async with aiohttp.ClientSession() as http:
        for form in broken_forms():
            async with http.post(url, data=form, headers=headers) as answer:
                assert answer.status == 400, form
                assert (await answer.json())["error"]["type"] == "invalid_request_error"
    assert service.sessions == 0
