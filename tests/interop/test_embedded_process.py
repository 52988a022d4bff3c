"""`voice-gateway embedded` as a process of its own: killed, and back on the same ports."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peers import free_port
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from gateway.calls.softphone import Softphone
from gateway.errors import SipError

pytestmark = pytest.mark.interop

SECRET = "whsec_c2VjcmV0IG9mIGEgdGVzdA=="


class Service:
    """The program, started and killed on ports that stay the same."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.port = free_port(socket.SOCK_STREAM)
        self.sip_port = free_port()
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> dict[str, Any]:
        command = [
            sys.executable, "-m", "gateway", "embedded", "--port", str(self.port),
            "--sip", f"udp:127.0.0.1:{self.sip_port}", "--webhook-url", "http://127.0.0.1:9/",
            "--webhook-secret-env", "TEST_SECRET", "--engine", "echo", "--admin", "--json",
        ]  # fmt: skip
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "TEST_SECRET": SECRET},
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        ready: dict[str, Any] = json.loads(line)
        return ready

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path / "log")
    yield service
    service.kill()


async def test_it_is_killed_and_comes_back_where_it_was(service: Service) -> None:
    ready = service.start()
    assert ready["url"] == f"ws://127.0.0.1:{service.port}/v1/realtime"
    assert ready["sip"] == f"sip:proj_embedded@127.0.0.1:{service.sip_port}"
    for _ in range(2):
        async with connect(ready["url"], proxy=None) as first, asyncio.timeout(10):
            assert "session.created" in str(await first.recv())
            service.kill()
            with pytest.raises(ConnectionClosed):
                await first.recv()
        assert service.start() == ready
    async with connect(ready["url"], proxy=None) as again, asyncio.timeout(10):
        assert "session.created" in str(await again.recv())
    async with Softphone() as phone:
        with pytest.raises(SipError) as unheard:  # it rings, and is cancelled
            await phone.dial(ready["sip"], ring_seconds=0.5)
        assert unheard.value.status in (408, 487)
    service.kill()
    told = service.log.read_text()
    assert "Traceback" not in told
    assert SECRET not in told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--key-env", "NO_SUCH_NAME"], "NO_SUCH_NAME is not set"),
        (["--sip", "udp:127.0.0.1:0", "--webhook-secret-env", "NO_SUCH_NAME"], "NO_SUCH_NAME"),
        (["--engine", "oracle"], "oracle"),
        (["--engine", "echo", "--script", "a.toml"], "not both"),
        (["--sip", "carrier-pigeon:here"], "carrier-pigeon"),
        (["--session-seconds", "0"], "session-seconds"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(options: list[str], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "embedded", "--port", "0", *options],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "OPENAI_WEBHOOK_SECRET": SECRET},
    )
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
