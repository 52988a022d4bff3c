"""INVITE → 200 at the caller, and calls set up a second.

python benchmarks/bench_setup.py --rate 20
"""

from rig.analysis import spread
from rig.load import run_load
from rig.report import options, report

if __name__ == "__main__":
    chosen = options(__doc__, calls=100)
    rows = []
    for rate in (5.0, 20.0, 50.0, 75.0):
        run = run_load(chosen.calls, 2.0, rate=rate)
        setup = run.packets["setup"] * 1000
        rows.append(
            {"offered_per_second": rate, "answered": run.answered, "of": chosen.calls}
            | spread(setup)
            | {"echo_us_per_call_second": round(run.reference_us)}
        )
    target = "p95 <= 50 ms with the embedded service; >= 75 calls/s without media"
    report("set-up (ms)", rows, target, as_json=chosen.json)
