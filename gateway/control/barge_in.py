"""The caller talks over the agent: stop at once, and tell the model what was really heard.

On a WebSocket the client owns playout, so it alone knows.  The ledger of the flushed
playout decides for each item: heard to its end, nothing; heard in part, truncate at the
lesser of sent and received; not heard at all, delete.  Where interruptions may be taken
back, playout is paused until one is known to be meant, and answers are asked for by us.
"""

from collections.abc import Sequence
from typing import Final

from ..realtime.events import (
    ConversationItemInputAudioTranscriptionCompleted,
    InputAudioBufferCommitted,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    OutputAudioBufferCleared,
    OutputAudioBufferStarted,
    OutputAudioBufferStopped,
    ResponseOutputAudioDone,
)
from .actions import PausePlayout, Request, Respond, ResumePlayout
from .context import Context
from .events import Event, LinkReady, PlayoutFlushed, VoiceStarted, VoiceStopped
from .interruption import Hint, Interruption, Phase
from .reconciling import Reconciling
from .speech import Speech
from .states import CallState
from .turns import Turns

__all__ = ["BargeIn"]

_MILLI: Final = 1000


class BargeIn:
    """Cuts playout for a caller who speaks, and corrects the conversation afterwards."""

    def __init__(self, context: Context, turns: Turns, speech: Speech) -> None:
        self._context = context
        self._turns = turns
        self._speech = speech
        self._reconciling = Reconciling(context, speech)
        self._interruption = Interruption(context)
        self._heard_since: float | None = None  # the answer that is being heard
        self._answers_heard = 0  # to their end, or cut
        self._is_answer_owed = False  # for a turn that ended while its meaning was open

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        return self._interruption.deadline

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in speech, the end of a part's audio, or the ledger of a flush."""
        match event:
            case InputAudioBufferSpeechStarted():
                self._hear_voice("service")
            case VoiceStarted(leg="caller"):
                self._hear_voice("voice")
            case InputAudioBufferSpeechStopped() | VoiceStopped(leg="caller"):
                self._interruption.take(Hint.ENDED)
            case ConversationItemInputAudioTranscriptionCompleted():
                return self._weigh(event.transcript)
            case InputAudioBufferCommitted():
                return self._owe_answer()
            case OutputAudioBufferStarted():
                if self._heard_since is None:
                    self._heard_since = self._context.now
            case OutputAudioBufferStopped() | OutputAudioBufferCleared():
                self._note_end()
            case ResponseOutputAudioDone():
                self._reconciling.note_end(event)
            case PlayoutFlushed():
                self._reconciling.correct(event)
            case LinkReady():
                self._reconciling.begin_link()
            case _:
                pass
        return ()

    def wake(self) -> Sequence[Request]:
        """Decide where time has run out."""
        hint = self._interruption.due()
        return self._decide(hint) if hint is not None else ()

    def _hear_voice(self, by: str) -> None:
        """Stop for the caller, unless this call or this moment is not to be interrupted."""
        context, settings = self._context, self._context.settings
        is_wanted = by in settings.barge_in.by and context.state is CallState.TALKING
        if not is_wanted or self.is_protected or context.is_deaf:
            return
        if context.may_take_back and (self._speech.is_voiced or self._interruption.is_open):
            was_open = self._interruption.is_open
            if self._interruption.take(Hint.BEGAN) and not was_open:
                context.act(PausePlayout())
        else:
            is_cancelled = by == "service" and settings.is_interrupted_by_service
            self._turns.interrupt(is_cancelled_by_service=is_cancelled)

    @property
    def is_protected(self) -> bool:
        """Whether what is being said now, or about to be, may not be cut."""
        settings = self._context.settings.barge_in
        is_coming = not (self._turns.is_free and self._speech.is_quiet)
        if settings.protect_greeting and not self._answers_heard and is_coming:
            return True
        if not settings.protect_ms or not self._speech.is_voiced:
            return False
        since = self._heard_since
        return since is None or self._context.now - since < settings.protect_ms / _MILLI

    def _note_end(self) -> None:
        """An answer is over: nothing is left to be interrupted."""
        self._answers_heard += 1
        self._heard_since = None
        if self._interruption.is_open and not self._speech.is_voiced:
            self._interruption.take(Hint.OVER)
            self._context.act(ResumePlayout())

    def _weigh(self, words: str) -> Sequence[Request]:
        if not self._interruption.is_open:
            return ()
        hint = self._interruption.weigh(words)
        if hint is Hint.NOTHING and self._interruption.phase is Phase.HEARING:
            return ()  # they are speaking on
        return self._decide(hint)

    def _decide(self, hint: Hint) -> Sequence[Request]:
        """The interruption was meant, and is carried out; or it was not, and playout goes on."""
        if not self._interruption.take(hint):
            return ()
        is_owed, self._is_answer_owed = self._is_answer_owed, False
        if hint in (Hint.LASTED, Hint.WORDS):
            self._turns.interrupt()
            return (Respond(),) if is_owed else ()
        self._context.act(ResumePlayout())
        return ()

    def _owe_answer(self) -> Sequence[Request]:
        """A turn of the caller is over: where the service waits for us, have it answer."""
        context = self._context
        if not context.may_take_back or not context.settings.is_answered_by_itself:
            return ()
        if self._interruption.is_open:
            self._is_answer_owed = True
            return ()
        is_deaf = context.is_deaf or context.is_taken_over
        is_talk = context.state is CallState.TALKING and not is_deaf
        return (Respond(),) if is_talk and not self._turns.is_reserved else ()
