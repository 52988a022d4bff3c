"""Real programs on loopback: the gateway as a process of its own, and the peers that call it.

Everything started here is ended here, by its own process id.
"""

import contextlib
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCENARIOS = Path(__file__).parent / "scenarios"
TAPPED = Path(__file__).with_name("tapped.py")


def _own_ports() -> Iterator[int]:
    """Yield the ports of this process for ever, from anywhere: each worker of a run has its own."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = len(_BEYOND) // count
    own = _BEYOND[worker % count * share :][:share]
    start = os.getpid() % share
    return itertools.cycle((*own[start:], *own[:start]))


_BEYOND = range(61_000, 65_500)  # the system's own end at 60,999
_PORTS = _own_ports()


@dataclass
class Gateway:
    """A running `voice-gateway demo` or `serve`, and its HTTP interface."""

    process: subprocess.Popen[str]
    facts: dict[str, Any]
    log: Path
    token: str = ""
    seen: set[str] = field(default_factory=set)

    @property
    def sip_port(self) -> int:
        return int(self.facts["sip"].rsplit(":", 1)[1].split(";")[0])

    def ask(self, path: str) -> Any:
        shown = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        request = urllib.request.Request(self.facts["page"].rstrip("/") + path, headers=shown)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def calls(self) -> list[dict[str, Any]]:
        """Return the latest calls without their long parts, those in progress first."""
        found: list[dict[str, Any]] = self.ask("/v1/calls?limit=500")["calls"]
        return found

    def new_calls(self, count: int = 1, timeout: float = 20.0) -> list[dict[str, Any]]:
        """Wait for ``count`` calls that nobody asked for yet to be over; return their records."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            over = [c for c in self.calls() if c["ended_by"] is not None]
            fresh = [c["call_id"] for c in over if c["call_id"] not in self.seen]
            if len(fresh) >= count:
                self.seen.update(fresh)
                return [self.ask(f"/v1/calls/{call_id}") for call_id in fresh]
            time.sleep(0.1)
        raise AssertionError(f"{count} calls did not end; the log ends:\n{self.tail()}")

    def forget_calls(self) -> None:
        """Leave the calls that are over out of :meth:`new_calls`."""
        over = (c for c in self.calls() if c["ended_by"] is not None)
        self.seen.update(c["call_id"] for c in over)

    def wait_for_calls(self, count: int, timeout: float = 30.0) -> None:
        """Wait until ``count`` calls are in progress."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if sum(c["ended_by"] is None for c in self.calls()) >= count:
                return
            time.sleep(0.05)
        raise AssertionError(f"{count} calls did not come in; the log ends:\n{self.tail()}")

    def wait_for_draining(self, timeout: float = 5.0) -> None:
        """Wait until the gateway says that it takes no more calls."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                self.ask("/readyz")
            except urllib.error.HTTPError as refusal:
                if refusal.code == 503:
                    return
            time.sleep(0.05)
        raise AssertionError(f"the gateway does not drain; the log ends:\n{self.tail()}")

    def tail(self) -> str:
        return "\n".join(self.log.read_text().splitlines()[-30:])


def free_port(count: int = 1) -> int:
    """Return the first of so many ports in a row that nobody uses, for datagrams or connections.

    They lie beyond those that the system gives to whoever asks for any, and come up again only
    after thousands of others: what is free now still is when a program has come to bind it.
    """
    taken = 0
    for port in _PORTS:
        taken = taken + 1 if _is_free(port) else 0
        if taken == count:
            return port - count + 1
    raise AssertionError("no port is free")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


@contextlib.contextmanager
def running(
    arguments: list[str], log: Path, env: dict[str, str] | None = None
) -> Iterator[Gateway]:
    """Run a voice-gateway command until the block ends; it says JSON when it is ready.

    It is asked by HTTP with the token that the variable ``DIAL_TOKEN`` holds, if any.
    """
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, str(TAPPED), *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **(env or {})},
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, f"{arguments} did not start:\n{log.read_text()}"
        yield Gateway(process, json.loads(line), log, (env or {}).get("DIAL_TOKEN", ""))
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


class Sipp:
    """sipp against a gateway: call it to run a scenario to its end."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("sipp")
        assert program, "sipp is missing: apt-get install sip-tester"
        self._program, self._folder = program, folder

    def __call__(self, gateway: Gateway, scenario: str, *options: str, user: str = "demo") -> None:
        """Run ``scenario`` and expect it to succeed.

        It is one of ours, else one of sipp's own, or the text of :func:`scripts.script`.
        """
        process = self._start(gateway, scenario, options, user)
        self._finish(process, scenario, gateway.tail())

    @contextlib.contextmanager
    def started(self, gateway: Gateway, scenario: str, *options: str) -> Iterator[None]:
        """Run ``scenario`` beside the block and expect it to succeed."""
        process = self._start(gateway, scenario, options, "demo")
        try:
            yield
            self._finish(process, scenario, gateway.tail())
        finally:
            process.kill()
            process.communicate()

    @contextlib.contextmanager
    def called(self, scenario: str, **words: str) -> Iterator[str]:
        """Have somebody by whom ``scenario`` is done when they are called; yield their address.

        ``words`` replace what stands by these names in brackets.  They must have been called by
        the end of the block.
        """
        port = free_port()
        is_text = scenario.startswith("<?xml")
        text = scenario if is_text else (SCENARIOS / f"{scenario}.xml").read_text()
        for name, word in words.items():
            text = text.replace(f"[{name}]", word)
        path = self._folder / ("script.xml" if is_text else f"{scenario}.xml")
        path.write_text(text)
        command = [
            self._program, "-sf", str(path), "-m", "1", "-trace_msg",
            "-i", "127.0.0.1", "-p", str(port), "-nostdin", "-trace_err", "-timeout", "60s",
        ]  # fmt: skip
        process = subprocess.Popen(
            command, cwd=self._folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            yield f"sip:operator@127.0.0.1:{port}"
            self._finish(process, scenario, "")
        finally:
            process.kill()
            process.communicate()

    def came(self, start: str) -> list[str]:
        """Return the messages that begin so and came to sipp, oldest first."""
        logs = "".join(path.read_text() for path in sorted(self._folder.glob("*_messages.log")))
        pieces = re.split(r"^-{20,} .*\n", logs, flags=re.MULTILINE)
        arrived = (piece.split("\n\n", 1)[-1] for piece in pieces if "message received" in piece)
        return [message for message in arrived if message.startswith(start)]

    def _start(
        self, gateway: Gateway, scenario: str, options: tuple[str, ...], user: str
    ) -> subprocess.Popen[str]:
        known = SCENARIOS / f"{scenario}.xml"
        if scenario.startswith("<?xml"):
            known = self._folder / "script.xml"
            known.write_text(scenario)
        choice = ["-sf", str(known)] if known.exists() else ["-sn", scenario]
        once = [] if "-m" in options else ["-m", "1"]
        here = [] if "-i" in options else ["-i", "127.0.0.1"]
        media_port = free_port(16)
        command = [
            self._program, *choice, *once, *options, "-s", user, *here,
            "-mi", "127.0.0.1", "-p", str(free_port()), "-mp", str(media_port), "-nostdin",
            "-trace_err", "-trace_msg", "-timeout", "60s", f"127.0.0.1:{gateway.sip_port}",
        ]  # fmt: skip
        return subprocess.Popen(
            command,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _finish(self, process: subprocess.Popen[str], scenario: str, log: str) -> None:
        output, _ = process.communicate(timeout=90)
        errors = "".join(path.read_text() for path in self._folder.glob("*_errors.log"))
        told = f"{scenario}: {errors}\n{output[-2000:]}\n{log}"
        assert process.returncode == 0, told
