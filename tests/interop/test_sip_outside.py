"""Our address as a STUN server sees it: learnt from the SIP socket itself, and told to peers."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs
from stun_server import stun_server

from gateway.sip.flow import Flow
from gateway.sip.transport import outside
from gateway.testing.loopback import loopback_gateway, sip_address

pytestmark = pytest.mark.interop

SERVICE = "ws://127.0.0.1:9"


def sip(external_ip: str) -> dict[str, Any]:
    return {"bind": ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"], "external_ip": external_ip}


async def test_peers_are_told_the_address_that_a_stun_server_sees(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.sip.ways.binding.PERIOD", 0.05)
    async with (
        stun_server() as (server, name),
        loopback_gateway(SERVICE, sip=sip(name)) as gateway,
    ):
        local = sip_address(gateway)
        assert server.asked_by[0] == local
        away = Flow("udp", local, ("192.0.2.7", 5060))
        assert gateway.telephony.agent.host_towards(away) == "203.0.113.5"
        moves: list[float] = []
        monkeypatch.setattr(gateway.telephony.agent.duties, "move", moves.append)
        server.seen = ("203.0.113.6", 40124)  # the line has got another address overnight
        async with asyncio.timeout(5):
            while gateway.telephony.agent.host_towards(away) != "203.0.113.6":
                await asyncio.sleep(0.01)
        assert len(moves) == 1, "registrations are renewed"
        near = Flow("udp", local, ("127.0.0.1", 5060))
        assert gateway.telephony.agent.host_towards(near) == "127.0.0.1"


async def test_a_stun_server_that_does_not_answer_holds_nobody_up_and_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outside, "_PATIENCE", 0.2)
    async with stun_server() as (server, name):
        server.seen = None
        with capture_logs() as logs:
            async with loopback_gateway(SERVICE, sip=sip(name)) as gateway:
                away = Flow("udp", sip_address(gateway), ("192.0.2.7", 5060))
                assert gateway.telephony.agent.host_towards(away) == "127.0.0.1"
                server.seen = ("203.0.113.5", 40123)
                async with asyncio.timeout(10):
                    while gateway.telephony.agent.host_towards(away) != "203.0.113.5":
                        await asyncio.sleep(0.01)
    (warning,) = (log for log in logs if log["log_level"] == "warning")
    assert warning["event"] == "no answer from the STUN server: peers are told our own address"
    assert warning["server"] == name
