"""From packets and notes to figures: lateness, first audio, barge-in, truncation."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .load import Measured

__all__ = ["barge_in_ms", "first_audio_ms", "lateness_ms", "spread", "truncation_ms"]

Floats = NDArray[np.float64]


def spread(values: Floats) -> dict[str, float]:
    """Return median, 99th percentile, maximum and count."""
    if not len(values):
        return {"p50": float("nan"), "p99": float("nan"), "max": float("nan"), "n": 0}
    p50, p99 = np.percentile(values, [50, 99])
    return {
        "p50": round(float(p50), 2),
        "p99": round(float(p99), 2),
        "max": round(float(np.max(values)), 2),
        "n": len(values),
    }


def _call(measured: Measured, call: int) -> tuple[Floats, Floats, NDArray[np.int32]]:
    """Return one call's arrivals, media times (s) and sounding samples, in order of arrival."""
    packets = measured.packets
    mine = np.flatnonzero(packets["call"] == call)
    mine = mine[np.argsort(packets["time"][mine], kind="stable")]
    stamps = packets["stamp"][mine].astype(np.int64)
    return packets["time"][mine], (stamps - stamps[:1].sum()) / 8000.0, packets["sound"][mine]


def lateness_ms(measured: Measured) -> Floats:
    """Return how late each packet came, against the earliest one of its call on its grid."""
    late: list[Floats] = []
    for call in range(measured.calls):
        times, media, _ = _call(measured, call)
        if len(times):
            offsets = times - media
            late.append((offsets - offsets.min()) * 1000)
    return np.concatenate(late) if late else np.zeros(0)


def _turns(measured: Measured) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]], float]]:
    """Yield each response's first-delta note, the notes within it, and when the next one began."""
    for call in range(measured.calls):
        notes = [note for note in measured.notes if note["call"] == call]
        starts = [n for n, note in enumerate(notes) if note["what"] == "first_delta"]
        for begin, end in itertools.pairwise(starts):
            yield notes[begin], notes[begin + 1 : end], notes[end]["at"]


def first_audio_ms(measured: Measured) -> Floats:
    """Return, for each response, first delta sent → first packet with sound."""
    waits = []
    for start, _, until in _turns(measured):
        times, _, sound = _call(measured, start["call"])
        after = times[(times >= start["at"]) & (times < until) & (sound > 0)]
        if len(after) and times[0] < start["at"]:
            waits.append((after[0] - start["at"]) * 1000)
    return np.array(waits)


def barge_in_ms(measured: Measured) -> Floats:
    """Return, for each interruption, speech_started sent → last packet of the old speech."""
    stops = []
    for start, notes, until in _turns(measured):
        times, _, sound = _call(measured, start["call"])
        for note in notes:
            if note["what"] == "speech_started" and len(times) and times[0] < start["at"]:
                old = times[(times >= start["at"]) & (times < until) & (sound > 0)]
                if len(old):
                    stops.append((old[-1] - note["at"]) * 1000)
    return np.array(stops)


def truncation_ms(measured: Measured) -> Floats:
    """Return, for each truncation, the claimed ``audio_end_ms`` minus what the caller heard."""
    errors = []
    for start, notes, until in _turns(measured):
        times, _, sound = _call(measured, start["call"])
        if not len(times) or times[0] > start["at"]:
            continue
        heard = sound[(times >= start["at"]) & (times < until)].sum() / 8.0
        errors += [n["ms"] - heard for n in notes if n["what"] == "truncate"]
    return np.array(errors)
