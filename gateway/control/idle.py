"""The ladder of a caller who says nothing: how many prompts in a row went unanswered."""

from collections.abc import Sequence

from ..realtime.events import (
    InputAudioBufferDtmfEventReceived,
    InputAudioBufferSpeechStarted,
    InputAudioBufferTimeoutTriggered,
)
from .actions import Request
from .context import Context
from .events import Event
from .states import CallState

__all__ = ["Idle"]


class Idle:
    """Counts ``timeout_triggered`` since the caller last spoke or pressed a key."""

    def __init__(self, context: Context) -> None:
        self.count = 0
        self._context = context

    @property
    def is_suspended(self) -> bool:
        """Whether silence means nothing now: on hold, transferring, saying goodbye."""
        return self._context.is_held or self._context.state is not CallState.TALKING

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in a timeout, or a sign of life."""
        match event:
            case InputAudioBufferTimeoutTriggered():
                self.count += not self.is_suspended
            case InputAudioBufferSpeechStarted() | InputAudioBufferDtmfEventReceived():
                self.count = 0
            case _:
                pass
        return ()
