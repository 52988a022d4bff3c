"""An INVITE sent, from its first byte to its last ACK (RFC 3261 sections 13.2 and 9.1).

The 2xx of an INVITE may come from several phones, may be repeated, and may
cross our CANCEL: each asks for an ACK, and all but one for a BYE too.  More than
32 phones are nobody's: what they say is dropped.  A table says what a response
means; the session acts on it.
"""

import enum
from typing import Final

from ..flow import Flow
from ..ways.courier import Courier
from ..ways.posted import Posted
from ..ways.routing import Way
from ..wire.message import Request, Response
from ..wire.multipart import SDP
from .dialog import Dialog

__all__ = ["InviteOutcome", "OutgoingInvite"]


_MOST_ANSWERS: Final = 32  # of different phones


class _State(enum.Enum):
    CALLING = enum.auto()  # nothing heard yet
    PROCEEDING = enum.auto()  # a 1xx was heard
    ACCEPTED = enum.auto()  # a 2xx was heard
    FAILED = enum.auto()  # a final response of 300 or more, or none after our CANCEL


class InviteOutcome(enum.Enum):
    """What a response to our INVITE means to the session."""

    NOTHING = enum.auto()
    PROGRESS = enum.auto()  # somebody works on it
    ANSWERED = enum.auto()  # the first 2xx: it makes the session
    FORKED = enum.auto()  # a 2xx of another phone: ACK and BYE
    CROSSED = enum.auto()  # a 2xx after our CANCEL: ACK and BYE
    FAILED = enum.auto()


_RESPONSES: Final = {
    (_State.CALLING, 1): (_State.PROCEEDING, InviteOutcome.PROGRESS),
    (_State.PROCEEDING, 1): (_State.PROCEEDING, InviteOutcome.PROGRESS),
    (_State.CALLING, 2): (_State.ACCEPTED, InviteOutcome.ANSWERED),
    (_State.PROCEEDING, 2): (_State.ACCEPTED, InviteOutcome.ANSWERED),
    (_State.ACCEPTED, 2): (_State.ACCEPTED, InviteOutcome.FORKED),
    (_State.CALLING, 3): (_State.FAILED, InviteOutcome.FAILED),
    (_State.PROCEEDING, 3): (_State.FAILED, InviteOutcome.FAILED),
}


class OutgoingInvite:
    """One INVITE of ours."""

    def __init__(self, request: Request, courier: Courier) -> None:
        self.request = request
        self.is_settled = False  # its offer and answer are complete, ahead of its final response
        self._courier = courier
        self._state = _State.CALLING
        self._posted: Posted | None = None
        self._is_cancelled = False
        self._gives_up_at: float | None = None
        self._acks: dict[str, tuple[Request, Way] | None] = {}  # by the To-tag of the 2xx

    @property
    def is_busy(self) -> bool:
        """Whether it still waits for a final response."""
        return self._state in (_State.CALLING, _State.PROCEEDING)

    @property
    def deadline(self) -> float | None:
        """When a cancelled INVITE may be taken for dead (section 9.1)."""
        return self._gives_up_at

    @property
    def flow(self) -> Flow | None:
        """The way to whoever answered last."""
        return self._posted.flow if self._posted is not None else None

    def sent_as(self, posted: Posted) -> None:
        """Remember what carries it."""
        self._posted = posted

    def cancel(self, now: float, reason: str = "") -> None:
        """Take the INVITE back: now, or as soon as a 1xx allows it."""
        if self._is_cancelled or not self.is_busy:
            return
        self._is_cancelled = True
        if self._posted is not None and self._courier.cancel(self._posted, now, reason):
            self._gives_up_at = now + self._courier.timers.patience

    def let_go(self, now: float) -> None:
        """Wait for the final response no longer than it may still be on its way."""
        if self.is_busy and self._posted is not None:
            self._courier.abandon_later(self._posted, now)

    def receive(self, response: Response, now: float) -> InviteOutcome:
        """Take in a response, and answer for itself those that are only repeats."""
        if response.status // 100 == 2 and not self._is_new(response.to.tag or "", now):
            return InviteOutcome.NOTHING
        step = _RESPONSES.get((self._state, min(response.status // 100, 3)))
        if step is None:
            return InviteOutcome.NOTHING
        self._state, outcome = step
        if not self.is_busy:
            self._gives_up_at = None
        if self._is_cancelled:
            if outcome is InviteOutcome.PROGRESS and self._gives_up_at is None:
                self._gives_up_at = now + self._courier.timers.patience  # the CANCEL has gone
            if outcome is InviteOutcome.ANSWERED:
                return InviteOutcome.CROSSED
        return outcome

    def acknowledge(self, dialog: Dialog, way: Way, now: float, sdp: bytes | None = None) -> None:
        """Send the ACK to a 2xx, and keep it for the repeats of that 2xx."""
        ack = dialog.ack(self.request, sdp or b"", SDP if sdp else "")
        self._acks[dialog.id.remote_tag] = (ack, way)
        self._courier.acknowledge(ack, way, now)

    def wake(self, now: float) -> bool:
        """Return whether our CANCEL has waited for its 487 long enough."""
        if self._gives_up_at is None or now < self._gives_up_at:
            return False
        self._gives_up_at = None
        self._state = _State.FAILED
        if self._posted is not None:
            self._courier.abandon(self._posted)
        return True

    def _is_new(self, tag: str, now: float) -> bool:
        """Tell whether a phone answers for the first time, and is not one too many."""
        if tag in self._acks:
            if ack := self._acks[tag]:
                self._courier.acknowledge(*ack, now)
            return False
        if len(self._acks) >= _MOST_ANSWERS:
            self._courier.forks_dropped += 1
            return False
        self._acks[tag] = None
        return True
