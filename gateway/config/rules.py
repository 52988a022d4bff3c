"""``[[rules]]``: which event, under which conditions, does what."""

import re
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from .steps import KEYS, Steps

__all__ = ["Patterns", "Rule"]


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _joined(value: object) -> object:
    is_several = isinstance(value, list) and all(isinstance(key, str) for key in value)
    return "".join(value) if is_several else value  # type: ignore[arg-type]


Patterns: TypeAlias = Annotated[list[str], BeforeValidator(_several)]
"""One text or several, any of which may fit."""


class Rule(BaseModel):
    """When one of the events meets all conditions, do the steps in order.

    ``count`` is how often the event has come, exactly (``3``) or at least (``"3+"``): for
    ``input_audio_buffer.timeout_triggered`` since the caller last spoke or pressed a key,
    for all others since the call began.  The first rule that fits is taken, and the rest are
    not looked at, unless it says ``go_on``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: Patterns = Field(min_length=1)
    digit: Annotated[str | None, BeforeValidator(_joined)] = None  # "1"; any of "12", ["1", "2"]
    count: Annotated[int, Field(ge=1)] | str | None = None
    state: Patterns = []
    menu: str | None = None  # which menu or collection is open; "" for none
    trunk: Patterns = []  # shell patterns, as the two below
    called: Patterns = []
    caller: Patterns = []
    time: Patterns = []  # "mon-fri 08:00-18:00", in call.timezone
    where: dict[str, Any] = {}  # fields of the event, dotted: { "error.code" = "…" }
    variables: dict[str, Patterns] = {}
    after_seconds: float | None = Field(default=None, gt=0)  # of timer.elapsed: since the answer
    do: Steps = Field(min_length=1)
    go_on: bool = False

    @field_validator("digit")
    @classmethod
    def _key(cls, digit: str | None) -> str | None:
        if digit is not None and (not digit or not set(digit) <= set(KEYS)):
            raise ValueError(f"digit = {digit!r}: write one key, or several to match any; {KEYS}")
        return digit

    @field_validator("count")
    @classmethod
    def _counted(cls, count: int | str | None) -> int | str | None:
        if isinstance(count, str) and re.fullmatch(r"[1-9]\d{0,5}\+", count) is None:
            raise ValueError(f'count = {count!r}: write a number, or "3+" for three and more')
        return count
