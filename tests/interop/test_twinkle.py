"""twinkle, a phone of its own make: calls, keys, reliable ringing and an attended transfer."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from peers import free_port

from gateway.app import Gateway
from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService
from gateway.testing.witness import witnessed

pytestmark = pytest.mark.interop

SOUND = "pcm.!default { type null }\nctl.!default { type null }\n"  # no card is needed
SYSTEM = """
dev_ringtone=alsa:null
dev_speaker=alsa:null
dev_mic=alsa:null
sip_port={port}
rtp_port={rtp}
log_show_sip=yes
"""
PROFILE = """
user_name={name}
user_domain={domain}
codecs=g711u
register_at_startup=no
ext_100rel={reliably}
ext_replaces=yes
allow_refer=yes
ask_user_to_refer=no
"""


class Console:
    """One running twinkle."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, port: int) -> None:
        self._process = process
        self._log = log
        self.port = port

    async def told(self, wanted: str) -> None:
        """Read what the phone tells, up to ``wanted``."""
        assert self._process.stdout is not None
        seen = b""
        async with asyncio.timeout(15):
            while wanted.encode() not in seen:
                piece = await self._process.stdout.read(4096)
                assert piece, seen.decode(errors="replace")
                seen += piece

    def say(self, command: str) -> None:
        """Type a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())

    def traced(self) -> str:
        """Return what it wrote of the messages that came and went."""
        return self._log.read_text(errors="replace")


@asynccontextmanager
async def console(
    folder: Path, gateway: Gateway, name: str, *, reliably: str = "supported"
) -> AsyncIterator[Console]:
    """Run twinkle until the block ends; ``reliably`` is how it wants to be rung."""
    program = shutil.which("twinkle-console")
    assert program, "twinkle-console is missing: apt-get install twinkle-console"
    host, sip_port = sip_address(gateway)
    port, home = free_port(), folder / name
    own = home / ".twinkle"
    own.mkdir(parents=True)
    (home / ".asoundrc").write_text(SOUND)
    (own / "twinkle.sys").write_text(SYSTEM.format(port=port, rtp=(free_port(16) + 1) // 2 * 2))
    domain = f"{host}:{sip_port}"
    (own / "twinkle.cfg").write_text(PROFILE.format(name=name, domain=domain, reliably=reliably))
    process = await asyncio.create_subprocess_exec(
        program, "twinkle.cfg", env={**os.environ, "HOME": str(home)},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    phone = Console(process, own / "twinkle.log", port)
    try:
        await phone.told("Twinkle>")
        yield phone
        phone.say("quit")
        async with asyncio.timeout(10):
            await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def noted(gateway: Gateway, name: str) -> dict[str, Any]:
    """Wait until the only call has such an entry in its timeline; return its detail."""
    async with asyncio.timeout(10):
        while True:
            (record,) = gateway.registry.records()
            for entry in record.timeline:
                if entry["name"] == name:
                    return entry["detail"]
            await asyncio.sleep(0.05)


async def test_twinkle_calls_presses_a_key_and_hangs_up(tmp_path: Path) -> None:
    async with witnessed() as scene, console(tmp_path, scene.gateway, "twinkle") as phone:
        phone.say("call demo")
        await phone.told("far end answered call")
        phone.say("dtmf 5")
        async with asyncio.timeout(10):
            while not any(
                entry["name"] == "key.pressed" for entry in scene.record("twinkle").timeline
            ):
                await asyncio.sleep(0.05)
        phone.say("bye")
        await phone.told("call ended")
        record = await scene.ended("twinkle")
        keys = [e["detail"]["key"] for e in record.timeline if e["name"] == "key.pressed"]
        assert (record.ended_by, keys) == ("caller", ["5"])


async def test_twinkle_requires_to_be_rung_reliably_and_acknowledges_it(tmp_path: Path) -> None:
    async with (
        LoopbackService([1037.0]) as service,
        loopback_gateway(service.url) as gateway,
        console(tmp_path, gateway, "ann", reliably="required") as ann,
    ):
        ann.say("call demo")
        await ann.told("far end answered call")
        ann.say("bye")
        await ann.told("call ended")
    traced = ann.traced()
    ringing = traced.index("SIP/2.0 180 Ringing")
    acknowledged = traced.index("PRACK sip:", ringing)
    answered = traced.index("SIP/2.0 200 OK", acknowledged)
    assert "Require: 100rel" in traced[ringing:acknowledged]
    assert "PRACK" in traced[answered : answered + 600], "the PRACK was answered"


async def test_twinkle_sends_another_into_its_place_and_the_agent_goes_on(tmp_path: Path) -> None:
    trunk = {"name": "phones", "hosts": ["127.0.0.1"], "accepts_transfer": True}
    async with (
        LoopbackService([1037.0]) as service,
        loopback_gateway(service.url, trunks=[trunk]) as gateway,
        console(tmp_path, gateway, "ann") as ann,
        console(tmp_path, gateway, "bob") as bob,
    ):
        ann.say(f"call sip:bob@127.0.0.1:{bob.port}")
        await bob.told("incoming call")
        bob.say("answer")
        await ann.told("far end answered call")
        ann.say("transfer -c demo")
        await ann.told("far end answered call")
        ann.say("transfer -c")
        moved = await noted(gateway, "leg.moved")
        await bob.told("far end answered call")
        bob.say("bye")
        await bob.told("call ended")
        async with asyncio.timeout(10):
            while len(gateway.registry):
                await asyncio.sleep(0.05)
        (record,) = gateway.registry.records()
    assert "Replaces: " in bob.traced()
    assert (moved["party"], moved["status"]) == ("bob", 200)
    assert (record.caller, record.ended_by) == ("ann", "caller")
