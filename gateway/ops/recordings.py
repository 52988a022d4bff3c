"""The recordings of calls that are over: where they lie, when they began, how loud they are."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from .clerk import Clerk
from .shelf import Made, Shelf
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
_ROOM: Final = 16 * 1024 * 1024  # bytes of envelopes that are kept: of a hundred hours


@dataclass(frozen=True, slots=True)
class _Loudness:
    """Peaks of both sides of one file, 0 to 255, shape ``(2, steps)``."""

    peaks: NDArray[np.uint8]

    @property
    def seconds(self) -> float:
        return float(self.peaks.shape[1] * _STEP)


_SILENCE: Final = _Loudness(np.zeros((2, 0), np.uint8))


class Recordings:
    """Finds recordings by the calls they are of.

    No name that comes from outside is looked for as it is: it must be one that a call can have.
    Files are decoded one after the other on a thread of their own, each once for all who ask.

    Args:
        folder: Where they are; ``None`` where nothing is recorded.

    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._clerk = Clerk("recordings")
        self._heard = Shelf[_Loudness](_ROOM)

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
        begun = told.takes[:_MOST_TAKES]
        heard = [await self._hear(told.call_id, number) for number in range(1, len(begun) + 1)]
        takes = [
            Take(number=number, start=round(start, 3), end=round(start + one.seconds, 3))
            for number, (start, one) in enumerate(zip(begun, heard, strict=True), 1)
            if one.seconds
        ]
        return (_joined(begun, heard, told.duration) if takes else {}), takes

    def close(self) -> None:
        """Begin to listen to nothing more."""
        self._clerk.close()

    async def _hear(self, call_id: str, number: int) -> _Loudness:
        """Return how loud a recording is; a file that grows is another one."""
        path = self.path(call_id, number)
        if path is None:
            return _SILENCE
        known = path.stat()

        async def make() -> Made[_Loudness]:
            loudness = await self._clerk.do(_listen_to, path)
            return Made(loudness, loudness.peaks.nbytes, lasts=True)

        name = f"{path.name} {known.st_size} {known.st_mtime_ns}"
        return await self._heard.get(name, make) or _SILENCE


def _listen_to(path: Path) -> _Loudness:
    """Return the peaks of a file; none of one that cannot be read."""
    found: list[NDArray[np.uint8]] = []
    with suppress(av.FFmpegError, OSError, ValueError):  # what came before it counts
        found.extend(_peaks(path))
    return _Loudness(np.concatenate(found, axis=1)) if found else _SILENCE


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
