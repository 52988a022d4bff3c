"""What the parts of a controller share: the call's state, the moment, and the way out."""

import enum
from collections import deque
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import msgspec

from ..realtime.commands import ClientEvent
from ..realtime.events import ErrorDetail
from .actions import Action, Answer, HangUp, Log, Redirect, Reject, SendCommand
from .events import Event, Transport
from .settings import ControlSettings
from .states import TRANSITIONS, CallState
from .timeline import Decision, Timeline, TimelineEntry
from .variables import Variables

__all__ = ["Classify", "Context", "Mode"]

# What an error of the service means for the call.
Classify: TypeAlias = Callable[[ErrorDetail], Literal["benign", "retry", "terminal"]]


class Mode(enum.Enum):
    """How far the service's side has come."""

    CONNECTING = enum.auto()
    CONFIGURING = enum.auto()  # connected; the session.update is not yet confirmed
    READY = enum.auto()
    AWAY = enum.auto()  # lost for the time being; it is tried again
    LOST = enum.auto()  # given up


_LAST: Final = (HangUp, Redirect, Reject)
_OURS: Final = "gateway"  # how the identifiers of our commands begin


class Context:
    """The facts of one call that more than one part needs, and the actions being gathered."""

    def __init__(self, settings: ControlSettings, classify: Classify) -> None:
        self.settings = settings
        self.classify = classify
        self.now = 0.0
        self.state = CallState.SETUP
        self.service = Mode.CONNECTING
        self.away_since: float | None = None  # it was lost, and is not there again
        self.transport: Transport = "websocket"
        self.is_outbound = False
        self.is_hosted = False  # the service itself holds the caller's side
        self.can_refer = True  # the caller's side can be asked to call somebody else
        self.is_accepted = False  # we said yes; speech flows once ``is_answered``
        self.is_answered = False
        self.is_held_by_caller = self.is_held_by_us = False
        self.is_caller_speaking = False
        self.is_awaiting_tools = False  # the greeting waits for them
        self.is_concealed = False  # the caller's digits are for nobody's eyes
        self.is_deaf = False  # the service does not hear the caller, and is not to speak for them
        self.is_joined = False  # caller and callee hear each other through us
        self.is_taken_over = False  # a supervisor has the agent's place
        self.is_patched_away = False  # the caller talks to somebody else than the agent
        self.asked_by = ""  # the name of whoever asks, while their requests are taken in
        self.place = ""  # the menu or collection that is open
        self.awaited_places: set[str] = set()  # collections whose number the model waits for
        self.tool_cost = 0.0  # of custom functions, by their configuration
        self.key_commands: set[str] = set()  # which tell the service of keys, by ``event_id``
        self.call_id = ""
        self.trunk = self.caller = self.called = ""
        self.started_at = 0.0  # by ``now``
        self.unix_time = 0.0  # at that moment
        self.variables = Variables(settings.call.variables)
        self.timeline = Timeline()
        self.entry: TimelineEntry | None = None  # of the event being handled
        self.verdicts: deque[bool] = deque()  # of a call played again: on numbers not shown
        self.derived: deque[Event] = deque()
        self._actions: list[Action] = []
        self._commands = 0
        self._commands_before = 0  # the present link

    @property
    def wall_clock(self) -> float:
        """The present moment, unix seconds."""
        return self.unix_time + self.now - self.started_at

    @property
    def is_held(self) -> bool:
        """Whether one of the two sides has put the other on hold."""
        return self.is_held_by_caller or self.is_held_by_us

    @property
    def owns_playout(self) -> bool:
        """Whether the gateway plays the service's speech and knows what was heard of it."""
        return self.transport == "websocket"

    @property
    def may_take_back(self) -> bool:
        """Whether an interruption only pauses playout until it is known to be meant."""
        return self.owns_playout and self.settings.barge_in.mode == "pause"

    @property
    def is_service_ready(self) -> bool:
        """Whether commands reach a session set up as configured."""
        return self.service is Mode.READY

    @property
    def is_service_coming(self) -> bool:
        """Whether there is no session now, and there may be one soon."""
        return self.service not in (Mode.READY, Mode.LOST)

    @property
    def is_service_away(self) -> bool:
        """Whether the service was lost and is not there again, or was given up."""
        return self.service is Mode.LOST or self.away_since is not None

    @property
    def is_linked(self) -> bool:
        """Whether there is a link that the service can be heard over."""
        return self.service in (Mode.CONFIGURING, Mode.READY)

    def begin_link(self) -> None:
        """What is sent from now on goes over another link."""
        self._commands_before = self._commands

    def is_of_old_link(self, event_id: str | None) -> bool:
        """Tell whether a command of ours went over a link that is gone."""
        prefix, _, number = (event_id or "").partition("-")
        is_ours = prefix == _OURS and number.isdecimal()
        return is_ours and int(number) <= self._commands_before

    def move(self, state: CallState) -> bool:
        """Go to ``state`` where the table allows it; tell whether the call is there."""
        if state in TRANSITIONS[self.state]:
            self.state = state
        return self.state is state

    def act(self, action: Action) -> None:
        """Have the call do something; after what ends the call nothing more is done."""
        if self.state is CallState.ENDED:
            return
        self._actions.append(action)
        self.timeline.add_action(self.now, action)
        if isinstance(action, _LAST):
            self.move(CallState.ENDED)

    def answer(self) -> None:
        """Accept the call, once, where it was not us who called."""
        if not self.is_accepted and not self.is_outbound:
            self.is_accepted = True
            self.act(Answer())

    def send(self, command: ClientEvent) -> str:
        """Send a command under an identifier of ours, and return that; an error will carry it."""
        self._commands += 1
        event_id = f"{_OURS}-{self._commands}"
        self.act(SendCommand(msgspec.structs.replace(command, event_id=event_id)))
        return event_id

    def decide(self, about: str, outcome: str) -> None:
        """Note a decision on the timeline."""
        self.timeline.add_decision(self.now, Decision(about, outcome))

    def log(self, text: str) -> None:
        """Have a line written to the call's log."""
        self.act(Log(text))

    def derive(self, event: Event) -> None:
        """Have an event that follows from the present one handled right after it."""
        self.derived.append(event)

    def drain(self) -> list[Action]:
        """Return the actions gathered since the last call."""
        actions, self._actions = self._actions, []
        return actions
