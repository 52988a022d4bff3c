"""For how long old speech goes on when a caller breaks in, in two figures.

``old speech``: from ``speech_started``, as the service sends it, to the arrival of the last packet
of the old speech at the caller (the kernel's stamp); 0 where that packet was there before.
``silence``: from the same moment to the first packet without old speech.  The reference is how long
after the same moments the next datagram of a bare loop of 20 ms arrived, in the same run: so soon,
and no sooner, can there be silence.

    python benchmarks/bench_barge_in.py --calls 50
"""

from rig.analysis import barge_in_ms, beside, next_beat_ms, silence_ms
from rig.load import run_load
from rig.report import options, report

if __name__ == "__main__":
    chosen = options(__doc__, calls=50, seconds=20.0)
    run = run_load(chosen.calls, chosen.seconds, talk=5.0, every=2.0, interrupt=1.0)
    reference = next_beat_ms(run, "speech_started")
    figures = {"old speech": barge_in_ms(run), "silence": silence_ms(run)}
    rows = [
        {"until": name, "calls": chosen.calls, **beside(values, reference)}
        for name, values in figures.items()
    ]
    report("barge-in (ms)", rows, "p99 <= 20 ms", as_json=chosen.json)
