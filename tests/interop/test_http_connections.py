"""Connections to the HTTP server are bounded: silent ones, slow ones, and those of one address."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import pytest
import uvloop
from aiohttp import web

from gateway.calls.registry import Registry
from gateway.http import Access, HealthDoor, HttpServer, Keyring, listener
from gateway.http.listener import Bounds
from gateway.http.operation import Operation

pytestmark = pytest.mark.interop

HEALTH: Final = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
SMALL: Final = b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n"
LARGE: Final = b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
BODY: Final = bytes(16 * 1024 * 1024)  # more than fits into the sockets

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Things:
    """Something small and something large."""

    def operations(self) -> list[Operation]:
        return [
            Operation("GET", "/small", self._small, "Something small"),
            Operation("GET", "/large", self._large, "Something large"),
        ]

    async def _small(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _large(self, _request: web.Request) -> web.Response:
        return web.Response(body=BODY)


@asynccontextmanager
async def serving(bounds: Bounds) -> AsyncIterator[tuple[HttpServer, int]]:
    access = Access(Keyring([], b"key"), is_open_here=False)
    doors = [HealthDoor(Registry(1), facts=dict), Things()]
    server = HttpServer(doors, host="127.0.0.1", port=0, access=access, bounds=bounds)
    await server.start()
    async with asyncio.timeout(30):
        yield server, int(server.url.rstrip("/").rpartition(":")[2])
    await server.close()


async def connected(port: int, host: str = "127.0.0.1") -> Stream:
    """Connect from ``host``; little of what comes is buffered on the way."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.bind((host, 0))
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return await asyncio.open_connection(sock=sock, limit=4096)


async def status(stream: Stream, request: bytes) -> int:
    """Ask for something, return the status of the answer, or 0 where there is none."""
    with contextlib.suppress(ConnectionError):
        stream[1].write(request)
        line = await stream[0].readline()
        return int(line.split()[1]) if line else 0
    return 0


async def _send(writer: asyncio.StreamWriter, data: bytes, times: int) -> None:
    for _ in range(times):
        writer.write(data)
        await writer.drain()


async def ended(stream: Stream) -> None:
    """Wait until the other end is gone."""
    with contextlib.suppress(ConnectionError):
        while await stream[0].read(65536):
            pass
    stream[1].close()


async def test_who_says_nothing_loses_their_connection() -> None:
    async with serving(Bounds(first_words=0.5)) as (server, port):
        silent, slow = await connected(port), await connected(port)
        slow[1].write(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        await ended(silent)
        await ended(slow)
        assert server.counted["connections_silent"] == 2


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_who_does_not_read_their_answer_loses_their_connection(run: Callable[..., None]) -> None:
    run(_nobody_reads())


async def _nobody_reads() -> None:
    async with serving(Bounds(most=3, stalled=1.0)) as (server, port):
        stuck = [await connected(port) for _ in range(3)]
        for stream, request in zip(stuck, (LARGE, LARGE, SMALL * 50_000), strict=True):
            stream[1].write(request)
        while server.counted["connections_stalled"] < 3:
            await asyncio.sleep(0.05)
        stuck.append(await connected(port))
        assert await status(stuck[-1], SMALL) == 200
        for _, writer in stuck:
            writer.transport.abort()


async def test_who_reads_slowly_but_reads_gets_the_whole_answer() -> None:
    async with serving(Bounds(stalled=1.0)) as (server, port):
        reader, writer = await connected(port)
        writer.write(LARGE)
        body = (await reader.readuntil(b"\r\n\r\n"))[:0]
        received, began = len(body), asyncio.get_running_loop().time()
        while chunk := await reader.read(1024 * 1024):
            received += len(chunk)
            if asyncio.get_running_loop().time() - began < 2.5:
                await asyncio.sleep(0.01)
        assert received == len(BODY)
        assert server.counted["connections_stalled"] == 0
        writer.close()


async def test_requests_that_are_sent_ahead_are_not_taken_without_end() -> None:
    async with serving(Bounds(stalled=20.0)) as (_, port):
        _, writer = await connected(port)
        writer.write(LARGE.replace(b"Connection: close\r\n", b"") + SMALL)
        with pytest.raises(TimeoutError):  # the kernel holds some megabytes, and no more are taken
            await asyncio.wait_for(_send(writer, SMALL * 1000, 2000), 2.0)
        writer.transport.abort()


async def test_however_full_it_is_it_tells_that_it_lives() -> None:
    async with serving(Bounds(most=2, spare=4)) as (server, port):
        held = [await connected(port) for _ in range(2)]
        assert [await status(stream, SMALL) for stream in held] == [200, 200]
        for _ in range(3):
            watcher = await connected(port)
            assert await status(watcher, HEALTH) == 200
            await ended(watcher)
        other = await connected(port)
        other[1].write(SMALL)
        head, _, body = (await other[0].read()).partition(b"\r\n\r\n")
        assert b" 503 " in head.splitlines()[0]
        assert b"Retry-After: " in head
        assert json.loads(body)["type"] == "urn:voice-gateway:problem:no-room"
        other[1].close()
        assert server.counted["connections_refused"] == 0
        for stream in held:
            stream[1].close()


async def test_spare_connections_are_for_a_moment_and_not_for_one_alone() -> None:
    async with serving(Bounds(most=0, spare=8, spare_words=1.0)) as (server, port):
        silent = [await connected(port) for _ in range(2)]
        refused = await connected(port)
        assert await status(refused, HEALTH) == 0
        assert server.counted["connections_refused"] == 1
        elsewhere = await connected(port, "127.0.0.2")
        assert await status(elsewhere, HEALTH) == 200
        for stream in (*silent, refused, elsewhere):
            await ended(stream)
        last = await connected(port)
        assert await status(last, HEALTH) == 200
        await ended(last)


async def test_one_address_has_a_share_of_the_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "is_loopback", lambda address: address == "127.0.0.3")
    bounds = Bounds(most=20, most_of_one=2, spare=4)
    async with serving(bounds) as (_, port):
        held = [await connected(port, "127.0.0.2") for _ in range(2)]
        held += [await connected(port, "127.0.0.3") for _ in range(5)]
        assert [await status(stream, SMALL) for stream in held] == [200] * 7
        more = await connected(port, "127.0.0.2")
        assert await status(more, SMALL) == 503
        held += [more, await connected(port, "127.0.0.4")]
        assert await status(held[-1], SMALL) == 200
        for stream in held:
            stream[1].close()
