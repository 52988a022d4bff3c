"""CPU per call-second of the gateway at 50, 100 and 200 calls with real RTP and a real WebSocket.

The ratio is to a bare Python UDP echo of the same packets, measured in the same run.

    python benchmarks/bench_cpu.py
"""

from rig.load import run_load
from rig.report import options, report

if __name__ == "__main__":
    chosen = options(__doc__, seconds=15.0)
    rows = []
    for pass_through in (False, True):
        for calls in (50, 100, 200):
            run = run_load(calls, chosen.seconds, pass_through=pass_through)
            rows.append(
                {
                    "calls": calls,
                    "link": "G.711 pass-through" if pass_through else "24 kHz PCM",
                    "answered": run.answered,
                    "us_per_call_second": round(run.cpu_us_per_call_second),
                    "echo_us_per_call_second": round(run.reference_us),
                    "ratio": round(run.cpu_us_per_call_second / run.reference_us, 2),
                    "mb_per_call": round(run.memory_mb_per_call, 2),
                }
            )
    report("cpu", rows, "<= 1500 us (<= 900 pass-through) at 200 calls", as_json=chosen.json)
