"""How far a session has come, and what moves it on."""

import enum
from collections.abc import Mapping
from typing import Final

__all__ = ["EARLY_METHODS", "LIVE", "RING_LIMIT", "TRANSITIONS", "SessionInput", "SessionState"]


class SessionState(enum.Enum):
    """How far a session has come."""

    CALLING = enum.auto()  # our INVITE is out, nothing heard
    EARLY = enum.auto()  # an INVITE without its final response
    ANSWERED = enum.auto()  # the 2xx is there, the ACK is not
    CONFIRMED = enum.auto()  # the call is up
    ENDING = enum.auto()  # we have ended it, the peer has yet to agree
    PARTING = enum.auto()  # the peer has ended it, we have yet to agree
    TERMINATED = enum.auto()


class SessionInput(enum.Enum):
    """What moves a session on."""

    PROGRESS = enum.auto()  # a 1xx to our INVITE
    ANSWER = enum.auto()  # a 2xx, sent or received
    ACK = enum.auto()  # sent or received
    HANG_UP = enum.auto()  # we end the call: the peer still has to agree
    PART = enum.auto()  # the peer ended it, and is to wait for our agreement
    OVER = enum.auto()  # the peer ended it, or agreed


RING_LIMIT: Final = 180.0
"""Seconds a call may ring, either way: the least that timer C may be (section 16.6)."""

# What somebody whom we call may send before he answers.
EARLY_METHODS: Final = frozenset({"INFO", "INVITE", "OPTIONS", "UPDATE"})

# Still a call: nobody has ended it.
LIVE: Final = frozenset(
    {
        SessionState.CALLING,
        SessionState.EARLY,
        SessionState.ANSWERED,
        SessionState.CONFIRMED,
    }
)
# An input without a row changes nothing.
TRANSITIONS: Final[Mapping[tuple[SessionState, SessionInput], SessionState]] = {
    (SessionState.CALLING, SessionInput.PROGRESS): SessionState.EARLY,
    (SessionState.CALLING, SessionInput.ANSWER): SessionState.ANSWERED,
    (SessionState.EARLY, SessionInput.ANSWER): SessionState.ANSWERED,
    (SessionState.ANSWERED, SessionInput.ACK): SessionState.CONFIRMED,
    **{(state, SessionInput.HANG_UP): SessionState.ENDING for state in LIVE},
    **{(state, SessionInput.PART): SessionState.PARTING for state in LIVE},
    **{(state, SessionInput.OVER): SessionState.TERMINATED for state in SessionState},
}
