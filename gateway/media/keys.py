"""Keys a lane sends: one after another, as telephone events or, failing those, as tones."""

from collections import deque
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.tones import dtmf_tone

from ..rtp.dtmf import KEYS, EventPayload, EventSender
from .formats import Format, split
from .playout import FRAME_MS

__all__ = ["KeyQueue", "check_digits", "tone_frames"]

Pcm: TypeAlias = NDArray[np.int16]


def check_digits(digits: str) -> str:
    """Return the keys to press, in capitals.

    Raises:
        ValueError: One of them is on no telephone.

    """
    digits = digits.upper()
    for key in digits:
        if key not in KEYS:
            raise ValueError(f"{key!r} is not a telephone key")
    return digits


class KeyQueue:
    """Keys waiting to be sent under RFC 4733."""

    __slots__ = ("_gap", "_sender", "_waiting")

    def __init__(self, clock: int) -> None:
        self._sender = EventSender(clock)
        self._waiting: deque[tuple[str, int, int]] = deque()
        self._gap = 0  # ticks until the next key may start

    @property
    def is_busy(self) -> bool:
        """Whether there is anything left to send, or to wait for."""
        return bool(self._waiting or self._gap or self._sender.is_busy)

    def add(self, digits: str, duration_ms: int, gap_ms: int) -> None:
        """Queue keys."""
        gap = -(-gap_ms // FRAME_MS)
        self._waiting.extend((key, duration_ms, gap) for key in digits)

    def tick(self, timestamp: int) -> EventPayload | None:
        """Return what to send in place of sound at this tick, ``None`` to send sound."""
        if not self._sender.is_busy:
            if self._gap:
                self._gap -= 1
                return None
            if not self._waiting:
                return None
            key, duration_ms, self._gap = self._waiting.popleft()
            self._sender.start(key, duration_ms, timestamp)
        return self._sender.tick()


def tone_frames(digits: str, duration_ms: int, gap_ms: int, target: Format) -> Iterator[bytes]:
    """Yield ring frames of the keys' tones, for a peer that knows no telephone events."""
    for key in digits:
        tone = dtmf_tone(key, duration_ms, target.rate)
        gap: Pcm = np.zeros(target.rate * gap_ms // 1000, np.int16)
        pcm = np.concatenate([tone, gap])
        missing = -len(pcm) % target.samples
        yield from split(target.pack(np.pad(pcm, (0, missing))), target.size)
