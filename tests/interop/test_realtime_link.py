"""The gateway's own link against the embedded service and against servers that fail it."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from gateway.embedded.protocol.session import Limits
from gateway.embedded.server import EmbeddedService
from gateway.errors import ConfigError, LinkError
from gateway.realtime.commands import ResponseCreate, SessionUpdate
from gateway.realtime.connection import open_socket
from gateway.realtime.credentials import Key
from gateway.realtime.endpoint import Endpoint
from gateway.realtime.events import ErrorEvent, ServerEvent, Unknown, wire_name
from gateway.realtime.websocket import WebSocketLink

pytestmark = pytest.mark.interop


class Owner:
    """A call's view of its link."""

    def __init__(self, url: str, key: str = "") -> None:
        self.events: list[ServerEvent | Unknown] = []
        self.ended: asyncio.Future[LinkError | None] = asyncio.get_running_loop().create_future()
        endpoint = Endpoint(url, Key(key))
        self.link = WebSocketLink(
            endpoint, on_event=self.events.append, on_closed=self.ended.set_result
        )

    async def until(self, name: str) -> ServerEvent | Unknown:
        async with asyncio.timeout(10):
            while True:
                for event in self.events:
                    if wire_name(event) == name:
                        return event
                await asyncio.sleep(0.01)

    async def end(self) -> LinkError | None:
        async with asyncio.timeout(10):
            return await self.ended


@pytest.fixture
async def service() -> AsyncIterator[EmbeddedService]:
    service = EmbeddedService("127.0.0.1", 0, "echo", key="sk-1", limits=Limits(longest=1.0))
    await service.start()
    yield service
    await service.close()


async def test_a_session_begins_lasts_its_time_and_ends(service: EmbeddedService) -> None:
    owner = Owner(service.url, "sk-1")
    await owner.link.connect()
    assert service.sessions == 1
    owner.link.send(SessionUpdate(session={"type": "realtime", "instructions": "Echo."}))
    await owner.until("session.updated")
    owner.link.send(ResponseCreate())
    await owner.until("response.done")
    error = await owner.until("error")
    assert isinstance(error, ErrorEvent)
    assert error.error.code == "session_expired"
    fault = await owner.end()
    assert fault
    assert "maximum duration" in str(fault)
    assert fault.retryable
    await owner.link.close()


async def test_the_service_going_away_in_mid_session_is_told_once(service: EmbeddedService) -> None:
    owner = Owner(service.url, "sk-1")
    await owner.link.connect()
    await owner.until("session.created")
    await service.close()
    fault = await owner.end()
    assert fault
    assert fault.retryable


@pytest.mark.parametrize(
    ("path", "key", "words", "retryable"),
    [
        ("/v1/realtime", "sk-2", "key", False),
        ("/v1/other", "sk-1", "404", False),
        ("/v1/realtime?call_id=rtc_1", "sk-1", "404", False),
    ],
)
async def test_a_refusal_is_explained(
    service: EmbeddedService, path: str, key: str, words: str, retryable: bool
) -> None:
    url = service.url.replace("/v1/realtime", path)
    with pytest.raises(LinkError, match=words) as refused:
        await Owner(url, key).link.connect()
    assert refused.value.retryable is retryable


async def test_nobody_there_is_explained() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{taken.getsockname()[1]}/v1/realtime"
        with pytest.raises(LinkError, match="cannot be reached") as refused:
            await Owner(url).link.connect()
    assert refused.value.retryable


async def test_a_socket_cut_without_a_word_is_a_fault() -> None:
    async def vanish(connection: ServerConnection) -> None:
        await connection.send('{"type":"something.new"}')
        connection.transport.abort()

    async with serve(vanish, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        owner = Owner(f"ws://127.0.0.1:{port}/v1/realtime")
        await owner.link.connect()
        fault = await owner.end()
    assert fault
    assert "1006" in str(fault)
    assert fault.retryable
    await owner.link.close()


async def test_a_service_that_stops_reading_costs_old_audio_and_not_the_goodbye() -> None:
    stopped: asyncio.Future[ServerConnection] = asyncio.get_running_loop().create_future()

    async def stop_reading(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        stopped.set_result(connection)
        await connection.wait_closed()

    async with serve(stop_reading, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        owner = Owner(f"ws://127.0.0.1:{port}/v1/realtime")
        await owner.link.connect()
        connection = await stopped
        stats = owner.link.stats
        async with asyncio.timeout(20):
            while not stats.dropped_audio_bytes:
                owner.link.append(bytes(96_000))
                await asyncio.sleep(0)
        async with asyncio.timeout(4):
            await owner.link.close()
        assert await owner.end() is None
        connection.transport.abort()


async def test_a_taken_port_is_refused_with_a_remedy(service: EmbeddedService) -> None:
    with pytest.raises(ConfigError, match="choose another port"):
        await EmbeddedService("127.0.0.1", service.port).start()


async def test_the_key_does_not_follow_a_redirect() -> None:
    asked: list[str] = []

    def elsewhere(connection: ServerConnection, request: Request) -> Response:
        asked.append(request.path)
        answer = connection.respond(302, "over there")
        answer.headers["Location"] = f"ws://localhost:{port}/stolen"
        return answer

    async def never(connection: ServerConnection) -> None:
        raise AssertionError(f"nobody may come in: {connection.id}")

    async with serve(never, "127.0.0.1", 0, process_request=elsewhere) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        endpoint = Endpoint(f"ws://127.0.0.1:{port}/v1/realtime", Key("secret", "api-key"))
        with pytest.raises(LinkError, match="302"):
            await open_socket(endpoint)
    assert asked == ["/v1/realtime"]


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 302 Found\r\nLocation: ftp://elsewhere/\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
    ids=["odd redirect", "half an upgrade", "another protocol", "nothing"],
)
async def test_whatever_answers_instead_of_the_service_is_a_link_error(reply: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(LinkError, match=rf"{port}|302"):
            await open_socket(Endpoint(f"ws://127.0.0.1:{port}/v1/realtime"))
