"""Requests to the service, against a real HTTP server that remembers them."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import BodyPartReader, web
from aiohttp.test_utils import TestServer

from gateway.errors import LinkError
from gateway.realtime.client import Answer, ServiceClient
from gateway.realtime.credentials import Credentials, Key
from gateway.realtime.endpoint import Endpoint

pytestmark = pytest.mark.interop

KEY = Key("sk-1")
OFFER = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\n"
ANSWER = "v=0\r\no=- 2 2 IN IP4 0.0.0.0\r\ns=-\r\n"
SESSION = {"instructions": "Be kind.", "audio": {"output": {"voice": "sage"}}}
WHOLE = {"type": "realtime", "model": "m", **SESSION}


class Service:
    """An HTTP service on loopback; answers as told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = self.accept
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        self.server = TestServer(app)

    async def accept(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/client_secrets"):
            return web.json_response({"value": "ek_1", "expires_at": 1, "session": {}})
        if request.path.endswith("/calls"):
            return web.Response(
                status=201, text=ANSWER, headers={"Location": "/v1/realtime/calls/rtc_1"}
            )
        return web.Response()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body: Any = {}
        if request.content_type == "multipart/form-data":
            async for part in await request.multipart():
                assert isinstance(part, BodyPartReader)
                assert part.filename is None
                body[part.name] = (part.headers["Content-Type"], await part.text())
        else:
            body = await request.read()
            body = json.loads(body) if body.startswith(b"{") else body
        self.asked.append((request.path_qs, dict(request.headers), body))
        return await self.answer(request)

    def client(
        self, *, credentials: Credentials = KEY, takes_forms: bool = True, **named: Any
    ) -> ServiceClient:
        url = f"ws://127.0.0.1:{self.server.port}/v1/realtime?model=m"
        endpoint = Endpoint(url, credentials, takes_forms=takes_forms)
        return ServiceClient(endpoint, **named)

    def refuse(self, status: int, body: Any = None, **headers: str) -> None:
        async def refuse(request: web.Request) -> web.StreamResponse:
            return web.json_response(body, status=status, headers=headers)

        self.answer = refuse


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    async with service.server:
        yield service


@pytest.fixture
async def client(service: Service) -> AsyncIterator[ServiceClient]:
    client = service.client()
    yield client
    await client.close()
    await client.close()


async def test_a_client_secret_is_asked_for(service: Service, client: ServiceClient) -> None:
    assert await client.client_secret(SESSION) == "ek_1"
    ((path, headers, body),) = service.asked
    assert path == "/v1/realtime/client_secrets"
    assert headers["Authorization"] == "Bearer sk-1"
    assert body == {"session": WHOLE}


async def test_an_offer_goes_with_the_key_as_a_form(
    service: Service, client: ServiceClient
) -> None:
    sdp, call_id = await client.call(OFFER, SESSION)
    assert (sdp, call_id) == (ANSWER, "rtc_1")
    ((path, headers, body),) = service.asked
    assert path == "/v1/realtime/calls"
    assert headers["Authorization"] == "Bearer sk-1"
    (sdp_type, offer), (session_type, session) = body["sdp"], body["session"]
    assert (sdp_type, offer) == ("application/sdp", OFFER)
    assert (session_type, json.loads(session)) == ("application/json", WHOLE)


async def test_where_no_form_is_taken_an_offer_goes_alone(
    service: Service, client: ServiceClient
) -> None:
    async def refuse_forms(request: web.Request) -> web.StreamResponse:
        is_form = request.content_type != "application/sdp"
        return web.Response(status=415) if is_form else await service.accept(request)

    service.answer = refuse_forms
    assert await client.call(OFFER, SESSION) == Answer(ANSWER, "rtc_1")
    path, headers, body = service.asked[-1]
    assert (path, body) == ("/v1/realtime/calls", OFFER.encode())
    assert headers["Authorization"] == "Bearer sk-1"
    assert len(service.asked) == 2


async def test_where_no_key_is_taken_an_offer_goes_with_a_secret(service: Service) -> None:
    client = service.client(credentials=Key("az-1", "api-key"), takes_forms=False)
    assert await client.call(OFFER, SESSION) == Answer(ANSWER, "rtc_1")
    (_, first, _), (path, headers, body) = service.asked
    assert first["api-key"] == "az-1"
    assert path == "/v1/realtime/calls"
    assert (headers["Authorization"], headers["Content-Type"]) == (
        "Bearer ek_1",
        "application/sdp",
    )
    assert "api-key" not in headers
    assert body == OFFER.encode()
    await client.close()


@pytest.mark.parametrize(
    ("door", "stem"), [("realtime", "/v1/realtime/calls"), ("live", "/v1/live/sessions")]
)
async def test_a_call_the_service_holds_is_steered(service: Service, door: Any, stem: str) -> None:
    client = service.client(front_door=door)
    await client.accept("rtc_1", SESSION)
    await client.reject("rtc_2")
    await client.reject("rtc_2", 486)
    await client.refer("rtc_1", "tel:+15550001")
    await client.hangup("rtc/1")
    await client.close()
    assert [(path, body) for path, _, body in service.asked] == [
        (f"{stem}/rtc_1/accept", WHOLE),
        (f"{stem}/rtc_2/reject", {"status_code": 603}),
        (f"{stem}/rtc_2/reject", {"status_code": 486}),
        (f"{stem}/rtc_1/refer", {"target_uri": "tel:+15550001"}),
        (f"{stem}/rtc%2F1/hangup", b""),
    ]
    assert {headers["Content-Type"] for _, headers, _ in service.asked} == {"application/json"}


@pytest.mark.parametrize(
    ("status", "body", "words", "retryable"),
    [
        (404, {"error": {"code": "call_id_not_found"}}, "404: call_id_not_found", False),
        (401, {"error": {"message": "bad key sk-1"}}, "refuses the key", False),
        (429, {"error": {"code": "rate_limit_exceeded"}}, "no capacity", True),
        (429, {"error": {"code": "insufficient_quota"}}, "insufficient_quota", False),
        (500, None, "answered 500", True),
        (400, ["no"], "answered 400", False),
    ],
)
async def test_a_refusal_carries_its_status_and_no_secret(
    service: Service, client: ServiceClient, status: int, body: Any, words: str, retryable: bool
) -> None:
    service.refuse(status, body)
    with pytest.raises(LinkError, match=words) as refused:
        await client.accept("rtc_1", SESSION)
    assert (refused.value.status, refused.value.retryable) == (status, retryable)
    assert "sk-1" not in str(refused.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_the_key_does_not_follow_a_redirect(
    service: Service, client: ServiceClient, status: int
) -> None:
    service.refuse(status, Location=f"http://localhost:{service.server.port}/stolen")
    with pytest.raises(LinkError, match=str(status)) as refused:
        await client.client_secret(SESSION)
    assert not refused.value.retryable
    assert len(service.asked) == 1


class Passes:
    """Two tokens, of which the first is refused."""

    def __init__(self) -> None:
        self.token = "old"

    async def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def refused(self) -> None:
        self.token = "new"


async def test_a_refused_token_is_replaced_and_the_whole_form_sent_again(service: Service) -> None:
    async def take_new(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] == "Bearer new":
            return await service.accept(request)
        return web.Response(status=401)

    service.answer = take_new
    client = service.client(credentials=Passes())
    assert (await client.call(OFFER, SESSION)).call_id == "rtc_1"
    (_, _, first), (_, _, second) = service.asked
    assert first == second
    await client.close()


@pytest.mark.parametrize("body", [b"", b"[]", b'{"value":5}', b"<html>", b"[" * 9999])
async def test_a_secret_that_is_none_is_a_link_error(
    service: Service, client: ServiceClient, body: bytes
) -> None:
    async def nonsense(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body)

    service.answer = nonsense
    with pytest.raises(LinkError, match="no client secret"):
        await client.client_secret(SESSION)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"sorry"])
async def test_an_answer_that_is_none_is_a_link_error(
    service: Service, client: ServiceClient, body: bytes
) -> None:
    async def nonsense(request: web.Request) -> web.StreamResponse:
        return web.Response(status=201, body=body)

    service.answer = nonsense
    with pytest.raises(LinkError, match="without a session description"):
        await client.call(OFFER, SESSION)


@pytest.mark.parametrize(
    ("location", "call_id"),
    [
        ("/v1/realtime/calls/rtc_1?x=/no", "rtc_1"),
        ("https://elsewhere.example/calls/rtc_1/", "rtc_1"),
        ("http://[bad/rtc_1", "rtc_1"),
        ("rtc_1", "rtc_1"),
        ("", ""),
        (None, ""),
    ],
)
async def test_the_calls_name_is_read_from_wherever_it_is_said_to_be(
    service: Service, client: ServiceClient, location: str | None, call_id: str
) -> None:
    async def tell(request: web.Request) -> web.StreamResponse:
        headers = {} if location is None else {"Location": location}
        return web.Response(status=201, text=ANSWER, headers=headers)

    service.answer = tell
    assert await client.call(OFFER, SESSION) == (ANSWER, call_id)


async def test_a_small_answer_that_unpacks_without_end_is_left(
    service: Service, client: ServiceClient
) -> None:
    async def bomb(request: web.Request) -> web.StreamResponse:
        packed = gzip.compress(bytes(64 << 20), 1)
        return web.Response(status=201, body=packed, headers={"Content-Encoding": "gzip"})

    service.answer = bomb
    with pytest.raises(LinkError, match="cannot be reached"):
        await client.call(OFFER, SESSION)


async def test_a_client_that_is_closed_asks_for_nothing_more(
    service: Service, client: ServiceClient
) -> None:
    await client.close()
    with pytest.raises(LinkError, match="any more") as refused:
        await client.hangup("rtc_1")
    assert (refused.value.retryable, service.asked) == (False, [])


async def test_an_answer_without_an_end_is_left(service: Service, client: ServiceClient) -> None:
    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=201)
        await response.prepare(request)
        for _ in range(100):
            await response.write(bytes(65536))
        return response

    service.answer = flood
    with pytest.raises(LinkError, match="cannot be reached"):
        await client.call(OFFER, SESSION)


async def test_a_service_that_does_not_answer_is_left(service: Service) -> None:
    async def wait(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    service.answer = wait
    client = service.client(timeout=0.2)
    async with asyncio.timeout(10):
        with pytest.raises(LinkError, match=r"within 0\.2 s") as late:
            await client.hangup("rtc_1")
    assert late.value.retryable
    await client.close()


async def test_nobody_there_is_a_link_error(closed_port: int) -> None:
    client = ServiceClient(Endpoint(f"ws://127.0.0.1:{closed_port}/v1/realtime?api-key=sk-1"))
    with pytest.raises(LinkError, match="cannot be reached") as away:
        await client.hangup("rtc_1")
    assert away.value.retryable
    assert "sk-1" not in str(away.value)
    await client.close()
