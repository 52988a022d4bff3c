"""``audio_end_ms`` told to the service minus what the caller heard, by the samples that arrived.

The reference is the claim of a bare clock in the same run: the time from the first packet heard to
``speech_started``, which knows nothing of what was under way.

Of the error 0.62 ms is the measure's own, and always there: the first five samples of a passage,
where the resampler's filter swells up to it, are the zeros of µ-law and do not count as heard.

    python benchmarks/bench_truncation.py --calls 50
"""

import numpy as np
from rig.analysis import beside, clock_truncation_ms, truncation_ms
from rig.load import run_load
from rig.report import options, report

if __name__ == "__main__":
    chosen = options(__doc__, calls=50, seconds=20.0)
    run = run_load(chosen.calls, chosen.seconds, talk=5.0, every=2.0, interrupt=1.0)
    errors = truncation_ms(run)
    figures = beside(np.abs(errors), np.abs(clock_truncation_ms(run)))
    rows = [{"calls": chosen.calls, **figures, "mean": round(float(np.nanmean(errors)), 2)}]
    report("truncation error (ms)", rows, "<= 20 ms", as_json=chosen.json)
