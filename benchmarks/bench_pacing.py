"""How late packets reach the caller, against the grid of their RTP timestamps.

Twice: while all calls talk, and before that, while they come in as fast as they are answered.
The reference is how late the datagrams of a bare loop of 20 ms arrive beside the load, in the same
run: that much is the machine's.

    python benchmarks/bench_pacing.py --calls 200
"""

from rig.analysis import beat_lateness_ms, beside, lateness_ms
from rig.load import run_load
from rig.report import options, report

if __name__ == "__main__":
    chosen = options(__doc__, calls=200, seconds=15.0)
    run = run_load(chosen.calls, chosen.seconds)
    rows = [
        {
            "calls": chosen.calls,
            "while": "all talk" if is_talking else "calls come in",
            **beside(lateness_ms(run, is_talking=is_talking), beat_lateness_ms(run)),
        }
        for is_talking in (True, False)
    ]
    report("pacing (ms late)", rows, "p99 < 5 ms at 400 calls", as_json=chosen.json)
