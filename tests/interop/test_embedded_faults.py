"""Faults on demand: what is ordered at the admin endpoint is what clients meet, on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from gateway.embedded.server import EmbeddedService

pytestmark = pytest.mark.interop

CREATE = '{"type":"response.create"}'


class Scene:
    """A service that takes orders, and one client of it."""

    def __init__(self, service: EmbeddedService, socket: ClientConnection) -> None:
        self.service = service
        self.socket = socket

    async def order(self, method: str = "POST", **order: Any) -> tuple[int, dict[str, Any]]:
        return await ask(self.service, method, "faults", order)

    async def event(self, within: float = 10) -> dict[str, Any]:
        async with asyncio.timeout(within):
            found: dict[str, Any] = json.loads(await self.socket.recv())
            return found

    async def until(self, name: str) -> dict[str, Any]:
        while True:
            event = await self.event()
            if event["type"] == name:
                return event

    async def closed(self) -> tuple[int, str]:
        async with asyncio.timeout(10):
            await self.socket.wait_closed()
        return self.socket.close_code or 0, self.socket.close_reason or ""


async def ask(
    service: EmbeddedService, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    url = f"http://127.0.0.1:{service.port}/admin/{path}"
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, url, json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    service = EmbeddedService("127.0.0.1", 0, admin=True)
    await service.start()
    async with connect(service.url, compression=None, proxy=None, max_size=None) as socket:
        scene = Scene(service, socket)
        assert (await scene.event())["type"] == "session.created"
        yield scene
    await service.close()
    assert len(asyncio.all_tasks()) == 1


async def test_a_socket_is_closed_with_the_code_asked_for(scene: Scene) -> None:
    assert await scene.order(fault="close", code=1013, reason="later") == (200, {"sessions": 1})
    assert await scene.closed() == (1013, "later")


async def test_a_socket_vanishes_without_a_word(scene: Scene) -> None:
    await scene.order(fault="close", code=1006)
    assert await scene.closed() == (1006, "")


async def test_an_error_is_told_with_its_code(scene: Scene) -> None:
    await scene.order(fault="error", code="session_expired", message="No more.")
    error = (await scene.event())["error"]
    assert (error["code"], error["message"]) == ("session_expired", "No more.")
    await scene.socket.send('{"type":"input_audio_buffer.clear"}')
    assert (await scene.event())["type"] == "input_audio_buffer.cleared"


async def test_frames_come_that_nobody_should_send(scene: Scene) -> None:
    await scene.order(fault="unknown")
    assert (await scene.event())["type"] == "embedded.unheard_of"
    await scene.order(fault="oversized", bytes=20_000_000)
    assert len((await scene.event())["padding"]) == 20_000_000
    await scene.order(fault="malformed")
    with pytest.raises(json.JSONDecodeError):
        await scene.event()
    await scene.order(fault="frame", data="anything")
    assert await scene.socket.recv() == "anything"
    await scene.order(fault="duplicate")
    for _ in range(2):
        await scene.socket.send('{"type":"input_audio_buffer.clear"}')
    cleared = [await scene.event() for _ in range(3)]
    assert cleared[0] == cleared[1] != cleared[2]


async def test_a_stalled_session_says_nothing_and_then_all_of_it(scene: Scene) -> None:
    await scene.order(fault="stall")
    await scene.socket.send('{"type":"input_audio_buffer.clear"}')
    with pytest.raises(TimeoutError):
        await scene.event(within=0.3)
    await scene.order("DELETE")
    assert (await scene.event())["type"] == "input_audio_buffer.cleared"


async def test_a_stall_ends_by_itself_and_strikes_those_who_come_meanwhile(scene: Scene) -> None:
    await scene.order(fault="stall", seconds=0.6)
    async with connect(scene.service.url, compression=None, proxy=None) as late:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await late.recv()
        async with asyncio.timeout(10):
            assert "session.created" in str(await late.recv())


async def test_sound_is_slow(scene: Scene) -> None:
    await scene.order(fault="slow_audio", delay_ms=300)
    await scene.socket.send(CREATE)
    loop = asyncio.get_running_loop()
    await scene.until("response.output_audio.delta")
    first = loop.time()
    await scene.until("response.output_audio.delta")
    assert loop.time() - first >= 0.28


async def test_responses_fail_with_the_code_asked_for(scene: Scene) -> None:
    await scene.order(fault="fail_responses", code="inference_rate_limit_exceeded")
    await scene.socket.send(CREATE)
    response = (await scene.until("response.done"))["response"]
    assert response["status"] == "failed"
    assert response["status_details"]["error"]["code"] == "inference_rate_limit_exceeded"
    await scene.order("DELETE")
    await scene.socket.send(CREATE)
    assert (await scene.until("response.done"))["response"]["status"] == "completed"


async def test_everybody_is_turned_away_for_a_while(scene: Scene) -> None:
    await scene.order(fault="refuse", seconds=0.5, status=503)
    with pytest.raises(InvalidStatus) as refused:
        async with connect(scene.service.url, proxy=None):
            pass
    assert refused.value.response.status_code == 503
    await asyncio.sleep(0.6)
    async with connect(scene.service.url, proxy=None):
        pass


async def test_one_session_is_struck_and_no_other(scene: Scene) -> None:
    _, seen = await ask(scene.service, "GET", "sessions")
    session_id = seen["sessions"][0]["id"]
    assert seen["sessions"][0]["transport"] == "websocket"
    async with connect(scene.service.url, compression=None, proxy=None) as other:
        assert await scene.order(fault="close", session="sess_of_nobody") == (200, {"sessions": 0})
        await scene.order(fault="close", session=session_id)
        assert (await scene.closed())[0] == 1011
        async with asyncio.timeout(10):
            await other.recv()
            await other.send('{"type":"input_audio_buffer.clear"}')
            assert "cleared" in str(await other.recv())


@pytest.mark.parametrize(
    "order",
    [
        {},
        [],
        {"fault": 7},
        {"fault": "fire"},
        {"fault": "close", "code": 7},
        {"fault": "stall", "x": 1},
        {"fault": "oversized", "bytes": 10**12},
        {"fault": "stall", "seconds": -1},
    ],
)
async def test_an_order_that_makes_no_sense_is_refused(scene: Scene, order: Any) -> None:
    status, body = await ask(scene.service, "POST", "faults", order)
    assert status == 400
    assert body["error"]["type"] == "invalid_request_error"


async def test_a_page_in_a_browser_may_give_no_orders(scene: Scene) -> None:
    status, _ = await ask(scene.service, "POST", "faults", {"fault": "close"}, Origin="http://evil")
    assert status == 403


async def test_orders_need_the_key_where_there_is_one() -> None:
    service = EmbeddedService("127.0.0.1", 0, admin=True, key="sk-1")
    await service.start()
    assert (await ask(service, "GET", "sessions"))[0] == 401
    assert (await ask(service, "GET", "sessions", Authorization="Bearer sk-1"))[0] == 200
    await service.close()
