"""How long the caller waits for an answer: from the end of their words to the first sound."""

from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from ..realtime.events import (
    InputAudioBufferCleared,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    OutputAudioBufferStarted,
    ResponseCreated,
    ResponseOutputAudioDelta,
)
from .events import Event, SupervisionChanged

__all__ = ["Answer", "Latency"]

_MOST_TURNS: Final = 500  # the latest


@dataclass(slots=True)
class Answer:
    """One answer to the caller; milliseconds from the service's word that they fell silent.

    Where a tool was called first, ``response_id`` is the response that came of that at last.
    ``audio_ms`` is known where the sound comes in events, on a WebSocket alone.
    """

    response_id: str
    stopped_at: float
    created_ms: int
    audio_ms: int | None = None
    heard_ms: int | None = None


class Latency:
    """Measures each answer to the caller's words: begun, first sound here, first sound heard."""

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque(maxlen=_MOST_TURNS)
        self._stopped_at: float | None = None  # the caller waits since then
        self._is_owed = False  # the latest answer, which makes no sound so far

    def handle(self, event: Event, now: float) -> None:
        """Take in what a wait begins or ends with."""
        match event:
            case (
                InputAudioBufferSpeechStarted() | InputAudioBufferCleared() | SupervisionChanged()
            ):  # who goes on, whose words are gone, who has somebody else to speak with
                self._stopped_at, self._is_owed = None, False
            case InputAudioBufferSpeechStopped():
                self._stopped_at = now
            case ResponseCreated() if self._stopped_at is not None:
                stopped_at, self._stopped_at = self._stopped_at, None
                created_ms = _ms(now - stopped_at)
                self.answers.append(Answer(event.response.id or "", stopped_at, created_ms))
                self._is_owed = True
            case ResponseCreated() if self._is_owed:
                self.answers[-1].response_id = event.response.id or ""
            case ResponseOutputAudioDelta() if answer := self._answer(event.response_id):
                self._is_owed = False
                if answer.audio_ms is None:
                    answer.audio_ms = _ms(now - answer.stopped_at)
            case OutputAudioBufferStarted() if answer := self._answer(event.response_id):
                self._is_owed = False
                if answer.heard_ms is None:
                    answer.heard_ms = _ms(now - answer.stopped_at)
            case _:
                pass

    def as_dict(self) -> dict[str, Any]:
        """Return every answer's times and, where any was heard, their middle and worst."""
        heard = [one.heard_ms for one in self.answers if one.heard_ms is not None]
        return {
            "heard_ms_median": round(median(heard)) if heard else None,
            "heard_ms_max": max(heard, default=None),
            "answers": [
                {
                    "response_id": one.response_id,
                    "created_ms": one.created_ms,
                    "audio_ms": one.audio_ms,
                    "heard_ms": one.heard_ms,
                }
                for one in self.answers
            ],
        }

    def _answer(self, response_id: str) -> Answer | None:
        """Return the latest answer, where it is this response: an earlier one sounds no more."""
        answer = self.answers[-1] if self.answers else None
        return answer if answer is not None and answer.response_id == response_id else None


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
