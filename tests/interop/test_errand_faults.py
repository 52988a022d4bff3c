"""Webhooks and tools whose receivers fail, flood, drip, hang or talk nonsense."""

import asyncio
import re
import tracemalloc

import pytest
from aiohttp import web
from errand_servers import SECRET, errands_at, hangs, ok, raw_server, sdk_believes, serving

from gateway.control.events import ErrandDone

pytestmark = pytest.mark.interop

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
