"""Rules, menus and collections as a controller goes by them: checked, and made of requests."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Final, Literal, TypeAlias

from .actions import (
    Collect,
    HangUp,
    OpenMenu,
    Play,
    Redirect,
    Reject,
    Request,
    Respond,
    Say,
    SetVariables,
    Supervise,
    Transfer,
)
from .schedule import Hours
from .states import CallState

__all__ = [
    "CheckedCollect",
    "CheckedMenu",
    "CheckedRule",
    "Plan",
    "Prompting",
    "settings_first",
    "takes_floor",
]

Plan: TypeAlias = tuple[Request, ...]
"""What is to be done, in order."""

_FLOOR: Final = (
    Say,
    Respond,
    Play,
    OpenMenu,
    Collect,
    Transfer,
    HangUp,
    Reject,
    Redirect,
)


def takes_floor(requests: Iterable[Request]) -> bool:
    """Tell whether these decide how the call goes on, in place of what was planned."""
    return any(isinstance(one, _FLOOR) or is_takeover(one) for one in requests)


def is_takeover(request: Request) -> bool:
    """Tell whether a supervisor takes the agent's place by this."""
    return isinstance(request, Supervise) and request.mode == "takeover"


def settings_first(requests: Sequence[Request]) -> tuple[Sequence[Request], Sequence[Request]]:
    """Part what sets variables before anything else is done from the rest."""
    count = sum(1 for _ in takewhile(lambda one: isinstance(one, SetVariables), requests))
    return requests[:count], requests[count:]


@dataclass(frozen=True, slots=True)
class CheckedRule:
    """A rule all of whose names are known to exist.

    A condition that is empty or ``None`` holds always; ``menu`` is ``""`` for no open menu.
    """

    on: frozenset[str]
    plan: Plan
    name: str  # where it is written
    digits: str = ""
    count: int = 0
    is_count_least: bool = False  # from the count on, not at it alone
    states: frozenset[CallState] = frozenset()
    menu: str | None = None
    trunk: tuple[str, ...] = ()  # shell patterns, as the two below
    called: tuple[str, ...] = ()
    caller: tuple[str, ...] = ()
    hours: Hours | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    after_seconds: float | None = None
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Prompting:
    """What the caller hears first, and the ladders of those who press nothing or the wrong key.

    ``say`` and ``prompt`` hold a text, or a prompt's name, by language; by ``""`` for all.
    """

    name: str
    say: Mapping[str, str]
    prompt: Mapping[str, str]
    is_cut_by_keys: bool
    timeout: float  # seconds, to the first key
    retries: int
    no_input: tuple[Plan, ...]
    invalid: tuple[Plan, ...]
    failed: Plan  # empty: the goodbye
    keys: Mapping[str, Plan]

    def words(self, language: str) -> str:
        """Return what the service is to say in a language; of one it lacks, the first it has."""
        return _worded(self.say, language)

    def file(self, language: str) -> str:
        """Return the prompt to play in a language, likewise."""
        return _worded(self.prompt, language)


@dataclass(frozen=True, slots=True)
class CheckedMenu(Prompting):
    """A menu: every key has a plan of its own."""

    listens: bool  # the service hears the caller meanwhile


@dataclass(frozen=True, slots=True)
class CheckedCollect(Prompting):
    """A collection: keys that make one number, beside those that lead out of it."""

    min: int
    max: int
    terminator: str
    inter_digit: float  # seconds
    pattern: re.Pattern[str] | None
    check: Literal["", "luhn"]
    into: str  # the variable
    to: Literal["model", "webhook", "nowhere"]
    webhook: str
    is_sensitive: bool
    then: Plan


def _worded(texts: Mapping[str, str], language: str) -> str:
    return texts.get(language) or texts.get("") or next(iter(texts.values()), "")
