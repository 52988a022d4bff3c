"""An INVITE received, from its first answer to its ACK (RFC 3261 sections 13.3 and 14.2).

Serves the INVITE that opens a session and every later one alike.
"""

import enum
from typing import Final

from ..errors import SipError
from .courier import Courier
from .flow import Flow
from .message import Request, Response, response_to
from .repeat import Repeater
from .screening import SDP, add_capabilities

__all__ = ["IncomingInvite", "InviteState"]


class InviteState(enum.Enum):
    """How far our answer has come."""

    PROCEEDING = enum.auto()  # no final response yet
    ANSWERED = enum.auto()  # 2xx sent, and sent again until the ACK
    CONFIRMED = enum.auto()  # the ACK is in
    UNACKNOWLEDGED = enum.auto()  # the ACK never came
    REFUSED = enum.auto()  # a final response of 300 or more


_BUSY: Final = (InviteState.PROCEEDING, InviteState.ANSWERED)


class IncomingInvite:
    """One INVITE to be answered."""

    def __init__(
        self, key: str, request: Request, flow: Flow, courier: Courier, local_tag: str
    ) -> None:
        self.key = key
        self.request = request
        self.flow = flow
        self.state = InviteState.PROCEEDING
        self._courier = courier
        self._local_tag = local_tag
        self._answer: Response | None = None
        self._repeater: Repeater | None = None

    @property
    def offer(self) -> bytes | None:
        """The description it brought; ``None`` asks us for an offer in the 2xx."""
        return self.request.body or None

    @property
    def is_proceeding(self) -> bool:
        """Whether it still waits for a final response."""
        return self.state is InviteState.PROCEEDING

    @property
    def is_busy(self) -> bool:
        """Whether it still waits for a final response or for the ACK."""
        return self.state in _BUSY

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called."""
        return self._repeater.deadline if self._repeater is not None else None

    def provisional(self, status: int, sdp: bytes | None, now: float) -> None:
        """Send a 1xx.

        Raises:
            SipError: The final response has gone out already.

        """
        self._require_open()
        self._courier.respond(self.key, self._response(status, sdp), now)

    def accept(self, sdp: bytes, now: float) -> None:
        """Send the 200, and keep sending it until the ACK.

        Raises:
            SipError: The final response has gone out already.

        """
        self._require_open()
        self.state = InviteState.ANSWERED
        self._answer = self._response(200, sdp)
        self._repeater = Repeater(self._courier.timers, now)
        self._courier.respond(self.key, self._answer, now)

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
        self.state = InviteState.REFUSED
        response = response_to(self.request, status, to_tag=self._local_tag)
        if reason:
            response.headers.add("Reason", reason)
        if contact:
            response.headers.add("Contact", f"<{contact}>")
        if retry_after is not None:
            response.headers.add("Retry-After", str(retry_after))
        self._courier.respond(self.key, response, now)

    def acknowledge(self, ack: Request) -> bool:
        """Take in an ACK; ``True`` when it is the one waited for."""
        is_ours = ack.cseq.number == self.request.cseq.number
        if not is_ours or self.state is not InviteState.ANSWERED:
            return False
        self.state = InviteState.CONFIRMED
        self._repeater = None
        return True

    def wake(self, now: float) -> None:
        """Repeat the 2xx, or give the ACK up."""
        if self._repeater is None or self._answer is None:
            return
        if self._repeater.wake(now):
            self._courier.respond(self.key, self._answer, now)
        elif self._repeater.is_expired:
            self.state = InviteState.UNACKNOWLEDGED
            self._repeater = None

    def _require_open(self) -> None:
        if not self.is_proceeding:
            raise SipError("the INVITE has its final response", status=500)

    def _response(self, status: int, sdp: bytes | None) -> Response:
        response = response_to(self.request, status, to_tag=self._local_tag)
        contact = self._courier.contact(self.flow, self.request.request_uri.scheme)
        response.headers.set("Contact", contact)
        add_capabilities(response)
        if sdp:
            response.headers.set("Content-Type", SDP)
            response.body = sdp
        return response
