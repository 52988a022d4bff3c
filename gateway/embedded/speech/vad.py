"""Voice activity detection: when the caller starts and stops speaking.

What it does: follows one caller's audio, 20 ms at a time, and says where each
turn begins and ends on the clock of the audio it was given.

How: a frame counts as speech when it stands out of the noise floor - the
quietest frame of the last two seconds - and, where ``webrtcvad`` is installed,
when that classifier takes it for a voice too.  The gate comes first: it costs
next to nothing, and it keeps steady line noise, on which the classifier alone
fails, from being speech.  The classifier takes any step in the noise for a
voice for some 100 ms; so a turn begins only after 120 ms of speech within
160 ms.  It ends after ``silence_ms`` without any.  The first 300 ms of a call
only set the floor.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.resample import StreamResampler

try:
    import webrtcvad
except ImportError:
    webrtcvad = None

__all__ = ["SpeechEvent", "SpeechStart", "SpeechStop", "Vad", "VadSettings"]

Pcm: TypeAlias = NDArray[np.int16]

_FRAME_MS: Final = 20
_ONSET_FRAMES: Final = 6  # this many speech frames …
_ONSET_WINDOW: Final = 8  # … among this many begin a turn
_LEARN_FRAMES: Final = 15  # at first, nothing is known of the noise
_FLOOR_FRAMES: Final = 100  # a speaker pauses for a frame at least this often
_FLOOR_LIMITS_DBOV: Final = (-75.0, -30.0)
_QUIETEST_DBOV: Final = -58.0  # below this nothing is speech, whatever the floor
_HYSTERESIS_DB: Final = 3.0  # a voice may fade by this much more once it speaks


@dataclass(frozen=True, slots=True)
class VadSettings:
    """The ``server_vad`` fields of the session.

    Attributes:
        threshold: 0 to 1; the higher, the further a voice must stand out of the
            noise: 4 dB at 0, 10 dB at 0.5, 16 dB at 1.
        prefix_ms: How much audio before the first speech belongs to the turn.
        silence_ms: How much silence ends the turn.

    """

    threshold: float = 0.5
    prefix_ms: int = 300
    silence_ms: int = 500


@dataclass(frozen=True, slots=True)
class SpeechStart:
    """A turn began; ``at_ms`` is where its audio starts, the prefix included."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStop:
    """A turn ended; ``at_ms`` is where its audio stops, the closing silence included."""

    at_ms: int


SpeechEvent: TypeAlias = SpeechStart | SpeechStop


class Vad:
    """Follows one caller.

    Args:
        rate: Samples a second of what :meth:`process` is given; 8 and 16 kHz spare
            the conversion.
        settings: When a turn starts and stops; may be replaced at any time.

    """

    def __init__(self, rate: int = 24000, settings: VadSettings | None = None) -> None:
        self.settings = settings or VadSettings()
        self.is_speaking = False
        self._frame = rate * _FRAME_MS // 1000
        self._rest: Pcm = np.zeros(0, np.int16)
        self._frames = 0  # frames heard since the first
        self._levels: deque[float] = deque(maxlen=_FLOOR_FRAMES)
        self._recent: deque[bool] = deque(maxlen=_ONSET_WINDOW)
        self._last_voice = 0  # the frame after the last with speech
        self._turn_end_ms = 0  # where the last turn stopped
        self._classifier = _Classifier(rate) if webrtcvad else None

    @property
    def clock_ms(self) -> int:
        """How much audio was judged so far."""
        return self._frames * _FRAME_MS

    def process(self, pcm: Pcm) -> list[SpeechEvent]:
        """Take in more audio, int16 of any length; return the turns that began or ended in it."""
        joined = np.concatenate([self._rest, pcm]) if len(self._rest) else pcm
        count = len(joined) // self._frame
        self._rest = joined[count * self._frame :].copy()
        frames = joined[: count * self._frame].reshape(count, self._frame)
        steps = (self._step(self._is_speech(frame)) for frame in frames)
        return [event for event in steps if event]

    def reset(self) -> None:
        """Forget a turn that has begun, as when the audio is cleared; the clock goes on."""
        self.is_speaking = False
        self._recent.clear()
        self._turn_end_ms = self.clock_ms

    def _is_speech(self, frame: Pcm) -> bool:
        level = _level_dbov(frame)
        self._levels.append(level)
        low, high = _FLOOR_LIMITS_DBOV
        gate = min(max(min(self._levels), low), high) + 4.0 + 12.0 * self.settings.threshold
        if self.is_speaking:
            gate -= _HYSTERESIS_DB
        if self._frames < _LEARN_FRAMES or level < max(gate, _QUIETEST_DBOV):
            return False
        return self._classifier is None or self._classifier.is_voice(frame, self.settings.threshold)

    def _step(self, is_speech: bool) -> SpeechEvent | None:
        self._frames += 1
        self._recent.append(is_speech)
        if is_speech:
            self._last_voice = self._frames
        if not self.is_speaking:
            return self._start() if sum(self._recent) >= _ONSET_FRAMES else None
        if (self._frames - self._last_voice) * _FRAME_MS >= self.settings.silence_ms:
            self.is_speaking = False
            self._recent.clear()
            self._turn_end_ms = self.clock_ms
            return SpeechStop(self.clock_ms)
        return None

    def _start(self) -> SpeechStart:
        self.is_speaking = True
        first = self._frames - len(self._recent) + self._recent.index(True)
        at_ms = first * _FRAME_MS - self.settings.prefix_ms
        return SpeechStart(max(at_ms, self._turn_end_ms, 0))


class _Classifier:
    """webrtcvad at 8 or 16 kHz: in its strictest mode from a threshold of 0.5 on."""

    def __init__(self, rate: int) -> None:
        self._rate = rate if rate in (8000, 16000) else 8000
        self._convert = None if rate == self._rate else StreamResampler(rate, self._rate)
        self._mode = 3
        self._vad: Any = webrtcvad.Vad(self._mode)

    def is_voice(self, frame: Pcm, threshold: float) -> bool:
        mode = min(3, round(6 * threshold))
        if mode != self._mode:
            self._vad.set_mode(mode)
            self._mode = mode
        narrow = self._convert.process(frame) if self._convert else frame
        return bool(self._vad.is_speech(narrow.tobytes(), self._rate))


def _level_dbov(frame: Pcm) -> float:
    """Return the level of a frame against a full-scale square wave, in dB."""
    wide = frame.astype(np.float32)
    power = float(wide @ wide) / len(frame)
    return 10.0 * float(np.log10(max(power, 1e-3))) - 90.31
