"""The stages of a transfer, and what leads from one to the next."""

import enum
from collections.abc import Mapping
from typing import Final

__all__ = ["STAGES", "Stage", "Turn"]


class Stage(enum.Enum):
    """How far a transfer has come."""

    IDLE = enum.auto()
    REFERRING = enum.auto()  # the caller's side was asked to call the target (RFC 3515)
    CALLING = enum.auto()  # we call the target ourselves
    CONSULTING = enum.auto()  # it answered, and hears what it is about
    REPLACING = enum.auto()  # the caller's side was asked to take our place (RFC 3891)
    REPLACED = enum.auto()  # and the callee left us: for the caller, or for good
    BRIDGED = enum.auto()  # caller and callee hear each other through us


class Turn(enum.Enum):
    """What happens to a transfer."""

    REFER = enum.auto()
    CALL = enum.auto()
    ANSWERED = enum.auto()
    JOIN = enum.auto()  # answered, and there is nothing to be told or asked first
    REPLACE = enum.auto()  # accepted, and the caller's side can be asked
    REFUSED = enum.auto()  # busy, declined, no answer, a machine, the wrong key
    TAKEN = enum.auto()  # REFER: the target has the caller
    RETURNED = enum.auto()  # REFER: it came to nothing
    CALLEE_GONE = enum.auto()


STAGES: Final[Mapping[tuple[Stage, Turn], Stage]] = {
    (Stage.IDLE, Turn.REFER): Stage.REFERRING,
    (Stage.IDLE, Turn.CALL): Stage.CALLING,
    (Stage.REFERRING, Turn.TAKEN): Stage.IDLE,
    (Stage.REFERRING, Turn.RETURNED): Stage.IDLE,
    (Stage.CALLING, Turn.ANSWERED): Stage.CONSULTING,
    (Stage.CALLING, Turn.JOIN): Stage.BRIDGED,
    (Stage.CALLING, Turn.REPLACE): Stage.REPLACING,
    (Stage.CALLING, Turn.REFUSED): Stage.IDLE,
    (Stage.CALLING, Turn.CALLEE_GONE): Stage.IDLE,
    (Stage.CONSULTING, Turn.JOIN): Stage.BRIDGED,
    (Stage.CONSULTING, Turn.REPLACE): Stage.REPLACING,
    (Stage.CONSULTING, Turn.REFUSED): Stage.IDLE,
    (Stage.CONSULTING, Turn.CALLEE_GONE): Stage.IDLE,
    (Stage.REPLACING, Turn.TAKEN): Stage.IDLE,
    (Stage.REPLACING, Turn.RETURNED): Stage.BRIDGED,
    (Stage.REPLACING, Turn.CALLEE_GONE): Stage.REPLACED,
    (Stage.REPLACED, Turn.TAKEN): Stage.IDLE,
    (Stage.REPLACED, Turn.RETURNED): Stage.IDLE,
    (Stage.BRIDGED, Turn.CALLEE_GONE): Stage.IDLE,
}
"""What is not in the table changes nothing: it comes too late, or from a transfer before."""
