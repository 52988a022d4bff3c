"""The WebSocket link against a socket made of two queues."""

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from gateway.errors import LinkError
from gateway.realtime.commands import (
    InputAudioBufferClear,
    InputAudioBufferCommit,
    ResponseCancel,
    ResponseCreate,
)
from gateway.realtime.endpoint import Endpoint
from gateway.realtime.events import InputAudioBufferCleared, ServerEvent, Unknown
from gateway.realtime.websocket import WebSocketLink

ENDPOINT = Endpoint("ws://127.0.0.1:1/v1/realtime")


class FakeSocket:
    """A socket whose other end is the test."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[bytes | Close | None] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.can_send = asyncio.Event()
        self.can_send.set()
        self.closed_with: int | None = None

    async def recv(self, decode: bool | None = None) -> bytes:
        assert decode is False
        item = await self.incoming.get()
        if isinstance(item, bytes):
            return item
        raise ConnectionClosedError(item, None)

    async def send(self, message: bytes, *, text: bool | None = None) -> None:
        assert text is True
        await self.can_send.wait()
        self.sent.append(json.loads(message))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed_with = code
        self.incoming.put_nowait(Close(code, reason))


class Owner:
    """What a call sees of its link."""

    def __init__(self) -> None:
        self.socket = FakeSocket()
        self.events: list[ServerEvent | Unknown] = []
        self.endings: list[LinkError | None] = []
        self.link = WebSocketLink(
            ENDPOINT,
            on_event=self.events.append,
            on_closed=self.endings.append,
            append_ms=40,
            bytes_per_ms=1,
            connect=self._connect,
        )

    async def _connect(self, endpoint: Endpoint) -> FakeSocket:
        return self.socket

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    @property
    def sent(self) -> list[str]:
        return [message["type"] for message in self.socket.sent]


@pytest.fixture
async def owner() -> Owner:
    owner = Owner()
    await owner.link.connect()
    return owner


async def test_audio_is_gathered_into_appends(owner: Owner) -> None:
    for _ in range(5):
        owner.link.append(bytes(20))
    await owner.settle()
    assert owner.sent == ["input_audio_buffer.append"] * 2
    assert owner.link.stats.audio_bytes == 80
    await owner.link.close()


async def test_a_commit_takes_the_audio_before_it_along_and_a_clear_drops_it(owner: Owner) -> None:
    owner.link.append(bytes(20))
    owner.link.send(InputAudioBufferCommit())
    owner.link.append(bytes(20))
    owner.link.send(InputAudioBufferClear())
    await owner.settle()
    append, commit, clear = owner.sent
    assert append.endswith("append")
    assert (commit[-6:], clear[-5:]) == ("commit", "clear")
    await owner.link.close()


async def test_every_command_has_an_id_of_its_own(owner: Owner) -> None:
    first = owner.link.send(ResponseCreate())
    second = owner.link.send(ResponseCancel(event_id="mine"))
    await owner.settle()
    assert [message["event_id"] for message in owner.socket.sent] == [first, second]
    assert second == "mine"
    await owner.link.close()


async def test_events_arrive_in_order_and_unknown_ones_are_counted(owner: Owner) -> None:
    for data in (b'{"type":"input_audio_buffer.cleared"}', b'{"type":"new"}', b"garbage"):
        owner.socket.incoming.put_nowait(data)
    await owner.settle()
    assert [type(event) for event in owner.events] == [InputAudioBufferCleared, Unknown, Unknown]
    stats = owner.link.stats
    assert (stats.events, stats.unknown_events, stats.malformed_events) == (3, 2, 1)
    await owner.link.close()


async def test_our_own_goodbye_is_told_once_and_is_no_fault(owner: Owner) -> None:
    await owner.link.close()
    await owner.link.close()
    assert owner.endings == [None]
    owner.link.send(ResponseCreate())
    await owner.settle()
    assert owner.sent == []


@pytest.mark.parametrize(
    ("end", "words", "retryable"),
    [
        (Close(1001, "Your session hit the maximum duration of 60 minutes."), "60 minutes", True),
        (None, "1006", True),
        (Close(1008, "policy"), "policy", False),
    ],
)
async def test_the_services_goodbye_is_explained(
    owner: Owner, end: Close | None, words: str, retryable: bool
) -> None:
    owner.socket.incoming.put_nowait(end)
    await owner.settle()
    (fault,) = owner.endings
    assert isinstance(fault, LinkError)
    assert words in str(fault)
    assert fault.retryable is retryable


async def test_a_stalled_socket_costs_the_oldest_audio_and_no_command(owner: Owner) -> None:
    owner.socket.can_send.clear()
    owner.link.send(ResponseCreate())
    for _ in range(300):
        owner.link.append(bytes(40))
    await owner.settle()
    assert owner.link.stats.dropped_audio_bytes == 50 * 40
    owner.socket.can_send.set()
    for _ in range(20):
        await owner.settle()
    assert owner.sent.count("input_audio_buffer.append") == 250
    assert owner.sent.count("response.create") == 1
    await owner.link.close()


async def test_a_service_that_stops_reading_ends_the_link(owner: Owner) -> None:
    owner.socket.can_send.clear()
    for _ in range(1010):
        owner.link.send(ResponseCreate())
    await owner.settle()
    (fault,) = owner.endings
    assert "stopped reading" in str(fault)
    assert owner.socket.closed_with == 1011


async def test_a_service_out_of_reach_is_a_link_error() -> None:
    async def refuse(endpoint: Endpoint) -> FakeSocket:
        raise LinkError(f"{endpoint} cannot be reached")

    link = WebSocketLink(ENDPOINT, on_event=print, on_closed=print, connect=refuse)
    with pytest.raises(LinkError, match="cannot be reached"):
        await link.connect()
    await link.close()
