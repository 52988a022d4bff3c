"""CPU of recording calls to Ogg Opus: the thread that writes, 20 calls in which both sides talk.

The ratio is to the same calls as WAV, in the same run.

    python benchmarks/bench_recordings.py
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from rig.report import options, report

from gateway.embedded.speech.voice import load_voice
from gateway.media.recorder import Recording

CALLS = 20
RATE = 24_000
TALK = "Thank you for calling. Press one for sales, two for support, or tell me what you need."


def record(folder: Path, kind: str, seconds: int) -> tuple[float, float]:
    """Write the calls; return the CPU seconds and the bytes of a second of one call."""
    speech = np.concatenate(list(load_voice("rms").speak(TALK)))
    said = np.resize(speech, seconds * RATE).tobytes()
    heard = np.resize(np.roll(speech, len(speech) // 2), seconds * RATE).tobytes()
    calls = [
        Recording(str(folder / f"{n}.{kind}"), RATE, lambda _, problem: None) for n in range(CALLS)
    ]
    before = time.process_time()
    for call in calls:
        call.open()
    for start in range(0, len(said), RATE):  # half a second of 16-bit samples
        for call in calls:
            call.write(heard[start : start + RATE], said[start : start + RATE])
    for call in calls:
        call.close()
    used = time.process_time() - before
    size = sum(Path(call.path).stat().st_size for call in calls)
    return used / CALLS / seconds, size / CALLS / seconds


if __name__ == "__main__":
    chosen = options(__doc__, seconds=20)
    with tempfile.TemporaryDirectory() as name:
        wav, wav_bytes = record(Path(name), "wav", chosen.seconds)
        opus, opus_bytes = record(Path(name), "opus", chosen.seconds)
    row = {
        "calls": CALLS,
        "opus_us_per_call_second": round(opus * 1e6),
        "wav_us_per_call_second": round(wav * 1e6),
        "ratio": round(opus / wav, 1),
        "opus_kbit": round(opus_bytes * 8 / 1000),
        "wav_kbit": round(wav_bytes * 8 / 1000),
    }
    report("recordings", [row], "<= 3000 us, a tenth of the size", as_json=chosen.json)
