"""CPU per call-second of encrypted calls at 100 calls, with real RTP and a real WebSocket.

The ratio is to plain calls, measured before and after in the same run.

    python benchmarks/bench_srtp.py
"""

import statistics

from rig.load import run_load
from rig.report import options, report

SUITES = ("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM")
CALLS = 100

if __name__ == "__main__":
    chosen = options(__doc__, seconds=15.0)
    plain = [run_load(CALLS, chosen.seconds).cpu_us_per_call_second]
    encrypted = {suite: run_load(CALLS, chosen.seconds, srtp=suite) for suite in SUITES}
    plain.append(run_load(CALLS, chosen.seconds).cpu_us_per_call_second)
    reference = statistics.mean(plain)
    rows = [
        {
            "calls": CALLS,
            "suite": suite,
            "answered": run.answered,
            "us_per_call_second": round(run.cpu_us_per_call_second),
            "plain_us_per_call_second": round(reference),
            "ratio": round(run.cpu_us_per_call_second / reference, 2),
        }
        for suite, run in encrypted.items()
    ]
    report("srtp", rows, "<= 1.3 times a plain call", as_json=chosen.json)
