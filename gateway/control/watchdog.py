"""Notices a service that stays silent: asked and not answering, or stopped in mid-answer."""

from collections.abc import Callable, Sequence
from typing import Final

from ..realtime.events import (
    ResponseDone,
    ResponseMcpCallInProgress,
    ResponseOutputAudioDelta,
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputTextDelta,
)
from .actions import Request
from .context import Context
from .events import Event
from .turns import Turns

__all__ = ["Watchdog"]

_TOOL_PATIENCE: Final = 4  # times as long, while a tool of the service's is at work


class Watchdog:
    """Asks once more after ``response_seconds`` without a sign, then gives the link up."""

    def __init__(self, context: Context, turns: Turns, on_silence: Callable[[str], None]) -> None:
        self._context = context
        self._turns = turns
        self._on_silence = on_silence
        self._seen_at = 0.0
        self._patience = 1
        self._has_asked_again = False

    @property
    def deadline(self) -> float | None:
        """When the service has been silent for too long, or ``None`` while nothing is due."""
        since = self._turns.waits_since
        if since is None or not self._context.is_service_ready:
            return None
        patience = self._context.settings.realtime.response_seconds * self._patience
        return max(since, self._seen_at) + patience

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in a sign of an answer."""
        self._seen_at = self._context.now
        self._patience = _TOOL_PATIENCE if isinstance(event, ResponseMcpCallInProgress) else 1
        match event:
            case (
                ResponseOutputAudioDelta()
                | ResponseOutputAudioTranscriptDelta()
                | ResponseOutputTextDelta()
            ):
                self._has_asked_again = False
            case ResponseDone() if event.response.status == "completed":
                self._has_asked_again = False
            case _:
                pass
        return ()

    def wake(self) -> Sequence[Request]:
        """Act where the service was silent for too long."""
        deadline = self.deadline
        if deadline is None or self._context.now < deadline:
            return ()
        seconds = self._context.settings.realtime.response_seconds * self._patience
        self._patience = 1
        reason = f"the service was silent for {seconds:g} s"
        if self._has_asked_again:
            self._on_silence(reason)
        else:
            self._has_asked_again = True
            self._turns.retry(reason)
        return ()
