"""The WebSocket link against a socket made of two queues."""

import asyncio
import base64
from typing import Any

import pytest
from fake_socket import FakeSocket
from structlog.testing import capture_logs
from websockets.frames import Close

from gateway.errors import LinkError
from gateway.realtime.commands import (
    InputAudioBufferClear,
    InputAudioBufferCommit,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
)
from gateway.realtime.dialect import PREVIEW
from gateway.realtime.endpoint import Endpoint
from gateway.realtime.events import (
    InputAudioBufferCleared,
    ServerEvent,
    SessionUpdated,
    Unknown,
    wire_name,
)
from gateway.realtime.websocket import WebSocketLink

ENDPOINT = Endpoint("ws://127.0.0.1:1/v1/realtime")


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

    @property
    def sent(self) -> list[str]:
        return self.socket.names


@pytest.fixture
async def owner() -> Owner:
    owner = Owner()
    await owner.link.connect()
    return owner


async def test_audio_is_gathered_into_appends(owner: Owner) -> None:
    for _ in range(5):
        owner.link.append(bytes(20))
    assert owner.sent == ["input_audio_buffer.append"] * 2
    assert owner.link.stats.audio_bytes == 80
    await owner.link.close()


async def test_a_commit_takes_the_audio_before_it_along_and_a_clear_drops_it(owner: Owner) -> None:
    owner.link.append(bytes(20))
    owner.link.send(InputAudioBufferCommit())
    owner.link.append(bytes(20))
    owner.link.send(InputAudioBufferClear())
    append, commit, clear = owner.sent
    assert append.endswith("append")
    assert (commit[-6:], clear[-5:]) == ("commit", "clear")
    await owner.link.close()


async def test_every_command_has_an_id_of_its_own(owner: Owner) -> None:
    first = owner.link.send(ResponseCreate())
    second = owner.link.send(ResponseCancel(event_id="mine"))
    assert [message["event_id"] for message in owner.socket.sent] == [first, second]
    assert second == "mine"
    await owner.link.close()


async def test_events_arrive_in_order_and_unknown_ones_are_counted(owner: Owner) -> None:
    for data in (
        b'{"type":"input_audio_buffer.cleared"}',
        b'{"type":"new"}',
        bytearray(b"garbage"),
    ):
        owner.socket.on_message(data)
    assert [type(event) for event in owner.events] == [InputAudioBufferCleared, Unknown, Unknown]
    stats = owner.link.stats
    assert (stats.events, stats.unknown_events, stats.malformed_events) == (3, 2, 1)
    await owner.link.close()


async def test_our_own_goodbye_is_told_once_and_is_no_fault(owner: Owner) -> None:
    await owner.link.close()
    await owner.link.close()
    assert owner.endings == [None]
    owner.link.send(ResponseCreate())
    assert owner.sent == []


async def test_an_error_is_tied_to_its_command(owner: Owner) -> None:
    event_id = owner.link.send(ResponseCancel())
    about = {"type": "invalid_request_error", "code": "response_cancel_not_active"}
    with capture_logs() as logs:
        owner.socket.say({"type": "error", "event_id": "e1", "error": about | {"event_id": None}})
        owner.socket.say({"type": "error", "error": about | {"event_id": "somebody else's"}})
        owner.socket.say({"type": "error", "error": about | {"event_id": event_id}})
    assert (owner.link.stats.errors, owner.link.stats.refused_commands) == (3, 1)
    (entry,) = logs
    assert (entry["command"], entry["code"]) == ("response.cancel", "response_cancel_not_active")
    await owner.link.close()


async def test_the_memory_for_commands_is_bounded(owner: Owner) -> None:
    first = owner.link.send(ResponseCancel())
    for _ in range(256):
        owner.link.send(ResponseCancel())
    owner.socket.say({"type": "error", "error": {"type": "x", "event_id": first}})
    assert (owner.link.stats.errors, owner.link.stats.refused_commands) == (1, 0)
    await owner.link.close()


async def test_an_event_that_comes_twice_is_handed_on_once(owner: Owner) -> None:
    delta = {"type": "response.output_audio.delta", "response_id": "r", "item_id": "i"}
    first = delta | {"event_id": "e1", "output_index": 0, "content_index": 0, "delta": "AAAA"}
    for message in (first, first, first | {"delta": "BBBB"}, first | {"event_id": "e2"}):
        owner.socket.say(message)
    assert (len(owner.events), owner.link.stats.duplicates) == (3, 1)
    assert owner.link.stats.events == 4
    await owner.link.close()


async def test_two_keys_alike_are_two_keys_though_nothing_tells_them_apart(owner: Owner) -> None:
    key = {"type": "input_audio_buffer.dtmf_event_received", "event": "5", "received_at": 1}
    owner.socket.say(key)
    owner.socket.say(key)
    assert (len(owner.events), owner.link.stats.duplicates) == (2, 0)
    await owner.link.close()


async def test_events_out_of_order_are_handed_on_as_they_come(owner: Owner) -> None:
    names = ["response.done", "response.created", "session.created"]
    for name in names:
        owner.socket.say({"type": name, "response": {}, "session": {}})
    assert [wire_name(event) for event in owner.events] == names
    await owner.link.close()


@pytest.mark.parametrize("delta", ["*", "AAA", "ÄÖÜ", 5, None, ["AAAA"]])
async def test_audio_that_is_not_base64_costs_that_event_alone(owner: Owner, delta: Any) -> None:
    where = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
    owner.socket.say({"type": "response.output_audio.delta", "delta": delta} | where)
    owner.socket.say({"type": "input_audio_buffer.cleared"})
    bad, good = owner.events
    assert isinstance(bad, Unknown)
    assert bad.problem
    assert isinstance(good, InputAudioBufferCleared)
    assert owner.link.stats.malformed_events == 1
    await owner.link.close()


async def test_the_preview_is_spoken_where_the_endpoint_says_so() -> None:
    socket, events = FakeSocket(), list[ServerEvent | Unknown]()

    async def connect(endpoint: Endpoint) -> FakeSocket:
        return socket

    endpoint = Endpoint("wss://service/", dialect=PREVIEW)
    link = WebSocketLink(endpoint, on_event=events.append, on_closed=print, connect=connect)
    await link.connect()
    link.send(SessionUpdate(session={"type": "realtime", "output_modalities": ["text"]}))
    link.append(bytes(1920))
    update, append = socket.sent
    assert update["session"] == {"modalities": ["text"]}
    assert append["type"] == "input_audio_buffer.append"
    socket.say({"type": "session.updated", "session": {"input_audio_format": "g711_alaw"}})
    (event,) = events
    assert isinstance(event, SessionUpdated)
    assert event.session["audio"]["input"]["format"] == {"type": "audio/pcma"}
    await link.close()


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
    owner.socket.on_end(end)
    owner.socket.on_end(end)
    (fault,) = owner.endings
    assert isinstance(fault, LinkError)
    assert words in str(fault)
    assert fault.retryable is retryable


async def test_a_stalled_socket_costs_the_oldest_audio_and_no_command(owner: Owner) -> None:
    owner.socket.is_clogged = True
    owner.link.send(ResponseCreate())
    for value in range(300):
        owner.link.append(bytes([value % 256]) * 40)
    assert owner.link.stats.dropped_audio_bytes == 50 * 40
    assert owner.link.stats.audio_bytes == 250 * 40
    assert owner.sent == []
    owner.socket.unclog()
    assert owner.sent == ["response.create"] + ["input_audio_buffer.append"] * 250
    assert base64.b64decode(owner.socket.sent[1]["audio"])[0] == 50
    await owner.link.close()


async def test_what_waits_is_sent_before_what_comes_later(owner: Owner) -> None:
    owner.socket.is_clogged = True
    owner.link.send(ResponseCreate())
    owner.socket.is_clogged = False  # there is room, but we were not yet told
    owner.link.send(ResponseCancel())
    owner.socket.on_writable()
    assert owner.sent == ["response.create", "response.cancel"]
    await owner.link.close()


async def test_what_is_sent_before_the_connection_is_there_follows() -> None:
    owner = Owner()
    owner.link.send(ResponseCreate())
    await owner.link.connect()
    owner.socket.on_writable()
    assert owner.sent == ["response.create"]
    await owner.link.close()


async def test_a_service_that_stops_reading_ends_the_link(owner: Owner) -> None:
    owner.socket.is_clogged = True
    for _ in range(1010):
        owner.link.send(ResponseCreate())
    assert owner.endings == []  # not in the middle of what the caller is doing
    await asyncio.sleep(0)
    (fault,) = owner.endings
    assert "stopped reading" in str(fault)
    assert owner.socket.dropped_with == [1011]


async def test_a_fault_in_what_the_owner_does_ends_the_link_and_is_told(owner: Owner) -> None:
    def fail(event: object) -> None:
        raise ZeroDivisionError

    owner.link.on_event = fail
    with capture_logs() as logs:
        owner.socket.on_message(b'{"type":"input_audio_buffer.cleared"}')
        owner.socket.on_message(b'{"type":"input_audio_buffer.cleared"}')
    owner.link.append(bytes(40))
    await asyncio.sleep(0)
    (fault,) = owner.endings
    assert "inside the gateway" in str(fault)
    assert owner.link.stats.events == 1
    assert owner.socket.dropped_with == [1011]
    assert owner.sent == []
    assert [(entry["log_level"], entry["exc_info"]) for entry in logs] == [("error", True)]


async def test_a_service_out_of_reach_is_a_link_error() -> None:
    async def refuse(endpoint: Endpoint) -> FakeSocket:
        raise LinkError(f"{endpoint} cannot be reached")

    link = WebSocketLink(ENDPOINT, on_event=print, on_closed=print, connect=refuse)
    with pytest.raises(LinkError, match="cannot be reached"):
        await link.connect()
    await link.close()


async def test_a_link_closed_while_it_opens_leaves_no_socket_behind() -> None:
    socket, is_there = FakeSocket(), asyncio.Event()

    async def slowly(endpoint: Endpoint) -> FakeSocket:
        await is_there.wait()
        return socket

    link = WebSocketLink(ENDPOINT, on_event=print, on_closed=print, connect=slowly)
    connecting = asyncio.create_task(link.connect())
    await asyncio.sleep(0)
    await link.close()
    is_there.set()
    with pytest.raises(LinkError, match="closed before") as refused:
        await connecting
    assert not refused.value.retryable
    assert socket.is_closed
