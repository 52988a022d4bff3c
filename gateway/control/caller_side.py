"""What the caller's side tells that no other part needs: its end, its playout, its prompts."""

from collections.abc import Sequence

from ..realtime.events import (
    InputAudioBufferCommitted,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    OutputAudioBufferStarted,
    OutputAudioBufferStopped,
)
from .actions import Request
from .context import Context
from .events import Event, LegEnded, PlayoutStarted, PlayoutStopped, PromptStopped
from .speech import Speech
from .states import CallState

__all__ = ["CallerSide"]


class CallerSide:
    """Ends the call, and turns the gateway's own playout into the events a service would send."""

    def __init__(self, context: Context, speech: Speech) -> None:
        self._context = context
        self._speech = speech

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in what the leg or the playout tells."""
        match event:
            case LegEnded():
                self._context.move(CallState.ENDED)
            case InputAudioBufferSpeechStarted():
                self._context.is_caller_speaking = True
            case InputAudioBufferSpeechStopped() | InputAudioBufferCommitted():
                self._context.is_caller_speaking = False
            case PlayoutStarted():
                self._context.derive(
                    OutputAudioBufferStarted(response_id=event.response_id, origin="gateway")
                )
            case PlayoutStopped():
                self._context.derive(
                    OutputAudioBufferStopped(response_id=event.response_id, origin="gateway")
                )
            case PromptStopped():
                self._speech.end_prompt(event.prompt_id)
            case _:
                pass
        return ()
