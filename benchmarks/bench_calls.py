"""Whole calls a second, INVITE to BYE, placed by sipp against a gateway on one core.

The gateway has the first core for itself, sipp and the service share another.  The reference is
sipp's own answering side in the gateway's place, in the same run.

    python benchmarks/bench_calls.py
"""

import contextlib
import os
import subprocess
from typing import Any

import numpy as np
from rig.load import cpu_seconds, run_gateway, run_service, said
from rig.report import options, report
from rig.sipp import Placed, place_calls, sipp

RATES = (25.0, 50.0, 75.0, 100.0)
ECHO_PORT = 5998


def row(who: str, rate: float, placed: Placed) -> dict[str, Any]:
    """Return one line of the report."""
    p50, p95 = np.percentile(placed.setup_ms, (50, 95)) if len(placed.setup_ms) else (0.0, 0.0)
    return {
        "who": who,
        "offered_per_second": rate,
        "successful": placed.successful,
        "failed": placed.failed,
        "p50_ms": round(float(p50), 1),
        "p95_ms": round(float(p95), 1),
    }


if __name__ == "__main__":
    chosen = options(__doc__, seconds=10.0)
    rows = []
    with contextlib.ExitStack() as running:
        service = running.enter_context(run_service())
        gateway = running.enter_context(run_gateway(said(service)))
        port = int(said(gateway)["sip"].rsplit(":", 1)[1].split(";")[0])
        os.sched_setaffinity(gateway.pid, {0})
        for rate in RATES:
            before = cpu_seconds(gateway.pid)
            placed = place_calls(port, int(rate * chosen.seconds), rate, core=1)
            spent = cpu_seconds(gateway.pid) - before
            cost = {"cpu_ms_per_call": round(spent * 1000 / max(1, placed.successful), 2)}
            rows.append(row("gateway", rate, placed) | cost)
    command = sipp("-sn", "uas", "-p", str(ECHO_PORT), core=0)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as peer:
        rate = RATES[-1]
        placed = place_calls(ECHO_PORT, int(rate * chosen.seconds), rate, core=1)
        rows.append(row("sipp itself", rate, placed))
        peer.terminate()
    target = ">= 75 calls/s per core, p95 <= 50 ms"
    report("whole calls by sipp", rows, target, as_json=chosen.json)
