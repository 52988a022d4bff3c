"""The input audio buffer: what the caller said that is not yet an item.

Its clock counts the milliseconds of audio written in the session and never
goes back; every time in the protocol is on that clock.
"""

from collections import deque
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..speech.vad import SpeechEvent, Vad, VadSettings
from .formats import RATES, Decoder

__all__ = ["InputBuffer"]

Pcm: TypeAlias = NDArray[np.int16]

_LONGEST_MS: Final = 300_000  # what a turn may hold; of a longer one the beginning is lost
_REACH_MS: Final = 1_000  # how far before now, besides the prefix, a turn may begin


class InputBuffer:
    """One caller's audio on its way to becoming turns."""

    def __init__(self, kind: str, vad: VadSettings | None) -> None:
        self._chunks: deque[Pcm] = deque()
        self._kept = 0  # samples in the chunks
        self._written = 0  # samples since `_base_ms`
        self._base_ms = 0
        self._vad: Vad | None = None
        self._vad_base_ms = 0
        self._decoder = Decoder(kind)
        self.configure(kind, vad)

    @property
    def clock_ms(self) -> int:
        """Milliseconds of audio written in this session."""
        return self._base_ms + self._written * 1000 // self._decoder.rate

    @property
    def held_ms(self) -> float:
        """Milliseconds of audio that a commit would take."""
        return self._kept * 1000 / self._decoder.rate

    @property
    def rate(self) -> int:
        """Samples a second of what :meth:`take` returns."""
        return self._decoder.rate

    @property
    def is_speaking(self) -> bool:
        """Whether the caller is within a turn."""
        return self._vad is not None and self._vad.is_speaking

    def configure(self, kind: str, vad: VadSettings | None) -> None:
        """Apply the session's format and turn detection; a new format drops what is held."""
        if kind != self._decoder.kind:
            self._base_ms, self._written = self.clock_ms, 0
            self._decoder = Decoder(kind)
            self._vad = None
            self.clear()
        if vad is None:
            self._vad = None
        elif self._vad is None:
            self._vad = Vad(RATES[kind], vad)
            self._vad_base_ms = self.clock_ms
        else:
            self._vad.settings = vad

    def append(self, data: bytes) -> list[SpeechEvent]:
        """Write audio; return the turns that began or ended in it, on the session's clock."""
        pcm = self._decoder.decode(data)
        self._chunks.append(pcm)
        self._kept += len(pcm)
        self._written += len(pcm)
        base = self._vad_base_ms
        found: list[SpeechEvent] = [
            type(event)(event.at_ms + base)
            for event in (self._vad.process(pcm) if self._vad else ())
        ]
        self._forget()
        return found

    def take(self, start_ms: int, end_ms: int) -> Pcm:
        """Return the audio between two moments and drop it with all before it."""
        pcm = np.concatenate(self._chunks) if self._chunks else np.zeros(0, np.int16)
        first = self.clock_ms - round(self.held_ms)
        scale = self._decoder.rate / 1000
        begin = max(0, round((start_ms - first) * scale))
        end = max(0, round((end_ms - first) * scale))
        self._keep(pcm[end:])
        return pcm[begin:end].copy()

    def take_all(self) -> Pcm:
        """Return everything held, and forget a turn that had begun in it."""
        pcm = np.concatenate(self._chunks) if self._chunks else np.zeros(0, np.int16)
        self.clear()
        return pcm

    def clear(self) -> None:
        """Drop everything held, and a turn that had begun; the clock goes on."""
        self._chunks.clear()
        self._kept = 0
        self.ignore_speech()

    def ignore_speech(self) -> None:
        """Forget a turn that has begun."""
        if self._vad:
            self._vad.reset()

    def _keep(self, pcm: Pcm) -> None:
        self._chunks = deque([pcm.copy()])
        self._kept = len(pcm)

    def _forget(self) -> None:
        """Drop what no turn can need any more."""
        most_ms = _LONGEST_MS
        if self._vad and not self._vad.is_speaking:
            most_ms = self._vad.settings.prefix_ms + _REACH_MS
        most = most_ms * self._decoder.rate // 1000
        while self._kept - len(self._chunks[0]) > most:
            self._kept -= len(self._chunks.popleft())
