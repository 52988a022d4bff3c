"""Sending the caller to somebody else, and taking them back when nobody is there.

Blind: the caller's side is asked to call the target (REFER).  Attended: we call it first, tell
it what it is about, ask for its consent where configured, and have the caller's side take our
place (REFER with Replaces).  Bridge: we call it and stay between the two.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ..config import Target
from ..realtime.commands import function_output
from .actions import (
    CallOut,
    DropCallee,
    HangUp,
    OpenMenu,
    Patch,
    Patching,
    Play,
    Refer,
    Request,
    Respond,
    Say,
    SendDtmf,
    SendText,
    Stop,
    Transfer,
)
from .context import Context, Mode
from .digits import Digits
from .events import (
    AnswerClassified,
    CalleeAnswered,
    CalleeEnded,
    Event,
    KeyPressed,
    LinkReady,
    TransferEnded,
)
from .states import CallState
from .transfer_stages import STAGES, Stage, Turn

__all__ = ["SUMMARY", "TransferDesk"]

SUMMARY: Final = (
    "Somebody else has picked up the phone and hears you now; the caller does not. "
    "Tell them in two short sentences who is calling and what the caller wants."
)
"""What the service is asked for where no whisper is written."""

_NO_ANSWER: Final = 408
_DECLINED: Final = 603
_NO_MENU: Final = OpenMenu("close")
_RINGBACK: Final = Play("tone:ringback", is_repeated=True)
_CONSENT_SECONDS: Final = 15.0  # how long a human may think about the accept key
_CONSULT_SECONDS: Final = 60.0  # the longest that telling them may take
_NEWS_SECONDS: Final = 5.0  # from a callee's leaving to the news that the caller has them
_GRACE_SECONDS: Final = 5.0  # after which a callee of whom nothing is heard is given up
_LINES: Final[dict[str, Patching]] = {
    "leaves": "bridge",
    "silent": "monitor",
    "stays": "conference",
}
_REASONS: Final = {
    403: "it is not allowed",
    404: "there is nobody by this number",
    408: "nobody answered",
    480: "nobody is there",
    486: "it is busy",
    487: "nobody answered",
    503: "it cannot be reached",
    600: "it is busy",
    603: "it was declined",
}


@dataclass(frozen=True, slots=True)
class _Plan:
    """One transfer as it was asked for."""

    name: str
    uri: str
    mode: Literal["blind", "attended", "bridge"]
    whisper: str
    accept: str
    agent: Literal["leaves", "silent", "stays"]
    seconds: float

    @property
    def is_told_first(self) -> bool:
        """Whether the human hears something before the caller."""
        return bool(self.whisper or self.accept) or self.mode == "attended"

    @classmethod
    def of(cls, request: Transfer, target: Target, *, is_hosted: bool, can_refer: bool) -> "_Plan":
        """Lay what was asked for over what is configured.

        A hosted call has no second leg; who cannot be referred is joined with one.
        """
        mode = request.mode or target.mode
        if mode == "blind" and not can_refer:
            mode = "bridge"
        return cls(
            request.target,
            target.uri,
            "blind" if is_hosted else mode,
            target.whisper if request.whisper is None else request.whisper,
            target.accept,
            request.agent or target.agent,
            request.seconds or target.seconds,
        )


class TransferDesk:
    """The one transfer a call can have under way."""

    def __init__(
        self, context: Context, let_service_go: Callable[[], None], hush: Callable[[], None]
    ) -> None:
        self.deadline: float | None = None
        self.call_id: str | None = None  # the function call that waits for the outcome
        self.stage = Stage.IDLE
        self._context = context
        self._let_service_go = let_service_go
        self._hush = hush
        self._plan: _Plan | None = None
        self._name = ""
        self._is_asked = False  # for the accept key
        self._keys = Digits(context)  # of the callee

    def start(self, request: Transfer) -> Sequence[Request]:
        """Send the caller to a configured target; returns what to do if that cannot be."""
        context = self._context
        target = context.settings.targets.get(request.target)
        self._name = request.target
        if target is None:
            return self._explain("is not to a target this gateway may call")
        is_possible = self.stage is Stage.IDLE and context.is_answered
        if not is_possible or not context.move(CallState.TRANSFERRING):
            return self._explain("is not possible now")
        plan = self._plan = _Plan.of(
            request, target, is_hosted=context.is_hosted, can_refer=context.can_refer
        )
        if plan.mode == "blind":
            self._go(Turn.REFER)
            seconds = request.seconds or context.settings.call.transfer_seconds
            self.deadline = context.now + seconds
            context.act(Refer(plan.uri, name=self._name))
        else:
            self._go(Turn.CALL)
            self.deadline = context.now + plan.seconds + _GRACE_SECONDS
            context.act(_RINGBACK)
            context.act(CallOut(plan.uri, plan.seconds, self._name))
        return ()

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in what the callee or the caller's side does; returns what is to be done."""
        match event:
            case LinkReady(transport=transport) if transport != "sip":
                self.call_id = None  # of a conversation that is gone
            case TransferEnded(is_accepted=True):
                self._go(Turn.TAKEN)  # late or not, the caller is in other hands
                self._context.act(HangUp("transferred"))
            case TransferEnded(status=status):
                return self._take_return(status)
            case CalleeAnswered():
                return self._take_answer()
            case AnswerClassified(by="machine", leg="callee"):
                return self._refuse(_NO_ANSWER, "a machine answered")
            case CalleeEnded(status=status, reason=reason):
                return self._lose_callee(status, reason)
            case KeyPressed(leg="callee", key=key, source=source, duration_ms=duration_ms):
                if self._keys.is_new(key, source, duration_ms):
                    return self._take_key(key)
            case _:
                pass
        return ()

    def settle(self, *, is_quiet: bool) -> Sequence[Request]:
        """Go on once the human heard what it is about."""
        plan = self._plan
        if is_quiet and self.stage is Stage.IDLE and self.call_id is not None:
            self._call_off()
        if self.stage is not Stage.CONSULTING or not is_quiet or plan is None or self._is_asked:
            return ()
        if not plan.accept:
            return self._proceed(plan)
        self._is_asked = True
        self.deadline = self._context.now + _CONSENT_SECONDS
        return ()

    def wake(self) -> Sequence[Request]:
        """Give up what takes too long."""
        if self.deadline is None or self._context.now < self.deadline:
            return ()
        self.deadline = None
        if self.stage in (Stage.REFERRING, Stage.REPLACING, Stage.REPLACED):
            return self._take_return(_NO_ANSWER)
        return self._refuse(_NO_ANSWER)

    def _go(self, turn: Turn) -> bool:
        """Enter the next stage; tell whether the table knows of one."""
        stage = STAGES.get((self.stage, turn))
        if stage is None:
            return False
        self.stage = stage
        self.deadline = None
        return True

    def _take_answer(self) -> Sequence[Request]:
        """Tell the human what it is about, or join the two at once."""
        context, plan = self._context, self._plan
        if plan is None or self.stage is not Stage.CALLING:
            return ()
        if not plan.is_told_first:
            return self._proceed(plan)
        self._go(Turn.ANSWERED)
        self._is_asked = False
        self.deadline = context.now + _CONSULT_SECONDS
        context.act(Patch("consult"))
        return (Say(plan.whisper),) if plan.whisper else (Respond(SUMMARY),)

    def _take_key(self, key: str) -> Sequence[Request]:
        """The human pressed a key: the one that accepts, or another; or one for the caller."""
        plan = self._plan
        if self.stage is Stage.BRIDGED and self._context.is_patched_away:
            self._context.act(SendDtmf(key))
        if self.stage is not Stage.CONSULTING or plan is None or not plan.accept:
            return ()
        if key == plan.accept:
            return (Stop(), *self._proceed(plan))
        return self._refuse(_DECLINED)

    def _proceed(self, plan: _Plan) -> Sequence[Request]:
        """The target takes the caller: have it replace us, or join the two."""
        if plan.mode == "attended" and self._go(Turn.REPLACE):
            self.deadline = self._context.now + self._context.settings.call.transfer_seconds
            self._context.act(Refer(plan.uri, is_attended=True, name=self._name))
            return ()
        return self._join(plan, Turn.JOIN)

    def _join(self, plan: _Plan, turn: Turn) -> Sequence[Request]:
        """Let the two hear each other through us."""
        context = self._context
        if not self._go(turn):
            return ()
        agent = "leaves" if context.service is Mode.LOST else plan.agent
        context.is_joined = True
        context.act(Stop())
        context.act(Patch(_LINES[agent]))
        context.log(f"joined with {plan.name}")
        if agent == "stays":
            context.move(CallState.TALKING)
            told = self._report(f"{plan.name} is on the line with the caller and you")
            return (_NO_MENU, *told)
        context.is_patched_away = True
        if agent == "silent":
            self._report("the caller was put through; stay silent")
            return (_NO_MENU,)
        self.call_id = None
        self._let_service_go()
        return (_NO_MENU,)

    def leave_line(self) -> None:
        """Have an agent whose service is gone drop out of a joined line; the two talk on."""
        context = self._context
        self.call_id = None
        context.is_patched_away = True
        context.move(CallState.TRANSFERRING)
        context.act(Patch("bridge"))
        context.log("the agent is gone, caller and callee go on without it")

    def _take_return(self, status: int) -> Sequence[Request]:
        """REFER came to nothing: keep the two together here, or take the caller back."""
        if self.stage is Stage.REPLACING and self._plan is not None:
            self._context.log(f"the caller's side does not replace us: status {status}")
            return self._join(self._plan, Turn.RETURNED)
        has_left = self.stage is Stage.REPLACED
        if not self._go(Turn.RETURNED):
            return ()
        if has_left:
            return self._return_line(status, "they hung up", was_consulting=True)
        return self._take_back(status)

    def _refuse(self, status: int, why: str = "") -> Sequence[Request]:
        """Let the callee go, and take the caller back."""
        was_consulting = self.stage is Stage.CONSULTING
        if not self._go(Turn.REFUSED):
            return ()
        self._context.act(DropCallee())
        return self._return_line(status, why, was_consulting=was_consulting)

    def _lose_callee(self, status: int, reason: str) -> Sequence[Request]:
        """The callee is gone, whatever it was at."""
        before = self.stage
        if not self._go(Turn.CALLEE_GONE):
            return ()
        context = self._context
        if self.stage is Stage.REPLACED:  # their BYE comes before the news of it (RFC 3891)
            self.deadline = context.now + _NEWS_SECONDS
            return ()
        if before is not Stage.BRIDGED:
            was_consulting = before is Stage.CONSULTING
            why = "they hung up" if was_consulting else _REASONS.get(status, reason)
            return self._return_line(status, why, was_consulting=was_consulting)
        context.is_joined = context.is_patched_away = False
        if context.service is Mode.LOST:
            context.act(HangUp("callee hung up"))
            return ()
        context.act(Patch("caller"))
        context.move(CallState.TALKING)
        return (SendText(f"[{self._name} hung up; the caller is still here.]"), Respond())

    def _return_line(self, status: int, why: str, *, was_consulting: bool) -> Sequence[Request]:
        """End what the caller hears meanwhile, and have the agent theirs again."""
        if was_consulting:
            self._hush()  # what the callee alone was to hear
        self._context.act(Stop())
        if was_consulting:
            self._context.act(Patch("caller"))
        return self._take_back(status, why)

    def _take_back(self, status: int, why: str = "") -> Sequence[Request]:
        self._context.move(CallState.TALKING)
        why = why or _REASONS.get(status, "")
        told = "failed" if status < 300 else f"failed with status {status}"
        told += f": {why}" if why else ""
        return self._explain(f"{told}; the caller is still here")

    def _report(self, outcome: str) -> Sequence[Request]:
        """Give the model the result it waits for, where it asked for this."""
        context, call_id = self._context, self.call_id
        self.call_id = None
        if call_id is None or not context.is_service_ready:
            return ()
        context.send(function_output(call_id, json.dumps({"status": "ok", "outcome": outcome})))
        return (Respond(),)

    def _call_off(self) -> None:
        """Tell the model that something else was done in place of what it asked for."""
        context, call_id = self._context, self.call_id
        self.call_id = None
        if call_id is not None and context.is_service_ready:
            told = {"error": "the caller did something else; nobody was transferred"}
            context.send(function_output(call_id, json.dumps(told)))

    def _explain(self, outcome: str) -> Sequence[Request]:
        """Tell the model, as the result it waits for or as a remark."""
        context, call_id = self._context, self.call_id
        self.call_id = None
        text = f"The transfer to {self._name} {outcome}."
        context.log(text)
        if context.service is Mode.LOST:
            return ()  # the way out without a service goes on from here
        if call_id is None or context.is_service_coming:
            return (SendText(f"[{text}]"), Respond())
        context.send(function_output(call_id, json.dumps({"error": text})))
        return (Respond(),)
