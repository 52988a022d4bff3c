"""Keys a lane sends: one after another, as telephone events or, failing those, as tones."""

from collections import deque
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.tones import dtmf_tone

from ..rtp.dtmf import KEYS, EventPayload, EventSender
from .formats import PCMU, Format, split
from .playout import FRAME_MS

__all__ = ["KeyQueue", "check_digits"]

Pcm: TypeAlias = NDArray[np.int16]
_Key: TypeAlias = tuple[str, int, int]  # how long it is pressed, and the gap after it, in ms


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
    """Keys waiting to be sent: as telephone events or, where those are not agreed on, as tones.

    A key that is being sent goes on through a change of what was agreed, if it can.
    """

    __slots__ = ("_format", "_gap", "_key", "_sender", "_tone", "_waiting")

    def __init__(self) -> None:
        self._sender: EventSender | None = None  # where events are agreed on
        self._format = PCMU  # of tones
        self._waiting: deque[_Key] = deque()
        self._gap = 0  # ticks until the next key may start
        self._key: _Key | None = None  # whose tone it is
        self._tone: deque[bytes] = deque()

    @property
    def is_busy(self) -> bool:
        """Whether there is anything left to send, or to wait for."""
        is_sending = self._sender is not None and self._sender.is_busy
        return bool(self._waiting or self._gap or self._tone or is_sending)

    def add(self, digits: str, duration_ms: int, gap_ms: int) -> None:
        """Queue keys."""
        self._waiting.extend((key, duration_ms, gap_ms) for key in digits)

    def change(
        self, clock: int | None, target: Format, *, is_interrupted: bool
    ) -> list[EventPayload]:
        """Send events of this clock from now on, or tones, in this format, if it is ``None``.

        Returns the ends of an event that cannot go on, to be sent as was agreed until now: the
        clock is another, or nothing can be sent for a while (``is_interrupted``).
        """
        sender = self._sender
        ends: list[EventPayload] = []
        is_other = clock != (sender.clock if sender is not None else None)
        if sender is not None and (is_other or is_interrupted):
            ends = sender.cut()
        if is_other:
            self._sender = EventSender(clock) if clock is not None else None
        if self._tone and self._key is not None:
            if is_interrupted:
                self._tone.clear()
                self._gap = _ticks(self._key[2])
            elif target != self._format:
                anew = _tone_frames(*self._key, target)
                self._tone = deque(anew[-len(self._tone) :])
        self._format = target
        return ends

    def tick(self, timestamp: int) -> EventPayload | None:
        """Return the event to send in place of sound at this tick, ``None`` to send sound."""
        sender = self._sender
        if sender is None or self._tone:  # a key that began as a tone ends as one
            return None
        if not sender.is_busy:
            if (key := self._next()) is None:
                return None
            sender.start(key[0], key[1], timestamp)
            self._gap = _ticks(key[2])
        return sender.tick()

    def tone(self) -> bytes | None:
        """Return the ring frame of a tone to send at this tick, ``None`` for other sound."""
        if not self._tone and self._sender is None and (key := self._next()) is not None:
            self._key = key
            self._tone.extend(_tone_frames(*key, self._format))
        return self._tone.popleft() if self._tone else None

    def _next(self) -> _Key | None:
        """Take the next key, if it is time for one."""
        if self._gap:
            self._gap -= 1
            return None
        return self._waiting.popleft() if self._waiting else None


def _ticks(ms: int) -> int:
    return -(-ms // FRAME_MS)


def _tone_frames(key: str, duration_ms: int, gap_ms: int, target: Format) -> list[bytes]:
    """Return ring frames of a key's tone and of the gap after it."""
    tone = dtmf_tone(key, duration_ms, target.rate)
    gap: Pcm = np.zeros(target.rate * gap_ms // 1000, np.int16)
    pcm = np.concatenate([tone, gap])
    missing = -len(pcm) % target.samples
    return split(target.pack(np.pad(pcm, (0, missing))), target.size)
