"""Hugging Face's speech-to-speech, a realtime service that is not ours, serves our links.

Its models are replaced by a few lines (`huggingface/serve.py`); its sockets, its WebRTC and its
reading of the protocol are its own.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judges import SPEECH
from peers import running

from gateway.errors import LinkError
from gateway.realtime.client import ServiceClient
from gateway.realtime.commands import (
    ClientEvent,
    ConversationItemCreate,
    ResponseCreate,
    SessionUpdate,
)
from gateway.realtime.endpoint import Endpoint
from gateway.realtime.events import ResponseOutputAudioDelta, ServerEvent, Unknown, wire_name
from gateway.realtime.items import Item
from gateway.realtime.link import Link
from gateway.realtime.webrtc import WebRtcLink
from gateway.realtime.websocket import WebSocketLink
from gateway.testing.hearing import tone_share

pytestmark = pytest.mark.interop

LIMIT = 20.0
RATE = 24_000
FRAME_MS = 20
ANSWER_HZ = 440.0  # what the engine says, for two seconds
TOOL = {"type": "function", "name": "hang_up", "parameters": {"type": "object"}}
SESSION: dict[str, Any] = {
    "type": "realtime",
    "instructions": "Be brief.",
    "tools": [TOOL],
    "audio": {"input": {"turn_detection": {"type": "server_vad"}}},
}
PCM = {"format": {"type": "audio/pcm", "rate": RATE}}
WITH_FORMATS = {**SESSION, "audio": {"input": {**SESSION["audio"]["input"], **PCM}, "output": PCM}}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a speech-to-speech server of its own process."""
    program = [sys.executable, str(Path(__file__).parent / "huggingface" / "serve.py")]
    process = subprocess.Popen(
        program,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SPEECH.need())},
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate(timeout=20)


class Owner:
    """A call's view of its link: what was told, and the sound that came either way."""

    def __init__(self, port: int, kind: str) -> None:
        self.events: list[ServerEvent | Unknown] = []
        self.ended: list[LinkError | None] = []
        self.sound = bytearray()
        endpoint = Endpoint(f"ws://127.0.0.1:{port}/v1/realtime?model=local")
        self.client = ServiceClient(endpoint)
        told: dict[str, Any] = {"on_event": self._take, "on_closed": self.ended.append}
        self.link: Link = (
            WebSocketLink(endpoint, **told)
            if kind == "websocket"
            else WebRtcLink(self.client, SESSION, on_audio=self.sound.extend, **told)
        )

    def _take(self, event: ServerEvent | Unknown) -> None:
        self.events.append(event)
        if isinstance(event, ResponseOutputAudioDelta):
            self.sound += event.delta

    def names(self) -> list[str]:
        return [wire_name(event) for event in self.events]

    async def until(self, name: str, after: int = 0) -> Any:
        """Return the next event of this name that came after so many others."""
        async with asyncio.timeout(LIMIT):
            while name not in self.names()[after:]:
                assert not self.ended
                await asyncio.sleep(0.01)
        return self.events[after:][self.names()[after:].index(name)]

    async def after(self, *commands: ClientEvent, name: str = "response.done") -> Any:
        """Send commands and return the event of this name that follows."""
        seen = len(self.events)
        for command in commands:
            self.link.send(command)
        return await self.until(name, seen)

    async def listen(self, seconds: float) -> float:
        """Return how much of the sound is the answer's tone, once there are so many seconds."""
        async with asyncio.timeout(LIMIT):
            while len(self.sound) < seconds * 2 * RATE:
                await asyncio.sleep(0.01)
        heard = np.frombuffer(bytes(self.sound), "<i2").astype(np.float64)
        loud = np.abs(heard) > 1000
        assert loud.any()
        voice = heard[loud.argmax() :][: RATE // 2]
        return tone_share(voice, ANSWER_HZ, RATE)

    async def speak(self, seconds: float, level: float = 8000.0) -> None:
        """Let the caller say something, in real time."""
        samples = RATE * FRAME_MS // 1000
        loop = asyncio.get_running_loop()
        start = loop.time()
        for turn in range(int(seconds * 1000 / FRAME_MS)):
            at = np.arange(turn * samples, (turn + 1) * samples) / RATE
            self.link.append((level * np.sin(2 * np.pi * 300 * at)).astype("<i2").tobytes())
            await asyncio.sleep(start + (turn + 1) * FRAME_MS / 1000 - loop.time())


@contextlib.asynccontextmanager
async def session(port: int, kind: str) -> Any:
    """A session that was set up, and let go in the end."""
    owner = Owner(port, kind)
    await owner.link.connect()
    try:
        await owner.until("session.created")
        asked = WITH_FORMATS if kind == "websocket" else SESSION  # else SDP has agreed on them
        told = await owner.after(SessionUpdate(session=asked), name="session.updated")
        assert told.session["instructions"] == "Be brief."
        yield owner
        assert not owner.ended
        assert (owner.link.stats.malformed_events, owner.link.stats.unknown_events) == (0, 0)
    finally:
        await owner.link.close()
        await owner.client.close()
    assert owner.ended == [None]


@pytest.mark.parametrize("kind", ["websocket", "webrtc"])
async def test_an_answer_is_heard_as_it_was_said(port: int, kind: str) -> None:
    async with session(port, kind) as owner:
        done = await owner.after(ResponseCreate())
        assert done.response.status == "completed"
        assert done.response.output[0].transcript == "I heard you."
        assert await owner.listen(1.5) > 0.9


@pytest.mark.parametrize("kind", ["websocket", "webrtc"])
async def test_a_callers_turn_is_heard_and_answered(port: int, kind: str) -> None:
    async with session(port, kind) as owner:
        await owner.speak(1.0)
        await owner.speak(1.0, level=0.0)
        heard = await owner.until("conversation.item.input_audio_transcription.completed")
        started = await owner.until("input_audio_buffer.speech_started")
        assert heard.item_id == started.item_id
        lasted = int(heard.transcript.removeprefix("a turn of ").removesuffix(" ms"))
        assert lasted == pytest.approx(1000, abs=100)
        assert (await owner.until("response.done")).response.status == "completed"
        assert await owner.listen(1.0) > 0.9


@pytest.mark.parametrize("kind", ["websocket", "webrtc"])
async def test_a_function_is_called_and_its_output_taken(port: int, kind: str) -> None:
    async with session(port, kind) as owner:
        text = [{"type": "input_text", "text": "[DTMF 9]"}]
        item = {"type": "message", "role": "user", "content": text}
        done = await owner.after(ConversationItemCreate(item=item), ResponseCreate())
        call: Item = done.response.output[-1]
        assert (call.type, call.name) == ("function_call", "hang_up")
        assert (await owner.until("response.function_call_arguments.done")).arguments == "{}"
        output = {"type": "function_call_output", "call_id": call.call_id, "output": "{}"}
        done = await owner.after(ConversationItemCreate(item=output), ResponseCreate())
        assert done.response.output[-1].transcript == "I heard you."


CONFIG = """
[sip]
bind = ["udp:127.0.0.1:0"]
[http]
bind = "127.0.0.1:0"
[media]
ports = "40000-40999"
[[trunks]]
name = "here"
hosts = ["127.0.0.1"]
[realtime]
provider = "custom"
url = "ws://127.0.0.1:{port}/v1/realtime"
model = "local"
link = "{kind}"
[call]
goodbye_seconds = 3  # over WebRTC it does not say when it was heard, so that this is waited
"""


@pytest.mark.parametrize("kind", ["websocket", "webrtc"])
def test_a_whole_call_is_greeted_answered_and_ended_by_it(
    port: int, kind: str, tmp_path: Path
) -> None:
    environment = {"GATEWAY_CONFIG_BODY": CONFIG.format(port=port, kind=kind)}
    with running(["serve", "--json"], tmp_path / "log", environment) as gateway:
        call = ["call", f"sip:demo@127.0.0.1:{gateway.sip_port}", "--digits", "9@4.0"]
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *call, "--seconds", "20", "--json"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert (told["ended_by"], told["packets_lost"]) == ("peer", 0)
        assert told["seconds"] < 15
        record = gateway.new_calls()[0]
    assert record["ended_by"] == "gateway"
    said = [entry["text"] for entry in record["transcript"] if entry.get("role") == "assistant"]
    assert said[0] == "I heard you."
