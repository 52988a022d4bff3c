"""The hands of a call: they do what its controller decides, whatever that takes."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, assert_never

import structlog

from ..control import actions as act
from ..control import events as control
from .attachment import Attachment
from .callee import Callee
from .patchbay import Patchbay

if TYPE_CHECKING:
    from ..legs.leg import Leg

__all__ = ["Hands", "Runner"]

_LinkAction: TypeAlias = act.Connect | act.Disconnect | act.Listen
_SoundAction: TypeAlias = (
    act.Stop
    | act.Play
    | act.PausePlayout
    | act.ResumePlayout
    | act.Mute
    | act.Conceal
    | act.Patch
    | act.Record
    | act.Supervise
)
_LegAction: TypeAlias = (
    act.Ring
    | act.Answer
    | act.Reject
    | act.Redirect
    | act.HangUp
    | act.Hold
    | act.Resume
    | act.Refer
    | act.SendDtmf
)
_NO_SECOND_LEG: Final = 501
_NO_DIALOG: Final = 481
_ON_ITS_WAY: Final = 0.1  # seconds from the service's playing of live sound to the caller's ear


class Runner(Protocol):
    """What runs errands outside of calls."""

    def begin(
        self, errand: act.RunErrand, on_done: Callable[[control.ErrandDone], None], /
    ) -> Callable[[], None]:
        """Begin one; returns how to give it up, after which ``on_done`` is not called."""
        ...


class Hands:
    """Carries out actions, one at a time; what they bring about comes back as events.

    Args:
        attachment: The link to the service.
        patchbay: The sound of all legs.
        callee: The second leg; ``None`` where there can be none.
        errands: Runs what is slow and outside the call.
        post: Takes the events that follow.
        log: The call's own.
        is_live: The service plays its speech itself: a moment of it is still on its way.

    """

    def __init__(
        self,
        attachment: Attachment,
        patchbay: Patchbay,
        callee: Callee | None,
        errands: Runner,
        post: Callable[[control.Event], None],
        log: structlog.stdlib.BoundLogger,
        *,
        is_live: bool,
    ) -> None:
        self._attachment = attachment
        self._patchbay = patchbay
        self._callee = callee
        self._errands = errands
        self._post = post
        self._is_live = is_live
        self._tools: dict[str, Callable[[], None]] = {}  # under way: how to give each up
        self._log = log

    def do(self, leg: "Leg", action: act.Action) -> None:
        """Carry out one action."""
        match action:
            case act.SendCommand(command):
                self._attachment.send(command)
            case act.Connect() | act.Disconnect() | act.Listen():
                self._link(action)
            case act.CallOut(target, seconds):
                self._call_out(target, seconds)
            case act.DropCallee(cause):
                if self._callee is not None:
                    self._callee.drop(cause)
            case act.RunErrand():
                self._run(action)
            case act.Log(text):
                self._log.info(text)
            case (
                act.Stop()
                | act.Play()
                | act.PausePlayout()
                | act.ResumePlayout()
                | act.Mute()
                | act.Conceal()
                | act.Patch()
                | act.Record()
                | act.Supervise()
            ):
                self._sound(action)
            case _:
                self._leg(leg, action)

    def close(self) -> None:
        """Give up what is under way for this call alone."""
        if self._callee is not None:
            self._callee.close()
        while self._tools:
            self._tools.popitem()[1]()

    def _link(self, action: _LinkAction) -> None:
        match action:
            case act.Connect():
                self._patchbay.end_speech()
                self._attachment.connect()
            case act.Disconnect(for_good):
                self._attachment.disconnect(for_good=for_good)
                self._patchbay.end_speech()
            case act.Listen():
                self._attachment.listen()
            case _:
                assert_never(action)

    def _sound(self, action: _SoundAction) -> None:
        """Do what is done to the sound."""
        patchbay = self._patchbay
        match action:
            case act.Stop():
                patchbay.stop()
            case act.Play(name, is_repeated):
                if not patchbay.play(name, is_repeated=is_repeated):
                    self._post(control.PromptStopped(name, is_complete=False))
            case act.PausePlayout():
                patchbay.pause()
            case act.ResumePlayout():
                patchbay.resume()
            case act.Mute(who):
                patchbay.mute(who)
            case act.Conceal(is_on):
                patchbay.conceal(is_on=is_on)
            case act.Patch(line):
                patchbay.patch(line)
            case act.Record(do):
                patchbay.record(do)
            case act.Supervise(mode, supervisor):
                patchbay.supervise(supervisor, mode)
            case _:
                assert_never(action)

    def _leg(self, leg: "Leg", action: _LegAction) -> None:
        """Do what is done to the caller's own leg, or to the callee's by keys."""
        match action:
            case act.Ring():
                leg.ring()
            case act.Answer():
                leg.answer()
            case act.Reject(status, reason):
                leg.reject(status, reason)
            case act.Redirect(target):
                leg.redirect(target)
            case act.HangUp(cause, q850):
                self._part(leg, cause, q850)
            case act.Hold():
                leg.hold()
            case act.Resume():
                leg.resume()
            case act.Refer(target, is_attended):
                self._refer(leg, target, is_attended=is_attended)
            case act.SendDtmf(digits, "caller"):
                leg.send_dtmf(digits)
            case act.SendDtmf(digits):
                if self._callee is not None:
                    self._callee.press(digits)
            case _:
                assert_never(action)

    def _call_out(self, target: str, seconds: float) -> None:
        if self._callee is not None:
            self._callee.call(target, seconds)
        else:
            self._post(control.CalleeEnded(_NO_SECOND_LEG, "there is no second leg here"))

    def _refer(self, leg: "Leg", target: str, *, is_attended: bool) -> None:
        """Send the caller elsewhere, or into the place we have with the callee."""
        if not is_attended:
            leg.transfer(target)
        elif self._callee is not None and (replaces := self._callee.replaced_by):
            leg.transfer(target, replaces)
        else:
            self._post(control.TransferEnded(is_accepted=False, status=_NO_DIALOG))

    def _part(self, leg: "Leg", cause: str, q850: int) -> None:
        """Hang up; sound that the service played a moment ago is let through first."""
        if self._is_live:
            asyncio.get_running_loop().call_later(_ON_ITS_WAY, leg.hang_up, cause, q850)
        else:
            leg.hang_up(cause, q850)

    def _run(self, errand: act.RunErrand) -> None:
        """Begin an errand; a tool's is given up with the call, a webhook's is not."""

        def end(done: control.ErrandDone) -> None:
            self._tools.pop(done.errand_id, None)
            self._post(done)

        give_up = self._errands.begin(errand, end)
        if errand.kind == "tool":
            self._tools[errand.errand_id] = give_up
