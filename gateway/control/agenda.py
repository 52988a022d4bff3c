"""What the call still means to do, in order, each thing when its time has come.

Speech waits until the service would take it; a prompt, keys, a transfer and a hang-up wait
until everything said before was heard.  That is how a goodbye is never cut: the hang-up
stands behind it.  No wait is endless: after ``goodbye_seconds`` the next thing is done.
What the service is to be told while it is away waits for it apart, and holds nothing up.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ..config import KEYS
from ..realtime.commands import system_text, user_text
from .actions import (
    Action,
    Answer,
    Collect,
    HangUp,
    Hold,
    OpenMenu,
    Play,
    Redirect,
    Reject,
    Request,
    Respond,
    Resume,
    Ring,
    Say,
    SendDtmf,
    SendText,
    Stop,
    Transfer,
    Whisper,
)
from .context import Context, Mode
from .places import not_said, words_of
from .rendering import rendered
from .speech import Speech
from .states import CallState
from .turns import Turns

__all__ = ["Agenda", "Doer"]

Doer: TypeAlias = Callable[[Any], Sequence[Request]]
"""Carries one kind of request out; returns what follows from it."""

_AFTER_SPEECH = (Play, SendDtmf, Transfer, HangUp)
_SPOKEN = (Say, Respond)
_FOR_CALLER = (*_SPOKEN, Play, SendDtmf)
_MOST_PLANNED = 256
_GRACE_SECONDS = 1.0  # in which a service that was lost may be back to speak
_CALL_REJECTED = 21  # Q.850


class Agenda:
    """The requests not yet carried out."""

    def __init__(
        self, context: Context, speech: Speech, turns: Turns, doers: Mapping[type, Doer]
    ) -> None:
        self._context = context
        self._speech = speech
        self._turns = turns
        self._doers = doers
        self._todo: deque[Request] = deque()
        self._untold: deque[SendText | Whisper] = deque()  # the service is away
        self._waits_until: float | None = None
        self._grace_until: float | None = None  # for a service that is away

    @property
    def deadline(self) -> float | None:
        """When the next thing is done whether or not speech was heard; ``None`` for never."""
        return self._waits_until if self._grace_until is None else self._grace_until

    @property
    def is_idle(self) -> bool:
        """Whether nothing is planned, and nothing said or about to be that ends by itself."""
        return not self._todo and self._turns.is_free and self._speech.is_over

    @property
    def is_owed_speech(self) -> bool:
        """Whether the service is yet to say something."""
        return bool(self._todo) or not self._turns.is_free

    @property
    def leads_on(self) -> bool:
        """Whether anything but speech is planned."""
        return any(not isinstance(request, _SPOKEN) for request in self._todo)

    def replace(self, requests: Sequence[Request]) -> None:
        """Do these now: what is being said is cut for new speech, what was planned is off."""
        self._todo.clear()
        self._turns.withdraw()
        self._waits_until = self._grace_until = None
        if any(isinstance(request, (*_SPOKEN, Play)) for request in requests):
            self._turns.interrupt()
        if self._context.state is CallState.LEAVING and self._context.is_answered:
            self._context.move(CallState.TALKING)
        self.add(requests)

    def take_back(self, words: Say | None) -> None:
        """Plan again what a service took with it, where a prompt serves as well."""
        if words is not None and self._can_play(words):
            self._turns.withdraw()
            self._todo.appendleft(words)

    def do_now(self, requests: Sequence[Request]) -> None:
        """Do these at once, whatever is planned: for requests that wait for nothing else."""
        for request in requests:
            self._carry_out(request)

    def add(self, requests: Sequence[Request]) -> None:
        """Do these after everything already planned."""
        for request in requests:
            is_answered = bool(self._todo) and self._todo[-1] == Respond()
            if request == Respond() and is_answered:
                continue  # one answer serves both
            if len(self._todo) >= _MOST_PLANNED and not isinstance(request, HangUp):
                self._context.log("too much is planned already, one more step is left out")
                continue
            is_told_first = isinstance(request, SendText) and is_answered
            self._todo.insert(len(self._todo) - is_told_first, request)
            if isinstance(request, HangUp):
                self._context.move(CallState.LEAVING)

    def run(self) -> None:
        """Carry out whatever can be carried out now."""
        self._catch_up()
        while self._todo:
            self._turns.is_reserved = True
            if self._must_wait(self._todo[0]) and self._is_in_time(self._todo[0]):
                return
            self._waits_until = self._grace_until = None
            self._carry_out(self._todo.popleft())
        is_leaving = self._context.state in (CallState.TRANSFERRING, CallState.LEAVING)
        context = self._context
        self._turns.is_reserved = is_leaving or context.is_deaf or context.is_taken_over

    def _must_wait(self, request: Request) -> bool:
        context = self._context
        if isinstance(request, _SPOKEN) and (context.service is Mode.LOST or context.is_taken_over):
            return False
        if isinstance(request, _FOR_CALLER) and not context.is_answered:
            return True
        if isinstance(request, _SPOKEN):
            if request == Respond() and self._turns.will_answer:
                return False
            return not (context.is_service_ready and self._turns.is_free)
        if isinstance(request, _AFTER_SPEECH):
            return not (self._turns.is_free and self._speech.is_over)
        return False

    def _is_in_time(self, request: Request) -> bool:
        """Tell whether a request may wait on; one that waited for too long is due."""
        context = self._context
        is_early = isinstance(request, _FOR_CALLER) and context.state is CallState.SETUP
        if is_early or (context.is_service_coming and isinstance(request, _SPOKEN)):
            self._waits_until = None  # it comes or is given up, in a time of its own
            self._grace_until = None if is_early else self._grace_ends_at(request)
            return self._grace_until is None or context.now < self._grace_until
        self._grace_until = None
        if self._waits_until is None:
            self._waits_until = context.now + context.settings.call.goodbye_seconds
        if context.now < self._waits_until:
            return True
        self._give_up_waiting()
        return False

    def _grace_ends_at(self, request: Request) -> float | None:
        """When speech is no longer kept for a service that is away.

        ``None`` for as long as it is tried: where nothing else can be heard, and no menu waits.
        """
        context = self._context
        if context.away_since is None or self._is_awaited(request):
            return None
        return context.away_since + _GRACE_SECONDS

    def _is_awaited(self, request: Request) -> bool:
        """Tell whether speech is worth a longer wait than that."""
        if isinstance(request, Say) and request.is_awaited:
            return True
        if isinstance(request, Say) and self._can_play(request):
            return False
        is_by_keys = any(isinstance(one, OpenMenu | Collect) for one in self._todo)
        return not (self._context.place or is_by_keys)

    def _can_play(self, request: Say) -> bool:
        """Tell whether a prompt can be heard in place of words."""
        context = self._context
        return bool(request.prompt) and context.is_answered and not context.is_hosted

    def _give_up_waiting(self) -> None:
        self._context.log("waited long enough for speech to be heard")
        self._turns.reset()
        self._speech.clear()

    def _carry_out(self, request: Request) -> None:
        context = self._context
        match request := rendered(request, context.variables):
            case Say() | Respond() if context.is_taken_over:
                context.log(f"not said, a supervisor has the call{words_of(request)}")
            case Respond() if request == Respond() and self._turns.will_answer:
                pass  # one answer serves both
            case Say() | Respond() if context.is_service_ready:
                self._turns.ask(request)
            case Say(prompt=prompt) if self._can_play(request):
                self._todo.appendleft(Play(prompt))  # once what is said before was heard
            case Say() | Respond():
                context.log(not_said(request))
            case SendText() | Whisper():
                self._tell(request)
            case Stop():
                self._turns.interrupt()
            case _ if (do := self._doers.get(type(request))) is not None:
                self.add(do(request))
            case _:
                self._perform(request)  # type: ignore[arg-type]

    def _tell(self, request: SendText | Whisper) -> None:
        """Tell the service something, at once or when it is there again."""
        context = self._context
        if context.is_service_ready and isinstance(request, Whisper):
            context.send(system_text(request.text))
        elif context.is_service_ready and isinstance(request, SendText):
            event_id = context.send(user_text(request.text))
            if request.is_keys:
                context.key_commands.add(event_id)
        elif context.is_service_coming and len(self._untold) < _MOST_PLANNED:
            self._untold.append(request)
        else:
            context.log("the service is not told something, it is away")

    def _catch_up(self) -> None:
        """Tell a service that is back what it missed, in order; one that is lost misses it."""
        if self._context.service is Mode.LOST:
            self._untold.clear()
        while self._untold and self._context.is_service_ready:
            self._tell(self._untold.popleft())

    def _perform(self, action: Action) -> None:
        context = self._context
        is_accepted = context.is_accepted
        match action:
            case Answer():
                context.answer()
            case Ring() if is_accepted or context.is_outbound:
                pass
            case Reject() if is_accepted or context.is_outbound:
                context.act(HangUp("rejected", _CALL_REJECTED))
            case Redirect() if is_accepted or context.is_outbound:
                self.add((Transfer(action.target),))
            case Redirect() if (target := context.settings.targets.get(action.target)) is not None:
                context.act(Redirect(target.uri))
            case Redirect():
                context.log(f"not redirected: {action.target!r} is no target")
            case Hold() | Resume():
                self._hold(action)
            case SendDtmf() if not action.digits or not set(action.digits) <= set(KEYS):
                context.log(f"no keys to press: {action.digits!r}")
            case Play():
                self._speech.play(action.prompt, is_repeated=action.is_repeated)
                context.act(action)
            case _:
                context.act(action)

    def _hold(self, action: Hold | Resume) -> None:
        """Put the caller on hold or take them back, where that changes anything."""
        context, is_held = self._context, isinstance(action, Hold)
        if not context.is_answered:
            context.log("nobody is on hold before the answer")
        elif is_held is not context.is_held_by_us:
            context.is_held_by_us = is_held
            context.act(action)
