"""What pages are told of their own calls, while they last.

It is less than those who look after the gateway are told, and all of it is listed here: of the
record, what a caller may know; of the agent, what it does but not with what tool, in what menu or
to whom; nothing of who listens in.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeAlias

import msgspec

from ..control.timeline import TimelineEntry
from ..legs.events import LegEnded
from .narrator import Narrator
from .notices import (
    Activity,
    CallBegan,
    CallEnded,
    Caption,
    KeyTold,
    Notice,
    Speaking,
    TurnTimed,
)
from .registry import CallRecord

__all__ = ["Narration", "last_words"]

_FOR_CALLERS: Final = (
    "call_id",
    "called",
    "started_at",
    "state",
    "duration",
    "ended_by",
    "reason",
    "q850",
    "codec",
)

_REASONS: Final = frozenset(
    {
        "agent",
        "callee hung up",
        "gateway stopped",
        "idle",
        "no media",
        "rule",
        "service lost",
        "transferred",
    }
)
"""Why the gateway ended a call, as far as that is a caller's business."""

Tell: TypeAlias = Callable[[str], None]
"""Sends a page a message."""


class Narration:
    """An observer of all calls, who tells of each the page that is in it, if one is."""

    def __init__(self) -> None:
        self._pages: dict[str, Tell] = {}
        self._narrators: dict[str, Narrator] = {}
        self._doing: dict[str, str] = {}  # what each page was told last of the agent

    def follow(self, call_id: str, tell: Tell) -> None:
        """Have a page told of a call that is about to begin."""
        self._pages[call_id] = tell

    def call_began(self, record: CallRecord) -> None:
        """Tell the page which call is its own."""
        if record.call_id in self._pages:
            self._narrators[record.call_id] = Narrator(record.call_id, record.said)
            self._tell(CallBegan(call_id=record.call_id, at=0.0, call=_for_caller(record)))

    def call_told(self, call_id: str, entry: TimelineEntry) -> None:
        """Tell the page what happened."""
        if (narrator := self._narrators.get(call_id)) is not None:
            for notice in narrator.hear(entry):
                if (told := self._for_caller(notice)) is not None:
                    self._tell(told)

    def call_ended(self, record: CallRecord) -> None:
        """Forget the page: its leg had the last word."""
        self._pages.pop(record.call_id, None)
        self._narrators.pop(record.call_id, None)
        self._doing.pop(record.call_id, None)

    def _for_caller(self, notice: Notice) -> Notice | None:
        """Return what a caller may know of a notice; of what is not named here, nothing."""
        match notice:
            case Caption() | KeyTold() | TurnTimed():
                return notice
            case Speaking(who="caller" | "agent" | "callee"):
                return notice
            case Activity(call_id=call_id, agent=agent) if agent != self._doing.get(call_id):
                self._doing[call_id] = agent
                return Activity(call_id=call_id, at=notice.at, agent=agent)
            case _:
                return None

    def _tell(self, notice: Notice) -> None:
        self._pages[notice.call_id](msgspec.json.encode(notice).decode())


def last_words(record: CallRecord, end: LegEnded) -> str:
    """Return what a page is told of the end of its call, which comes about with these words."""
    over = replace(record, state="ended", ended_by=end.by, reason=end.reason, q850=end.q850)
    told = CallEnded(call_id=record.call_id, at=record.duration, call=_for_caller(over))
    return msgspec.json.encode(told).decode()


def _for_caller(record: CallRecord) -> dict[str, Any]:
    whole = record.as_dict(with_timeline=False)
    told = {name: whole[name] for name in _FOR_CALLERS}
    if record.ended_by == "gateway" and record.reason not in _REASONS:
        told["reason"] = ""
    return told
