"""The service's webhooks over real HTTP: the genuine are answered first, the rest with 400."""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientError, ClientSession, web

from gateway.app import Gateway
from gateway.config import Settings
from gateway.errors import ConfigError
from gateway.http import Access, HttpServer, Keyring, WebhookDoor
from gateway.realtime.webhook import IncomingCall
from gateway.signing import sign

pytestmark = pytest.mark.interop

SECRET = "whsec_" + base64.b64encode(b"a secret of the tests").decode()
NEXT_SECRET = "whsec_" + base64.b64encode(b"the one that follows it").decode()
CALL = {"type": "realtime.call.incoming", "data": {"call_id": "rtc_1", "sip_headers": []}}
PATH = "/webhooks/realtime"


def delivery(
    event: Any = CALL,
    *,
    webhook_id: str = "wh_1",
    secret: str = SECRET,
    age: int = 0,
    body: bytes | None = None,
) -> tuple[bytes, dict[str, str]]:
    """Return a webhook's body and headers."""
    body = json.dumps(event).encode() if body is None else body
    timestamp = int(time.time()) - age
    return body, {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, webhook_id, timestamp, body),
    }


class Scene:
    def __init__(self) -> None:
        self.taken: list[IncomingCall] = []
        self.route = WebhookDoor([SECRET, NEXT_SECRET], self.taken.append)
        self.http: ClientSession

    async def post(self, body: bytes, headers: dict[str, str]) -> int:
        async with self.http.post(PATH, data=body, headers=headers) as answer:
            await answer.read()
            return answer.status


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    access = Access(Keyring([], b"key"), is_open_here=False)
    server = HttpServer([scene.route], host="127.0.0.1", port=0, access=access)
    await server.start()
    async with ClientSession(server.url) as scene.http:
        yield scene
    await server.close()


async def test_a_genuine_webhook_is_taken_once(scene: Scene) -> None:
    assert await scene.post(*delivery()) == 200
    (call,) = scene.taken
    assert (call.call_id, call.webhook_id) == ("rtc_1", "wh_1")


async def test_either_secret_counts_while_one_replaces_the_other(scene: Scene) -> None:
    assert await scene.post(*delivery(webhook_id="a", secret=SECRET)) == 200
    assert await scene.post(*delivery(webhook_id="b", secret=NEXT_SECRET)) == 200
    assert len(scene.taken) == 2


async def test_a_webhook_sent_again_is_answered_and_that_is_all(scene: Scene) -> None:
    assert await scene.post(*delivery(age=20)) == 200
    assert await scene.post(*delivery(age=0)) == 200
    assert (len(scene.taken), scene.route.repeated) == (1, 1)


async def test_a_replayed_webhook_is_refused(scene: Scene) -> None:
    copy = delivery()
    assert await scene.post(*copy) == 200
    assert await scene.post(*copy) == 400
    assert len(scene.taken) == 1


@pytest.mark.parametrize("age", [301, -302, 100_000])
async def test_a_stale_webhook_is_refused(scene: Scene, age: int) -> None:
    assert await scene.post(*delivery(age=age)) == 400
    assert scene.taken == []


async def test_a_forged_webhook_is_refused_and_its_name_stays_free(scene: Scene) -> None:
    assert await scene.post(*delivery(secret="whsec_Zm9yZ2Vk")) == 400
    body, headers = delivery()
    assert await scene.post(body.replace(b"rtc_1", b"rtc_2"), headers) == 400
    assert scene.taken == []
    assert await scene.post(body, headers) == 200


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
async def test_an_unsigned_webhook_is_refused(scene: Scene, missing: str) -> None:
    body, headers = delivery()
    del headers[missing]
    assert await scene.post(body, headers) == 400
    assert scene.taken == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"type": 5}', b"\xff\xfe", b"[" * 50_000])
async def test_signed_nonsense_is_refused(scene: Scene, body: bytes) -> None:
    assert await scene.post(*delivery(body=body)) == 400
    assert scene.taken == []


async def test_an_endless_webhook_is_not_read(scene: Scene) -> None:
    assert await scene.post(*delivery(body=b" " * 500_000)) == 413
    assert scene.taken == []


async def test_bytes_in_a_header_that_are_no_text_are_refused(scene: Scene) -> None:
    body, headers = delivery()
    odd = headers | {"webhook-id": b"\xff\xfe".decode("utf-8", "surrogateescape")}
    url = urlsplit(str(scene.http._base_url))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    lines = [f"{name}: {value}" for name, value in odd.items()]
    head = [f"POST {PATH} HTTP/1.1", "Host: x", *lines, f"Content-Length: {len(body)}", "", ""]
    writer.write("\r\n".join(head).encode("utf-8", "surrogateescape") + body)
    assert b" 400 " in await reader.readline()
    writer.close()


async def test_a_body_not_packed_as_it_says_is_refused(scene: Scene) -> None:
    body, headers = delivery()
    assert await scene.post(body, headers | {"Content-Encoding": "gzip"}) == 400
    assert scene.taken == []


async def test_a_webhook_that_does_not_come_to_its_end_is_not_waited_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.http.bodies._SECONDS", 0.1)

    async def half() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    _, headers = delivery()
    async with asyncio.timeout(4), scene.http.post(PATH, data=half(), headers=headers) as answer:
        assert answer.status == 408


async def test_a_call_is_taken_though_nobody_waits_for_the_answer(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(self: web.StreamResponse, data: bytes = b"") -> None:
        raise ConnectionResetError

    with monkeypatch.context() as broken:
        broken.setattr(web.Response, "write_eof", lost)
        with contextlib.suppress(ClientError):
            await scene.post(*delivery())
    assert [call.call_id for call in scene.taken] == ["rtc_1"]


async def test_other_webhooks_are_answered_and_passed_over(scene: Scene) -> None:
    assert await scene.post(*delivery({"type": "batch.completed", "data": {"id": "b"}})) == 200
    assert scene.taken == []


async def test_a_refusal_tells_nothing(scene: Scene) -> None:
    body, headers = delivery(secret="whsec_Zm9yZ2Vk")
    async with scene.http.post(PATH, data=body, headers=headers) as answer:
        told = await answer.json()
    assert told == {
        "type": "about:blank",
        "status": 400,
        "title": "Bad Request",
        "detail": "Bad Request",
        "instance": PATH,
    }


def settings(**tables: Any) -> Settings:
    standard: dict[str, Any] = {
        "sip": {"bind": ["udp:127.0.0.1:0"]},
        "http": {"bind": "127.0.0.1:0"},
        "realtime": {
            "provider": "custom",
            "url": "ws://127.0.0.1:9",
            "link": "sideband",
            "webhook_secret": SECRET,
        },
    }
    return Settings.model_validate(standard | tables)


async def test_only_a_gateway_whose_calls_the_service_holds_has_the_route() -> None:
    for link, status in (("sideband", 200), ("websocket", 404)):
        realtime = settings().realtime.model_dump() | {"link": link, "webhook_secret": SECRET}
        gateway = Gateway(settings(realtime=realtime))
        await gateway.start()
        try:
            body, headers = delivery({"type": "batch.completed"})
            async with (
                ClientSession(gateway.page) as http,
                http.post(PATH, data=body, headers=headers) as answer,
            ):
                assert answer.status == status
        finally:
            await gateway.close()


@pytest.mark.parametrize(
    ("tables", "where"),
    [
        ({"http": {"bind": ""}}, "http.bind"),
        (
            {"realtime": {"provider": "custom", "url": "ws://127.0.0.1:9", "link": "sideband"}},
            "realtime.webhook_secret_env",
        ),
    ],
)
async def test_a_door_that_nobody_could_use_or_everybody_is_not_opened(
    tables: dict[str, Any], where: str
) -> None:
    with pytest.raises(ConfigError, match=where):
        Gateway(settings(**tables))
