"""Live sound: what the service plays itself, brought to the caller with little wait.

What it does: joins a stream that comes with the network's jitter, at the pace of another
clock, to a lane's 20 ms beat.  How: a frame goes at the first beat after it came.  Where
none has come the last sound is made to go on, for 60 ms at most, and what comes late then
waits that much longer: so the wait becomes as long as the jitter asks for, and no longer.
A ring that was not once empty for a fifth of a second holds more than that, and gives up a
frame: a silent one if one comes within the second, else two are faded into one.  So it is
too with a fourth frame, where three may wait.  No sample therefore waits 60 ms.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import numpy as np
from voicecodecs.plc import Concealer

from .formats import Format

__all__ = ["AUDIBLE", "CAPACITY", "Live", "LiveFrom", "are_audible"]

LiveFrom: TypeAlias = Literal["agent", "caller", "callee", "supervisor"]
"""Whose live sound it is: that of the service, or of somebody else on the call."""

CAPACITY: Final = 3
"""Frames that may wait."""
AUDIBLE: Final = 256
"""The least peak, of 16-bit samples, that counts as sound and not as silence: -42 dBov."""

_SPARE: Final = 10  # beats with a frame to spare before a silent one is given up
_LONG_SPARE: Final = 50  # before any is
_MOST_MADE_UP: Final = 3  # frames in a row; the concealer is silent after as many
_HISTORY: Final = 3  # frames a concealer needs to have heard


def are_audible(frames: Sequence[bytes], of: Format) -> list[bool]:
    """Say of each ring frame whether there is sound in it."""
    if not frames:
        return []
    pcm = of.unpack(b"".join(frames)).reshape(len(frames), -1)
    loud = np.maximum(pcm.max(axis=1), -(pcm.min(axis=1).astype(np.int32))) >= AUDIBLE
    audible: list[bool] = loud.tolist()
    return audible


class Live:
    """One lane's live frames.  Fill with :meth:`push`, empty with :meth:`take` once a beat."""

    __slots__ = (
        "_concealer",
        "_format",
        "_frames",
        "_made_up",
        "_recent",
        "_spare",
        "dropped",
        "gives_way",
        "made_up",
        "masked",
    )

    def __init__(self, of: Format, *, gives_way: bool = True) -> None:
        self.gives_way = gives_way  # to prompts
        self.dropped = 0  # frames given up so that others wait less
        self.made_up = 0  # frames made up because none had come
        self.masked = 0  # frames with sound that a prompt took the place of
        self._frames: deque[tuple[bytes, bool]] = deque()
        self._spare = 0  # beats in a row that left a frame behind
        self._made_up = 0  # frames in a row
        self._recent: deque[bytes] = deque(maxlen=_HISTORY)
        self._concealer: Concealer | None = None
        self._format = of

    def push(self, frames: Sequence[bytes], audible: Sequence[bool]) -> None:
        """Add frames that came just now, and whether there is sound in each."""
        self._frames.extend(zip(frames, audible, strict=True))
        while len(self._frames) > CAPACITY:
            self._shorten(is_patient=False)

    def take(self) -> tuple[bytes | None, bool]:
        """Return the frame for this beat, if any, and whether there is sound in it."""
        frames = self._frames
        if self._spare >= _SPARE and len(frames) > 1:
            self._shorten(is_patient=self._spare < _LONG_SPARE)
        if not frames:
            self._spare = 0
            return self._make_up(), False
        frame, is_audible = frames.popleft()
        self._spare = self._spare + 1 if frames else 0
        if self._concealer is not None:
            frame = self._format.pack(self._concealer.good(self._format.unpack(frame)))
            self._concealer = None
        self._made_up = 0
        self._recent.append(frame)
        return frame, is_audible

    def mix(self, one: bytes, other: bytes) -> bytes:
        """Return a frame in which two are heard at once, as loud as each is and fits."""
        of = self._format
        both = of.unpack(one).astype(np.int32) + of.unpack(other)
        return of.pack(both.clip(-32768, 32767).astype(np.int16))

    def clear(self) -> None:
        """Forget what waits, and what was heard."""
        self._frames.clear()
        self._recent.clear()
        self._concealer = None
        self._spare = 0

    def change(self, of: Format) -> None:
        """Expect frames of another format; those that wait are forgotten."""
        self.clear()
        self._format = of

    def _shorten(self, *, is_patient: bool) -> None:
        """Give up a frame; with patience, only a silent one."""
        frames = self._frames
        silent = next((n for n, (_, is_audible) in enumerate(frames) if not is_audible), None)
        if silent is not None:
            del frames[silent]
        elif is_patient:
            return
        else:
            (first, _), (second, _) = frames.popleft(), frames.popleft()
            frames.appendleft((self._fade(first, second), True))
        self.dropped += 1
        self._spare = 0

    def _fade(self, first: bytes, second: bytes) -> bytes:
        """Return one frame that begins as the first and ends as the second."""
        of = self._format
        leaving, coming = of.unpack(first).astype(np.float32), of.unpack(second)
        rise = np.linspace(0, 1, of.samples, dtype=np.float32)
        return of.pack(np.rint(leaving + (coming - leaving) * rise).astype(np.int16))

    def _make_up(self) -> bytes | None:
        """Return something in the place of a frame that has not come; ``None`` in a pause."""
        recent = self._recent
        if not recent:
            return None
        if self._made_up == _MOST_MADE_UP:
            recent.clear()
            self._concealer = None
            self._made_up = 0
            return None
        if self._concealer is None:
            self._concealer = Concealer(self._format.rate)
            for frame in recent:
                self._concealer.good(self._format.unpack(frame))
        self._made_up += 1
        self.made_up += 1
        return self._format.pack(self._concealer.lost(self._format.samples))
