"""Timing small pieces of work against each other on a machine that is never quite quiet."""

import statistics
import time
from collections.abc import Callable, Mapping

__all__ = ["interleaved_us"]


def interleaved_us(
    works: Mapping[str, Callable[[], object]], rounds: int = 300
) -> dict[str, float]:
    """Return the median time of each work in microseconds; the works take turns."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) * 1e6 for name, taken in times.items()}
