"""One gateway, three ways to the service: the same call, judged alike; and what only one can do."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession
from peers import TAPPED

from gateway.app import Gateway
from gateway.calls.registry import CallRecord
from gateway.embedded.server import EmbeddedService
from gateway.testing.bare_phone import BarePhone
from gateway.testing.loopback import loopback_gateway

pytestmark = pytest.mark.interop

SECRET = "a secret of the tests"
OPERATOR = {
    "on": "input_audio_buffer.dtmf_event_received",
    "digit": "0",
    "do": [{"transfer": "operator"}],
}


LINKS = ("webrtc", "sideband")


@pytest.fixture(scope="module")
def self_tests() -> dict[str, tuple[int, str, str]]:
    """Have each link prove itself, all at once: status, what it told, and what went wrong."""
    command = [sys.executable, str(TAPPED), "demo", "--self-test", "--json", "--link"]
    pipe = subprocess.PIPE
    running = {
        link: subprocess.Popen([*command, link], stdout=pipe, stderr=pipe, text=True)
        for link in LINKS
    }
    told = {link: process.communicate(timeout=90) for link, process in running.items()}
    return {link: (running[link].returncode, *told[link]) for link in LINKS}


@pytest.mark.parametrize("link", LINKS)
def test_the_self_test_passes(self_tests: dict[str, tuple[int, str, str]], link: str) -> None:
    status, out, errors = self_tests[link]
    assert "Traceback" not in errors
    told = json.loads(out)
    assert (status, told["faults"]) == (0, [])
    assert told["link"] == link
    assert told["goodbye_heard"]
    assert told["truncate_error_ms"] is not None


class Hosted:
    """A service that holds calls, and the gateway that steers them."""

    def __init__(self, service: EmbeddedService, gateway: Gateway) -> None:
        self.service, self.gateway = service, gateway

    @property
    def phone(self) -> BarePhone:
        _, _, where = self.service.sip_uri.partition("@")
        host, _, port = where.partition(":")
        return BarePhone((host, int(port)))

    async def inflict(self, fault: str, **options: Any) -> None:
        url = self.service.url.replace("ws:", "http:").replace("/v1/realtime", "/admin/faults")
        order = {"fault": fault} | options
        async with ClientSession() as http, http.post(url, json=order) as answer:
            assert answer.status == 200, await answer.text()

    async def ended(self, within: float = 8.0) -> CallRecord:
        async with asyncio.timeout(within):
            while True:
                for record in self.gateway.registry.records():
                    if record.ended_by is not None:
                        return record
                await asyncio.sleep(0.05)

    async def until_told(self, text: str, within: float = 8.0) -> None:
        """Wait until the record of the one call holds ``text``."""
        async with asyncio.timeout(within):
            while text not in str([r.as_dict() for r in self.gateway.registry.records()]):
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def hosted(*, ring_seconds: float = 30.0, **tables: Any) -> AsyncIterator[Hosted]:
    service = EmbeddedService(
        sip="udp:127.0.0.1:0", webhook_secret=SECRET, ring_seconds=ring_seconds, admin=True
    )
    await service.start()
    realtime = {"link": "sideband", "webhook_secret": SECRET}
    standard: dict[str, Any] = {"http": {"bind": "127.0.0.1:0"}, "realtime": realtime}
    try:
        async with loopback_gateway(service.url, **standard | tables) as gateway:
            service.announce_to(f"{gateway.page}webhooks/realtime")
            yield Hosted(service, gateway)
    finally:
        await service.close()


async def test_a_caller_who_hangs_up_ends_a_call_that_the_service_holds() -> None:
    async with hosted() as scene, scene.phone as phone:
        assert (await phone.dial()).status == 200
        await phone.hears_sound()
        assert (await phone.hang_up()).status == 200
        record = await scene.ended()
        assert (record.ended_by, record.reason) == ("caller", "hung up, or let go by the service")
        assert (record.transport, record.caller, record.called) == ("sip", "bare", "demo")


async def test_a_key_heard_by_the_service_is_told_to_the_model() -> None:
    async with hosted() as scene, scene.phone as phone:
        await phone.dial()
        await phone.hears_sound()
        await phone.press("1")
        await scene.until_told("[DTMF 1]")
        await scene.until_told("You have reached sales")


async def test_a_full_gateway_has_the_service_turn_callers_away() -> None:
    async with hosted(limits={"max_calls": 1}) as scene, scene.phone as one, scene.phone as other:
        assert (await one.dial()).status == 200
        assert (await other.dial()).status == 486
        await one.hang_up()


async def test_a_webhook_that_comes_twice_is_one_call() -> None:
    async with hosted() as scene, scene.phone as phone:
        await scene.inflict("webhook", how="twice")
        assert (await phone.dial()).status == 200
        await phone.hears_sound()
        assert len(scene.gateway.registry.records()) == 1
        await phone.hang_up()


@pytest.mark.parametrize("how", ["forged", "stale", "live"])
async def test_a_call_that_is_not_for_us_or_not_to_be_believed_is_not_taken(how: str) -> None:
    async with hosted(ring_seconds=1.0) as scene, scene.phone as phone:
        await scene.inflict("webhook", how=how)
        assert (await phone.dial()).status == 480
        assert scene.gateway.registry.records() == []


async def test_an_acceptance_that_fails_later_ends_the_call_and_says_why() -> None:
    async with hosted() as scene, scene.phone as phone:
        await scene.inflict("accept_fails", status=488)
        assert (await phone.dial()).status == 488
        record = await scene.ended()
        assert "accepted, but then" in (record.reason or "")


async def test_a_transfer_is_taken_for_done_when_the_call_ends() -> None:
    tables = {
        "targets": {"operator": "sip:operator@127.0.0.1:9"},
        "rules": [OPERATOR],
        "call": {"greet": False},
    }
    async with hosted(**tables) as scene, scene.phone as phone:
        await phone.dial()
        await scene.until_told("session.updated")
        await phone.press("0")
        refer = await phone.asked("REFER")
        assert "sip:operator@127.0.0.1:9" in (refer.headers.get("Refer-To") or "")
        await phone.hang_up()
        record = await scene.ended()
        assert (record.ended_by, record.reason) == ("gateway", "transferred")


async def test_a_transfer_of_which_nothing_comes_leaves_the_caller_with_the_agent() -> None:
    tables = {
        "targets": {"operator": "sip:operator@127.0.0.1:9"},
        "rules": [OPERATOR],
        "call": {"transfer_seconds": 1.0, "greet": False},
    }
    async with hosted(**tables) as scene, scene.phone as phone:
        await scene.inflict("refer_ignored")
        await phone.dial()
        await scene.until_told("session.updated")
        await phone.press("0")
        await scene.until_told("The transfer to operator failed")
        await phone.hears_sound()
        (record,) = scene.gateway.registry.records()
        assert record.state == "talking"
        await phone.hang_up()


async def test_the_gateway_can_end_a_call_that_the_service_holds() -> None:
    hang_up = OPERATOR | {"do": ["hangup"]}
    async with hosted(rules=[hang_up], call={"greet": False}) as scene, scene.phone as phone:
        await phone.dial()
        await scene.until_told("session.updated")
        await phone.press("0")
        await phone.asked("BYE")
        record = await scene.ended()
        assert record.ended_by == "gateway"
