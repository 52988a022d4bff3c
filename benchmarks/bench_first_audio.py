"""First delta of a response sent by the service → first packet with sound at the caller.

The reference is how long after the same moments the next datagram of a bare loop of 20 ms arrived,
in the same run: what a gateway would need that had nothing to do.

    python benchmarks/bench_first_audio.py --calls 200
"""

from rig.analysis import beside, first_audio_ms, next_beat_ms
from rig.load import run_load
from rig.report import options, report

if __name__ == "__main__":
    chosen = options(__doc__, calls=200, seconds=15.0)
    run = run_load(chosen.calls, chosen.seconds, talk=1.0, every=2.0)
    figures = beside(first_audio_ms(run), next_beat_ms(run, "first_delta"))
    rows = [{"calls": chosen.calls, **figures}]
    report("first audio (ms)", rows, "p99 <= 25 ms at 200 calls", as_json=chosen.json)
