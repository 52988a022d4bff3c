"""Tokens of Microsoft Entra, fetched by azure-identity itself from an identity endpoint of ours."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from gateway.config import RealtimeSettings
from gateway.errors import LinkError
from gateway.realtime.client import ServiceClient
from gateway.realtime.credentials import ENTRA_SCOPE, EntraToken, azure_identity
from gateway.realtime.endpoint import Endpoint
from gateway.realtime.websocket import WebSocketLink

pytest.importorskip("azure.identity", reason="azure-identity is not installed: the azure extra")
pytestmark = pytest.mark.interop


class Azure:
    """The identity endpoint of a virtual machine, and a speech service that trusts it."""

    def __init__(self) -> None:
        self.lifetime = 3600.0
        self.now = 0.0  # seconds after the present
        self.given: list[tuple[str, float]] = []
        self.revoked: set[str] = set()
        self.asked: list[dict[str, str]] = []
        self.shown: list[str] = []
        self.is_away = False
        self.sockets: list[web.WebSocketResponse] = []
        app = web.Application()
        app.router.add_get("/identity", self._give)
        app.router.add_get("/v1/realtime", self._serve)
        app.router.add_post("/v1/realtime/calls/{id}/hangup", self._hang_up)
        self.server = TestServer(app)

    def clock(self) -> float:
        return time.time() + self.now

    @property
    def endpoint(self) -> Endpoint:
        url = f"ws://127.0.0.1:{self.server.port}/v1/realtime"
        return Endpoint(url, EntraToken(azure_identity(), clock=self.clock))

    async def _give(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query) | {"secret": request.headers["X-IDENTITY-HEADER"]})
        if self.is_away:
            return web.json_response({"error": "no identity today"}, status=400)
        token, ends = f"token{len(self.given) + 1}", self.clock() + self.lifetime
        self.given.append((token, ends))
        return web.json_response(
            {
                "access_token": token,
                "expires_on": str(int(ends)),
                "resource": request.query["resource"],
                "token_type": "Bearer",
            }
        )

    def _is_welcome(self, request: web.Request) -> bool:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.shown.append(token)
        ends = dict(self.given).get(token, 0.0)
        return self.clock() < ends and token not in self.revoked

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if not self._is_welcome(request):
            return web.Response(status=401)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for _ in socket:
            pass
        return socket

    async def _hang_up(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=200 if self._is_welcome(request) else 401)


class Owner:
    """A call that connects again and again over one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.ended = asyncio.Event()

    async def connect(self) -> WebSocketLink:
        self.ended.clear()
        link = WebSocketLink(
            self.endpoint, on_event=lambda _: None, on_closed=lambda _: self.ended.set()
        )
        await link.connect()
        return link


@pytest.fixture
async def azure(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Azure]:
    for name in [n for n in os.environ if n.startswith(("AZURE_", "IDENTITY_", "MSI_"))]:
        monkeypatch.delenv(name)
    azure = Azure()
    async with azure.server:
        url = f"http://127.0.0.1:{azure.server.port}/identity"
        monkeypatch.setenv("IDENTITY_ENDPOINT", url)
        monkeypatch.setenv("IDENTITY_HEADER", "machine secret")
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
        yield azure


async def test_a_token_lets_us_in_and_serves_more_than_once(azure: Azure) -> None:
    endpoint = azure.endpoint
    owner = Owner(endpoint)
    for _ in range(3):
        await (await owner.connect()).close()
    client = ServiceClient(endpoint)
    await client.hangup("rtc_1")
    await client.close()
    assert azure.shown == ["token1"] * 4
    (asked,) = azure.asked
    assert asked["resource"] == ENTRA_SCOPE.removesuffix("/.default")
    assert asked["secret"] == "machine secret"


async def test_when_a_token_expires_in_mid_call_the_next_connection_has_a_fresh_one(
    azure: Azure,
) -> None:
    owner = Owner(azure.endpoint)
    link = await owner.connect()
    azure.now = azure.lifetime + 1
    await azure.sockets[0].close(code=1008, message=b"token expired")
    async with asyncio.timeout(10):
        await owner.ended.wait()
    await link.close()
    await (await owner.connect()).close()
    assert azure.shown == ["token1", "token2"]


async def test_a_token_that_is_revoked_early_is_replaced_in_the_same_breath(azure: Azure) -> None:
    owner = Owner(azure.endpoint)
    await (await owner.connect()).close()
    azure.revoked.add("token1")
    await (await owner.connect()).close()
    assert azure.shown == ["token1", "token1", "token2"]


async def test_a_machine_without_an_identity_is_told_so_in_a_line(azure: Azure) -> None:
    azure.is_away = True
    with pytest.raises(LinkError, match="Microsoft Entra gave no token") as refused:
        await Owner(azure.endpoint).connect()
    assert "\n" not in str(refused.value)
    assert "machine secret" not in str(refused.value)
    assert azure.shown == []


@pytest.mark.parametrize("auth", ["entra", "bearer"])
async def test_the_settings_choose(azure: Azure, auth: Any) -> None:
    url = "https://r.openai.azure.com"
    settings = RealtimeSettings(
        provider="azure", url=url, model="d", auth=auth, api_key=SecretStr("a-token")
    )
    headers = await Endpoint.of(settings).headers()
    expected = "token1" if auth == "entra" else "a-token"
    assert headers == {"Authorization": f"Bearer {expected}"}
