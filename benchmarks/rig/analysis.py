"""From packets and notes to figures: lateness, first audio, barge-in, truncation.

Each figure has a reference from the same run, made of the beats of :mod:`rig.metronome` or of a
bare clock.  Where something should have come and did not, a figure is NaN and counts as missed.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .load import Measured

__all__ = [
    "barge_in_ms",
    "beat_lateness_ms",
    "beside",
    "clock_truncation_ms",
    "first_audio_ms",
    "lateness_ms",
    "lost_share",
    "next_beat_ms",
    "silence_ms",
    "spread",
    "truncation_ms",
]

Floats: TypeAlias = NDArray[np.floating[Any]]

_HALF = 1 << 31  # of the timestamps that there are


def spread(values: Floats) -> dict[str, float]:
    """Return median, 99th percentile, maximum, count, and how many were missed."""
    came = values[~np.isnan(values)]
    counts = {"n": len(came), "missed": len(values) - len(came)}
    if not len(came):
        return {"p50": math.nan, "p99": math.nan, "max": math.nan, **counts}
    p50, p99 = np.percentile(came, [50, 99])
    figures = {"p50": p50, "p99": p99, "max": np.max(came)}
    return {name: round(float(value), 2) for name, value in figures.items()} | counts


def beside(values: Floats, reference: Floats) -> dict[str, float | None]:
    """Return the spread of some figures, that of their reference, and the ratio of the two."""
    ours, theirs = spread(values), spread(reference)
    row: dict[str, float | None] = {**ours}
    for name in ("p50", "p99"):
        row[f"reference_{name}"] = theirs[name]
        row[f"ratio_{name}"] = round(ours[name] / theirs[name], 2) if theirs[name] else None
    return row


def _late(arrivals: Floats, due: Floats) -> Floats:
    """Return how late each came (ms), against the one that was earliest on the grid."""
    offsets = arrivals - due
    late: Floats = (offsets - np.nanmin(offsets)) * 1000
    return late


def _call(measured: Measured, call: int) -> tuple[Floats, Floats, NDArray[np.int32]]:
    """Return one call's arrivals, media times (s) and sounding samples, in order of arrival."""
    packets = measured.packets
    mine = np.flatnonzero(packets["call"] == call)
    mine = mine[np.argsort(packets["time"][mine], kind="stable")]
    stamps = packets["stamp"][mine].astype(np.int64)
    since = (stamps - stamps[:1].sum() + _HALF) % (2 * _HALF) - _HALF  # they begin anew at 2**32
    return packets["time"][mine], since / 8000.0, packets["sound"][mine]


def lateness_ms(measured: Measured, *, is_talking: bool | None = None) -> Floats:
    """Return how late each packet came, against the earliest one of its call on its grid.

    Of all of them, or only of those that came when all calls were up (``is_talking``), or before.
    """
    late: list[Floats] = []
    for call in range(measured.calls):
        times, media, _ = _call(measured, call)
        if len(times):
            of_call = _late(times, media)
            if is_talking is not None:
                of_call = of_call[(times >= measured.talking_from) == is_talking]
            late.append(of_call)
    return np.concatenate(late) if late else np.zeros(0)


def lost_share(measured: Measured) -> float:
    """Return the share of packets, between the first and the last of each call, that never came."""
    came = due = 0
    for call in range(measured.calls):
        _, media, _ = _call(measured, call)
        if len(media):
            came += len(np.unique(media))
            due += round((media.max() - media.min()) / 0.020) + 1
    return 1.0 - came / due if due else math.nan


def beat_lateness_ms(measured: Measured) -> Floats:
    """Return the same of the metronome: what the machine does to the beat of a bare loop."""
    return _late(measured.beats, np.arange(len(measured.beats)) * 0.020)


@dataclass
class _Turn:
    """One response: from its first delta to the next one's, and what the caller got of it."""

    start: float
    packets: Floats  # arrivals
    times: Floats  # arrivals of those with sound
    samples: NDArray[np.int32]  # with sound, in each of these
    notes: list[dict[str, Any]]

    def at(self, what: str) -> float | None:
        """Return when something was noted, if it was."""
        return next((note["at"] for note in self.notes if note["what"] == what), None)


def _turns(measured: Measured) -> Iterator[_Turn]:
    """Yield each response that began and was followed by another while its caller listened."""
    for call in range(measured.calls):
        times, _, sound = _call(measured, call)
        notes = [note for note in measured.notes if note["call"] == call]
        starts = [n for n, note in enumerate(notes) if note["what"] == "first_delta"]
        for begin, end in itertools.pairwise(starts):
            since, until = notes[begin]["at"], notes[end]["at"]
            if len(times) and times[0] < since and until <= times[-1]:
                mine = (times >= since) & (times < until)
                heard = mine & (sound > 0)
                yield _Turn(since, times[mine], times[heard], sound[heard], notes[begin + 1 : end])


def first_audio_ms(measured: Measured) -> Floats:
    """Return, for each response, first delta sent → first packet with sound at the caller."""
    waits = [(t.times[0] - t.start) * 1000 if len(t.times) else math.nan for t in _turns(measured)]
    return np.array(waits, np.float64)


def barge_in_ms(measured: Measured) -> Floats:
    """Return, for each interruption, for how long the old speech went on.

    That is from ``speech_started``, as the service sends it, to the arrival of the last packet of
    the old speech at the caller; 0 where that packet had arrived before.
    """
    stops = []
    for turn in _turns(measured):
        at = turn.at("speech_started")
        if at is not None:
            stops.append(max(0.0, turn.times[-1] - at) * 1000 if len(turn.times) else math.nan)
    return np.array(stops, np.float64)


def silence_ms(measured: Measured) -> Floats:
    """Return, for each interruption, ``speech_started`` → first packet without old speech."""
    waits = []
    for turn in _turns(measured):
        at = turn.at("speech_started")
        if at is not None:
            rest = turn.packets[turn.packets > max(at, turn.times[-1] if len(turn.times) else at)]
            waits.append((rest[0] - at) * 1000 if len(rest) else math.nan)
    return np.array(waits, np.float64)


def next_beat_ms(measured: Measured, what: str) -> Floats:
    """Return how long after each note of ``what`` the metronome's next datagram arrived.

    So quick, and no quicker, is a bare loop of 20 ms that has nothing else to do.
    """
    beats = measured.beats[~np.isnan(measured.beats)]
    moments = np.array([note["at"] for note in measured.notes if note["what"] == what])
    moments = moments[moments < beats[-1]] if len(moments) else np.zeros(0)
    waits: Floats = (beats[np.searchsorted(beats, moments)] - moments) * 1000
    return waits


def truncation_ms(measured: Measured) -> Floats:
    """Return, for each interruption, the claimed ``audio_end_ms`` minus what the caller heard."""
    errors = []
    for turn in _turns(measured):
        if turn.at("speech_started") is not None:
            claims = [note["ms"] for note in turn.notes if note["what"] == "truncate"]
            errors.append(claims[0] - turn.samples.sum() / 8.0 if claims else math.nan)
    return np.array(errors, np.float64)


def clock_truncation_ms(measured: Measured) -> Floats:
    """Return the same for the claim of a bare clock: first packet heard → ``speech_started``."""
    errors = []
    for turn in _turns(measured):
        at = turn.at("speech_started")
        if at is not None and len(turn.times):
            errors.append((at - turn.times[0]) * 1000 - turn.samples.sum() / 8.0)
    return np.array(errors, np.float64)
