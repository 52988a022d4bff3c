"""`voice-gateway embedded` as a process of its own: killed, and back on the same ports."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peers import TAPPED, free_port
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
        self.port = free_port()
        self.sip_port = free_port()
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> dict[str, Any]:
        command = [
            sys.executable, str(TAPPED), "embedded", "--port", str(self.port),
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


HELLO = b"HTTP/1.1\r\nHost: x\r\n"
UPGRADE = b"Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
NONSENSE = [
    (b"\x16\x03\x01\x00\xa5", b"400"),
    (b"GARBAGE\r\n\r\n", b"400"),
    (b"GET / HTTP/9.9\r\n\r\n", b"400"),
    (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", b"400"),
    (b"GET /v1/realtime " + HELLO + UPGRADE + b"Sec-WebSocket-Key: zz\r\n\r\n", b"400"),
    (b"POST /v1/realtime/calls " + HELLO + CHUNKED, b"400"),
    (b"POST /v1/realtime/client_secrets " + HELLO + b"Content-Length: 10\r\n\r\nab", b""),
]


def test_what_is_no_http_is_refused_and_fills_no_log(service: Service) -> None:
    service.start()
    for data, status in NONSENSE:
        with socket.create_connection(("127.0.0.1", service.port), timeout=10) as client:
            client.sendall(data)
            if status:
                assert client.recv(100).split()[1] == status, data[:60]
    with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/healthz", timeout=10) as answer:
        assert json.load(answer) == {"status": "ok", "sessions": 0}
    service.kill()
    assert service.log.read_text() == ""
