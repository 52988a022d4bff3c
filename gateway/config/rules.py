"""Rules and targets as the file writes them: which event, under which conditions, does what."""

from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = ["KEYS", "Rule", "Step", "StepKind"]

KEYS: Final = "0123456789*#ABCD"

StepKind: TypeAlias = Literal[
    "answer",
    "ring",
    "reject",
    "say",
    "play",
    "stop",
    "respond",
    "send_text",
    "hold",
    "resume",
    "transfer",
    "send_dtmf",
    "record",
    "log",
    "hangup",
]
_BARE: Final = {"answer", "ring", "stop", "respond", "hold", "resume", "hangup"}
_NUMBER: Final = {"reject"}
_SWITCH: Final = {"record"}


class Step(BaseModel):
    """One thing to do: a word (``"hangup"``) or a word with its argument (``{ say = "…" }``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: StepKind
    argument: str | int | bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _written(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = {value: None}
        if not isinstance(value, dict) or "kind" in value:
            return value
        if len(value) != 1:
            raise ValueError('write one action per entry, such as { say = "…" } or "hangup"')
        ((kind, argument),) = value.items()
        if kind not in get_args(StepKind):
            known = ", ".join(get_args(StepKind))
            raise ValueError(f"unknown action {kind!r}; choose from {known}")
        return {"kind": kind, "argument": argument}

    @model_validator(mode="after")
    def _argued(self) -> "Step":
        kind, argument = self.kind, self.argument
        if argument is None:
            if kind not in _BARE:
                raise ValueError(f"{kind} needs an argument: {{ {kind} = … }}")
            return self
        wanted: type = bool if kind in _SWITCH else int if kind in _NUMBER else str
        if kind in _BARE - {"respond", "hangup"} or type(argument) is not wanted:
            raise ValueError(f"{kind} = {argument!r}: this action takes {_takes(kind)}")
        if kind == "reject" and not 400 <= int(argument) <= 699:
            raise ValueError(f"reject = {argument}: choose a SIP status from 400 to 699")
        if kind == "send_dtmf" and not set(str(argument)) <= set(KEYS):
            raise ValueError(f"send_dtmf = {argument!r}: keys are {KEYS}")
        return self

    @property
    def text(self) -> str:
        """The argument as text, empty when there is none."""
        return "" if self.argument is None else str(self.argument)


def _takes(kind: str) -> str:
    if kind in _SWITCH:
        return "true or false"
    if kind in _NUMBER:
        return "a number"
    return "no argument" if kind in _BARE - {"respond", "hangup"} else "a text"


class Rule(BaseModel):
    """``[[rules]]``: when an event meets the conditions, do the steps in order.

    ``count`` is how often the event has come: for
    ``input_audio_buffer.timeout_triggered`` since the caller last spoke or pressed a key,
    for all others since the call began.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: str = Field(min_length=1)
    digit: str | None = None
    count: Annotated[int, Field(ge=1)] | None = None
    state: str | None = None
    do: list[Step] = Field(min_length=1)

    @field_validator("digit")
    @classmethod
    def _key(cls, digit: str | None) -> str | None:
        if digit is not None and (not digit or not set(digit) <= set(KEYS)):
            raise ValueError(f"digit = {digit!r}: write one key, or several to match any; {KEYS}")
        return digit
