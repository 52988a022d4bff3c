"""One load run: a service, a gateway, callers and a metronome, each its own process.

What they measured is gathered in a :class:`Measured`.
"""

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Flood",
    "Measured",
    "cpu_seconds",
    "memory_mb",
    "python_reference",
    "run_gateway",
    "run_load",
    "run_part",
    "run_service",
    "said",
]

HERE = Path(__file__).parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Measured:
    """What one run showed; times are seconds on CLOCK_MONOTONIC unless the name says otherwise."""

    calls: int
    answered: int
    seconds: float
    cpu_us_per_call_second: float
    memory_mb_per_call: float
    packets: dict[str, NDArray[Any]]
    notes: list[dict[str, Any]]
    beats: NDArray[np.float64]  # when the metronome's datagrams arrived; see rig.metronome
    trips: NDArray[np.float64]  # how long its round trips took
    reference_us: float  # see python_reference
    talking_from: float = 0.0  # when the last call had been answered
    counted: dict[str, Any] = field(default_factory=dict)  # by the gateway, of everything
    flooded: int = 0  # junk datagrams sent


@dataclass(frozen=True)
class Flood:
    """Junk beside a load: datagrams a second, at the gateway or at a port that nobody reads."""

    rate: int
    is_elsewhere: bool = False


def cpu_seconds(pid: int) -> float:
    """Return user plus system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid: int) -> float:
    """Return a process's resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def python_reference() -> float:
    """Return what a bare Python echo of one call costs here and now, in CPU us per call-second.

    Fifty datagrams of 172 bytes a second, each received and sent back, and nothing else.
    """
    near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with near, far:
        near.bind(("127.0.0.1", 0))
        far.bind(("127.0.0.1", 0))
        address, packet, rounds = far.getsockname(), bytes(172), 10_000
        started = time.process_time()
        for _ in range(rounds):
            near.sendto(packet, address)
            far.recvfrom(2048)
        return (time.process_time() - started) * 50e6 / rounds


@contextlib.contextmanager
def run_part(module: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a part of the rig, or the gateway, as a process that ends with the block."""
    command = [sys.executable, "-m", *module.split()]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, cwd=HERE, stdin=pipe, stdout=pipe, **more) as process:
        try:
            yield process
        finally:
            process.terminate()


def said(process: subprocess.Popen[str]) -> Any:
    """Return the next line of JSON that a process prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"{process.args!r} ended early")
    return json.loads(line)


def _told(process: subprocess.Popen[str]) -> Any:
    """Have a process end, and return what it tells of its work."""
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None
    return said(process)


def run_service(speech: str = "") -> AbstractContextManager[subprocess.Popen[str]]:
    """Run the lean service; it says its port."""
    return run_part(f"rig.service {speech}")


def run_gateway(
    port: int, *, pass_through: bool = False, tables: str = ""
) -> AbstractContextManager[subprocess.Popen[str]]:
    """Run a gateway on a free port, joined to the service on ``port``; ``tables`` add settings."""
    config = f"""
        [sip]
        bind = ["udp:127.0.0.1:0"]
        [[trunks]]
        name = "rig"
        hosts = ["127.0.0.1"]
        [http]
        bind = "127.0.0.1:0"
        [media]
        ports = "20000-40000"
        pass_through = {str(pass_through).lower()}
        [realtime]
        provider = "custom"
        url = "ws://127.0.0.1:{port}/v1/realtime"
        {tables}
    """
    environment = {**os.environ, "GATEWAY_CONFIG_BODY": config}
    return run_part("gateway serve --json", env=environment, stderr=subprocess.DEVNULL)


def run_load(
    calls: int,
    seconds: float,
    *,
    pass_through: bool = False,
    talk: float = 4.0,
    every: float = 5.0,
    interrupt: float = 0.0,
    rate: float = 0.0,
    srtp: str = "",
    flood: Flood | None = None,
) -> Measured:
    """Load a gateway with ``calls`` calls of ``seconds`` each and return what was measured.

    ``srtp`` is the suite that their sound is encrypted with.  With a ``flood`` so much junk a
    second comes to its SIP port all the while, or goes elsewhere.
    """
    references = [python_reference() for _ in range(3)]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        run = running.enter_context
        out = Path(folder) / "arrivals.npz"
        speech = f"--talk {talk} --every {every} --interrupt {interrupt}"
        service = run(run_service(speech))
        gateway = run(run_gateway(said(service), pass_through=pass_through))
        facts = said(gateway)
        sip = int(facts["sip"].rsplit(":", 1)[1].split(";")[0])
        metronome = run(run_part("rig.metronome"))
        said(metronome)
        idle_mb = memory_mb(gateway.pid)
        junk = None
        if flood is not None:
            aim = 0 if flood.is_elsewhere else sip
            junk = run(run_part(f"rig.flood --port {aim} --rate {flood.rate}"))
            said(junk)
        load = f"--port {sip} --calls {calls} --seconds {seconds} --rate {rate} --out {out}"
        load += f" --srtp {srtp}" if srtp else ""
        callers = run(run_part(f"rig.callers {load}"))
        begun, cpu = said(callers)["talking_from"], cpu_seconds(gateway.pid)
        ended = said(callers)["talking_to"]
        cpu, full_mb = cpu_seconds(gateway.pid) - cpu, memory_mb(gateway.pid)
        callers.wait(60)
        flooded = _told(junk)["sent"] if junk is not None else 0
        with urllib.request.urlopen(facts["page"] + "v1/gateway", timeout=5) as answer:
            counted = json.load(answer)["counted"]
        told, beat = _told(service), _told(metronome)
        packets = dict(np.load(out))
    references += [python_reference() for _ in range(3)]
    return Measured(
        calls=calls,
        answered=int(np.sum(packets["status"] == 200)),
        seconds=ended - begun,
        cpu_us_per_call_second=cpu * 1e6 / (calls * (ended - begun)),
        memory_mb_per_call=(full_mb - idle_mb) / calls,
        packets=packets,
        notes=told["notes"],
        beats=np.array(beat["arrivals"], np.float64),
        trips=np.array(beat["trips"]),
        reference_us=statistics.median(references),
        talking_from=begun,
        counted=counted,
        flooded=flooded,
    )
