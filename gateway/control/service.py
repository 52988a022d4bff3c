"""The service's side of a call: connecting, setting up the session, greeting, losing it.

The caller hears ringing until the session is set up, so that nobody is answered into
silence; if it cannot be reached or will not have the session, the call is refused with 503
or they hear a prompt; if it is lost later, a prompt.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

from ..realtime.commands import SessionUpdate
from ..realtime.events import ErrorDetail, ErrorEvent, SessionUpdated
from .actions import Answer, Connect, HangUp, Listen, Play, Reject, Request, Respond, Ring, Transfer
from .context import Context, Mode
from .events import CallStarted, Event, LegAnswered, LegHeld, LinkLost, LinkReady
from .settings import ControlSettings
from .states import CallState
from .tools import tool_definitions

__all__ = ["Service", "objection", "session_for"]


def session_for(settings: ControlSettings, audio_format: str) -> dict[str, Any]:
    """Return the session to ask for: the configured one, with formats, tools and turn rules."""
    session: dict[str, Any] = copy.deepcopy(dict(settings.session))
    session.setdefault("type", "realtime")
    audio = session.setdefault("audio", {})
    wanted = {"type": audio_format} | ({"rate": 24000} if audio_format == "audio/pcm" else {})
    for side in ("input", "output") if audio_format else ():
        audio.setdefault(side, {})["format"] = dict(wanted)
    if not settings.call.barge_in:
        turns = audio["input"].setdefault("turn_detection", {"type": "server_vad"})
        turns["interrupt_response"] = False
    own = session.get("tools", [])
    names = {tool.get("name") for tool in own}
    added = [tool for tool in tool_definitions(settings) if tool["name"] not in names]
    if own or added:
        session["tools"] = [*own, *added]
    return session


def objection(session: dict[str, Any], audio_format: str) -> str:
    """Say why a session as the service confirmed it is of no use, or return nothing."""
    for side in ("input", "output"):
        said = _format_of(session, side)
        if audio_format and said not in ("", audio_format):
            return f"the service uses {said} for {side}, not {audio_format}"
    return ""


class Service:
    """Brings the service and the caller together, and parts them when the service fails."""

    def __init__(self, context: Context, on_lost: Callable[[Sequence[Request]], None]) -> None:
        self.deadline: float | None = None
        self._context = context
        self._on_lost = on_lost
        self._audio_format = ""
        self._update_id = ""  # of the session.update
        self._is_greeted = False
        self._is_hosted = False

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in what happens to the link, the session or the leg; returns what follows."""
        match event:
            case CallStarted():
                return self._start(event)
            case LinkReady():
                self._configure(event)
            case SessionUpdated():
                self._confirm(event)
                return self._greet()
            case LegAnswered():
                self._context.is_accepted = self._context.is_answered = True
                if self._context.state is CallState.SETUP:
                    self._context.move(CallState.TALKING)
                    if self._is_hosted:
                        self._context.act(Connect())
                return self._greet()
            case LegHeld():
                self._context.is_held = event.is_held
            case LinkLost():
                self.lose(event.reason)
            case ErrorEvent():
                self._take_error(event.error)
            case _:
                pass
        return ()

    def wake(self) -> Sequence[Request]:
        """Give up a service that does not get ready in time."""
        if self.deadline is not None and self._context.now >= self.deadline:
            self.lose("the service did not get ready in time")
        return ()

    def lose(self, reason: str) -> None:
        """Go on without the service, and have the caller let go as configured."""
        if self._context.service is Mode.LOST:
            return
        self._context.service = Mode.LOST
        self.deadline = None
        self._context.log(f"the service is lost: {reason}")
        self._on_lost(self._way_out())

    def _take_error(self, error: ErrorDetail) -> None:
        told = error.message or error.code or "no reason given"
        if self._context.service is Mode.CONFIGURING and error.event_id == self._update_id:
            self.lose(f"it refuses the session: {told}")
        elif self._context.classify(error) == "terminal":
            self.lose(told)
        else:
            self._context.log(f"service error {error.code}: {error.message}")

    def _way_out(self) -> Sequence[Request]:
        context, fallback = self._context, self._context.settings.fallback
        last: tuple[Request, ...] = (HangUp("service lost"),)
        if fallback.transfer:
            last = (Transfer(fallback.transfer),)
        if fallback.prompt:
            return (Answer(), Play(fallback.prompt), *last)
        if not context.is_accepted and not context.is_outbound:
            return (Reject(503, "Service Unavailable"),)
        return last if fallback.transfer else (*context.apology(), *last)

    def _start(self, event: CallStarted) -> Sequence[Request]:
        context = self._context
        context.is_outbound = event.is_outbound
        self._is_hosted = event.is_hosted
        self.deadline = context.now + context.settings.realtime.connect_seconds
        if event.is_hosted:
            return (Answer(),)  # before that there is nothing to connect to
        if not event.is_outbound:
            context.act(Ring())
        context.act(Connect())
        return ()

    def _configure(self, event: LinkReady) -> None:
        if self._context.service is Mode.LOST:
            return
        self._context.service = Mode.CONFIGURING
        self._context.transport = event.transport
        self._audio_format = event.audio_format
        session = session_for(self._context.settings, event.audio_format)
        self._update_id = self._context.send(SessionUpdate(session=session))

    def _confirm(self, event: SessionUpdated) -> None:
        if self._context.service is Mode.LOST:
            return
        if reason := objection(event.session, self._audio_format):
            self.lose(reason)
            return
        self.deadline = None
        self._context.service = Mode.READY
        self._context.act(Listen())
        self._context.answer()

    def _greet(self) -> Sequence[Request]:
        context, call = self._context, self._context.settings.call
        if self._is_greeted or not context.is_answered or not context.is_service_ready:
            return ()
        self._is_greeted = True
        return (Respond(call.greeting or None),) if call.greet else ()


def _format_of(session: dict[str, Any], side: str) -> str:
    """Return the audio format a session says it uses, empty where it says none."""
    node: Any = session
    for name in ("audio", side, "format", "type"):
        node = node.get(name) if isinstance(node, dict) else None
    return node if isinstance(node, str) else ""
