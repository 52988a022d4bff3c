"""An INVITE received, from its first answer to its ACK (RFC 3261 sections 13.3 and 14.2).

Serves the INVITE that opens a session and every later one alike.
"""

import enum
from typing import Final

from ...errors import SipError
from ..deadline import earliest
from ..transactions.repeat import Repeater
from ..wire.message import Request, Response, response_to
from ..wire.multipart import SDP, description
from .line import Line
from .reliable import RELIABLE, ReliableResponses
from .session_timer import SessionTimer

__all__ = ["IncomingInvite", "InviteState"]


class InviteState(enum.Enum):
    """How far our answer has come."""

    PROCEEDING = enum.auto()  # no final response yet
    ANSWERED = enum.auto()  # 2xx sent, and sent again until the ACK
    CONFIRMED = enum.auto()  # the ACK is in
    UNACKNOWLEDGED = enum.auto()  # the ACK never came
    REFUSED = enum.auto()  # a final response of 300 or more


# Seconds until the caller is told again that it rings, lest a proxy take the call for dead
# (RFC 3261 section 13.3.1.1); longer where it is known to have heard it (RFC 3262 section 3).
_MINUTE: Final = 60.0
_RELIABLE_MINUTES: Final = 150.0

_BUSY: Final = (InviteState.PROCEEDING, InviteState.ANSWERED)


class IncomingInvite:
    """One INVITE to be answered.

    ``offer`` is the description it brought; ``None`` asks us for an offer.  ``ours`` is the
    description we gave it, and ``is_settled`` whether offer and answer were complete before the
    final response, which then carries none.
    """

    def __init__(
        self, key: str, request: Request, line: Line, timer: SessionTimer, local_tag: str
    ) -> None:
        self.key = key
        self.request = request
        self.offer = description(request)
        self.ours = b""
        self.is_settled = False
        self.state = InviteState.PROCEEDING
        self._line = line
        self._courier = line.courier
        self._timer = timer
        self._local_tag = local_tag
        self._reliable = ReliableResponses(
            line.courier.timers, line.courier.ids, self._response, self._respond
        )
        self._final: bytes | None = None  # what a 200 will say as soon as it may go
        self._answer: Response | None = None
        self._repeater: Repeater | None = None
        self._progress: tuple[int, bytes | None] = (180, None)  # what the caller was last told
        self._remind_at: float | None = None

    @property
    def is_proceeding(self) -> bool:
        """Whether it still waits for a final response."""
        return self.state is InviteState.PROCEEDING

    @property
    def is_open(self) -> bool:
        """Whether its final response is not even decided."""
        return self.is_proceeding and self._final is None

    @property
    def is_busy(self) -> bool:
        """Whether it still waits for a final response or for the ACK."""
        return self.state in _BUSY

    @property
    def awaits_answer(self) -> bool:
        """Whether we made the offer, and its answer is still to come."""
        is_made = bool(self.ours) or self._reliable.holds_description
        return self.offer is None and is_made and not self.is_settled

    @property
    def is_given_up(self) -> bool:
        """Whether a provisional response was never acknowledged."""
        return self._reliable.is_given_up

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called."""
        ack = self._repeater.deadline if self._repeater is not None else None
        return earliest(ack, self._reliable.deadline, self._remind_at if self.is_open else None)

    def provisional(self, status: int, sdp: bytes | None, now: float) -> None:
        """Send a 1xx: one that is known to arrive, where both sides want that.

        Raises:
            SipError: The final response has gone out already.

        """
        self._require_open()
        if self._is_reliable(sdp):
            self._progress, self._remind_at = (status, None), now + _RELIABLE_MINUTES
            self._reliable.add(status, sdp, now)
        else:  # an offer may be lost there (RFC 3261, section 13.2.1)
            sdp = sdp if self.offer is not None else None
            self._progress, self._remind_at = (status, sdp), now + _MINUTE
            self._respond(self._response(status, sdp), now)

    def accept(self, sdp: bytes) -> None:
        """Have :meth:`advance` send the 200 as soon as it may go, and again until the ACK.

        Raises:
            SipError: The final response has gone out already.

        """
        self._require_open()
        self._final = sdp
        self._reliable.forget_waiting()

    def advance(self, now: float) -> None:
        """Send what waited for a PRACK: the next 1xx or the 200 (RFC 3262 section 3)."""
        if self._final is None or not self.is_proceeding:
            self._reliable.send_next(now)
            return
        if self._reliable.holds_description:
            return
        self._reliable.stop()
        self.state = InviteState.ANSWERED
        self._answer = self._response(200, self._final)
        self._timer.answer(self.request, self._answer, now)
        self.ours = self._answer.body or self.ours
        self._repeater = Repeater(self._courier.timers, now)
        self._respond(self._answer, now)

    def refuse(
        self,
        status: int,
        now: float,
        *,
        reason: str = "",
        retry_after: int | None = None,
        contact: str = "",
    ) -> None:
        """Send a final response of 300 or more; too late, it is no more than a no-op.

        ``contact`` is where the caller is sent by a redirection.
        """
        if not self.is_proceeding:
            return
        self._reliable.stop()
        self.state = InviteState.REFUSED
        response = response_to(self.request, status, to_tag=self._local_tag)
        if reason:
            response.headers.add("Reason", reason)
        if contact:
            response.headers.add("Contact", f"<{contact}>")
        if retry_after is not None:
            response.headers.add("Retry-After", str(retry_after))
        self._respond(response, now)

    def acknowledge_provisional(self, prack: Request) -> bool:
        """Take in a PRACK; ``True`` when it is the one waited for."""
        response = self._reliable.acknowledge(prack)
        if response is None:
            return False
        if response.body:
            self.ours = response.body
            self.is_settled = self.offer is not None
        return True

    def acknowledge(self, ack: Request) -> bool:
        """Take in an ACK; ``True`` when it is the one waited for."""
        is_ours = ack.cseq.number == self.request.cseq.number
        if not is_ours or self.state is not InviteState.ANSWERED:
            return False
        self.state = InviteState.CONFIRMED
        self._repeater = None
        return True

    def wake(self, now: float) -> None:
        """Repeat what is not acknowledged, or give that up; say again that it rings."""
        self._reliable.wake(now)
        if self._remind_at is not None and now >= self._remind_at and self.is_open:
            self.provisional(*self._progress, now)
        if self._repeater is None or self._answer is None:
            return
        if self._repeater.wake(now):
            self._respond(self._answer, now)
        elif self._repeater.is_expired:
            self.state = InviteState.UNACKNOWLEDGED
            self._repeater = None

    def _is_reliable(self, sdp: bytes | None) -> bool:
        policy = self._line.policy.prack
        if policy == "off":
            return False
        is_demanded = policy == "required" or RELIABLE in self.request.require
        return is_demanded or (sdp is not None and RELIABLE in self.request.supported)

    def _require_open(self) -> None:
        if not self.is_open:
            raise SipError("the INVITE has its final response", status=500)

    def _response(self, status: int, sdp: bytes | None) -> Response:
        response = response_to(self.request, status, to_tag=self._local_tag)
        self._line.introduce(response)
        if sdp and not self.is_settled:
            response.headers.set("Content-Type", SDP)
            response.body = sdp
        return response

    def _respond(self, response: Response, now: float) -> None:
        self._courier.respond(self.key, response, now)
