"""What calls notice of junk at the SIP port: packets lost and late, set-up, CPU.

Three runs with the same calls: no junk; as much junk, but at a port that nobody reads, which shows
what sending it costs the machine; and junk at the gateway, from as many sources as datagrams.  The
ratios are to the run without.

    python benchmarks/bench_flood.py --calls 50 --rate 20000
"""

import numpy as np
from rig.analysis import lateness_ms, lost_share, spread
from rig.load import Flood, run_load
from rig.report import options, report

if __name__ == "__main__":
    chosen = options(__doc__, calls=50, seconds=15.0, rate=20_000)
    rows = []
    for name, flood in (
        ("none", None),
        ("elsewhere", Flood(chosen.rate, is_elsewhere=True)),
        ("at the gateway", Flood(chosen.rate)),
    ):
        run = run_load(chosen.calls, chosen.seconds, flood=flood)
        late = spread(lateness_ms(run, is_talking=True))
        kept_out = {k: v for k, v in run.counted["sip"].items() if k.startswith("dropped_") and v}
        rows.append(
            {
                "junk": name,
                "sent": run.flooded,
                "answered": run.answered,
                "of": run.calls,
                "setup_p95_ms": round(float(np.percentile(run.packets["setup"], 95)) * 1000, 1),
                "lost_percent": round(lost_share(run) * 100, 3),
                "late_p50_ms": late["p50"],
                "late_p99_ms": late["p99"],
                "late_max_ms": late["max"],
                "cpu_percent": round(run.cpu_us_per_call_second * run.calls / 1e4, 1),
                "reference_us": round(run.reference_us, 1),
                **kept_out,
            }
        )
    for row in rows[1:]:
        for figure in ("late_p99_ms", "cpu_percent"):
            row[f"ratio_{figure}"] = round(row[figure] / rows[0][figure], 2)
    report("flood", rows, "no packet lost, p99 as without", as_json=chosen.json)
