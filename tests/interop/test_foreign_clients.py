"""Programs of others that speak SIP reach the gateway: sipsak's probe, a call by aiosipua."""

import asyncio
import json
import shutil
import sys
from pathlib import Path

import pytest

from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService
from gateway.testing.witness import witnessed

pytestmark = pytest.mark.interop

CALLER = Path(__file__).with_name("aiosipua_caller.py")


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
