"""What is heard in the lanes beside keys: voices, beeps, and what is only an echo.

Each is there for the lanes that want it, all of them at once, and costs the others nothing.
"""

import enum
from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.beep import BeepDetector
from voicecodecs.silero import SileroJudge
from voicecodecs.voice import EnergyJudge, VoiceDetector

from .arrays import LaneArrays, Rows
from .events import BeepHeard, VoiceStarted, VoiceStopped
from .guard import EchoGuard, Guarded
from .options import EchoGuardKind, LaneOptions

__all__ = ["Listener", "Wants"]

Pcm: TypeAlias = NDArray[np.int16]
Mask: TypeAlias = NDArray[np.bool_]
Tell: TypeAlias = Callable[[int, VoiceStarted | VoiceStopped | BeepHeard], None]


class Wants(enum.IntFlag):
    """What is to be heard in a lane."""

    NOTHING = 0
    ENERGY = 1
    SILERO = 2
    BEEPS = 4
    GUARD = 8


_VOICES: Final = {"": Wants.NOTHING, "energy": Wants.ENERGY, "silero": Wants.SILERO}


class Listener:
    """Listens to the rows; ``tell`` is called with a row and what was heard in it."""

    def __init__(self, arrays: LaneArrays, tell: Tell) -> None:
        self.guard = EchoGuard(arrays.capacity)
        self._arrays = arrays
        self._tell = tell
        self._voices: dict[Wants, VoiceDetector | None] = {
            Wants.ENERGY: VoiceDetector(arrays.capacity, EnergyJudge(arrays.capacity)),
            Wants.SILERO: None,  # until a lane wants it
        }
        self._beeps = BeepDetector(arrays.capacity)

    def prepare(self, options: LaneOptions) -> None:
        """Load what lanes with these options need; it may take a while, and any thread's.

        Raises:
            ImportError: A package is missing.

        """
        if options.voice == "silero" and self._voices[Wants.SILERO] is None:
            lanes = self._arrays.capacity
            self._voices[Wants.SILERO] = VoiceDetector(lanes, SileroJudge(lanes))

    def sit(self, row: int, options: LaneOptions) -> None:
        """Begin to listen to a row as a new lane wants it."""
        wants = _VOICES[options.voice]
        if (detector := self._voices.get(wants)) is not None:
            detector.reset(row, options.voice_ms)
        if options.hears_beeps:
            wants |= Wants.BEEPS
            self._beeps.reset(row)
        self._arrays.wants[row] = wants
        self.guard_row(row, options.echo_guard)

    def guard_row(self, row: int, kind: EchoGuardKind) -> None:
        """Guard a row against its echo from now on, or leave its sound alone."""
        wants = Wants(int(self._arrays.wants[row])) & ~Wants.GUARD
        if kind != "off":
            wants |= Wants.GUARD
            self.guard.reset(row, cancels=kind == "cancel")
        self._arrays.wants[row] = wants

    def hear(
        self, frames: Pcm, rows: Rows, wants: NDArray[np.int8], heard: Mask, now: float
    ) -> tuple[Rows, Guarded] | None:
        """Hear a frame of each row; an echo in it is put to noise in ``frames`` themselves.

        Args:
            frames: Shape ``(rows, 160)``.
            rows: The row of each line.
            wants: What is to be heard in each.
            heard: Lines that are somebody's own sound, and not made up or a key's.
            now: The time.

        Returns:
            Lines that were guarded, and how; ``None`` where none was.

        """
        if (lines := np.flatnonzero(wants & Wants.BEEPS)).size:
            for beep in self._beeps.process(frames[lines], rows[lines], heard[lines]):
                self._tell(beep.row, BeepHeard(beep.hertz, beep.duration_ms, now))
        guarded = None
        if (lines := np.flatnonzero(wants & Wants.GUARD)).size:
            lines = lines[self.guard.attend(frames[lines], rows[lines])]
        if lines.size:
            result = self.guard.hear(frames[lines], rows[lines], heard[lines])
            frames[lines] = result.frames
            heard = heard.copy()
            heard[lines] &= ~result.is_echo
            guarded = lines, result
        for kind, detector in self._voices.items():
            if detector is not None and (lines := np.flatnonzero(wants & kind)).size:
                self._hear_voices(detector, frames[lines], rows[lines], heard[lines], now)
        return guarded

    def _hear_voices(
        self, detector: VoiceDetector, frames: Pcm, rows: Rows, heard: Mask, now: float
    ) -> None:
        for edge in detector.process(frames, rows, heard):
            event = VoiceStarted(now) if edge.is_on else VoiceStopped(edge.duration_ms, now)
            self._tell(edge.row, event)
