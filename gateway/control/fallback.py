"""A call without its service: a prompt, keys that do what they are configured to, a way out.

Nothing here needs the service.  The prompt is played and a key awaited, several times; then
the caller is transferred, or politely let go.
"""

from collections.abc import Sequence

from .actions import Answer, HangUp, Play, Reject, Request, Stop, Transfer
from .context import Context, Mode
from .settings import APOLOGY
from .speech import Speech
from .states import CallState

__all__ = ["Fallback"]


class Fallback:
    """Leads a caller out of a call whose service was given up."""

    def __init__(self, context: Context, speech: Speech) -> None:
        self.deadline: float | None = None  # until then a key is awaited
        self._context = context
        self._speech = speech
        self._settings = context.settings.fallback
        self._asked = 0
        self._was_told = False  # that the service is away
        self._is_sent_on = False

    def start(self) -> Sequence[Request]:
        """Return what the caller is to get at once."""
        context = self._context
        must_answer = not context.is_accepted and not context.is_outbound
        if must_answer and not self._settings.prompt:
            return (Reject(503, "Service Unavailable"),)
        opening: tuple[Request, ...] = (Answer(),) if must_answer else ()
        if self._settings.keys:
            return (*opening, *self._ask())
        return (*opening, *self._leave())

    def take_key(self, key: str) -> Sequence[Request] | None:
        """Return what a key does here, or ``None`` where it does nothing."""
        requests = self._context.settings.fallback_keys.get(key)
        if requests is None or self._context.service is not Mode.LOST:
            return None
        self.deadline = None
        self._asked = 0
        return (Stop(), *requests) if self._speech.is_audible else requests

    def go_on(self) -> Sequence[Request]:
        """Return what comes next, once everything planned is done and heard."""
        context = self._context
        is_mine = context.service is Mode.LOST and context.state is CallState.TALKING
        if not is_mine or not context.is_answered or self.deadline is not None:
            return ()
        if self._settings.keys and not self._is_sent_on:
            if self._asked == 0 and (question := self._ask()):
                return question
            self.deadline = context.now + self._settings.key_seconds
            return ()
        return self._leave()

    def wake(self) -> Sequence[Request]:
        """Ask again, or go, where no key came in time."""
        if self.deadline is None or self._context.now < self.deadline:
            return ()
        self.deadline = None
        if self._context.is_taken_over:
            return ()
        return self._ask() if self._asked < self._settings.repeats else self._leave()

    def _ask(self) -> Sequence[Request]:
        self._asked += 1
        self._was_told = True
        prompt = APOLOGY if self._settings.prompt is None else self._settings.prompt
        return (Play(prompt),) if prompt else ()

    def _leave(self) -> Sequence[Request]:
        """Return the way out: a transfer, once; else a hang-up."""
        is_told, self._was_told = self._was_told, True
        is_here = self._context.is_accepted or not self._context.is_outbound
        if self._is_sent_on:
            return (*self._apology(), HangUp("transfer failed"))
        prompt = (Play(self._settings.prompt),) if self._settings.prompt and not is_told else ()
        if self._settings.transfer and is_here:
            self._is_sent_on = True
            return (*prompt, Transfer(self._settings.transfer))
        told = () if is_told else prompt or self._apology()
        return (*told, HangUp("service lost"))

    def _apology(self) -> Sequence[Request]:
        context = self._context
        can_hear = context.is_accepted and not context.is_hosted
        return (Play(APOLOGY),) if can_hear and self._settings.prompt is None else ()
