"""The cascade engine at models behind OpenAI-compatible addresses, on loopback."""

import asyncio
import io
import json
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from sdk_judge import Judge, client_for

from gateway.embedded.agents.cascade import Model
from gateway.embedded.agents.chat import ChatRequest, Thought, ThoughtOver, ToolAsked, Words
from gateway.embedded.remote import models
from gateway.embedded.server import EmbeddedService
from gateway.errors import CapacityError, LinkError

pytestmark = pytest.mark.interop

HELLO = ChatRequest([{"role": "user", "content": "hello"}])
TOOL = {"type": "function", "name": "hang_up", "description": "", "parameters": {"type": "object"}}


def wav(seconds: float, rate: int) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(rate)
        times = np.arange(int(seconds * rate)) / rate
        audio.writeframes((8000 * np.sin(times * 2764)).astype("<i2").tobytes())
    return held.getvalue()


def piece(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def tool_piece(index: int, name: str | None, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return piece(tool_calls=[{"index": index, "id": f"call_{index}", "function": function}])


class Town:
    """A service with a chat model, one that listens and one that speaks."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answers: list[Any] = []  # of the chat model: pieces, or a whole response
        self.spoken: list[dict[str, Any]] = []
        self.heard: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.speech = wav(0.3, 16000)
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.url = ""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.keys.add(request.headers.get("Authorization"))
        self.asked.append(await request.json())
        answer = self.answers.pop(0)
        if isinstance(answer, web.StreamResponse):
            return answer
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        for each in answer:
            await stream.write(f"data: {json.dumps(each)}\n\n".encode())
            await self.may_go_on.wait()
        await stream.write(b"data: [DONE]\n\n")
        return stream

    async def transcribe(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        self.heard.append({**form, "file": file.file.read()})
        return web.json_response({"text": " I would like a table. "})

    async def speak(self, request: web.Request) -> web.Response:
        self.spoken.append(await request.json())
        return web.Response(body=self.speech, content_type="audio/wav")

    def model(self, **fields: Any) -> Model:
        return Model(self.url, "m", **fields)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    served = Town()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", served.chat)
    app.router.add_post("/v1/audio/transcriptions", served.transcribe)
    app.router.add_post("/v1/audio/speech", served.speak)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield served
    await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def thoughts(http: aiohttp.ClientSession, model: Model) -> list[Thought]:
    return [thought async for thought in models.chat(http, model, HELLO)]


async def test_text_comes_as_it_is_thought_and_tools_when_they_are_whole(
    town: Town, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOWN_KEY", "hush")
    town.answers = [
        [
            piece(role="assistant", content=""),
            piece(content="One "),
            piece(content="moment."),
            tool_piece(1, "second", "{}"),
            tool_piece(0, "first", '{"a"'),
            tool_piece(0, None, ":1}"),
            piece("tool_calls"),
            {"choices": [], "usage": {"total_tokens": 9}},
        ]
    ]
    assert await thoughts(http, town.model(key_env="TOWN_KEY", temperature=0.2)) == [
        Words("One "),
        Words("moment."),
        ToolAsked("first", '{"a":1}'),
        ToolAsked("second", "{}"),
        ThoughtOver(),
    ]
    asked = {"model": "m", "messages": HELLO.messages, "stream": True, "temperature": 0.2}
    assert town.asked == [asked]
    assert town.keys == {"Bearer hush"}


async def test_a_service_that_does_not_stream_is_understood(
    town: Town, http: aiohttp.ClientSession
) -> None:
    call = {"function": {"name": "hang_up", "arguments": ""}}
    message = {"content": "Bye.", "tool_calls": [call]}
    whole = {"choices": [{"message": message, "finish_reason": "length"}]}
    town.answers = [web.json_response(whole)]
    assert await thoughts(http, town.model()) == [
        Words("Bye."),
        ToolAsked("hang_up", "{}"),
        ThoughtOver(is_cut=True),
    ]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: web.Response(status=429), CapacityError),
        (lambda: web.Response(status=401), LinkError),
        (lambda: web.Response(status=307, headers={"Location": "http://127.0.0.1:1"}), LinkError),
        (lambda: web.Response(text="hello"), LinkError),
        (lambda: web.Response(text="[" * 100_000), LinkError),
        (lambda: web.json_response({"choices": 7}), LinkError),
        (lambda: [{"choices": [{"delta": {"tool_calls": [{"function": 1}]}}]}], LinkError),
        (lambda: [piece(content="It is"), {"error": {"message": "out of memory"}}], LinkError),
        (lambda: [piece(content="na" * 10_000)] * 9, LinkError),
    ],
)
async def test_a_model_that_fails_says_so_once(
    town: Town, http: aiohttp.ClientSession, answer: Any, error: type[Exception]
) -> None:
    town.answers = [answer()]
    with pytest.raises(error):
        await thoughts(http, town.model())
    assert len(town.asked) == 1


async def test_a_model_that_falls_silent_is_given_up(
    town: Town, http: aiohttp.ClientSession
) -> None:
    town.answers = [[piece(content="It is"), piece(content=" ten.")]]
    town.may_go_on.clear()
    with pytest.raises(LinkError):
        await thoughts(http, town.model(seconds=0.2))


async def test_nobody_at_the_address_is_told(http: aiohttp.ClientSession) -> None:
    nowhere = Model("http://127.0.0.1:1/v1", "m")
    with pytest.raises(LinkError, match="cannot be reached"):
        await thoughts(http, nowhere)
    with pytest.raises(LinkError):
        await models.speak(http, nowhere, "Hello.")


async def test_a_turn_is_written_down_elsewhere(town: Town, http: aiohttp.ClientSession) -> None:
    turn = np.arange(8000, dtype=np.int16)
    words = await models.transcribe(http, town.model(language="en"), turn, 8000)
    assert words == "I would like a table."
    (asked,) = town.heard
    with wave.open(io.BytesIO(asked.pop("file"))) as audio:
        assert (audio.getframerate(), audio.getnframes()) == (8000, 8000)
    assert asked == {"model": "m", "language": "en", "response_format": "json"}


async def test_speech_comes_at_any_rate_and_of_unknown_length(
    town: Town, http: aiohttp.ClientSession
) -> None:
    for rate in (16000, 24000):
        speech = wav(0.5, rate)
        endless = bytearray(speech)
        endless[40:44] = b"\xff\xff\xff\xff"
        for town.speech in (speech, bytes(endless)):
            pcm = await models.speak(http, town.model(voice="v"), "Hello.")
            assert len(pcm) == pytest.approx(12000, abs=100)
    assert town.spoken[0] == {
        "model": "m",
        "input": "Hello.",
        "voice": "v",
        "response_format": "wav",
    }


@pytest.mark.parametrize(
    "speech", [b"", b"ID3 something", b"RIFF....WAVE", b"RIFF....WAVEdata\x04\0\0\0abcd"]
)
async def test_what_is_no_speech_is_an_error(
    town: Town, http: aiohttp.ClientSession, speech: bytes
) -> None:
    town.speech = speech
    with pytest.raises(LinkError, match="the speech"):
        await models.speak(http, town.model(), "Hello.")


SCRIPT = """
engine = "cascade"
[chat]
base_url = "{url}"
model = "thinker"
[transcription]
base_url = "{url}"
model = "listener"
[speech]
base_url = "{url}"
model = "speaker"
"""


@pytest.fixture
async def service(town: Town, tmp_path: Path) -> AsyncIterator[EmbeddedService]:
    script = tmp_path / "town.toml"
    script.write_text(SCRIPT.format(url=town.url))
    service = EmbeddedService(script=script)
    await service.start()
    yield service
    await service.close()


async def test_a_caller_talks_to_a_chat_model(town: Town, service: EmbeddedService) -> None:
    town.answers = [
        [piece(content="A table. "), piece(content="For how many?")],
        [piece(content="Goodbye."), tool_piece(0, "hang_up", "{}")],
    ]
    town.may_go_on.clear()
    async with client_for(service).realtime.connect(model="m") as connection:
        judge = Judge(connection)
        heard = {"turn_detection": None, "transcription": {"model": "whisper-1"}}
        await judge.ready(instructions="Be kind.", tools=[TOOL], audio={"input": heard})
        await connection.input_audio_buffer.append(audio="AAAA" * 8000)
        await connection.input_audio_buffer.commit()
        await connection.response.create()
        delta = await judge.until("response.output_audio.delta")
        assert delta.delta
        assert [each["input"] for each in town.spoken] == ["A table."], "the rest is not thought"
        town.may_go_on.set()
        done = await judge.until("response.done")
        assert done.response.status == "completed"
        assert done.response.output[0].content[0].transcript == "A table. For how many?"
        words = judge.last("conversation.item.input_audio_transcription.completed")
        assert words.transcript == "I would like a table."
        assert town.asked[0]["messages"] == [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "I would like a table."},
        ]
        assert town.asked[0]["tools"][0]["function"]["name"] == "hang_up"
        await connection.conversation.item.create(
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "no, thanks"}],
            }
        )
        await connection.response.create()
        call = await judge.until("response.function_call_arguments.done")
        assert call.name == "hang_up"
        await judge.until("response.done")


async def test_a_chat_model_with_too_much_to_do_fails_the_response_at_once(
    town: Town, service: EmbeddedService
) -> None:
    town.answers = [web.Response(status=429)]
    async with client_for(service).realtime.connect(model="m") as connection:
        judge = Judge(connection)
        await judge.ready()
        await connection.response.create()
        done = await judge.until("response.done")
        assert done.response.status == "failed"
        assert done.response.status_details.error.code == "inference_rate_limit_exceeded"
