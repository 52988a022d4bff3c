"""Programs of others that speak SIP reach the gateway: sipsak's probe, a call by aiosipua."""

import asyncio
import json
import shutil
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService
from gateway.testing.witness import witnessed

pytestmark = pytest.mark.interop

TOKEN = "a-token-of-ours"

CALLER = Path(__file__).with_name("aiosipua_caller.py")
CALLEE = Path(__file__).with_name("aiosipua_callee.py")


async def run(*command: str) -> str:
    """Run a program to its end, and return what it told."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            told, faults = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, (told + faults).decode()
    return told.decode()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_sipsak_gets_its_probe_answered(transport: str) -> None:
    program = shutil.which("sipsak")
    assert program, "sipsak is missing: apt-get install sipsak"
    async with witnessed() as scene:
        host, port = sip_address(scene.gateway, transport)
        told = await run(program, "-vv", "-E", transport, "-s", f"sip:demo@{host}:{port}")
        assert "SIP/2.0 200 OK" in told
        assert "Allow: INVITE" in told


async def test_aiosipua_calls_holds_presses_a_key_refreshes_and_hangs_up() -> None:
    async with witnessed() as scene:
        host, port = sip_address(scene.gateway)
        told = await run(sys.executable, str(CALLER), host, str(port))
        answers = json.loads(told.splitlines()[-1])
        assert answers == dict.fromkeys(
            ["1 INVITE", "2 INVITE", "3 INFO", "4 UPDATE", "5 BYE"], 200
        )
        record = await scene.ended("aiosipua")
        assert record.ended_by == "caller"
        keys = [
            entry["detail"]["key"] for entry in record.timeline if entry["name"] == "key.pressed"
        ]
        assert keys == ["7"]


async def test_aiosipua_acknowledges_that_it_is_rung_reliably() -> None:
    trunk = {"name": "reliable", "hosts": ["127.0.0.1"], "prack": "required"}
    async with (
        LoopbackService([1037.0]) as service,
        loopback_gateway(service.url, trunks=[trunk]) as gateway,
    ):
        host, port = sip_address(gateway)
        told = await run(sys.executable, str(CALLER), host, str(port))
        answers = json.loads(told.splitlines()[-1])
        assert answers == dict.fromkeys(
            ["1 INVITE", "2 PRACK", "3 INVITE", "4 INFO", "5 UPDATE", "6 BYE"], 200
        )


async def test_aiosipua_is_called_for_as_long_as_it_wants_and_rings_reliably() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CALLEE)), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        targets = {"ann": f"sip:ann@127.0.0.1:{port}"}
        http = {"bind": "127.0.0.1:0", "token": TOKEN}
        async with (
            LoopbackService([1037.0]) as service,
            loopback_gateway(service.url, targets=targets, http=http) as gateway,
            ClientSession(gateway.page, headers={"Authorization": f"Bearer {TOKEN}"}) as session,
        ):
            async with session.post("/v1/calls", json={"to": "ann"}) as response:
                assert response.status == 201
            async with asyncio.timeout(15):
                while not any(
                    entry["name"] == "leg.answered"
                    for record in gateway.registry.records()
                    for entry in record.timeline
                ):
                    await asyncio.sleep(0.02)
            (call,) = gateway.registry
            call.hang_up("done")
            async with asyncio.timeout(15):
                asked, interval = json.loads(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
    methods = [method for method, _ in asked]
    assert methods == ["INVITE", "ACK", "INVITE", "PRACK", "ACK", "BYE"]
    assert [told.split(";")[0] for method, told in asked if method == "INVITE"] == ["1800", "3600"]
    assert interval == 3600
