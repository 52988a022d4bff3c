"""Receivers of webhooks and tool calls on loopback, the well-behaved and the others."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web
from openai import InvalidWebhookSignatureError, OpenAI
from pydantic import SecretStr

from gateway.calls.errands import ErrandRunner
from gateway.clock import RandomIds
from gateway.config import Settings
from gateway.control.actions import RunErrand
from gateway.control.events import ErrandDone
from gateway.control.sealed import Sealed

SECRET = "whsec_" + base64.b64encode(b"a secret of the tests").decode()
CARD = "4111111111111111"
CALL = {
    "id": "c1",
    "trunk": "pbx",
    "caller": "sip:ann@example.com",
    "called": "sip:1@x",
    "variables": {"language": "en", "card": "•"},
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """A receiver that keeps what it gets, and answers as it is told."""

    def __init__(self, answer: Handler) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.lost: list[str] = []
        self._answer = answer
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._take)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        self.url = ""

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/take"

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((headers, await request.read()))
        try:
            return await self._answer(request)
        except (ConnectionError, asyncio.CancelledError):
            self.lost.append(request.path)
            raise


@contextlib.asynccontextmanager
async def serving(answer: Handler) -> AsyncIterator[Server]:
    server = Server(answer)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


@contextlib.asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[str]:
    """Serve the same bytes to whoever asks, HTTP or not."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            )
            await reader.readexactly(length)
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


class Errands:
    """A runner with one webhook ``crm`` and one tool ``weather``, both at ``url``."""

    def __init__(self, url: str, *, secret: str = SECRET, **terms: Any) -> None:
        signed = {"secret": SecretStr(secret)} if secret else {}
        table = {"url": url, "timeout_seconds": 0.5, "retries": 1, **signed, **terms}
        tables = {"webhooks": {"crm": table}, "tools": {"weather": {**table, "description": "x"}}}
        self.runner = ErrandRunner(Settings.model_validate(tables), ids=RandomIds())

    async def post(self) -> ErrandDone:
        """Post a webhook of a call with a card number."""
        payload = {"webhook": "crm", "call": CALL}
        sealed = Sealed({"card": CARD})
        return await self.run(RunErrand("webhook-crm-1", "webhook", "crm", payload, sealed))

    async def ask(self, **arguments: Any) -> ErrandDone:
        """Use the tool."""
        told = {"tool": "weather", "call_id": "f1", "arguments": arguments, "call": CALL}
        return await self.run(RunErrand("tool-weather-1", "tool", "weather", told))

    async def run(self, errand: RunErrand) -> ErrandDone:
        done: asyncio.Future[ErrandDone] = asyncio.get_running_loop().create_future()
        self.runner.begin(errand, done.set_result)
        async with asyncio.timeout(20):
            return await done


@contextlib.asynccontextmanager
async def errands_at(url: str, **terms: Any) -> AsyncIterator[Errands]:
    errands = Errands(url, **terms)
    try:
        yield errands
    finally:
        await errands.runner.close()


async def ok(request: web.Request) -> web.Response:
    del request
    return web.json_response({"sky": "blue"})


async def hangs(request: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


def sdk_believes(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """Tell whether the openai SDK, whose verifier is for the same convention, believes it."""
    client = OpenAI(api_key="unused")
    try:
        client.webhooks.verify_signature(body, headers, secret=secret)
    except InvalidWebhookSignatureError:
        return False
    finally:
        client.close()
    return True
