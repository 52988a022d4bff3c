"""The service's side of a call: connecting, setting up the session, greeting, losing, returning.

The caller hears ringing until the session is set up, so that nobody is answered into
silence; if it cannot be reached or will not have the session, the call is refused with 503
or they hear a prompt.  If it is lost later it is tried again with growing pauses while the
caller is kept, and goes on where it was; only then is the call led out without it.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, Final

from ..config import table_at
from ..realtime.commands import SessionUpdate
from ..realtime.events import (
    ErrorDetail,
    ErrorEvent,
    ResponseDone,
    SessionCreated,
    SessionUpdated,
    TranscriptionSessionUpdated,
)
from .actions import Answer, Connect, Disconnect, Listen, OpenMenu, Request, Respond, Ring
from .comfort import Comfort
from .context import Context, Mode
from .events import CallStarted, Event, LegAnswered, LegHeld, LinkLost, LinkReady
from .outage import Due, Outage
from .renewal import Renewal
from .resume import Resume
from .settings import ControlSettings
from .speech import Speech
from .states import CallState
from .tool_offers import tool_definitions
from .turns import Turns

__all__ = ["Service", "objection", "session_for"]

_RATE: Final = 24_000  # Hz, of audio/pcm
_EXPIRED: Final = "session_expired"
_LATE: Final = "the service did not get ready in time"
_SPOKEN_OVER: Final = "turn_detected"  # a response the caller cut was heard
_WAITER: Final = "service"


def session_for(settings: ControlSettings, audio_format: str) -> dict[str, Any]:
    """Return the session to ask for: the configured one, with formats, tools and turn rules."""
    session: dict[str, Any] = copy.deepcopy(dict(settings.session))
    session.setdefault("type", "realtime")
    is_talk = session["type"] != "transcription"
    audio = session.setdefault("audio", {})
    wanted = {"type": audio_format} | ({"rate": _RATE} if audio_format == "audio/pcm" else {})
    for side in ("input", "output") if is_talk else ("input",):
        if audio_format:
            audio.setdefault(side, {})["format"] = dict(wanted)
    if not is_talk:
        return session
    if not settings.is_interrupted_by_service:
        told = audio.setdefault("input", {})
        turns = told.setdefault("turn_detection", {"type": "server_vad"})
        if turns is not None:  # else the service takes no turns by itself
            turns["interrupt_response"] = False
            if settings.barge_in.mode == "pause" and audio_format:
                turns["create_response"] = False
    own = session.get("tools", [])
    names = {tool.get("name") for tool in own}
    added = [tool for tool in tool_definitions(settings) if tool["name"] not in names]
    if own or added:
        session["tools"] = [*own, *added]
    return session


def objection(session: dict[str, Any], audio_format: str) -> str:
    """Say why a session as the service confirmed it is of no use, or return nothing."""
    for side in ("input", "output") if audio_format else ():
        said = table_at(session, "audio", side, "format")
        if said.get("type", audio_format) != audio_format:
            return f"the service uses {said['type']} for {side}, not {audio_format}"
        if audio_format == "audio/pcm" and said.get("rate", _RATE) != _RATE:
            return f"the service uses {said['rate']} Hz for {side}, not {_RATE}"
    return ""


class Service:
    """Brings the service and the caller together, and keeps them so while it can be done."""

    def __init__(
        self,
        context: Context,
        turns: Turns,
        speech: Speech,
        resume: Resume,
        comfort: Comfort,
        on_away: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        self.renewal = Renewal(context.settings.realtime.renew_seconds)
        self._context = context
        self._speech = speech
        self._turns = turns
        self._resume = resume
        self._comfort = comfort
        self._on_away = on_away
        self._on_lost = on_lost
        self._outage = Outage(context.settings.realtime)
        self._audio_format = ""
        self._update_id = ""  # of the session.update
        self._is_greeted = False

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        times = (self._outage.deadline, self._renew_at())
        return min((time for time in times if time is not None), default=None)

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in what happens to the link, the session or the leg; returns what follows."""
        match event:
            case CallStarted():
                return self._start(event)
            case LinkReady():
                self._configure(event)
            case SessionCreated():
                self.renewal.note(event.session)
            case SessionUpdated():
                self._confirm(event.session)
                return self.greet()
            case TranscriptionSessionUpdated():
                self._confirm({"type": "transcription"})
            case ResponseDone():
                if event.response.status == "completed" or event.response.reason == _SPOKEN_OVER:
                    self._outage.end()
            case LegAnswered():
                self._take_answer()
                return self.greet()
            case LegHeld():
                self._context.is_held_by_caller = event.is_held
            case LinkLost():
                self.break_off(event.reason, is_retryable=event.is_retryable)
            case ErrorEvent():
                self._take_error(event.error)
            case _:
                pass
        return ()

    def wake(self) -> Sequence[Request]:
        """Try again, give up, or renew, as is due."""
        match self._outage.due(self._context.now):
            case Due.GIVE_UP:
                self.lose(_LATE)
            case Due.TRY:
                self._connect()
            case Due.FAIL:
                self.break_off(_LATE)
        return ()

    def settle(self, *, is_quiet: bool) -> None:
        """Replace a session that ends soon, in a quiet moment if there is one.

        Args:
            is_quiet: Whether nothing is planned, being said or about to be.

        """
        now, renewal = self._context.now, self.renewal
        if not self._context.is_service_ready:
            return
        if self._turns.is_free or self._speech.is_voiced:
            self._comfort.end(_WAITER)  # what it was for has come, or nothing is to come
        if renewal.may_from is None:
            return
        is_late = renewal.must_at is not None and now >= renewal.must_at
        is_quiet = is_quiet and self._turns.is_resting and not self._context.is_caller_speaking
        if is_late or (is_quiet and now >= renewal.may_from):
            self._context.log("the session ends soon: going on in another")
            self.renew()

    def session(self) -> dict[str, Any]:
        """Return the session to ask for on the present link."""
        return session_for(self._context.settings, self._audio_format)

    def renew(self) -> None:
        """Go on in another session, without a break if all goes well."""
        self._resume.lay_down()
        self._connect()

    def break_off(self, reason: str, *, is_retryable: bool = True, was_mute: bool = False) -> None:
        """Take the present link as lost: try again while there is time, else do without.

        Args:
            reason: What is wrong with it, for the log.
            is_retryable: Whether another try may help.
            was_mute: Whether it is up, and of no use.

        """
        context = self._context
        if context.service in (Mode.AWAY, Mode.LOST):
            return
        if not is_retryable:
            self.lose(reason)
            return
        if context.is_service_ready:
            self._resume.lay_down()
        self._outage.begin(context.now, was_mute=was_mute)
        if not self._outage.try_again(context.now, is_leaving=context.state is CallState.LEAVING):
            self.lose(reason)
            return
        context.service = Mode.AWAY
        if was_mute:
            context.act(Disconnect(for_good=False))
        self.renewal.stop()
        self._comfort.begin(_WAITER)
        pause = (self._outage.retry_at or context.now) - context.now
        context.log(f"the service is away, trying again in {pause:.2f} s: {reason}")
        if context.away_since is None:
            context.away_since = context.now
            self._on_away()

    def lose(self, reason: str) -> None:
        """Give the service up, and have the caller led out as configured."""
        if self._context.service is Mode.LOST:
            return
        self._context.service = Mode.LOST
        self._outage.stop()
        self.renewal.stop()
        self._comfort.end_all()
        self._context.log(f"the service is lost: {reason}")
        self._context.act(Disconnect())
        self._on_lost()

    def let_go(self) -> None:
        """Go on without the service: the caller is with somebody else."""
        if self._context.service is Mode.LOST:
            return
        self._context.service = Mode.LOST
        self._outage.stop()
        self.renewal.stop()
        self._comfort.end_all()
        self._turns.reset()
        self._context.act(Disconnect())

    def _renew_at(self) -> float | None:
        """When the session must be looked at next: as it may be replaced, or as it must."""
        renewal = self.renewal
        if not self._context.is_service_ready or renewal.may_from is None:
            return None
        return renewal.may_from if self._context.now < renewal.may_from else renewal.must_at

    def _take_error(self, error: ErrorDetail) -> None:
        context = self._context
        told = error.message or error.code or "no reason given"
        is_update = context.service is Mode.CONFIGURING and error.event_id == self._update_id
        severity = context.classify(error)
        if context.is_of_old_link(error.event_id):
            context.log(f"an error of a session that is gone: {told}")
        elif error.code == _EXPIRED:
            self._outlive(told)
        elif is_update and severity != "retry":
            self.lose(f"it refuses the session: {told}")
        elif is_update:
            self.break_off(told)
        elif severity == "terminal":
            self.lose(told)
        else:
            context.log(f"service error {error.code}: {error.message}")

    def take_failure(self, error: ErrorDetail) -> None:
        """Take in that the service failed to answer, and was asked often enough."""
        told = error.message or error.code or "the response failed"
        if error.code == _EXPIRED:
            self._outlive(told)
        elif self._context.classify(error) == "terminal":
            self.lose(told)
        else:
            self.break_off(told, was_mute=True)

    def _outlive(self, told: str) -> None:
        """Go on in another session at once; one that is over as it begins counts as away."""
        if self._context.is_service_ready and self._outage.since is None:
            self._context.log(f"the session is over, going on in another: {told}")
            self._outage.begin(self._context.now)
            self.renew()
        else:
            self.break_off(told)

    def _start(self, event: CallStarted) -> Sequence[Request]:
        context = self._context
        context.is_outbound, context.is_hosted = event.is_outbound, event.is_hosted
        context.can_refer = event.can_refer
        self._outage.start(event.call_id, context.now)
        if event.is_hosted:
            return (Answer(),)  # before that there is nothing to connect to
        if not event.is_outbound:
            context.act(Ring())
        self._connect()
        return ()

    def _take_answer(self) -> None:
        context = self._context
        context.is_accepted = context.is_answered = True
        if context.state is not CallState.SETUP:
            return
        context.move(CallState.TALKING)
        if context.is_hosted and context.service is Mode.CONNECTING:
            self._outage.allow(context.now)
            self._connect()

    def _connect(self) -> None:
        context = self._context
        context.service = Mode.CONNECTING
        self._outage.attempt(context.now)
        self.renewal.stop()
        context.act(Connect())

    def _configure(self, event: LinkReady) -> None:
        context = self._context
        if context.service is Mode.LOST:
            return
        if context.is_service_ready:  # another link took this one's place unasked
            self._resume.lay_down()
        context.service = Mode.CONFIGURING
        context.transport = event.transport
        context.begin_link()
        self._outage.open(context.now)
        is_renewable = event.transport != "sip"  # there the session is the call
        self.renewal.open(context.now, event.unix_time, is_possible=is_renewable)
        self._audio_format = event.audio_format
        self._update_id = context.send(SessionUpdate(session=self.session()))

    def _confirm(self, session: dict[str, Any]) -> None:
        context = self._context
        if not context.is_linked:
            return
        self.renewal.note(session)
        if session.get("type") == "transcription":
            self._is_greeted = True  # nobody is there to greet
        if reason := objection(session, self._audio_format):
            self.lose(reason)
        elif context.service is Mode.CONFIGURING:
            self._take_up()

    def _take_up(self) -> None:
        """Begin, or go on, with a session set up as asked for."""
        context = self._context
        context.service, context.away_since = Mode.READY, None
        is_new = not self._outage.was_up
        self._outage.come_up(context.now)
        if not is_new:
            self._resume.tell()
        context.act(Listen())
        context.answer()
        self._resume.go_on()

    def greet(self) -> Sequence[Request]:
        """Return the greeting once caller and service are there, and tools waited for; once."""
        context, call = self._context, self._context.settings.call
        is_early = not context.is_answered or not context.is_service_ready
        if self._is_greeted or is_early or context.is_awaiting_tools:
            return ()
        self._is_greeted = True
        if call.menu and not context.place:
            return (OpenMenu(call.menu),)
        return (Respond(call.greeting or None),) if call.greet and not context.place else ()
