"""The preview generation over a real socket: with the SDK's types, and with our own service."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from openai.types.beta import realtime as beta
from pydantic import TypeAdapter
from websockets.asyncio.server import ServerConnection, serve

from gateway.embedded.server import EmbeddedService
from gateway.realtime import commands as c
from gateway.realtime import events as e
from gateway.realtime.connection import Socket, open_socket
from gateway.realtime.dialect import PREVIEW
from gateway.realtime.endpoint import Endpoint
from gateway.realtime.websocket import WebSocketLink

pytestmark = pytest.mark.interop

PATH = "/openai/realtime?api-version=2025-04-01-preview&deployment=gpt-realtime"
CLIENT: TypeAdapter[Any] = TypeAdapter(beta.RealtimeClientEvent)
SESSION = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "instructions": 'Say "Hello there."',
    "audio": {
        "input": {"format": {"type": "audio/pcmu"}, "turn_detection": None},
        "output": {"format": {"type": "audio/pcmu"}},
    },
}


class Owner:
    """A call's view of a link that speaks the preview."""

    def __init__(self, url: str) -> None:
        self.events: list[e.ServerEvent | e.Unknown] = []
        self.changed = asyncio.Event()
        self.frames: list[dict[str, Any]] = []
        self.link = WebSocketLink(
            Endpoint(url, dialect=PREVIEW),
            on_event=self.take,
            on_closed=lambda _: None,
            connect=self.connect,
        )

    async def connect(self, endpoint: Endpoint) -> Socket:
        """Connect, and keep what comes in as it stood on the wire."""
        socket = await open_socket(endpoint)
        listen = socket.listen

        def spy(on_message: Callable[[Any], None], *others: Any) -> None:
            def keep(message: bytes | bytearray) -> None:
                self.frames.append(json.loads(message))
                on_message(message)

            listen(keep, *others)

        socket.listen = spy  # type: ignore[method-assign]
        return socket

    def take(self, event: e.ServerEvent | e.Unknown) -> None:
        self.events.append(event)
        self.changed.set()

    async def until(self, kind: type[e.Event]) -> Any:
        async with asyncio.timeout(20):
            while True:
                for event in self.events:
                    if isinstance(event, kind):
                        return event
                self.changed.clear()
                await self.changed.wait()


# A service made of the SDK's types


class PreviewService:
    """Takes no command that the SDK has no type for, and says everything with its types."""

    def __init__(self) -> None:
        self.commands: list[Any] = []
        self.headers: list[tuple[str, str]] = []
        self.path = ""

    async def serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.path = connection.request.path
        self.headers = list(connection.request.headers.raw_items())
        async for message in connection:
            command = CLIENT.validate_json(message, strict=True)
            self.commands.append(command)
            for event in self.answer(command):
                await connection.send(event.model_dump_json(exclude_unset=True))

    def answer(self, command: Any) -> list[Any]:
        where = {"item_id": "i", "response_id": "r", "output_index": 0, "content_index": 0}
        if isinstance(command, beta.SessionUpdateEvent):
            told = command.session.model_dump(exclude_unset=True) | {"id": "sess_1"}
            session = beta.Session.model_validate(told)
            return [beta.SessionUpdatedEvent(type="session.updated", event_id="1", session=session)]
        if isinstance(command, beta.ResponseCreateEvent):
            sound = base64.b64encode(b"sound").decode()
            done = beta.RealtimeResponse(
                id="r",
                status="completed",
                modalities=["text", "audio"],
                output=[
                    beta.ConversationItem(
                        id="i",
                        type="message",
                        role="assistant",
                        content=[beta.ConversationItemContent(type="audio", transcript="Hello.")],
                    )
                ],
            )
            return [
                beta.ResponseAudioDeltaEvent(
                    type="response.audio.delta", event_id="2", delta=sound, **where
                ),
                beta.ResponseDoneEvent(type="response.done", event_id="3", response=done),
            ]
        return []


@pytest.fixture
async def judged() -> AsyncIterator[tuple[PreviewService, Owner]]:
    service = PreviewService()
    async with serve(service.serve, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        owner = Owner(f"ws://127.0.0.1:{port}{PATH}")
        await owner.link.connect()
        yield service, owner
        await owner.link.close()


async def test_a_service_of_the_sdks_types_and_our_link_understand_each_other(
    judged: tuple[PreviewService, Owner],
) -> None:
    service, owner = judged
    owner.link.send(c.SessionUpdate(session=SESSION))
    updated = await owner.until(e.SessionUpdated)
    audio = updated.session["audio"]
    assert audio["input"] == {"format": {"type": "audio/pcmu"}, "turn_detection": None}
    assert audio["output"] == {"format": {"type": "audio/pcmu"}}
    owner.link.append(bytes(1920))
    owner.link.send(c.InputAudioBufferCommit())
    owner.link.send(c.ResponseCreate(response={"output_modalities": ["audio"]}))
    done = await owner.until(e.ResponseDone)
    assert done.response.output[0].content[0].type == "output_audio"
    assert (await owner.until(e.ResponseOutputAudioDelta)).delta == b"sound"
    assert [type(command).__name__ for command in service.commands] == [
        "SessionUpdateEvent",
        "InputAudioBufferAppendEvent",
        "InputAudioBufferCommitEvent",
        "ResponseCreateEvent",
    ]
    assert service.path == PATH
    assert ("OpenAI-Beta", "realtime=v1") in service.headers
    assert owner.link.stats.unknown_events == 0


# With our own service


@pytest.fixture
async def owner() -> AsyncIterator[Owner]:
    service = EmbeddedService("127.0.0.1", 0, "echo")
    await service.start()
    owner = Owner(service.url.replace("/v1/realtime", PATH))
    await owner.link.connect()
    yield owner
    await owner.link.close()
    await service.close()


async def test_a_turn_with_the_embedded_service_in_the_older_words(owner: Owner) -> None:
    await owner.until(e.SessionCreated)
    owner.link.send(c.SessionUpdate(session=SESSION))
    updated = await owner.until(e.SessionUpdated)
    assert updated.session["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    assert updated.session["output_modalities"] == ["audio"]
    owner.link.append(bytes(range(256)) * 40)
    owner.link.send(c.InputAudioBufferCommit())
    owner.link.send(c.ResponseCreate())
    done = await owner.until(e.ResponseDone)
    assert done.response.status == "completed"
    assert (await owner.until(e.ResponseOutputAudioDelta)).delta
    on_the_wire = {frame["type"] for frame in owner.frames}
    assert {"response.audio.delta", "conversation.item.created"} <= on_the_wire
    assert not on_the_wire & {*e.PREVIEW_ALIASES.values(), "conversation.item.added"}
    assert "input_audio_format" in owner.frames[0]["session"]
    assert owner.link.stats.unknown_events == 0
