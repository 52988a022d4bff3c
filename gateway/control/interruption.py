"""An interruption that is taken back where it was none: a cough, an echo, a word in passing.

Playout is paused, not cut, while the caller makes a sound.  Speech that lasts is meant; so
are short words that are no back-channel ("mhm", "yes").  Anything else lets playout go on
where it was.  Only then, and only for what was meant, is anything truncated.
"""

import enum
import re
from collections.abc import Mapping
from typing import Final

from .context import Context

__all__ = ["STEPS", "Hint", "Interruption", "Phase"]

_WORD: Final = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


class Phase(enum.Enum):
    """What an interruption is at."""

    NONE = enum.auto()
    HEARING = enum.auto()  # somebody makes a sound; playout is paused
    WEIGHING = enum.auto()  # it was short; its words are waited for


class Hint(enum.Enum):
    """What tells of an interruption."""

    BEGAN = enum.auto()
    ENDED = enum.auto()
    LASTED = enum.auto()  # longer than anything that is not meant
    WORDS = enum.auto()  # that mean something
    NOTHING = enum.auto()  # no words, or a back-channel
    SILENT = enum.auto()  # no words came in time
    OVER = enum.auto()  # there is nothing left that could be interrupted


STEPS: Final[Mapping[tuple[Phase, Hint], Phase]] = {
    (Phase.NONE, Hint.BEGAN): Phase.HEARING,
    (Phase.HEARING, Hint.ENDED): Phase.WEIGHING,
    (Phase.HEARING, Hint.LASTED): Phase.NONE,
    (Phase.HEARING, Hint.WORDS): Phase.NONE,
    (Phase.HEARING, Hint.OVER): Phase.NONE,
    (Phase.WEIGHING, Hint.BEGAN): Phase.HEARING,
    (Phase.WEIGHING, Hint.WORDS): Phase.NONE,
    (Phase.WEIGHING, Hint.NOTHING): Phase.NONE,
    (Phase.WEIGHING, Hint.SILENT): Phase.NONE,
    (Phase.WEIGHING, Hint.OVER): Phase.NONE,
}
"""What is not in the table changes nothing."""


class Interruption:
    """Where the interruption of the moment stands.

    Attributes:
        phase: What it is at.
        deadline: When time alone decides; ``None`` for never.

    """

    def __init__(self, context: Context) -> None:
        self.phase = Phase.NONE
        self.deadline: float | None = None
        self._context = context
        self._began_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it is not yet known to be meant."""
        return self.phase is not Phase.NONE

    def take(self, hint: Hint) -> bool:
        """Go by a hint; tell whether it changed anything."""
        phase = STEPS.get((self.phase, hint))
        if phase is None:
            return False
        settings, now = self._context.settings.barge_in, self._context.now
        if phase is Phase.HEARING:
            if self.phase is Phase.NONE:
                self._began_at = now
            self.deadline = self._began_at + settings.confirm_ms / 1000
        elif phase is Phase.WEIGHING:
            self.deadline = now + settings.transcript_ms / 1000
        else:
            self.deadline = None
        self.phase = phase
        return True

    def due(self) -> Hint | None:
        """Return what time says, if it says anything now."""
        if self.deadline is None or self._context.now < self.deadline:
            return None
        return Hint.LASTED if self.phase is Phase.HEARING else Hint.SILENT

    def weigh(self, words: str) -> Hint:
        """Return what words mean: something, or nothing."""
        said = _WORD.findall(words.casefold())
        known = self._context.settings.barge_in.back_channels
        idle = {word for text in known for word in _WORD.findall(text.casefold())}
        return Hint.WORDS if any(word not in idle for word in said) else Hint.NOTHING
