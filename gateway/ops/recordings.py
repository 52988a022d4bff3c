"""The recordings of calls that are over: where they lie, when they began, how loud they are."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from .story import Envelope, Take, Told
from .story.shapes import LaneName

__all__ = ["MEDIA_TYPES", "Recordings"]

MEDIA_TYPES: Final = {".wav": "audio/wav", ".opus": "audio/ogg", ".ogg": "audio/ogg"}
"""Of a recording, by how its file's name ends."""

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_MOST_TAKES: Final = 32
_STEP: Final = 0.05  # seconds of one value of an envelope
_MOST_STEPS: Final = 20_000  # of one side; of a longer call each stands for more
_RATE: Final = 8000
_LONGEST: Final = 24 * 3600.0  # seconds that are listened to
_MOST_KEPT: Final = 32  # calls whose envelopes are kept


@dataclass(frozen=True, slots=True)
class _Loudness:
    """Peaks of both sides of one file, 0 to 255, shape ``(2, steps)``."""

    peaks: NDArray[np.uint8]

    @property
    def seconds(self) -> float:
        return float(self.peaks.shape[1] * _STEP)


class Recordings:
    """Finds recordings by the calls they are of.

    No name that comes from outside is looked for as it is: it must be one that a call can have.

    Args:
        folder: Where they are; ``None`` where nothing is recorded.

    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._kept: OrderedDict[str, list[_Loudness]] = OrderedDict()

    def path(self, call_id: str, number: int = 1) -> Path | None:
        """Return the file of a call's recording of this number, if there is one."""
        if self._folder is None or not _NAME.fullmatch(call_id) or not 1 <= number <= _MOST_TAKES:
            return None
        stem = call_id if number == 1 else f"{call_id}-{number}"
        paths = (self._folder / f"{stem}{suffix}" for suffix in MEDIA_TYPES)
        return next((path for path in paths if path.is_file()), None)

    async def listen(self, told: Told) -> tuple[dict[LaneName, Envelope], list[Take]]:
        """Return how loud both sides of a call were, and the recordings that tell.

        Nothing is told of a call that goes on: its file is not complete.
        """
        if told.goes_on:
            return {}, []
        begun = _begun(told)
        if told.call_id not in self._kept:
            paths = [self.path(told.call_id, number) for number in range(1, len(begun) + 1)]
            self._keep(told.call_id, await asyncio.to_thread(_listen_to_all, paths))
        self._kept.move_to_end(told.call_id)
        heard = self._kept[told.call_id]
        takes = [
            Take(number=number, start=round(start, 3), end=round(start + one.seconds, 3))
            for number, (start, one) in enumerate(zip(begun, heard, strict=True), 1)
            if one.seconds
        ]
        return (_joined(begun, heard, told.duration) if takes else {}), takes

    def _keep(self, call_id: str, heard: list[_Loudness]) -> None:
        self._kept[call_id] = heard
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)


def _begun(told: Told) -> list[float]:
    """Return when each recording was begun, in seconds since the call was."""
    begun: list[float] = []
    is_on = False
    for entry in told.timeline:
        if entry.name == "Record":
            do = entry.text("do") or "start"
            if do == "start" and not is_on:
                begun.append(entry.at)
            is_on = do != "stop" and (is_on or do == "start")
    return begun[:_MOST_TAKES]


def _listen_to_all(paths: Sequence[Path | None]) -> list[_Loudness]:
    return [_listen_to(path) for path in paths]


def _listen_to(path: Path | None) -> _Loudness:
    """Return the peaks of a file; none of one that is not there or cannot be read."""
    found: list[NDArray[np.uint8]] = []
    try:
        if path is not None:
            found = list(_peaks(path))
    except (av.FFmpegError, OSError, ValueError):
        pass  # what came before it counts
    return _Loudness(np.concatenate(found, axis=1) if found else np.zeros((2, 0), np.uint8))


def _peaks(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield the peaks of a file, shape ``(2, steps)``, piece by piece."""
    block = round(_STEP * _RATE)
    rest = np.zeros((2, 0), np.int16)
    seconds = 0.0
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16p", layout="stereo", rate=_RATE)
        for decoded in container.decode(audio=0):
            for frame in resampler.resample(decoded):
                rest = np.concatenate([rest, frame.to_ndarray()], axis=1)
            whole = rest.shape[1] // block * block
            if whole >= _RATE:
                yield _loudest(rest[:, :whole], block)
                rest = rest[:, whole:]
                seconds += whole / _RATE
            if seconds > _LONGEST:
                return
    if rest.shape[1]:
        yield _loudest(np.pad(rest, ((0, 0), (0, -rest.shape[1] % block))), block)


def _loudest(samples: NDArray[np.int16], block: int) -> NDArray[np.uint8]:
    """Return the peak of each block of samples, shape ``(2, n)``, as 0 to 255."""
    loud = np.abs(samples.astype(np.int32)).reshape(2, -1, block).max(axis=2)
    peaks: NDArray[np.uint8] = np.minimum(255, loud // 128).astype(np.uint8)
    return peaks


def _joined(
    begun: Sequence[float], heard: Sequence[_Loudness], duration: float
) -> dict[LaneName, Envelope]:
    """Lay all recordings on the call's own axis, coarser where it is long."""
    end = max([duration, *(at + one.seconds for at, one in zip(begun, heard, strict=True))])
    steps = min(round(end / _STEP) + 1, round(_LONGEST / _STEP))
    both = np.zeros((2, steps), np.uint8)
    for at, one in zip(begun, heard, strict=True):
        first = round(at / _STEP)
        room = max(0, min(steps - first, one.peaks.shape[1]))
        both[:, first : first + room] = one.peaks[:, :room]
    factor = -(-steps // _MOST_STEPS)
    both = np.pad(both, ((0, 0), (0, -steps % factor))).reshape(2, -1, factor).max(axis=2)
    step = _STEP * factor
    return {
        "caller": Envelope(step=step, peaks=both[0].tolist()),
        "agent": Envelope(step=step, peaks=both[1].tolist()),
    }
