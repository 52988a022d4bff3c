"""coturn on loopback, which relays for who knows its password."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from peers import free_port

__all__ = ["turn_server"]


@contextlib.contextmanager
def turn_server(folder: Path) -> Iterator[str]:
    """Run it, and return its host and port; ``ann`` with ``secret`` may use it."""
    port = free_port()
    command = [
        "turnserver",
        "-n",
        "--listening-ip=127.0.0.1",
        "--relay-ip=127.0.0.1",
        f"--listening-port={port}",
        "--lt-cred-mech",
        "--realm=test",
        "--user=ann:secret",
        "--allow-loopback-peers",
        "--no-tls",
        "--no-dtls",
        "--no-cli",
        f"--userdb={folder / 'users'}",
        f"--pidfile={folder / 'pid'}",
        "--log-file=stdout",
    ]
    with (
        (folder / "turn.log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as server,
    ):
        try:
            _await_tcp(port)
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()


def _await_tcp(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("coturn does not listen")
