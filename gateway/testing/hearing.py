"""What a recording proves: where known speech begins in it, how far it got, which tones it holds.

A caller's recording is compared with what the service sent.  Speech has pauses, so the moment it
was cut is known only as a span: from the last sound that was heard to the first that was not.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate

__all__ = ["Heard", "active", "heard_part", "heard_pieces", "match", "tone_share"]

Pcm: TypeAlias = NDArray[np.int16]

_FRAME_MS: Final = 5
# Milliseconds of what was heard last, and the correlation from which they are found in the passage.
_TAILS: Final = ((300, 0.6), (160, 0.8))
_ANCHORS: Final = 5  # pieces of a passage by which it is looked for
_QUIET: Final = 60.0  # RMS in 16-bit units: under it a frame is silence on a telephone line


@dataclass(frozen=True, slots=True)
class Heard:
    """How much of a passage a listener heard: its end lies between the two times."""

    offset: int  # the sample of the recording at which the passage begins
    similarity: float  # normalised correlation of what was heard with the passage, 0 … 1
    at_least_ms: float
    at_most_ms: float

    def error_ms(self, claimed_ms: float) -> float:
        """Return claimed minus heard, 0 where the claim lies within what was heard."""
        return claimed_ms - min(max(claimed_ms, self.at_least_ms), self.at_most_ms)


def active(pcm: Pcm, rate: int, quiet: float = _QUIET) -> NDArray[np.bool_]:
    """Say of each 5 ms of ``pcm`` whether it holds sound (RMS above ``quiet``)."""
    step = rate * _FRAME_MS // 1000
    frames = pcm[: len(pcm) // step * step].astype(np.float32).reshape(-1, step)
    loud: NDArray[np.bool_] = np.sqrt(np.mean(frames**2, axis=1)) > quiet
    return loud


def match(recording: Pcm, passage: Pcm) -> tuple[int, float]:
    """Find ``passage`` in ``recording``: its first sample and the normalised correlation there."""
    if not len(passage) or len(recording) < len(passage):
        return 0, 0.0
    heard, wanted = recording.astype(np.float64), passage.astype(np.float64)
    products = correlate(heard, wanted, mode="valid", method="fft")
    energy = np.concatenate(([0.0], np.cumsum(heard**2)))
    windows = energy[len(wanted) :] - energy[: -len(wanted)]
    floor = 1.0 + 1e-3 * float(windows.max())
    scores = products / np.sqrt(np.maximum(windows, floor) * max(1.0, float(np.sum(wanted**2))))
    best = int(np.argmax(scores))
    return best, float(scores[best])


def heard_part(recording: Pcm, passage: Pcm, rate: int, *, probe_ms: int = 800) -> Heard:
    """Measure how much of ``passage`` the listener heard before it was cut.

    Both are mono int16 at ``rate``; the passage's first ``probe_ms`` of sound place it, and the
    last that was heard says how far it went: a stall on the way stretches what is heard.
    """
    sounds = np.flatnonzero(active(passage, rate))
    step = rate * _FRAME_MS // 1000
    if not len(sounds):
        return Heard(0, 0.0, 0.0, 0.0)
    lead = int(sounds[0]) * step
    probe = passage[lead : lead + rate * probe_ms // 1000]
    found, similarity = match(recording, probe)
    offset = found - lead

    heard = active(recording[max(0, offset) :], rate)
    spoken = active(passage, rate)
    length = min(len(heard), len(spoken))
    both = np.flatnonzero(heard[:length] & spoken[:length])
    last = int(both[-1]) + 1 if len(both) else 0
    last = min(last + _drift(recording[max(0, offset) :], passage, last * step, rate), len(spoken))
    unheard = np.flatnonzero(spoken[last:])
    following = last + (int(unheard[0]) if len(unheard) else len(spoken) - last)
    return Heard(offset, similarity, last * float(_FRAME_MS), following * float(_FRAME_MS))


def _drift(heard: Pcm, passage: Pcm, end: int, rate: int) -> int:
    """Return by how many 5 ms the passage is further on than time says, at a cut at ``end``.

    The last piece before the cut is looked for in the passage near its place, and where it is
    not whole a shorter one; 0 where neither is found, as in a pause.
    """
    near = rate
    for milliseconds, sure in _TAILS:
        begin = end - rate * milliseconds // 1000
        if begin < 0:
            continue
        since = max(0, begin - near)
        found, similarity = match(passage[since : end + near], heard[begin:end])
        if similarity >= sure:
            return round((since + found - begin) / (rate * _FRAME_MS // 1000))
    return 0


def heard_pieces(
    recording: Pcm,
    passage: Pcm,
    rate: int,
    *,
    piece_ms: int = 400,
    alike: float = 0.5,
    near_ms: int = 200,
) -> list[bool]:
    """Say of each piece of ``passage`` that holds sound whether it was heard, in its place.

    What crosses a network in real time is stretched or shortened by frames here and there, so
    that a long passage matches nowhere as a whole; its pieces do, each within ``near_ms`` of
    where the one before has it.
    """
    size = rate * piece_ms // 1000
    starts = range(0, len(passage) - size + 1, size)
    pieces = [
        (start, passage[start : start + size])
        for start in starts
        if active(passage[start : start + size], rate).mean() >= 0.5
    ]
    best = [False] * len(pieces)
    near = rate * near_ms // 1000
    for start, piece in pieces[:_ANCHORS]:  # any of which may be warped, or said elsewhere too
        begins = match(recording, piece)[0] - start
        best = max(best, _heard_from(recording, begins, pieces, near, alike), key=sum)
    return best


def _heard_from(
    recording: Pcm, begins: int, pieces: list[tuple[int, Pcm]], near: int, alike: float
) -> list[bool]:
    """Say which pieces were heard where a passage begins at ``begins``, or drifts to."""
    heard = []
    for start, piece in pieces:
        since = max(0, begins + start - near)
        until = max(since, begins + start + len(piece) + near)
        offset, similarity = match(recording[since:until], piece)
        heard.append(similarity > alike)
        if heard[-1]:
            begins = since + offset - start
    return heard


def tone_share(pcm: Pcm, frequency: float, rate: int) -> float:
    """Return the share of a recording's power that lies at ``frequency`` Hz, 0 … 1."""
    signal = pcm.astype(np.float64)
    power = float(np.sum(signal**2))
    if not power:
        return 0.0
    phasor = np.exp(-2j * np.pi * frequency * np.arange(len(signal)) / rate)
    share = 2 * abs(np.dot(signal, phasor)) ** 2 / (len(signal) * power)
    return float(share)
