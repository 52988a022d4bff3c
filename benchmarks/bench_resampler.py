"""Microseconds to resample 20 ms of one call, 16-bit in and out, in batches of 1 to 200 calls.

The ratio is to a plain Python loop over the same filter's length, measured in
the same run, the two taking turns.

    OPENBLAS_NUM_THREADS=1 python benchmarks/bench_resampler.py
"""

from collections.abc import Callable

import numpy as np
from rig.report import options, report
from rig.timing import interleaved_us
from voicecodecs.resample import Resampler, StreamResampler

DIRECTIONS = ((8000, 24000), (24000, 8000), (16000, 24000), (24000, 16000))
LANES = (1, 25, 100, 200)


def python_loop(rate_in: int, rate_out: int) -> Callable[[], list[float]]:
    """The reference: one sum of products for each sample of 20 ms."""
    length = round(0.0043 * min(rate_in, rate_out))  # what the filter spans at the lower rate
    taps = [1.0 / length] * (length * max(1, rate_in // rate_out))
    samples = [float(i % 100) for i in range(rate_in // 50 + len(taps))]
    starts = [i * rate_in // rate_out for i in range(rate_out // 50)]

    def resample() -> list[float]:
        return [sum(t * samples[at + i] for i, t in enumerate(taps)) for at in starts]

    return resample


def batch(rate_in: int, rate_out: int, lanes: int) -> Callable[[], object]:
    """Resample a frame of every lane."""
    resampler = Resampler(rate_in, rate_out, lanes)
    rng = np.random.default_rng(lanes)
    x = rng.integers(-9000, 9000, (lanes, rate_in // 50)).astype(np.int16)
    return lambda: resampler.process_pcm(x)


def stream(rate_in: int, rate_out: int) -> Callable[[], object]:
    """Resample a second of one stream in one piece."""
    resampler = StreamResampler(rate_in, rate_out)
    x = np.random.default_rng(0).integers(-9000, 9000, rate_in).astype(np.int16)
    return lambda: resampler.process(x)


if __name__ == "__main__":
    chosen = options(__doc__, rounds=200)
    rows = []
    for rate_in, rate_out in DIRECTIONS:
        works = {f"{n} calls": batch(rate_in, rate_out, n) for n in LANES}
        works |= {"1 s in one piece": stream(rate_in, rate_out)}
        taken = interleaved_us(works | {"": python_loop(rate_in, rate_out)}, chosen.rounds)
        frames = dict(zip(works, (*LANES, 50), strict=True))
        for name in works:
            each = taken[name] / frames[name]
            rows.append(
                {
                    "from": rate_in,
                    "to": rate_out,
                    "batch": name,
                    "us_per_lane_frame": round(each, 2),
                    "python_us": round(taken[""]),
                    "times_faster": round(taken[""] / each),
                }
            )
    report("resampler", rows, "<= 1.5 us per call and frame at 100 calls", as_json=chosen.json)
