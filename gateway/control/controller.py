"""The brain of a call: events in, actions out, nothing else.

No socket, clock, task or chance inside: the same events at the same times give the same
actions, so a whole call can be played in virtual time and replayed from its timeline.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ..realtime.events import ErrorDetail, InputAudioBufferDtmfEventReceived
from .absence import Absence
from .actions import (
    Action,
    Collect,
    HangUp,
    Mute,
    OpenMenu,
    PostWebhook,
    Request,
    Respond,
    SendDtmf,
    SendText,
    SetVariables,
    Supervise,
    Transfer,
    UpdateSession,
)
from .agenda import Agenda, Doer
from .answering import Answering
from .barge_in import BargeIn
from .caller_side import CallerSide
from .collecting import COLLECT, RIGHT
from .comfort import Comfort
from .concealment import Concealment
from .conditions import Moment
from .context import Classify, Context, Mode
from .digits import Digits
from .errands import Errands
from .event_table import EVENT_TABLE, OWN_TABLE, Part
from .events import Event, MediaTimeout, name_of
from .fallback import Fallback
from .flow_plans import settings_first, takes_floor
from .idle import Idle
from .limits import Limits
from .mcp import Mcp
from .menus import Menus
from .muting import Muting
from .part import ControlPart, TimedPart
from .profiles import Profiles
from .resume import Resume
from .rules import matching_rules
from .service import Service
from .settings import TIMEOUT_EVENT, ControlSettings
from .speech import Speech
from .states import CallState
from .strangers import Strangers
from .supervision import Supervision
from .timeline import Decision, Timeline
from .timers import Timers
from .tools import Tools
from .transcript import Transcript
from .transfer import TransferDesk
from .turns import Turns
from .usage import Usage
from .variables import Variables
from .watchdog import Watchdog

__all__ = ["Controller"]

_PAUSE: Final = "pause"  # who keeps the caller waiting while the service is left alone
_MOST_DERIVED: Final = 64  # events that follow from one
_MOST_ROUNDS: Final = 50  # of what comes by itself


class Controller:
    """Decides what one call does about everything that happens to it.

    Attributes:
        transcript: What was said, and what of it was heard.
        usage: What the call used of the service.

    """

    def __init__(self, settings: ControlSettings, classify: Classify) -> None:
        self._context = context = Context(settings, classify)
        self._counts: Counter[str] = Counter()
        self._derived_left = 0  # of the events that may follow from the present one
        self._strangers = Strangers(context)
        self.transcript = Transcript(context)
        self.usage = Usage(context)
        self._speech = Speech()
        self._transfer = TransferDesk(
            context, lambda: self._service.let_go(), lambda: self._turns.interrupt()
        )
        self._turns = Turns(context, self._speech, self._take_failure)
        self._comfort = Comfort(context, self._speech)
        self._fallback = Fallback(context, self._speech)
        self._service = Service(
            context,
            self._turns,
            self._speech,
            Resume(context, self._turns, self.transcript),
            self._comfort,
            lambda: self._absence.begin(),
            lambda: self._absence.stay(),
        )
        muting = Muting(context)
        self._digits = Digits(context)
        self._concealment = Concealment(context)
        self._menus = Menus(
            context, self._speech, muting, self._concealment, self._digits.conceal_latest
        )
        errands = Errands(context)
        profiles = Profiles(context, self._transfer, self._service)
        doers: Mapping[type, Doer] = {
            Transfer: lambda wish: (*self._supervision.send_on(), *profiles.transfer(wish)),
            Supervise: lambda wish: self._supervision.supervise(wish),
            UpdateSession: profiles.update_session,
            OpenMenu: self._menus.open,
            Collect: self._menus.open,
            SetVariables: profiles.set_variables,
            Mute: muting.ask,
            PostWebhook: errands.post,
        }
        self._agenda = Agenda(context, self._speech, self._turns, doers)
        self._absence = Absence(
            context, self._turns, self._agenda, self._menus, self._transfer, self._fallback
        )
        self._supervision = Supervision(context, self._rest, self._absence.lead_out)
        self._idle = Idle(context, self._speech)
        self._barge_in = BargeIn(context, self._turns, self._speech)
        self._tools = Tools(context, self._speech, self._transfer, errands, self._comfort)
        # Every part, by the name that the tables of events know it by.
        self._parts: Final[Mapping[Part, ControlPart]] = {
            "limits": Limits(context, self.usage, self._service, self._say_goodbye),
            "turns": self._turns,
            "transfer": self._transfer,
            "service": self._service,
            "barge_in": self._barge_in,
            "digits": self._digits,
            "idle": self._idle,
            "tools": self._tools,
            "call": CallerSide(context, self._speech),
            "transcript": self.transcript,
            "usage": self.usage,
            "mcp": Mcp(context, self._turns, self._comfort, self._service.greet),
            "comfort": self._comfort,
            "menus": self._menus,
            "errands": errands,
            "answering": Answering(context),
            "profiles": profiles,
            "timers": Timers(context),
            "supervision": self._supervision,
            "watchdog": Watchdog(context, self._turns, self._take_silence),
        }
        waiting = [part for part in self._parts.values() if isinstance(part, TimedPart)]
        self._timed: Final[Sequence[TimedPart]] = (*waiting, self._fallback, self._concealment)

    @property
    def state(self) -> CallState:
        """Where the call stands."""
        return self._context.state

    @property
    def place(self) -> str:
        """The menu or collection that is open; empty for none."""
        return self._context.place

    @property
    def variables(self) -> Variables:
        """The call's variables."""
        return self._context.variables

    @property
    def timeline(self) -> Timeline:
        """Everything that happened and was done, with times."""
        return self._context.timeline

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        if self.state is CallState.ENDED:
            return None
        earliest = self._agenda.deadline
        for part in self._timed:
            time = part.deadline
            if time is not None and (earliest is None or time < earliest):
                earliest = time
        return earliest

    def is_dropped(self, response_id: str) -> bool:
        """Tell whether audio of this response must no longer be played."""
        return not self._context.is_linked or self._turns.is_dropped(response_id)

    def expect(self, decisions: Iterable[Decision]) -> None:
        """Have numbers that are not shown be judged as they were: the call is played again."""
        verdicts = (one.outcome for one in decisions if one.about.startswith(COLLECT))
        self._context.verdicts.extend(outcome == RIGHT for outcome in verdicts)

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take in an event; returns what the call is to do, in order."""
        self._context.now = now
        self._menus.look()
        self._context.entry = self.timeline.add_event(now, self._digits.shown(event))
        self._take(event)
        return self._settle()

    def request(self, requests: Sequence[Request], now: float, by: str = "") -> list[Action]:
        """Take in what somebody outside asks for at once; it is checked like everything else."""
        self._context.now, self._context.asked_by = now, by
        self.timeline.add_requests(now, requests, by)
        if self.state is not CallState.ENDED:
            self._obey(requests)
        return self._settle()

    def objection(self, request: Request, by: str) -> str:
        """Say why somebody outside cannot have this now, or return nothing."""
        if self.state is CallState.ENDED:
            return "the call is over"
        return self._supervision.objection(request, by) if isinstance(request, Supervise) else ""

    def wake(self, now: float) -> list[Action]:
        """Run whatever timers are due at ``now``."""
        self._context.now = now
        self.timeline.add_timer(now)
        for part in self._timed:
            self._agenda.add(part.wake())
        return self._settle()

    def _settle(self) -> list[Action]:
        """Carry out what can be, and whatever follows from it."""
        context = self._context
        self._derived_left = _MOST_DERIVED
        self._run()
        for _ in range(_MOST_ROUNDS):
            if not (requests := self._next()):
                break
            self._agenda.replace(requests)
            self._run()
        self._service.settle(is_quiet=self._agenda.is_idle)
        self._idle.settle(is_quiet=self._agenda.is_idle)
        if self._turns.is_pausing:
            self._comfort.begin(_PAUSE)
        else:
            self._comfort.end(_PAUSE)
        self._comfort.is_barred = self._menus.awaits_key
        self._comfort.settle()
        actions = context.drain()
        self.transcript.note(actions)
        return actions

    def _run(self) -> None:
        """Carry out what is planned, and take the events that follow from it."""
        context = self._context
        self._agenda.run()
        while context.derived and self._derived_left:
            self._derived_left -= 1
            event = context.derived.popleft()
            shown = self._digits.shown(event)
            context.entry = self.timeline.add_event(context.now, shown, "derived")
            self._take(event)
            self._agenda.run()
        if context.derived:
            context.log("events follow from each other without end; the rest is dropped")
            context.derived.clear()

    def _next(self) -> Sequence[Request]:
        """Return what comes by itself where nothing is planned any more."""
        is_idle = self._agenda.is_idle
        if requests := self._transfer.settle(is_quiet=is_idle):
            return requests
        if requests := self._menus.settle(is_quiet=is_idle):
            return requests
        if is_idle and (requests := self._tools.settle(self._menus.names)):
            return requests
        is_alone = is_idle and not self._menus.is_open and not self._context.is_taken_over
        return self._fallback.go_on() if is_alone else ()

    def _take(self, event: Event) -> None:
        """Have the event's parts handle it, then a rule or the default."""
        if self.state is CallState.ENDED or self._is_stale(event):
            return
        if isinstance(event, InputAudioBufferDtmfEventReceived) and not self._digits.admits(event):
            return
        name = name_of(event)
        handling = EVENT_TABLE.get(name) or OWN_TABLE.get(name)
        if handling is None:
            self._strangers.note(name)
            return
        for name_of_part in handling.parts:
            if (part := self._parts.get(name_of_part)) is not None:
                self._agenda.add(part.handle(event))
        self._decide(name, event)

    def _is_stale(self, event: Event) -> bool:
        """Tell whether the service says this over a link that counts for nothing any more."""
        if self._context.is_linked or isinstance(event, InputAudioBufferDtmfEventReceived):
            return False
        return getattr(event, "origin", "") == "service"

    def _decide(self, name: str, event: Event) -> None:
        """Do what the first fitting rule says, or what is usual."""
        self._counts[name] += 1
        if name == TIMEOUT_EVENT and self._idle.is_suspended:
            return
        count = self._idle.count if name == TIMEOUT_EVENT else self._counts[name]
        digit = event.event if isinstance(event, InputAudioBufferDtmfEventReceived) else ""
        if digit and self._concealment.takes(digit, is_live=self._menus.is_live):
            return  # the number it is of is not being taken; it is nobody else's
        if digit and self._context.is_taken_over:
            return  # there is nobody whom keys are for
        if digit and self._context.is_patched_away:
            self._context.act(SendDtmf(digit, "callee"))  # it is for the one they talk to
            return
        if digit and self._menus.knows(digit):
            self._press(digit)
            return
        if digit and (way_out := self._fallback.take_key(digit)) is not None:
            self._agenda.replace(way_out)
            return
        if self._follow_rules(Moment(name, event, digit, count, self.state, self._context)):
            return
        if digit and self._menus.is_live:
            self._press(digit)
        elif isinstance(event, InputAudioBufferDtmfEventReceived):
            self._tell_key(event)
        elif name == TIMEOUT_EVENT:
            self._obey(self._idle.climb())
        elif isinstance(event, MediaTimeout) and (self._is_sound_due or event.is_held):
            self._context.act(HangUp("no media"))

    def _follow_rules(self, moment: Moment) -> bool:
        """Do what the rules say that fit; tell whether there is one."""
        is_taken = False
        for rule in matching_rules(self._context.settings.rules, moment):
            is_taken = True
            self._context.decide("rule", rule.name)
            if moment.digit and takes_floor(rule.plan) and self._is_cut_by_keys:
                self._turns.interrupt()
            self._obey(rule.plan)
        return is_taken

    @property
    def _is_sound_due(self) -> bool:
        """Whether the caller's side should be sending something."""
        return self._context.is_answered and not self._context.is_held

    def _press(self, key: str) -> None:
        """Have the open menu take a key: what it leads to is done in place of what was planned."""
        if requests := self._menus.take_key(key):
            self._agenda.replace(requests)

    def _obey(self, requests: Sequence[Request]) -> None:
        """Carry requests out: in place of what was planned where they change the call's course.

        Variables that they set first are set at once, for the rules that are looked at next.
        """
        if takes_floor(requests):
            first, rest = settings_first(requests)
            self._agenda.do_now(first)
            self._agenda.replace(rest)
        else:
            self._agenda.do_now(requests)

    @property
    def _is_cut_by_keys(self) -> bool:
        """Whether a key cuts what is being said now."""
        return "key" in self._context.settings.barge_in.by and not self._barge_in.is_protected

    def _tell_key(self, event: InputAudioBufferDtmfEventReceived) -> None:
        """Tell the model a key that nobody else takes; one that is away is told later."""
        if self.state is not CallState.TALKING or self._context.service is Mode.LOST:
            where = self.state.value if self.state is not CallState.TALKING else "without service"
            self._context.log(f"key {event.event} ignored, the call is {where}")
            return
        if self._is_cut_by_keys:
            if self._context.is_service_ready:
                self._turns.withdraw()
            self._turns.interrupt()
        self._agenda.do_now((SendText(f"[DTMF {event.event}]", is_keys=True),))
        self._agenda.add((Respond(),))

    def _rest(self) -> None:
        """Have the agent be silent, and the menus with it: somebody has the call in its place."""
        self._turns.withdraw()
        self._turns.interrupt()
        self._menus.rest()

    def _say_goodbye(self, cause: str) -> None:
        self._agenda.replace((self._context.settings.goodbye, HangUp(cause)))

    def _take_failure(self, error: ErrorDetail) -> None:
        self._service.take_failure(error)

    def _take_silence(self, reason: str) -> None:
        self._service.break_off(reason, was_mute=True)
