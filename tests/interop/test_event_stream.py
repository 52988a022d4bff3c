"""`/v1/events` over real connections: a call told as it goes, readers who come back or are slow."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientPayloadError, ClientSession, ClientTimeout

from gateway.calls.registry import CallRecord, Registry
from gateway.calls.softphone import Softphone
from gateway.http import Access, EventsDoor, HttpServer, Keyring, News, Role
from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService

pytestmark = pytest.mark.interop

KEY = b"a key that is long enough"
PATH = "/v1/events"


class Line:
    def __init__(self, call_id: str) -> None:
        self.call_id = call_id

    def record(self) -> CallRecord:
        return CallRecord(self.call_id, "ann", "demo", 0.0, "talking", 1.0)

    def hang_up(self, reason: str) -> None:
        raise AssertionError(reason)


class Station:
    """A server with nothing but news."""

    def __init__(self, most_viewers: int = 3) -> None:
        self.registry = Registry(10)
        self.news = News(lambda: self.registry, epoch="e", most_viewers=most_viewers)
        self.registry.audience.add(self.news)
        self.keyring = Keyring([], KEY)
        access = Access(self.keyring, is_open_here=True)
        door = EventsDoor(self.news, self.registry)
        self.server = HttpServer([door], host="127.0.0.1", port=0, access=access)

    def tell(self, count: int = 1, length: int = 2) -> None:
        for _ in range(count):
            self.registry.audience.call_began(Line("c" * length).record())


@asynccontextmanager
async def on_air() -> AsyncIterator[tuple[Station, ClientSession]]:
    station = Station()
    await station.server.start()
    async with ClientSession(station.server.url, timeout=ClientTimeout(10)) as http:
        yield station, http
    station.news.close()
    await station.server.close()


async def notices(answer: Any) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield the events of a stream, each with its name."""
    name = ""
    async for line in answer.content:
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "id":
            name = value
        elif field == "data":
            yield name, json.loads(value)


async def test_a_call_is_told_from_its_beginning_to_its_end() -> None:
    async with (
        LoopbackService([1037.0], reply_seconds=0.5) as service,
        loopback_gateway(service.url, http={"bind": "127.0.0.1:0"}) as gateway,
        ClientSession(gateway.page, timeout=ClientTimeout(30)) as http,
        http.get(PATH) as answer,
        Softphone() as phone,
    ):
        assert answer.content_type == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        host, port = sip_address(gateway)
        await phone.dial(f"sip:demo@{host}:{port}")
        told, is_pressed = [], False
        async for _, notice in notices(answer):
            told.append(notice)
            if notice["type"] == "speaking" and not notice["is_on"] and not is_pressed:
                phone.press("5")
                is_pressed = True
            if notice["type"] == "call.changed" and "key" in {one["type"] for one in told}:
                await phone.hang_up()
            if notice["type"] == "call.ended":
                break
        kinds = [notice["type"] for notice in told]
        assert kinds[0] == "call.began"
        assert {"speaking", "activity", "call.changed", "key"} <= set(kinds)
        (key,) = (notice for notice in told if notice["type"] == "key")
        assert (key["key"], key["source"]) == ("5", "rfc4733")
        assert len({notice["call_id"] for notice in told}) == 1
        assert told[-1]["call"]["ended_by"] == "caller"


async def test_a_viewer_who_was_cut_off_goes_on_from_there() -> None:
    async with on_air() as (station, http):
        async with http.get(PATH) as answer:
            station.tell(2)
            stream = notices(answer)
            await anext(stream)
            last, _ = await anext(stream)
        station.tell(3)
        async with http.get(PATH, headers={"Last-Event-ID": last}) as answer:
            stream = notices(answer)
            names = [(await anext(stream))[0] for _ in range(3)]
        assert names == ["e-3", "e-4", "e-5"]
        async with http.get(PATH, headers={"Last-Event-ID": "of-another-run-9"}) as answer:
            assert (await anext(notices(answer)))[1] == {"type": "gap"}


async def test_one_who_does_not_read_is_cut_off_and_another_is_told_everything_meanwhile() -> None:
    async with on_air() as (station, http), http.get(PATH) as quick:
        where = urlsplit(station.server.url)
        slow = socket.create_connection((where.hostname, where.port))
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(f"GET {PATH} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
        async with asyncio.timeout(10):
            while station.news.counted["viewers"] < 2:
                await asyncio.sleep(0.01)
        heard, serving = 0, len(asyncio.all_tasks())
        stream = notices(quick)
        async with asyncio.timeout(30):
            while station.news.counted["viewers_too_slow"] == 0:
                station.tell(20, 20_000)
                for _ in range(20):
                    await anext(stream)
                heard += 20
        assert station.news.counted["viewers"] == 1
        assert heard == station.news.counted["notices"]
        async with asyncio.timeout(10):
            while len(asyncio.all_tasks()) >= serving:
                await asyncio.sleep(0.01)
        slow.close()


async def test_more_viewers_than_there_is_room_for_are_told_to_come_later() -> None:
    async with on_air() as (station, http):
        streams = [await http.get(PATH) for _ in range(station.news.most_viewers)]
        async with http.get(PATH) as refusal:
            assert refusal.status == 503
            assert refusal.content_type == "application/problem+json"
            assert int(refusal.headers["Retry-After"]) > 0
        for stream in streams:
            stream.close()
        async with asyncio.timeout(10):
            while True:  # nothing is told, and yet their places are free
                async with http.get(PATH) as answer:
                    if answer.status == 200:
                        break
                await asyncio.sleep(0.01)


async def test_a_stream_ends_with_the_token_that_opened_it() -> None:
    async with on_air() as (station, http):
        token = station.keyring.make("wall", Role.VIEWER, int(time.time()) + 2)
        async with http.get(PATH, headers={"Authorization": f"Bearer {token}"}) as answer:
            assert answer.status == 200
            with pytest.raises(ClientPayloadError):
                async for _ in notices(answer):
                    pass
        assert station.news.counted["viewers"] == 0


async def test_who_asks_for_the_head_is_no_viewer_and_of_no_call_there_is_no_news() -> None:
    async with on_air() as (station, http):
        async with http.head(PATH) as answer:
            assert (answer.status, answer.content_type) == (200, "text/event-stream")
        assert station.news.counted["viewers"] == 0
        for query, status in (("?call=none", 404), ("?call=a&call=b", 400), ("?other=1", 400)):
            async with http.get(PATH + query) as answer:
                assert answer.status == status
                assert answer.content_type == "application/problem+json"


async def test_a_server_that_closes_ends_its_streams_at_once() -> None:
    async with on_air() as (station, http), http.get(PATH) as answer:
        station.news.close()
        async with asyncio.timeout(5):
            async for _ in notices(answer):
                pass
