"""``audio_end_ms`` told to the service minus what the caller heard, in samples of the recording.

python benchmarks/bench_truncation.py --calls 50
"""

import numpy as np
from rig.analysis import spread, truncation_ms
from rig.load import run_load
from rig.report import options, report

if __name__ == "__main__":
    chosen = options(__doc__, calls=50, seconds=20.0)
    run = run_load(chosen.calls, chosen.seconds, talk=5.0, every=2.0, interrupt=1.0)
    errors = truncation_ms(run)
    row = {"calls": chosen.calls, **spread(np.abs(errors))}
    row["mean"] = round(float(np.mean(errors)), 2) if len(errors) else None
    row["echo_us_per_call_second"] = round(run.reference_us)
    report("truncation error (ms)", [row], "<= 20 ms", as_json=chosen.json)
