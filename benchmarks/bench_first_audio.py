"""First delta of a response sent by the service → first packet with sound at the caller.

python benchmarks/bench_first_audio.py --calls 200
"""

from rig.analysis import first_audio_ms, spread
from rig.load import run_load
from rig.report import options, report

if __name__ == "__main__":
    chosen = options(__doc__, calls=200, seconds=15.0)
    run = run_load(chosen.calls, chosen.seconds, talk=1.0, every=2.0)
    row = {"calls": chosen.calls, **spread(first_audio_ms(run))}
    row["echo_us_per_call_second"] = round(run.reference_us)
    report("first audio (ms)", [row], "p99 <= 25 ms at 200 calls", as_json=chosen.json)
