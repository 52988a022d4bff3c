"""Webhooks and tools against real servers on loopback, the well-behaved and the others.

The openai SDK, whose verifier is for the same convention, judges the signatures.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import re
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import structlog
from aiohttp import web
from openai import InvalidWebhookSignatureError, OpenAI
from pydantic import SecretStr

from gateway.calls.errands import ErrandRunner
from gateway.clock import RandomIds
from gateway.config import Settings
from gateway.control.actions import RunErrand
from gateway.control.events import ErrandDone
from gateway.control.sealed import Sealed
from gateway.control.timeline import Timeline
from tests.calls import own_functions

pytestmark = pytest.mark.interop

KEY = b"a secret of the tests"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
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


# What is sent


def sdk_believes(headers: dict[str, str], body: bytes, secret: str) -> bool:
    client = OpenAI(api_key="unused")
    try:
        client.webhooks.verify_signature(body, headers, secret=secret)
    except InvalidWebhookSignatureError:
        return False
    finally:
        client.close()
    return True


@pytest.mark.parametrize("kind", ["webhook", "tool"])
async def test_a_request_is_signed_as_other_peoples_verifiers_have_it(kind: str) -> None:
    async with serving(ok) as server, errands_at(server.url) as errands:
        done = await (errands.post() if kind == "webhook" else errands.ask(town="Rome"))
    assert done.problem == ""
    ((headers, body),) = server.requests
    assert sdk_believes(headers, body, SECRET)
    assert not sdk_believes(headers, body + b" ", SECRET)
    assert not sdk_believes(headers, body, "whsec_" + base64.b64encode(b"another").decode())
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    assert headers["content-type"] == "application/json"


async def test_a_webhook_tells_how_the_call_stands_and_what_is_sealed() -> None:
    async with serving(ok) as server, errands_at(server.url) as errands:
        done = await errands.post()
    assert done == ErrandDone("webhook-crm-1", 200)  # what it answers is nobody's business
    told = json.loads(server.requests[0][1])
    assert told == {
        "webhook": "crm",
        "call": CALL | {"variables": {"language": "en", "card": CARD}},
    }


async def test_a_tool_is_told_its_arguments_and_its_answer_comes_back() -> None:
    async with serving(ok) as server, errands_at(server.url) as errands:
        done = await errands.ask(town="Rome")
    assert done == ErrandDone("tool-weather-1", 200, '{"sky": "blue"}')
    told = json.loads(server.requests[0][1])
    assert told == {
        "tool": "weather",
        "call_id": "f1",
        "arguments": {"town": "Rome"},
        "call": CALL,
    }


@pytest.mark.parametrize("arguments", [{"town": "\ud800"}, {"town": "Zürich \0 \u2028"}])
async def test_odd_letters_of_the_model_reach_the_tool(arguments: dict[str, str]) -> None:
    async with serving(ok) as server, errands_at(server.url) as errands:
        done = await errands.ask(**arguments)
    assert done.problem == ""
    assert json.loads(server.requests[0][1])["arguments"] == arguments


async def test_a_number_that_json_has_no_word_for_is_told_to_the_model() -> None:
    async with serving(ok) as server, errands_at(server.url) as errands:
        done = await errands.ask(degrees=float("inf"))
    assert "a number" in done.problem
    assert not server.requests


async def test_no_secret_and_no_card_is_in_any_log_or_timeline() -> None:
    async def echoes(request: web.Request) -> web.Response:
        return web.Response(status=422, text=await request.text())

    timeline = Timeline()
    payload = {"webhook": "crm", "call": CALL}
    errand = RunErrand("webhook-crm-1", "webhook", "crm", payload, Sealed({"card": CARD}))
    with structlog.testing.capture_logs() as lines:
        async with serving(echoes) as server, errands_at(server.url) as errands:
            done = await errands.run(errand)
    assert CARD.encode() in server.requests[0][1]
    timeline.add_action(0.0, errand)
    timeline.add_event(1.0, done)
    told = f"{lines} {timeline.as_list()} {done!r} {errand!r} {errands.runner.stats}"
    assert done.problem == "it answered 422"
    assert "not delivered" in told
    for hidden in (CARD, SECRET, SECRET[6:], server.url):
        assert hidden not in told


# Faults that may pass


async def test_what_fails_for_a_moment_is_sent_again_under_the_same_name() -> None:
    statuses = [500, 429]

    async def recovers(request: web.Request) -> web.Response:
        return web.Response(status=statuses.pop(0)) if statuses else await ok(request)

    async with serving(recovers) as server, errands_at(server.url, retries=3) as errands:
        done = await errands.ask()
    assert (done.status, done.problem) == (200, "")
    assert len(server.requests) == 3
    assert len({headers["webhook-id"] for headers, _ in server.requests}) == 1
    assert all(sdk_believes(headers, body, SECRET) for headers, body in server.requests)
    assert (errands.runner.stats.retried, errands.runner.stats.failed) == (2, 0)


async def test_a_pause_that_is_asked_for_is_kept() -> None:
    times: list[float] = []

    async def busy(request: web.Request) -> web.Response:
        times.append(asyncio.get_running_loop().time())
        if len(times) > 1:
            return await ok(request)
        return web.Response(status=503, headers={"Retry-After": "1"})

    async with serving(busy) as server, errands_at(server.url, timeout_seconds=2) as errands:
        assert (await errands.post()).problem == ""
    assert times[1] - times[0] >= 0.95


async def test_a_pause_longer_than_our_patience_is_not_waited_for() -> None:
    async def busy(request: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": "3600"})

    async with serving(busy) as server, errands_at(server.url) as errands:
        assert (await errands.post()).problem == "it answered 503"
    assert len(server.requests) == 1


async def test_a_server_that_hangs_is_given_up() -> None:
    async with serving(hangs) as server, errands_at(server.url) as errands:
        done = await errands.ask()
        assert done == ErrandDone("tool-weather-1", 0, problem="it did not answer in time")
        assert len(server.requests) == 2


async def test_a_body_that_drips_is_given_up() -> None:
    async def drips(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    async with serving(drips) as server, errands_at(server.url, retries=0) as errands:
        done = await errands.ask()
        assert done.problem == "it did not answer in time"
        async with asyncio.timeout(5):
            while not server.lost:  # the connection is dropped
                await asyncio.sleep(0.01)


async def test_a_webhook_is_delivered_though_the_answers_body_drips() -> None:
    async def drips(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(30)
        return response

    async with serving(drips) as server, errands_at(server.url) as errands:
        assert await errands.post() == ErrandDone("webhook-crm-1", 200)


async def test_a_closed_port_is_tried_again_and_told(closed_port: int) -> None:
    async with errands_at(f"http://127.0.0.1:{closed_port}/") as errands:
        done = await errands.ask()
    assert done == ErrandDone("tool-weather-1", 0, problem="it cannot be reached")
    assert errands.runner.stats.retried == 1


async def test_a_port_that_says_nothing_is_given_up(silent_service: int) -> None:
    async with errands_at(f"http://127.0.0.1:{silent_service}/", retries=0) as errands:
        assert (await errands.ask()).problem == "it did not answer in time"


# Faults that are final


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
async def test_a_refusal_is_final(status: int) -> None:
    async def refuses(request: web.Request) -> web.Response:
        return web.Response(status=status)

    async with serving(refuses) as server, errands_at(server.url) as errands:
        done = await errands.ask()
    assert done == ErrandDone("tool-weather-1", status, problem=f"it answered {status}")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(status: int) -> None:
    async def elsewhere(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with serving(elsewhere) as server, errands_at(server.url) as errands:
        done = await errands.ask()
    assert "redirects are not followed" in done.problem
    assert len(server.requests) == 1


@pytest.mark.parametrize("has_length", [True, False])
async def test_ten_megabytes_are_refused_and_not_read(has_length: bool) -> None:
    sent = 0

    async def floods(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        if has_length:
            response.content_length = 10_000_000
        await response.prepare(request)
        for _ in range(1000):
            await response.write(bytes(10_000))
            sent += 10_000
        return response

    async with serving(floods) as server, errands_at(server.url, timeout_seconds=5) as errands:
        tracemalloc.start()
        try:
            done = await errands.ask()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 1_000_000
        assert done.problem == "its answer is longer than 65536 bytes"
        assert done.body == ""
        async with asyncio.timeout(5):
            while not server.lost:  # the connection is dropped
                await asyncio.sleep(0.01)
    assert sent < 10_000_000
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [b"sunny", b"<html>", b'{"sky": "\xff"}', b"\xff\xfe{\x00}\x00", b"{", b"[" * 60_000, b"NaN"],
)
async def test_an_answer_that_is_no_json_is_told(body: bytes) -> None:
    async def nonsense(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async with serving(nonsense) as server, errands_at(server.url) as errands:
        done = await errands.ask()
    assert done == ErrandDone("tool-weather-1", 200, problem="its answer is not JSON in UTF-8")
    assert len(server.requests) == 1


async def test_an_empty_answer_is_no_fault() -> None:
    async def silent(request: web.Request) -> web.Response:
        return web.Response(status=204)

    async with serving(silent) as server, errands_at(server.url) as errands:
        assert await errands.ask() == ErrandDone("tool-weather-1", 204)


async def test_what_would_unfold_is_refused() -> None:
    async def packed(request: web.Request) -> web.Response:
        return web.Response(body=b"x", headers={"Content-Encoding": "gzip"})

    async with serving(packed) as server, errands_at(server.url) as errands:
        assert "compressed" in (await errands.ask()).problem


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000_000, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 100_000, "not HTTP"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}", "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not HTTP|broke off"),
        (b"", "broke off"),
    ],
    ids=["endless header", "endless headers", "ssh", "length", "cut short", "chunks", "nothing"],
)
async def test_what_is_hardly_http_is_a_problem(answer: bytes, problem: str) -> None:
    async with raw_server(answer) as url, errands_at(url, timeout_seconds=5) as errands:
        assert re.search(problem, (await errands.ask()).problem)


# Ends


async def test_a_cancelled_errand_lets_go_of_its_connection() -> None:
    async with serving(hangs) as server, errands_at(server.url, timeout_seconds=60) as errands:
        told = {"tool": "weather", "call_id": "f1", "arguments": {}, "call": CALL}
        done: list[ErrandDone] = []
        cancel = errands.runner.begin(RunErrand("t", "tool", "weather", told), done.append)
        async with asyncio.timeout(5):
            while not server.requests:
                await asyncio.sleep(0.01)
            cancel()
            while not server.lost:
                await asyncio.sleep(0.01)
    assert not done


async def test_a_webhook_under_way_is_waited_for_at_the_end() -> None:
    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.3)
        return web.Response()

    done: list[ErrandDone] = []
    async with serving(slow) as server:
        errands = Errands(server.url)
        payload = {"webhook": "crm", "call": CALL}
        errands.runner.begin(RunErrand("w", "webhook", "crm", payload), done.append)
        await errands.runner.close()
    assert done == [ErrandDone("w", 200)]


async def test_functions_that_hang_take_a_few_threads_and_no_other_tool_waits_for_them() -> None:
    here = "tests.calls.own_functions"
    schema = {"type": "object", "properties": {"town": {}}, "required": ["town"]}
    tools = {
        "held": {"description": "x", "entry": f"{here}:held", "timeout_seconds": 0.3},
        "weather": {"description": "x", "entry": f"{here}:weather", "parameters": schema},
    }
    errands = Errands("http://127.0.0.1:1/")
    errands.runner = ErrandRunner(Settings.model_validate({"tools": tools}), ids=RandomIds())
    told = {"tool": "held", "call_id": "f1", "arguments": {}, "call": CALL}
    held = RunErrand("tool-held-1", "tool", "held", told)
    own_functions.HELD.clear()
    own_functions.AT_ONCE.clear()
    try:
        done = await asyncio.gather(*(errands.run(held) for _ in range(20)))
        assert {one.problem for one in done} == {"it took too long"}
        assert len(own_functions.AT_ONCE) == 8
        assert (await errands.ask(town="Rome")).status == 200
    finally:
        own_functions.HELD.set()
    async with asyncio.timeout(10):
        while (await errands.run(held)).problem:  # the threads come back
            pass
    await errands.runner.close()
