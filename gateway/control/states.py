"""Where a call stands, and where it can go from there."""

import enum
from collections.abc import Mapping
from typing import Final

__all__ = ["TRANSITIONS", "CallState"]


class CallState(enum.Enum):
    """The states that rules can name, by their values."""

    SETUP = "setup"  # not yet answered
    TALKING = "talking"
    TRANSFERRING = "transferring"  # the caller is being sent elsewhere
    LEAVING = "leaving"  # a goodbye is under way, then we hang up
    ENDED = "ended"


TRANSITIONS: Final[Mapping[CallState, frozenset[CallState]]] = {
    CallState.SETUP: frozenset({CallState.TALKING, CallState.LEAVING, CallState.ENDED}),
    CallState.TALKING: frozenset({CallState.TRANSFERRING, CallState.LEAVING, CallState.ENDED}),
    CallState.TRANSFERRING: frozenset({CallState.TALKING, CallState.LEAVING, CallState.ENDED}),
    CallState.LEAVING: frozenset({CallState.TALKING, CallState.TRANSFERRING, CallState.ENDED}),
    CallState.ENDED: frozenset(),
}
