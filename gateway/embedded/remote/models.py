"""The models of a cascade, by their OpenAI-compatible HTTP interfaces.

Nothing is tried twice: a caller would rather be told than wait.
"""

import io
import struct
import wave
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias, TypeVar

import aiohttp
import msgspec
import numpy as np
from numpy.typing import NDArray
from voicecodecs.resample import StreamResampler

from ...errors import CapacityError, LinkError
from ..agents.cascade import Model
from ..agents.chat import ChatRequest, Thought, ThoughtOver, ToolAsked, Words
from .bodies import chunks_of, read_all
from .sse import read_events

__all__ = ["chat", "speak", "transcribe"]

Pcm: TypeAlias = NDArray[np.int16]
_T = TypeVar("_T")

_RATE: Final = 24000
_BUSY: Final = frozenset({429, 503})
_MOST_BYTES: Final = 32_000_000  # of an answer
_MOST_TEXT: Final = 64_000  # characters of an answer


async def chat(
    http: aiohttp.ClientSession, model: Model, request: ChatRequest
) -> AsyncGenerator[Thought, None]:
    """Ask a chat model; yield its answer as it comes.

    Raises:
        CapacityError: The service has too much to do.
        LinkError: It cannot be reached, refuses, or breaks off.

    """
    async with _post(http, model, "/chat/completions", json=_question(model, request)) as response:
        if response.content_type == "text/event-stream":
            answer = _Answer()
            async for event in read_events(chunks_of(response, _MOST_BYTES)):
                if event.strip() == "[DONE]":
                    break
                for thought in answer.take(event):
                    yield thought
            for thought in answer.end():
                yield thought
        else:
            for thought in _whole_answer(await read_all(response, _MOST_BYTES)):
                yield thought


async def transcribe(http: aiohttp.ClientSession, model: Model, pcm: Pcm, rate: int) -> str:
    """Return the words of a turn: int16 at ``rate`` Hz.

    Raises:
        CapacityError: The service has too much to do.
        LinkError: It cannot be reached, or refuses.

    """
    form = aiohttp.FormData()
    form.add_field("file", _wav(pcm, rate), filename="turn.wav", content_type="audio/wav")
    form.add_field("model", model.model)
    form.add_field("response_format", "json")
    if model.language:
        form.add_field("language", model.language)
    async with _post(http, model, "/audio/transcriptions", data=form) as response:
        answer = _decode(await read_all(response, _MOST_BYTES), _Transcript)
    return answer.text.strip()


async def speak(http: aiohttp.ClientSession, model: Model, text: str) -> Pcm:
    """Return a sentence as speech: int16, 24 kHz.

    Raises:
        CapacityError: The service has too much to do.
        LinkError: It cannot be reached, or refuses.

    """
    asked = {"model": model.model, "input": text, "response_format": "wav"}
    if model.voice:
        asked["voice"] = model.voice
    async with _post(http, model, "/audio/speech", json=asked) as response:
        pcm, rate = _read_wav(await read_all(response, _MOST_BYTES))
    return pcm if rate == _RATE else StreamResampler(rate, _RATE).process(pcm)


class _Transcript(msgspec.Struct):
    text: str


class _Function(msgspec.Struct):
    """Some more of a call: its name comes whole, its arguments in pieces."""

    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    function: _Function = msgspec.field(default_factory=_Function)
    index: int | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    delta: _Message = msgspec.field(default_factory=_Message)
    message: _Message = msgspec.field(default_factory=_Message)
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    """What we read of an answer, whole or a piece of it."""

    choices: list[_Choice] = []
    error: Any = None


class _Answer:
    """A streamed answer: text goes on at once, tool calls when they are whole."""

    def __init__(self) -> None:
        self._calls: dict[int, ToolAsked] = {}
        self._length = 0
        self._is_cut = False

    def take(self, event: str) -> list[Thought]:
        choice = _choice_of(event.encode())
        if choice.finish_reason == "length":
            self._is_cut = True
        for call in choice.delta.tool_calls or ():
            self._add(call)
        text = choice.delta.content
        if not text:
            return []
        self._count(text)
        return [Words(text)]

    def end(self) -> list[Thought]:
        calls = [self._calls[index] for index in sorted(self._calls)]
        asked = [ToolAsked(each.name, each.arguments or "{}") for each in calls]
        return [*asked, ThoughtOver(self._is_cut)]

    def _add(self, call: _Call) -> None:
        index = len(self._calls) if call.index is None else call.index
        had = self._calls.get(index, ToolAsked("", ""))
        name, arguments = call.function.name or "", call.function.arguments or ""
        self._calls[index] = ToolAsked(had.name + name, had.arguments + arguments)
        self._count(f"{name}{arguments} ")

    def _count(self, text: str) -> None:
        self._length += len(text)
        if self._length > _MOST_TEXT:
            raise LinkError("the chat model does not come to an end")


def _whole_answer(body: bytes) -> list[Thought]:
    """Return the answer of a service that does not stream."""
    choice = _choice_of(body)
    text = choice.message.content
    calls = [call.function for call in choice.message.tool_calls or ()]
    return [
        *([Words(text)] if text else []),
        *(ToolAsked(each.name or "", each.arguments or "{}") for each in calls),
        ThoughtOver(choice.finish_reason == "length"),
    ]


def _choice_of(data: bytes) -> _Choice:
    answer = _decode(data, _Chunk)
    if answer.error is not None:
        raise LinkError("the chat model failed in mid-answer")
    return answer.choices[0] if answer.choices else _Choice()


def _question(model: Model, request: ChatRequest) -> dict[str, Any]:
    asked: dict[str, Any] = {"model": model.model, "messages": request.messages, "stream": True}
    if request.tools:
        asked["tools"] = request.tools
        asked["tool_choice"] = _choice(request.tool_choice)
    if request.max_tokens is not None:
        asked["max_tokens"] = request.max_tokens
    if model.temperature is not None:
        asked["temperature"] = model.temperature
    return asked


def _choice(wanted: Any) -> Any:
    """Return the choice of a tool in a chat model's words."""
    if isinstance(wanted, dict) and isinstance(wanted.get("name"), str):
        return {"type": "function", "function": {"name": wanted["name"]}}
    return wanted if isinstance(wanted, str) else "required"


@asynccontextmanager
async def _post(
    http: aiohttp.ClientSession, model: Model, path: str, **body: Any
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Send a request; what goes wrong until the answer is read is told in our own errors."""
    limits = aiohttp.ClientTimeout(total=None, connect=model.seconds, sock_read=model.seconds)
    try:
        async with http.post(
            model.base_url.rstrip("/") + path,
            headers=model.headers,
            timeout=limits,
            allow_redirects=False,  # the key is for this service alone
            **body,
        ) as response:
            if response.status in _BUSY:
                raise CapacityError(f"{model.model} has too much to do")
            if response.status != 200:
                raise LinkError(f"{model.model} answered {response.status}")
            yield response
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        problem = str(error) or type(error).__name__
        raise LinkError(f"{model.model} cannot be reached: {problem}") from error


def _decode(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError) as error:
        raise LinkError(f"the answer cannot be read: {error}") from error


def _wav(pcm: Pcm, rate: int) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(rate)
        audio.writeframes(pcm.astype("<i2", copy=False).tobytes())
    return held.getvalue()


def _read_wav(data: bytes) -> tuple[Pcm, int]:
    """Read 16-bit PCM of one channel; a service that streams may not know the sizes it writes."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise LinkError("the speech is no WAV file")
    at, rate = 12, 0
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        at += 8
        if name == b"fmt " and at + 16 <= len(data):
            kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, at)
            if (kind, channels, bits) not in ((1, 1, 16), (0xFFFE, 1, 16)):
                raise LinkError("the speech is not 16-bit PCM of one channel")
        elif name == b"data" and 8000 <= rate <= 48000:
            sound = data[at : at + size]
            return np.frombuffer(sound[: len(sound) & ~1], "<i2"), rate
        at += size + (size & 1)
    raise LinkError("the speech has no samples")
