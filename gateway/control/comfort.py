"""A soft sound for a caller who would otherwise hear nothing for too long."""

from collections.abc import Sequence

from ..realtime.events import OutputAudioBufferStarted
from .actions import Play, Request, Stop
from .context import Context
from .events import Event, PromptStopped
from .settings import COMFORT
from .speech import Speech
from .states import CallState

__all__ = ["Comfort"]


class Comfort:
    """Plays the comfort prompt while something takes long and nothing else is heard.

    Whoever keeps the caller waiting says so under a name of its own.  The sound repeats until
    all are done, or something is queued behind it.  Nobody waits who talks to a callee or a
    supervisor, or who is to press a key.
    """

    def __init__(self, context: Context, speech: Speech) -> None:
        self._context = context
        self._speech = speech
        self.is_barred = False  # a key is awaited: the caller waits for nobody
        self._waits: dict[str, float] = {}  # who keeps the caller waiting, since when
        self._unended = 0  # plays whose end was not yet told; one that was cut is told late

    @property
    def name(self) -> str:
        """The prompt; empty where it is switched off."""
        chosen = self._context.settings.call.comfort_prompt
        return COMFORT if chosen is None else chosen

    @property
    def deadline(self) -> float | None:
        """When the sound is to begin, or ``None``."""
        if not self._waits or self._speech.is_comforted or not self._is_fitting:
            return None
        return min(self._waits.values()) + self._context.settings.call.comfort_after_ms / 1000

    @property
    def _is_fitting(self) -> bool:
        context = self._context
        is_here = context.is_answered and context.state is CallState.TALKING
        can_play = context.transport != "sip" and not context.is_hosted and not context.is_joined
        is_here = is_here and not context.is_taken_over
        is_due = bool(self.name) and is_here and not self.is_barred
        return is_due and can_play and not self._speech.is_voiced

    def begin(self, waiter: str) -> None:
        """Somebody keeps the caller waiting from now on."""
        self._waits.setdefault(waiter, self._context.now)

    def end(self, waiter: str) -> None:
        """That one is done."""
        self._waits.pop(waiter, None)

    def end_all(self) -> None:
        """Nobody waits for the service any more."""
        self._waits.clear()

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in that the sound is over, or that the service is heard in its place."""
        match event:
            case PromptStopped() if event.prompt_id == self.name:
                self._unended = max(0, self._unended - 1)
                if not self._unended:
                    self._speech.is_comforted = False
            case OutputAudioBufferStarted() if not self._context.owns_playout:
                self._stop()
            case _:
                pass
        return ()

    def wake(self) -> Sequence[Request]:
        """Begin where it is time."""
        self.settle()
        return ()

    def settle(self) -> None:
        """Begin or end the sound as the moment asks for."""
        due = self.deadline
        if due is not None and self._context.now >= due:
            self._speech.is_comforted = True
            self._unended += 1
            self._context.act(Play(self.name, is_repeated=True))
        elif (self.is_barred or not self._waits) and not self._speech.is_voiced:
            self._stop()

    def _stop(self) -> None:
        if self._speech.is_comforted:
            self._speech.is_comforted = False
            self._context.act(Stop())
