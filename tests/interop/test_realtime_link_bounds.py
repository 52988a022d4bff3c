"""Links on real sockets against services that send too much, nonsense, or nobody the call."""

import asyncio
import base64
import functools
import json
from collections.abc import Callable

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from gateway.errors import LinkError
from gateway.realtime import connection
from gateway.realtime.commands import ResponseCreate
from gateway.realtime.endpoint import Endpoint
from gateway.realtime.events import (
    ConversationItemRetrieved,
    InputAudioBufferCleared,
    ServerEvent,
    Unknown,
)
from gateway.realtime.sideband import SidebandLink
from gateway.realtime.websocket import WebSocketLink

pytestmark = pytest.mark.interop

MEGABYTE = 1_000_000
CLEARED = '{"type":"input_audio_buffer.cleared"}'


class Owner:
    """A call's view of its link."""

    def __init__(self) -> None:
        self.events: list[ServerEvent | Unknown] = []
        self.ends: list[LinkError | None] = []
        self.changed = asyncio.Event()

    def take(self, event: ServerEvent | Unknown) -> None:
        self.events.append(event)
        self.changed.set()

    def end(self, fault: LinkError | None) -> None:
        self.ends.append(fault)
        self.changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    def has(self, count: int) -> bool:
        return len(self.events) == count

    def link(self, server: Server) -> WebSocketLink:
        return WebSocketLink(endpoint_of(server), on_event=self.take, on_closed=self.end)

    def sideband(self, server: Server, call_id: str) -> SidebandLink:
        return SidebandLink(
            endpoint_of(server), call_id, on_event=self.take, on_closed=self.end, patience=10.0
        )


def endpoint_of(server: Server) -> Endpoint:
    port = next(iter(server.sockets)).getsockname()[1]
    return Endpoint(f"ws://127.0.0.1:{port}/v1/realtime?model=m")


def retrieved(size: int) -> str:
    audio = base64.b64encode(bytes(size * 3 // 4)).decode()
    content = [{"type": "audio", "audio": audio, "format": "pcm16"}]
    item = {"id": "i", "type": "message", "role": "user", "content": content}
    return json.dumps({"type": "conversation.item.retrieved", "item": item})


@pytest.mark.parametrize("is_in_pieces", [False, True])
async def test_an_item_of_twenty_megabytes_is_handed_on_whole(is_in_pieces: bool) -> None:
    message = retrieved(20 * MEGABYTE)
    pieces = [message[start : start + MEGABYTE] for start in range(0, len(message), MEGABYTE)]

    async def send(socket: ServerConnection) -> None:
        await socket.send(pieces if is_in_pieces else message)
        await socket.send(CLEARED)
        await socket.wait_closed()

    owner = Owner()
    async with serve(send, "127.0.0.1", 0, max_size=None) as server:
        link = owner.link(server)
        await link.connect()
        await owner.until(lambda: len(owner.events) == 2)
        await link.close()
    item, _ = owner.events
    assert isinstance(item, ConversationItemRetrieved)
    assert item.item.content
    assert len(item.item.content[0].audio or "") == 20 * MEGABYTE
    assert owner.ends == [None]


async def test_a_message_beyond_all_bounds_ends_the_link_and_not_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "_MOST_BYTES", MEGABYTE)

    async def send(socket: ServerConnection) -> None:
        await socket.send(CLEARED)
        await socket.send(retrieved(2 * MEGABYTE))
        await socket.wait_closed()

    owner = Owner()
    async with serve(send, "127.0.0.1", 0, max_size=None) as server:
        link = owner.link(server)
        await link.connect()
        await owner.until(lambda: bool(owner.ends))
        await link.close()
    (fault,) = owner.ends
    assert fault is not None
    assert fault.retryable
    assert len(owner.events) == 1


async def test_nonsense_without_end_is_counted_and_costs_nothing_else() -> None:
    nonsense: list[str | bytes] = [
        "",
        "null",
        "{",
        "[" * 50_000,
        '{"type":"response.output_audio.delta","delta":"not base64"}',
        '{"type":"a.day.after"}',
        b"\xff\xfe\x00",
        '{"type":" input_audio_buffer.dtmf_event_received","event":"1"}',
    ]

    async def send(socket: ServerConnection) -> None:
        for message in nonsense * 100:
            await socket.send(message)
        await socket.send(CLEARED)
        await socket.wait_closed()

    owner = Owner()
    async with serve(send, "127.0.0.1", 0) as server:
        link = owner.link(server)
        await link.connect()
        await owner.until(lambda: bool(owner.events) and _is_cleared(owner.events[-1]))
        await link.close()
    stats = link.stats
    assert (stats.events, stats.unknown_events) == (801, 700)
    assert stats.malformed_events == 600
    assert owner.ends == [None]


def _is_cleared(event: ServerEvent | Unknown) -> bool:
    return isinstance(event, InputAudioBufferCleared)


async def test_a_sideband_finds_its_call_outlives_its_socket_and_hears_of_the_end() -> None:
    asked: list[str] = []
    commands: list[str] = []

    def admit(socket: ServerConnection, request: Request) -> Response | None:
        asked.append(request.path)
        if len(asked) in (3, 4):  # twice too early; two sockets; then the call is over
            return None
        return socket.respond(404, '{"error":{"code":"call_id_not_found"}}')

    async def speak(socket: ServerConnection) -> None:
        await socket.send(CLEARED)
        commands.append(json.loads(await socket.recv())["type"])
        socket.transport.abort()

    owner = Owner()
    async with serve(speak, "127.0.0.1", 0, process_request=admit) as server:
        link = owner.sideband(server, "rtc_1")
        await link.connect()
        for count in (1, 2):
            await owner.until(functools.partial(owner.has, count))
            link.send(ResponseCreate())
        await owner.until(lambda: bool(owner.ends))
        await link.close()
    assert asked == ["/v1/realtime?call_id=rtc_1"] * 5
    assert commands == ["response.create"] * 2
    (end,) = owner.ends
    assert end is not None
    assert (str(end), end.status) == ("the call is over", 404)
    assert link.stats.reconnects == 1


async def test_why_there_is_no_such_call_is_read_from_the_answer() -> None:
    def refuse(socket: ServerConnection, request: Request) -> Response:
        body = {"error": {"code": "insufficient_quota", "message": "no money left"}}
        return socket.respond(429, json.dumps(body))

    async def never(socket: ServerConnection) -> None:
        raise AssertionError(f"nobody may come in: {socket.id}")

    async with serve(never, "127.0.0.1", 0, process_request=refuse) as server:
        with pytest.raises(LinkError, match="insufficient_quota no money left") as refused:
            await Owner().link(server).connect()
    assert (refused.value.status, refused.value.retryable) == (429, False)
