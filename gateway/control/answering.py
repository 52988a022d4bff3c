"""Who answered a call that we placed: a human, or a machine and when it listens.

A human says a word or two and waits; a machine speaks on, or beeps.  Judged by the length of
the first words and the silence after them, as answering machine detection usually is; it takes
no longer than ``_LONGEST`` seconds, and is then unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from .actions import Request
from .context import Context
from .events import (
    AnswerClassified,
    BeepHeard,
    CalleeAnswered,
    CalleeEnded,
    Event,
    LegAnswered,
    Side,
    VoiceStarted,
    VoiceStopped,
)

__all__ = ["Answering"]

_GREETING: Final = 2.2  # seconds of speech from which a machine speaks
_PAUSE: Final = 0.9  # of silence after which a human has finished
_LONGEST: Final = 6.0  # after the answer


@dataclass(slots=True)
class _Answer:
    """One answered leg that is not yet judged."""

    leg: Side
    answered_at: float
    spoke_at: float | None = None  # since when they speak now
    spoken: float = 0.0  # seconds so far
    is_quiet_since: float | None = None

    @property
    def deadline(self) -> float:
        """When time alone decides."""
        end = self.answered_at + _LONGEST
        if self.spoke_at is not None:
            return min(end, self.spoke_at + max(0.0, _GREETING - self.spoken))
        if self.is_quiet_since is not None:
            return min(end, self.is_quiet_since + _PAUSE)
        return end


class Answering:
    """Judges an answer by how it sounds, once for each leg that we called."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._answers: dict[Side, _Answer] = {}

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        return min((answer.deadline for answer in self._answers.values()), default=None)

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in answers, voices and beeps."""
        match event:
            case LegAnswered() if self._context.is_outbound:
                self._begin("caller")
            case CalleeAnswered():
                self._begin("callee")
            case CalleeEnded():
                self._answers.pop("callee", None)
            case VoiceStarted(leg=leg) if (answer := self._answers.get(leg)) is not None:
                answer.spoke_at, answer.is_quiet_since = self._context.now, None
            case VoiceStopped(leg=leg) if (answer := self._answers.get(leg)) is not None:
                answer.spoken += event.duration_ms / 1000
                answer.spoke_at, answer.is_quiet_since = None, self._context.now
                if answer.spoken >= _GREETING:
                    self._judge(answer, "machine")
            case BeepHeard(leg=leg) if (answer := self._answers.get(leg)) is not None:
                self._judge(answer, "machine")
            case _:
                pass
        return ()

    def wake(self) -> Sequence[Request]:
        """Decide where time has run out."""
        for answer in tuple(self._answers.values()):
            if self._context.now < answer.deadline:
                continue
            if answer.spoke_at is not None:
                is_long = self._context.now - answer.spoke_at + answer.spoken >= _GREETING - 1e-6
                self._judge(answer, "machine" if is_long else "unknown")
            else:
                self._judge(answer, "human" if answer.is_quiet_since is not None else "unknown")
        return ()

    def _begin(self, leg: Side) -> None:
        if self._context.settings.dial.answering_machine:
            self._answers[leg] = _Answer(leg, self._context.now)

    def _judge(self, answer: _Answer, by: Literal["human", "machine", "unknown"]) -> None:
        del self._answers[answer.leg]
        self._context.derive(AnswerClassified(by, answer.leg))
