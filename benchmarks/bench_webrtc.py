"""CPU and memory of the gateway per WebRTC call at 1, 5, 10 and 20 calls, beside plain aiortc.

The gateway does all that a call is: it speaks with the service, hears keys, keeps the ledger.
Plain aiortc, measured in the same run with the same callers, says speech and throws away what it
hears.  ``more`` is what one more call costs: the gateway's clock costs the same for any number.
``heard`` are packets a second at the caller heard worst: less than 49 shows a machine that is busy
with other things, whose figures mean little.

    python benchmarks/bench_webrtc.py
"""

import contextlib
from dataclasses import dataclass
from typing import Any

from rig.load import cpu_seconds, memory_mb, run_gateway, run_part, run_service, said
from rig.report import options, report

CALLS = (1, 5, 10, 20)
PUBLIC = """
        [webrtc]
        public = true
        calls_per_minute = 600
"""


@dataclass
class Load:
    """What calls cost one side: percent of a core of all of them, MB of each."""

    cpu: float
    mb: float
    heard: float  # packets a second, the worst call's


def load(pid: int, url: str, calls: int, seconds: float) -> Load:
    """Have so many pages call, and measure the process that they call."""
    idle = memory_mb(pid)
    with run_part(f"rig.pages --url {url} --calls {calls} --seconds {seconds}") as pages:
        begun, cpu = said(pages)["talking_from"], cpu_seconds(pid)
        lasted = said(pages)["talking_to"] - begun
        cpu, full = cpu_seconds(pid) - cpu, memory_mb(pid)
        heard = min(said(pages)["heard"]) / lasted
        pages.wait(60)
    return Load(100 * cpu / lasted, (full - idle) / calls, heard)


def ours(calls: int, seconds: float) -> Load:
    """Let the gateway be called."""
    with contextlib.ExitStack() as running:
        service = running.enter_context(run_service())
        gateway = running.enter_context(run_gateway(said(service), tables=PUBLIC))
        return load(gateway.pid, said(gateway)["page"] + "whip", calls, seconds)


def plain(calls: int, seconds: float) -> Load:
    """Let plain aiortc be called."""
    with run_part("rig.plain_webrtc") as side:
        return load(side.pid, said(side)["url"], calls, seconds)


if __name__ == "__main__":
    chosen = options(__doc__, seconds=15.0)
    rows: list[dict[str, Any]] = []
    first: Load | None = None
    for calls in CALLS:
        here, there = ours(calls, chosen.seconds), plain(calls, chosen.seconds)
        first = first or here
        more = (here.cpu - first.cpu) / (calls - 1) if calls > 1 else here.cpu
        rows.append(
            {
                "calls": calls,
                "cpu_percent": round(here.cpu / calls, 2),
                "more": round(more, 2),
                "aiortc_percent": round(there.cpu / calls, 2),
                "ratio": round(here.cpu / there.cpu, 2),
                "mb": round(here.mb, 2),
                "aiortc_mb": round(there.mb, 2),
                "heard": round(here.heard, 1),
                "aiortc_heard": round(there.heard, 1),
            }
        )
    report("webrtc", rows, "<= 2.5 % of a core per call", as_json=chosen.json)
