"""What a lane sends, as its echo guard is to know it: at 8 kHz, frame by frame."""

import numpy as np
from voicecodecs.resample import StreamResampler

from .formats import Format
from .guard import EchoGuard

__all__ = ["Reference"]

_RATE = 8000


class Reference:
    """Tells a guard of the frames of one lane whose packets are made one by one."""

    def __init__(self, guard: EchoGuard, row: int) -> None:
        self._guard = guard
        self._rows = np.array([row])
        self._rate = _RATE
        self._resampler: StreamResampler | None = None

    def say(self, frame: bytes, of: Format, *, is_quiet: bool) -> None:
        """Take in a ring frame, which may be the silence that stands for none."""
        if not len(self._guard.follow(self._rows, np.array([is_quiet]))):
            return
        pcm = of.unpack(frame)
        if of.rate != _RATE:
            if self._resampler is None or of.rate != self._rate:
                self._resampler, self._rate = StreamResampler(of.rate, _RATE), of.rate
            pcm = self._resampler.process(pcm)
        self._guard.say(pcm[None], self._rows)
