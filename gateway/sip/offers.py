"""The offers of a session after its first: re-INVITE and UPDATE (RFC 3261 section 14, RFC 3311).

Only one offer may be open between two user agents.  One that comes while
another is open is refused; one of ours that would, or that the peer refused
for that reason, waits until its owner is told that it is due.
"""

from collections.abc import Callable
from typing import Final

from .deadline import earliest
from .invite_in import IncomingInvite
from .invite_out import InviteOutcome, OutgoingInvite
from .line import Line
from .message import Request, Response, response_to
from .posted import OnResponse
from .screening import SDP, add_capabilities
from .session_events import AnswerReceived, OfferReceived, OfferRefused

__all__ = ["Offers"]

_LONGEST_RETRY_AFTER: Final = 10


class Offers:
    """The offers open between us and the peer, and whose turn is next."""

    def __init__(
        self,
        line: Line,
        tell: Callable[[AnswerReceived | OfferReceived | OfferRefused], None],
        on_response: OnResponse,
        *,
        local_tag: str,
        owns_call_id: bool,
    ) -> None:
        self.incoming: IncomingInvite | None = None  # the last INVITE received, the first included
        self.outgoing: OutgoingInvite | None = None
        self._update: tuple[str, Request] | None = None  # its offer is not yet answered
        self._line = line
        self._courier = line.courier
        self._tell = tell
        self._on_response = on_response
        self._local_tag = local_tag
        self._owns_call_id = owns_call_id
        self._is_waiting = False
        self._retry_at: float | None = None

    @property
    def is_free(self) -> bool:
        """Whether we may send an offer now."""
        is_in = self.incoming is not None and self.incoming.is_busy
        is_out = self.outgoing is not None and self.outgoing.is_busy
        return not (is_in or is_out or self._update is not None or self._retry_at is not None)

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called."""
        return earliest(self._retry_at, self.incoming.deadline if self.incoming else None)

    def make(self, sdp: bytes, now: float) -> bool:
        """Send an offer, or return ``False`` and remember that there is one to make."""
        if not self.is_free:
            self._is_waiting = True
            return False
        request = self._line.request("INVITE", sdp, SDP)
        add_capabilities(request)
        invite = self.outgoing = OutgoingInvite(request, self._courier)

        def on_response(response: Response, now: float) -> None:
            self._on_invite_response(invite, response, now)

        invite.sent_as(self._line.send(request, now, on_response))
        return True

    def receive(self, key: str, request: Request, now: float) -> None:
        """Take in a re-INVITE or UPDATE; answer for itself one that is not the owner's matter."""
        if self._line.dialog is not None:
            self._line.dialog.refresh(request)
        if refusal := self._refusal(request):
            status, retry_after = refusal
            response = response_to(request, status)
            if retry_after is not None:
                response.headers.add("Retry-After", str(retry_after))
            self._courier.respond(key, response, now)
        elif request.method == "INVITE":
            flow = self._line.flow
            self.incoming = IncomingInvite(key, request, flow, self._courier, self._local_tag)
            self._tell(OfferReceived(request.body or None, "INVITE"))
        else:
            self._update = (key, request)
            if request.body:
                self._tell(OfferReceived(request.body, "UPDATE"))
            else:
                self.answer(b"", now)

    def answer(self, sdp: bytes, now: float) -> None:
        """Answer the open offer; without one, nothing happens."""
        if self._update is not None:
            key, request = self._update
            self._update = None
            response = response_to(request, 200)
            response.headers.set("Contact", self._line.contact(self._line.flow))
            add_capabilities(response)
            if sdp:
                response.headers.set("Content-Type", SDP)
                response.body = sdp
            self._courier.respond(key, response, now)
        elif self.incoming is not None and self.incoming.is_proceeding:
            self.incoming.accept(sdp, now)

    def refuse(self, status: int, now: float) -> None:
        """Refuse the open offer; without one, nothing happens."""
        if self._update is not None:
            key, request = self._update
            self._update = None
            self._courier.respond(key, response_to(request, status), now)
        elif self.incoming is not None:
            self.incoming.refuse(status, now)

    def stop(self, now: float) -> None:
        """End with the call: refuse the open offer, let go of our own."""
        self.refuse(487, now)
        if self.outgoing is not None:
            self.outgoing.let_go(now)

    def wait(self) -> None:
        """Remember that we have an offer to make as soon as we may."""
        self._is_waiting = True

    def wake(self, now: float) -> None:
        """Run whatever timers are due at ``now``."""
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
        if self.incoming is not None:
            self.incoming.wake(now)

    def is_due(self) -> bool:
        """Return ``True``, once, when an offer that had to wait may go."""
        is_due = self._is_waiting and self.is_free
        if is_due:
            self._is_waiting = False
        return is_due

    def _on_invite_response(self, invite: OutgoingInvite, response: Response, now: float) -> None:
        if invite.receive(response, now) in (InviteOutcome.NOTHING, InviteOutcome.PROGRESS):
            return
        if response.status < 300 and self._line.dialog is not None:
            self._line.dialog.refresh(response)
            invite.acknowledge(self._line.dialog, self._line.way(), now)
            self._tell(AnswerReceived(response.body) if response.body else OfferRefused(488))
        else:
            if response.status == 491:
                self._postpone(now)
            self._tell(OfferRefused(response.status))
            self._on_response(response, now)

    def _postpone(self, now: float) -> None:
        """Put off our offer, which met one of the peer's (491, section 14.1).

        The owner of the Call-ID waits 2.1 to 4 s, the other side up to 2 s, so
        that they do not meet again.
        """
        ids, self._is_waiting = self._courier.ids, True
        wait = 2.1 + 0.01 * ids.number(191) if self._owns_call_id else 0.01 * ids.number(201)
        self._retry_at = now + wait

    def _refusal(self, request: Request) -> tuple[int, int | None] | None:
        """Return status and Retry-After for an offer at the wrong moment (14.2; RFC 3311 5.2)."""
        if request.method == "UPDATE" and not request.body:
            return None
        if self.outgoing is not None and self.outgoing.is_busy:
            return 491, None
        invite = self.incoming
        if self._update is not None or (invite is not None and invite.is_proceeding):
            return 500, self._courier.ids.number(_LONGEST_RETRY_AFTER + 1)
        if invite is not None and invite.is_busy:
            is_settled = request.method == "UPDATE" and invite.offer is not None
            return None if is_settled else (491, None)
        return None
