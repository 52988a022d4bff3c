"""From a step as the file writes it to what is asked of a call."""

from collections.abc import Mapping
from typing import Final

from ..config import Step
from ..config.steps import (
    HangUpStep,
    KeysStep,
    MuteStep,
    NameStep,
    PlayStep,
    RecordStep,
    RejectStep,
    SayStep,
    SuperviseStep,
    TableStep,
    TargetStep,
    TextStep,
    TransferStep,
    WhisperStep,
)
from .actions import (
    Answer,
    Collect,
    HangUp,
    Hold,
    Log,
    Mute,
    OpenMenu,
    Play,
    PostWebhook,
    Record,
    Redirect,
    Reject,
    Request,
    Respond,
    Resume,
    Ring,
    Say,
    SendDtmf,
    SendText,
    SetVariables,
    Stop,
    Supervise,
    Transfer,
    UpdateSession,
    Whisper,
)

__all__ = ["request_of"]

_BARE: Final[Mapping[str, type[Answer | Ring | Stop | Hold | Resume]]] = {
    "answer": Answer,
    "ring": Ring,
    "stop": Stop,
    "hold": Hold,
    "resume": Resume,
}


def request_of(step: Step) -> Request:
    """Return what a step asks for."""
    match step.argument:
        case SayStep(text=text, prompt=prompt):
            return Say(text, prompt)
        case PlayStep(prompt=prompt, tone=tone, repeat=repeat):
            return Play(prompt or f"tone:{tone}", repeat)
        case RejectStep(status=status, reason=reason):
            return Reject(status, reason)
        case HangUpStep(reason=reason, cause=cause):
            return HangUp(reason, cause)
        case KeysStep(digits=digits):
            return SendDtmf(digits)
        case MuteStep(who=who):
            return Mute(who)
        case SuperviseStep(mode=mode, connection=connection):
            return Supervise(mode, connection)
        case WhisperStep(text=text):
            return Whisper(text)
        case RecordStep(do=do):
            return Record(do)
        case TargetStep(target=target):
            return Redirect(target)
        case TextStep(text=text):
            return _of_text(step.kind, text)
        case NameStep(name=name):
            return _of_name(step.kind, name)
        case TableStep(table=table) if step.kind == "set":
            return SetVariables({name: str(value) for name, value in table.items()})
        case TableStep(table=table):
            return UpdateSession(table)
        case TransferStep() as to:
            return _transfer(step.kind, to)
        case _:
            return _BARE[step.kind]()


def _of_text(kind: str, text: str) -> Request:
    match kind:
        case "respond":
            return Respond(text or None)
        case "send_text":
            return SendText(text)
        case _:
            return Log(text)


def _of_name(kind: str, name: str) -> Request:
    match kind:
        case "collect":
            return Collect(name)
        case "menu":
            return OpenMenu(name)
        case _:
            return PostWebhook(name)


def _transfer(kind: str, to: TransferStep) -> Transfer:
    """Return a transfer; to dial is to bridge, with the agent staying."""
    is_dialled = kind == "dial"
    mode = to.mode or ("bridge" if is_dialled else None)
    agent = to.agent or ("stays" if is_dialled else None)
    return Transfer(to.target, to.profile, mode, to.whisper, agent, to.seconds)
