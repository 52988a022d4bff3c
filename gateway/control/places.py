"""One open menu or collection: what it is at, what the caller hears in it, and its last key."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

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
    Transfer,
)
from .context import Context, Mode
from .flow_plans import CheckedCollect, CheckedMenu

__all__ = [
    "LateEnd",
    "Phase",
    "Place",
    "moves",
    "not_said",
    "prompt_of",
    "without_waits",
    "words_of",
]

_MOVES: Final = (OpenMenu, Collect, Transfer, HangUp, Reject, Redirect)
_BEEP: Final = "tone:beep"


class Phase(enum.Enum):
    """What an open place is at."""

    PROMPTING = enum.auto()  # something is being heard
    WAITING = enum.auto()  # for the first key
    COLLECTING = enum.auto()  # for the next one


@dataclass(slots=True)
class Place:
    """One open menu or collection."""

    plan: CheckedMenu | CheckedCollect
    phase: Phase = Phase.PROMPTING
    keys: str = ""
    silences: int = 0
    errors: int = 0
    is_cut: bool = False  # the prompt gave way to a key: those that follow need not wait
    is_ended: bool = False  # the number, by the key for that
    is_told: bool = False  # that it is over

    @property
    def is_secret(self) -> bool:
        """Whether nobody may see what is pressed here."""
        return isinstance(self.plan, CheckedCollect) and self.plan.is_sensitive

    @property
    def pause(self) -> float:
        """Seconds that there may be between two digits of a number."""
        return self.plan.inter_digit if isinstance(self.plan, CheckedCollect) else 0.0

    @property
    def is_deaf(self) -> bool:
        """Whether the service does not hear the caller meanwhile."""
        return not (isinstance(self.plan, CheckedMenu) and self.plan.listens)


class LateEnd:
    """The key that ends a number which was complete without it: it is pressed all the same."""

    def __init__(self) -> None:
        self._key = ""
        self._until = 0.0

    def expect(self, key: str, until: float) -> None:
        """Take it that this key may still come."""
        self._key, self._until = key, until

    def is_it(self, key: str, now: float) -> bool:
        """Tell whether a key is the one that was expected."""
        return bool(self._key) and key == self._key and now < self._until

    def forget(self) -> None:
        """Another key came, or this one."""
        self._key = ""


def prompt_of(context: Context, plan: CheckedMenu | CheckedCollect) -> Sequence[Request]:
    """Return what the caller is to hear in a place: words of the service, or a file."""
    language = context.variables.get("language")
    words = plan.words(language)
    file = "" if context.is_hosted else plan.file(language)
    is_lost = context.service is Mode.LOST
    if words and not (context.is_service_away and file) and not is_lost:
        return (Say(words, file, is_awaited=not file),)
    if file:
        return (Play(file),)
    return (Play(_BEEP),) if words and not context.is_hosted else ()


def moves(plan: Sequence[Request]) -> bool:
    """Tell whether a plan leads on to another place, or to an end."""
    return any(isinstance(request, _MOVES) for request in plan)


def without_waits(context: Context, plan: Sequence[Request]) -> Sequence[Request]:
    """Return a plan without what would keep the rest of it waiting for a service that is away."""
    kept: list[Request] = []
    for request in plan:
        is_awaited = isinstance(request, Say) and not request.prompt
        if context.is_service_away and (is_awaited or isinstance(request, Respond)):
            context.log(not_said(request))
        else:
            kept.append(request)
    return kept


def not_said(request: Request) -> str:
    """Return, for the log, that something is left out while the service is away."""
    return f"not said, the service is away{words_of(request)}"


def words_of(request: Request) -> str:
    """Return what was to be said, for the end of a line in the log."""
    return f": {request.text}" if isinstance(request, Say) else ""
