"""INVITE → 200 at the caller, with calls coming in ever faster.

The reference is a bare UDP question and answer between two processes beside the load, in the same
run.

    python benchmarks/bench_setup.py
"""

from rig.analysis import beside
from rig.load import run_load
from rig.report import options, report

if __name__ == "__main__":
    chosen = options(__doc__, calls=100)
    rows = []
    for rate in (5.0, 20.0, 50.0, 75.0):
        run = run_load(chosen.calls, 2.0, rate=rate)
        figures = beside(run.packets["setup"] * 1000, run.trips * 1000)
        counts = {"offered_per_second": rate, "answered": run.answered, "of": chosen.calls}
        rows.append(counts | figures)
    target = "p95 <= 50 ms with the embedded service; >= 75 calls/s without media"
    report("set-up (ms)", rows, target, as_json=chosen.json)
