"""What is told of a call as it goes, to whoever watches: pages, dashboards, the caller's own page.

A notice is plain data that goes out as JSON under its ``type``.  Times are seconds since the
call began.
"""

from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from ..control.actions import Supervising
from ..control.timeline import TimelineEntry
from .registry import CallRecord

__all__ = [
    "Activity",
    "CallBegan",
    "CallChanged",
    "CallEnded",
    "Caption",
    "KeyTold",
    "Notice",
    "Observer",
    "Speaking",
    "Supervised",
    "TurnTimed",
]

Speaker: TypeAlias = Literal["caller", "agent", "callee", "supervisor"]


class _Told(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    call_id: str
    at: float


class CallBegan(_Told, frozen=True, kw_only=True, tag="call.began"):
    """A call came in, or was placed."""

    call: dict[str, Any]  # the record without its long parts


class CallChanged(_Told, frozen=True, kw_only=True, tag="call.changed"):
    """Its record has changed: state, codec, loss, MOS, cost; a few times a second at most."""

    call: dict[str, Any]


class CallEnded(_Told, frozen=True, kw_only=True, tag="call.ended"):
    """It is over."""

    call: dict[str, Any]


class Caption(_Told, frozen=True, kw_only=True, tag="caption"):
    """Words of an item, as far as they are known; the next one of the item takes its place."""

    who: Speaker
    item_id: str
    text: str
    is_final: bool = False
    is_cut: bool = False  # the caller talked over it, and heard no more than this


class Speaking(_Told, frozen=True, kw_only=True, tag="speaking"):
    """Somebody began or stopped to speak."""

    who: Speaker
    is_on: bool


class KeyTold(_Told, frozen=True, kw_only=True, tag="key"):
    """A key was pressed; one that is nobody's business is ``•``."""

    key: str
    source: str


class Activity(_Told, frozen=True, kw_only=True, tag="activity"):
    """What the agent is doing: with what tool, in what menu, putting through to which target."""

    agent: Literal[
        "away", "listening", "thinking", "speaking", "tool", "menu", "collect", "transfer", "silent"
    ]
    detail: str = ""


class TurnTimed(_Told, frozen=True, kw_only=True, tag="turn"):
    """How long the caller waited for an answer: end of speech to the first packet."""

    ms: float


class Supervised(_Told, frozen=True, kw_only=True, tag="supervision"):
    """Somebody listens in, speaks to the caller, has the agent's place, or is gone."""

    name: str
    mode: Supervising
    connection: str  # which of theirs


Notice: TypeAlias = (
    CallBegan
    | CallChanged
    | CallEnded
    | Caption
    | Speaking
    | KeyTold
    | Activity
    | TurnTimed
    | Supervised
)


class Observer(Protocol):
    """Who looks on at every call of the gateway; quick, and never raises."""

    def call_began(self, record: CallRecord) -> None:
        """Take the news of a call."""
        ...

    def call_told(self, call_id: str, entry: TimelineEntry) -> None:
        """Take an entry of its timeline, again when deltas were joined to it."""
        ...

    def call_ended(self, record: CallRecord) -> None:
        """Take the whole of a call that is over."""
        ...
