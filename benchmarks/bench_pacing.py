"""How late packets reach the caller, against the grid of their RTP timestamps.

python benchmarks/bench_pacing.py --calls 200
"""

from rig.analysis import lateness_ms, spread
from rig.load import run_load
from rig.report import options, report

if __name__ == "__main__":
    chosen = options(__doc__, calls=200, seconds=15.0)
    run = run_load(chosen.calls, chosen.seconds)
    row = {"calls": chosen.calls, **spread(lateness_ms(run))}
    row["echo_us_per_call_second"] = round(run.reference_us)
    report("pacing (ms late)", [row], "p99 < 5 ms at 400 calls", as_json=chosen.json)
