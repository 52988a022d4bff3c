"""CPU of the WebSocket link per call-second, by what joins it to its socket and by append size.

The same link runs over three glues that take turns: the asyncio client of `websockets` with a task
that reads and one that writes; the sans-I/O core of `websockets` on a bare transport; and the
gateway's own, which is the asyncio client's connection with both tasks left out.  The ratios are to
the asyncio client.

    python benchmarks/bench_glue.py
"""

import statistics

from rig.glue import open_core, open_plain
from rig.links import measured, open_link
from rig.report import options, report

from gateway.realtime.connection import open_socket

APPENDS_MS = (20, 40, 60, 100)
GLUES = {"asyncio": open_plain, "core": open_core, "own": open_socket}

if __name__ == "__main__":
    chosen = options(__doc__, links=60, seconds=3.0, repeats=3)
    rows = []
    for append_ms in APPENDS_MS:
        times: dict[str, list[float]] = {name: [] for name in GLUES}
        for _ in range(chosen.repeats):
            for name, connect in GLUES.items():
                opened = open_link(append_ms, connect)
                us, deltas = measured(opened, "uvloop", "audio/pcm", chosen.links, chosen.seconds)
                assert deltas > 4, f"{name}: only {deltas:.1f} deltas a second came"
                times[name].append(us)
        us_of = {name: statistics.median(taken) for name, taken in times.items()}
        rows.append(
            {
                "append_ms": append_ms,
                **{f"{name}_us": round(us) for name, us in us_of.items()},
                "core_ratio": round(us_of["core"] / us_of["asyncio"], 2),
                "own_ratio": round(us_of["own"] / us_of["asyncio"], 2),
            }
        )
    report("glue", rows, "own_ratio <= 0.8, or else the plain client", as_json=chosen.json)
