"""twinkle, a phone of its own make, calls the gateway from its console and presses a key."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from gateway.testing.loopback import sip_address
from gateway.testing.witness import witnessed

pytestmark = pytest.mark.interop

SOUND = "pcm.!default { type null }\nctl.!default { type null }\n"  # no card is needed
SYSTEM = "dev_ringtone=alsa:null\ndev_speaker=alsa:null\ndev_mic=alsa:null\nsip_port={port}\n"
PROFILE = "user_name=twinkle\nuser_domain={domain}\ncodecs=g711u\nregister_at_startup=no\n"


async def told(process: asyncio.subprocess.Process, wanted: str) -> None:
    """Read what the phone tells, up to ``wanted``."""
    assert process.stdout is not None
    seen = b""
    async with asyncio.timeout(15):
        while wanted.encode() not in seen:
            piece = await process.stdout.read(4096)
            assert piece, seen.decode(errors="replace")
            seen += piece


def say(process: asyncio.subprocess.Process, command: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{command}\n".encode())


async def test_twinkle_calls_presses_a_key_and_hangs_up(tmp_path: Path) -> None:
    program = shutil.which("twinkle-console")
    assert program, "twinkle-console is missing: apt-get install twinkle-console"
    async with witnessed() as scene:
        host, port = sip_address(scene.gateway)
        folder = tmp_path / ".twinkle"
        folder.mkdir()
        (tmp_path / ".asoundrc").write_text(SOUND)
        (folder / "twinkle.sys").write_text(SYSTEM.format(port=0))
        (folder / "twinkle.cfg").write_text(PROFILE.format(domain=f"{host}:{port}"))
        process = await asyncio.create_subprocess_exec(
            program, "twinkle.cfg", env={**os.environ, "HOME": str(tmp_path)},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            await told(process, "Twinkle>")
            say(process, "call demo")
            await told(process, "far end answered call")
            say(process, "dtmf 5")
            async with asyncio.timeout(10):
                while not any(
                    entry["name"] == "key.pressed" for entry in scene.record("twinkle").timeline
                ):
                    await asyncio.sleep(0.05)
            say(process, "bye")
            await told(process, "call ended")
            say(process, "quit")
            async with asyncio.timeout(10):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        record = await scene.ended("twinkle")
        keys = [e["detail"]["key"] for e in record.timeline if e["name"] == "key.pressed"]
        assert (record.ended_by, keys) == ("caller", ["5"])
