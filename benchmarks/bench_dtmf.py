"""Microseconds to look for keys in 20 ms of one call, in batches of 1 to 200 calls.

Callers are silent, talk (noise with the syllables of speech), or all press keys
at once.  The ratio is to a plain Python loop of eight Goertzel filters over the
same 160 samples, measured in the same run, all taking turns.

    OPENBLAS_NUM_THREADS=1 python benchmarks/bench_dtmf.py
"""

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rig.report import options, report
from rig.timing import interleaved_us
from voicecodecs.dtmf import FRAME, DtmfDetector
from voicecodecs.tones import COLUMNS, KEYS, ROWS, dtmf_tone

LANES = (1, 25, 100, 200)


def goertzel() -> list[float]:
    """The reference: the power of eight frequencies in one frame."""
    samples = range(FRAME)
    powers = []
    for tone in (*ROWS, *COLUMNS):
        turn = 2 * math.cos(2 * math.pi * tone / 8000)
        last = before = 0.0
        for x in samples:
            last, before = x + turn * last - before, last
        powers.append(last * last + before * before - turn * last * before)
    return powers


def silence(lanes: int) -> NDArray[np.int16]:
    return np.zeros((lanes, 8000), np.int16)


def talk(lanes: int) -> NDArray[np.int16]:
    """A second of low-passed noise that comes and goes four times."""
    noise = np.random.default_rng(1).standard_normal((lanes, 8000))
    for i in range(1, noise.shape[1]):
        noise[:, i] += 0.9 * noise[:, i - 1]
    syllables = np.clip(np.sin(2 * np.pi * 4 * np.arange(8000) / 8000), 0, None)
    pcm: NDArray[np.int16] = (noise * syllables * 2000).clip(-32768, 32767).astype(np.int16)
    return pcm


def keys(lanes: int) -> NDArray[np.int16]:
    """A second of keys, half of the time down."""
    gap = np.zeros(800, np.int16)
    pressed = [np.concatenate([dtmf_tone(key, 100), gap]) for key in KEYS]
    return np.stack([np.resize(pressed[i % 16], 8000) for i in range(lanes)])


def frame_by_frame(signal: NDArray[np.int16]) -> Callable[[], object]:
    """Detect in the next frame of a signal that goes round."""
    detector = DtmfDetector(len(signal))
    frames = itertools.cycle(np.split(signal, signal.shape[1] // FRAME, axis=1))
    return lambda: detector.process(next(frames))


if __name__ == "__main__":
    chosen = options(__doc__, rounds=400)
    rows = []
    for name, make in (("silent", silence), ("talking", talk), ("pressing keys", keys)):
        works = {str(lanes): frame_by_frame(make(lanes)) for lanes in LANES}
        taken = interleaved_us(works | {"": goertzel}, chosen.rounds)
        for lanes in LANES:
            each = taken[str(lanes)] / lanes
            rows.append(
                {
                    "callers": name,
                    "calls": lanes,
                    "us_per_lane_frame": round(each, 2),
                    "python_us": round(taken[""]),
                    "times_faster": round(taken[""] / each, 1),
                }
            )
    report("dtmf", rows, "<= 4 us per call and frame at 100 calls", as_json=chosen.json)
