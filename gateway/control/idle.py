"""The ladder of a caller who says nothing, whoever noticed: the service, or we ourselves."""

from collections.abc import Sequence

from ..realtime.events import (
    InputAudioBufferDtmfEventReceived,
    InputAudioBufferSpeechStarted,
    InputAudioBufferTimeoutTriggered,
)
from .actions import HangUp, Request, Respond
from .context import Context
from .events import Event, VoiceStarted
from .speech import Speech
from .states import CallState

__all__ = ["Idle"]


class Idle:
    """Counts silences since the caller last spoke or pressed a key, and climbs by them.

    A silence is a ``timeout_triggered`` of the service, or ``idle.seconds`` of our own in
    which nothing was said, played or planned.  Ours is told by an event of the same name, so
    that rules and ladder are the same on every link.
    """

    def __init__(self, context: Context, speech: Speech) -> None:
        self.count = 0
        self.deadline: float | None = None
        self._context = context
        self._speech = speech
        self._is_ours = False  # the last one

    @property
    def is_suspended(self) -> bool:
        """Whether silence means nothing now: somebody or something else has the line."""
        context = self._context
        is_taken = context.is_joined or context.is_held or context.is_taken_over
        is_taken = is_taken or bool(context.place)
        is_served = context.is_service_ready and context.state is CallState.TALKING
        return is_taken or not is_served or self._speech.prompt is not None

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in a silence, or a sign of life."""
        match event:
            case InputAudioBufferTimeoutTriggered():
                self._is_ours = event.origin == "gateway"
                self.count += not self.is_suspended
            case InputAudioBufferSpeechStarted() | InputAudioBufferDtmfEventReceived():
                self._revive()
            case VoiceStarted():  # of either leg: somebody talks
                self._revive()
            case _:
                pass
        return ()

    def settle(self, *, is_quiet: bool) -> None:
        """Measure silence from the moment that everything was heard."""
        context = self._context
        seconds = context.settings.idle.seconds
        is_silent = is_quiet and not context.is_caller_speaking and not self.is_suspended
        if not seconds or not is_silent or not context.is_answered:
            self.deadline = None
        elif self.deadline is None:
            self.deadline = context.now + seconds

    def wake(self) -> Sequence[Request]:
        """Tell of a silence that was long enough."""
        if self.deadline is not None and self._context.now >= self.deadline:
            self.deadline = None
            end_ms = round((self._context.now - self._context.started_at) * 1000)
            start_ms = max(0, end_ms - round(self._context.settings.idle.seconds * 1000))
            self._context.derive(
                InputAudioBufferTimeoutTriggered(
                    item_id="", audio_start_ms=start_ms, audio_end_ms=end_ms, origin="gateway"
                )
            )
        return ()

    def climb(self) -> Sequence[Request]:
        """Return what is done at this silence, where no rule takes it."""
        settings = self._context.settings
        if 0 < settings.idle.limit <= self.count:
            return (settings.goodbye, HangUp("idle"))
        if 0 < self.count <= len(settings.idle_ladder):
            return settings.idle_ladder[self.count - 1]
        return (Respond(),) if self._is_ours else ()  # the service asks by itself at its own

    def _revive(self) -> None:
        self.count = 0
        self.deadline = None
