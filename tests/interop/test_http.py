"""What watchers and balancers are told over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import ClientSession

from gateway.calls.registry import CallRecord, Registry
from gateway.control.events import CallStarted
from gateway.control.timeline import Timeline
from gateway.http import Access, CallsDoor, HealthDoor, HttpServer, Keyring, PageDoor
from gateway.ops.directory import Directory
from gateway.ops.memory_archive import MemoryArchive
from gateway.ops.recordings import Recordings
from gateway.ops.stories import Stories
from gateway.testing.bare_phone import BarePhone
from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService

FACTS = {"sip": "sip:demo@127.0.0.1", "counted": {"sip": {"refused": 2}}}

pytestmark = pytest.mark.interop


@dataclass
class OneCall:
    call_id: str = "c1"

    def record(self) -> CallRecord:
        timeline = Timeline()
        timeline.add_event(0.0, CallStarted(self.call_id, "ann", "demo"))
        return CallRecord(
            self.call_id, "ann", "demo", 0.0, "talking", 1.5, codec="PCMU", happened=timeline
        )

    def hang_up(self, reason: str) -> None:
        raise AssertionError(f"nobody asked for it: {reason}")


@pytest.fixture
def registry() -> Registry:
    return Registry(max_calls=1)


@pytest.fixture
async def http(registry: Registry) -> AsyncIterator[ClientSession]:
    directory = Directory(registry, MemoryArchive(registry))
    stories = Stories(directory, Recordings(None))
    doors = [
        PageDoor(),
        HealthDoor(registry, facts=lambda: FACTS),
        CallsDoor(directory, stories),
    ]
    access = Access(Keyring([], b"key"), is_open_here=True)
    server = HttpServer(doors, host="127.0.0.1", port=0, access=access)
    await server.start()
    async with ClientSession(server.url) as session:
        yield session
    await server.close()
    stories.close()


async def test_alive_is_alive_whatever_the_load(http: ClientSession, registry: Registry) -> None:
    registry.is_draining = True
    async with http.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})


async def test_readiness_is_200_then_429_when_full_then_503_while_draining(
    http: ClientSession, registry: Registry
) -> None:
    async def status() -> int:
        async with http.get("/readyz") as answer:
            return answer.status

    assert await status() == 200
    registry.admit(OneCall())
    assert await status() == 429
    registry.is_draining = True
    assert await status() == 503


async def test_the_list_is_short_and_one_call_is_told_whole(
    http: ClientSession, registry: Registry
) -> None:
    registry.admit(OneCall())
    async with http.get("/v1/calls") as answer:
        (call,) = (await answer.json())["calls"]
        assert (call["call_id"], call["codec"]) == ("c1", "PCMU")
        assert "timeline" not in call
    async with http.get("/v1/calls/c1") as answer:
        assert (await answer.json())["timeline"][0]["name"] == "call.started"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/calls/none", 404), ("GET", "/nothing", 404), ("POST", "/v1/calls", 405)],
)
async def test_refusals_are_problem_documents(
    http: ClientSession, method: str, path: str, status: int
) -> None:
    async with http.request(method, path) as answer:
        assert answer.status == status
        assert answer.content_type == "application/problem+json"
        assert (await answer.json())["status"] == status


async def test_the_gateway_says_where_it_is_and_what_it_counted(http: ClientSession) -> None:
    async with http.get("/v1/gateway") as answer:
        assert await answer.json() == FACTS


async def test_a_running_gateway_counts_what_it_turns_away() -> None:
    async with (
        LoopbackService() as service,
        loopback_gateway(service.url, http={"bind": "127.0.0.1:0"}) as gateway,
        BarePhone(sip_address(gateway)) as phone,
        ClientSession(gateway.page) as session,
    ):
        phone.send(b"INVITE what")
        phone.send(phone.request("OPTIONS"))
        await phone.final("OPTIONS")
        async with session.get("/v1/gateway") as answer:
            counted = (await answer.json())["counted"]
        assert (counted["sip"]["malformed"], counted["sip"]["udp_errors"]) == (1, 0)
        assert (counted["media"]["lanes"], counted["media"]["faults"]) == (0, 0)


async def test_the_page_comes_with_its_policy_and_all_else_may_do_nothing(
    http: ClientSession,
) -> None:
    async with http.get("/") as answer:
        assert answer.content_type == "text/html"
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    async with http.get("/pages/session.js") as answer:
        assert answer.content_type == "text/javascript"
    async with http.get("/pages/%2e%2e%2fserver.py") as answer:
        assert answer.status == 404
    async with http.get("/healthz") as answer:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
