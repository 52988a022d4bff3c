"""speech_started sent by the service → last packet of the old speech at the caller.

python benchmarks/bench_barge_in.py --calls 50
"""

from rig.analysis import barge_in_ms, spread
from rig.load import run_load
from rig.report import options, report

if __name__ == "__main__":
    chosen = options(__doc__, calls=50, seconds=20.0)
    run = run_load(chosen.calls, chosen.seconds, talk=5.0, every=2.0, interrupt=1.0)
    row = {"calls": chosen.calls, **spread(barge_in_ms(run))}
    row["echo_us_per_call_second"] = round(run.reference_us)
    report("barge-in (ms)", [row], "p99 <= 20 ms", as_json=chosen.json)
