"""What rules, menus and ladders can do, as the file writes it: a closed set of typed steps.

A step is a word (``"hangup"``), a word with one value (``{ say = "Hello." }``), or a word
with a table (``{ transfer = { target = "operator", mode = "attended" } }``).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from .tones import fault_of_tone

__all__ = [
    "KEYS",
    "MENU_MOVES",
    "HangUpStep",
    "KeysStep",
    "MuteStep",
    "NameStep",
    "PlayStep",
    "RecordStep",
    "RejectStep",
    "SayStep",
    "Step",
    "StepKind",
    "Steps",
    "SuperviseStep",
    "TableStep",
    "TargetStep",
    "TextStep",
    "TransferMode",
    "TransferStep",
    "WhisperStep",
]

KEYS: Final = "0123456789*#ABCD"
MENU_MOVES: Final = ("repeat", "back", "close")
"""What ``menu`` takes besides names: hear it again, go to the one before, leave all menus."""

StepKind: TypeAlias = Literal[
    "answer",
    "ring",
    "reject",
    "redirect",
    "play",
    "say",
    "stop",
    "respond",
    "send_text",
    "whisper",
    "update_session",
    "collect",
    "menu",
    "send_dtmf",
    "hold",
    "resume",
    "mute",
    "supervise",
    "transfer",
    "dial",
    "record",
    "set",
    "webhook",
    "log",
    "hangup",
]
TransferMode: TypeAlias = Literal["blind", "attended", "bridge"]


class _Argument(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BareStep(_Argument):
    """``answer``, ``ring``, ``stop``, ``hold``, ``resume``: nothing to say about them."""


class TextStep(_Argument):
    """``respond``, ``send_text``, ``log``: words, which may name variables in braces."""

    text: str = ""


class WhisperStep(_Argument):
    """``whisper``: an instruction to the model, which the caller does not hear."""

    text: str = Field(min_length=1)


class SayStep(_Argument):
    """``say``: words for the service to speak; the prompt is played while it is away."""

    text: str = Field(min_length=1)
    prompt: str = ""


class PlayStep(_Argument):
    """``play``: a prompt by its name, or a tone: ``busy``, ``ringback``, ``beep``, ``440/500``."""

    prompt: str = ""
    tone: str = ""
    repeat: bool = False

    @model_validator(mode="after")
    def _one(self) -> "PlayStep":
        if bool(self.prompt) == bool(self.tone):
            raise ValueError("play: name a prompt or a tone, one of the two")
        if self.tone and (fault := fault_of_tone(self.tone)):
            raise ValueError(f"play: {fault}")
        return self


class RejectStep(_Argument):
    """``reject``: a SIP status, and words for it."""

    status: int
    reason: str = ""

    @field_validator("status")
    @classmethod
    def _final(cls, status: int) -> int:
        if not 400 <= status <= 699:
            raise ValueError(f"{status} refuses nothing; choose a SIP status from 400 to 699")
        return status


class HangUpStep(_Argument):
    """``hangup``: why, in words, and the Q.850 cause that the other side is told."""

    reason: str = "rule"
    cause: int = Field(default=16, ge=1, le=127)


class NameStep(_Argument):
    """``collect``, ``menu``, ``webhook``: one that is configured under this name."""

    name: str = Field(min_length=1)


class KeysStep(_Argument):
    """``send_dtmf``: keys to press."""

    digits: str = Field(min_length=1)

    @field_validator("digits")
    @classmethod
    def _keys(cls, digits: str) -> str:
        if "{" not in digits and not set(digits) <= set(KEYS):
            raise ValueError(f"{digits!r}: keys are {KEYS}")
        return digits


class MuteStep(_Argument):
    """``mute``: who is not heard: the caller by the service, the agent by the caller, or both."""

    who: Literal["caller", "agent", "both", "none"]


class SuperviseStep(_Argument):
    """``supervise``: what somebody who has joined the call does there; for people alone.

    ``connection`` is the end of the address that joining gave them, where they have several.
    """

    mode: Literal["listen", "speak", "takeover", "leave"]
    connection: str = ""


class RecordStep(_Argument):
    """``record``: true and false are short for start and stop."""

    do: Literal["start", "stop", "pause", "resume"]

    @field_validator("do", mode="before")
    @classmethod
    def _switch(cls, value: object) -> object:
        if isinstance(value, bool):
            return "start" if value else "stop"
        return value


class TargetStep(_Argument):
    """``redirect``: a name in ``[targets]``."""

    target: str = Field(min_length=1)


class TransferStep(_Argument):
    """``transfer`` and ``dial``: to whom, and what differs from what ``[targets]`` says of it."""

    target: str = ""
    profile: str = ""  # of this gateway: the same caller, another agent
    mode: TransferMode | None = None
    whisper: str | None = None  # what the human is told before the caller
    agent: Literal["leaves", "silent", "stays"] | None = None  # of a bridge
    seconds: float | None = Field(default=None, gt=0, le=300)

    @model_validator(mode="after")
    def _one(self) -> "TransferStep":
        if bool(self.target) == bool(self.profile):
            raise ValueError("transfer: name a target or a profile, one of the two")
        return self


class TableStep(_Argument):
    """``set`` and ``update_session``: a table of the writer's own."""

    table: dict[str, Any] = Field(min_length=1)


class _Shape(NamedTuple):
    """What an action takes: a table's model, the field a lone value stands for, or nothing."""

    model: type[_Argument]
    short: str = ""
    is_bare: bool = False


_SHAPES: Final[Mapping[str, _Shape]] = {
    "answer": _Shape(BareStep, is_bare=True),
    "ring": _Shape(BareStep, is_bare=True),
    "reject": _Shape(RejectStep, "status"),
    "redirect": _Shape(TargetStep, "target"),
    "play": _Shape(PlayStep, "prompt"),
    "say": _Shape(SayStep, "text"),
    "stop": _Shape(BareStep, is_bare=True),
    "respond": _Shape(TextStep, "text", is_bare=True),
    "send_text": _Shape(TextStep, "text"),
    "whisper": _Shape(WhisperStep, "text"),
    "update_session": _Shape(TableStep),
    "collect": _Shape(NameStep, "name"),
    "menu": _Shape(NameStep, "name"),
    "send_dtmf": _Shape(KeysStep, "digits"),
    "hold": _Shape(BareStep, is_bare=True),
    "resume": _Shape(BareStep, is_bare=True),
    "mute": _Shape(MuteStep, "who"),
    "supervise": _Shape(SuperviseStep, "mode"),
    "transfer": _Shape(TransferStep, "target"),
    "dial": _Shape(TransferStep, "target"),
    "record": _Shape(RecordStep, "do"),
    "set": _Shape(TableStep),
    "webhook": _Shape(NameStep, "name"),
    "log": _Shape(TextStep, "text"),
    "hangup": _Shape(HangUpStep, "reason", is_bare=True),
}


class Step(BaseModel):
    """One thing to do, with its argument read by the action's own model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: StepKind
    argument: SerializeAsAny[_Argument]

    @model_validator(mode="before")
    @classmethod
    def _written(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = {value: None}
        if not isinstance(value, dict) or "kind" in value:
            return value
        if len(value) != 1:
            raise ValueError('write one action per entry, such as { say = "…" } or "hangup"')
        ((kind, written),) = value.items()
        shape = _SHAPES.get(kind)
        if shape is None:
            known = ", ".join(get_args(StepKind))
            raise ValueError(f"unknown action {kind!r}; choose from {known}")
        return {"kind": kind, "argument": shape.model.model_validate(_table(kind, written, shape))}


def _table(kind: str, written: object, shape: _Shape) -> dict[str, object]:
    """Return an action's argument as a table, whichever way it was written."""
    if written is None:
        if not shape.is_bare:
            raise ValueError(f"{kind} needs an argument: {{ {kind} = … }}")
        return {}
    if isinstance(written, dict):
        return {"table": written} if shape.model is TableStep else written
    if shape.model is BareStep:
        raise ValueError(f"{kind} = {written!r}: this action takes no argument; write {kind!r}")
    if not shape.short:
        raise ValueError(f"{kind} = {written!r}: this action takes a table")
    wants_text = shape.short not in ("status", "do", "who", "mode")
    if wants_text and not isinstance(written, str):
        raise ValueError(f"{kind} = {written!r}: this action takes a text")
    return {shape.short: written}


def _several(value: object) -> object:
    """Read a lone step where a list of them is wanted."""
    return value if isinstance(value, list) else [value]


Steps: TypeAlias = Annotated[list[Step], BeforeValidator(_several)]
