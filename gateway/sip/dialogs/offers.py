"""The offers of a session after its first: re-INVITE and UPDATE (RFC 3261 section 14, RFC 3311).

Only one offer may be open between two user agents.  One that comes while
another is open is refused; one of ours that would, or that the peer refused
for that reason, waits until its owner is told that it is due.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, Literal

from ..deadline import earliest
from ..ways.posted import OnResponse
from ..wire.message import Request, Response, response_to
from ..wire.multipart import SDP, description
from .invite_in import IncomingInvite
from .invite_out import InviteOutcome, OutgoingInvite
from .line import Line
from .session_events import AnswerReceived, OfferReceived, OfferRefused, Renewed
from .session_timer import SessionTimer, timer_refusal

__all__ = ["Offers"]

_LONGEST_RETRY_AFTER: Final = 10


class Offers:
    """The offers open between us and the peer, and whose turn is next."""

    def __init__(
        self,
        line: Line,
        timer: SessionTimer,
        tell: Callable[[AnswerReceived | OfferReceived | OfferRefused | Renewed], None],
        on_response: OnResponse,
        on_accepted: Callable[[Request], None],
        *,
        local_tag: str,
        owns_call_id: bool,
    ) -> None:
        self.incoming: IncomingInvite | None = None  # the last INVITE received, the first included
        self.outgoing: OutgoingInvite | None = None
        self._asked: tuple[str, Request] | None = None  # an UPDATE or PRACK; its offer is open
        self._ours = self._theirs = b""  # the descriptions last agreed
        self._line = line
        self._courier = line.courier
        self._timer = timer
        self._tell = tell
        self._on_response = on_response
        self._on_accepted = on_accepted
        self._local_tag = local_tag
        self._owns_call_id = owns_call_id
        self._is_waiting = False
        self._retry_at: float | None = None

    @property
    def is_free(self) -> bool:
        """Whether we may send an offer now."""
        is_in = self.incoming is not None and self.incoming.is_busy
        is_out = self.outgoing is not None and self.outgoing.is_busy
        return not (is_in or is_out or self.is_asked or self._retry_at is not None)

    @property
    def is_asked(self) -> bool:
        """Whether the offer of an UPDATE or a PRACK is to be answered."""
        return self._asked is not None

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called."""
        return earliest(self._retry_at, self.incoming.deadline if self.incoming else None)

    def agree(self, ours: bytes, theirs: bytes | None) -> None:
        """Take note of an offer and its answer."""
        if theirs:
            self._ours, self._theirs = ours, theirs

    def make(self, sdp: bytes, now: float) -> bool:
        """Send an offer, or return ``False`` and remember that there is one to make."""
        if not self.is_free:
            self._is_waiting = True
            return False
        self._invite(sdp, now, is_refresh=False)
        return True

    def refresh(self, now: float) -> bool:
        """Offer again what is agreed, byte for byte; ``False`` when that cannot be done now."""
        if not self.is_free or not self._ours:
            return False
        self._invite(self._ours, now, is_refresh=True)
        return True

    def receive(self, key: str, request: Request, now: float) -> None:
        """Take in a re-INVITE, an UPDATE or the offer in a PRACK; refuse it at a wrong moment."""
        if refusal := self._refusal(request):
            self._courier.respond(key, refusal, now)
        elif request.method == "INVITE":
            self.incoming = IncomingInvite(key, request, self._line, self._timer, self._local_tag)
            self._tell(OfferReceived(self.incoming.offer, "INVITE"))
        else:
            self._asked = (key, request)
            if sdp := description(request):
                method: Literal["PRACK", "UPDATE"]
                method = "UPDATE" if request.method == "UPDATE" else "PRACK"
                self._tell(OfferReceived(sdp, method))
            else:
                self.answer(b"", now)

    def answer(self, sdp: bytes, now: float) -> None:
        """Answer the open offer; without one, nothing happens."""
        if self._asked is not None:
            (key, request), self._asked = self._asked, None
            response = response_to(request, 200)
            self._line.introduce(response)
            if request.method == "UPDATE":
                self._timer.answer(request, response, now)
                self._on_accepted(request)
            if sdp:
                response.headers.set("Content-Type", SDP)
                response.body = sdp
                self.agree(sdp, description(request))
            self._courier.respond(key, response, now)
        elif self.incoming is not None and self.incoming.is_proceeding:
            self.incoming.accept(sdp)
            self.incoming.advance(now)
            self._on_accepted(self.incoming.request)
            self.agree(sdp, self.incoming.offer)

    def refuse(self, status: int, now: float) -> None:
        """Refuse the open offer; without one, nothing happens."""
        if self._asked is not None:
            (key, request), self._asked = self._asked, None
            self._courier.respond(key, response_to(request, status), now)
        elif self.incoming is not None:
            self.incoming.refuse(status, now)

    def pause_after(self, refusal: Response) -> float | None:
        """Return how long to wait if two requests have met (491, section 14.1; RFC 3311 5.3).

        The owner of the Call-ID waits 2.1 to 4 s, the other side up to 2 s, so
        that they do not meet again.
        """
        if refusal.status != 491:
            return None
        number = self._courier.ids.number
        return 2.1 + 0.01 * number(191) if self._owns_call_id else 0.01 * number(201)

    def stop(self, now: float) -> None:
        """End with the call: refuse the open offers, let go of our own."""
        if self.is_asked:
            self.refuse(487, now)
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

    def _invite(self, sdp: bytes, now: float, *, is_refresh: bool) -> None:
        request = self._line.request("INVITE", sdp, SDP)
        self._timer.ask(request, now)
        invite = self.outgoing = OutgoingInvite(request, self._courier)
        on_response = partial(self._on_invite_response, invite, is_refresh)
        invite.sent_as(self._line.send(request, now, on_response))

    def _on_invite_response(
        self, invite: OutgoingInvite, is_refresh: bool, response: Response, now: float
    ) -> None:
        if invite.receive(response, now) in (InviteOutcome.NOTHING, InviteOutcome.PROGRESS):
            return
        if response.status < 300 and self._line.dialog is not None:
            self._line.refreshed(response)
            invite.acknowledge(self._line.dialog, self._line.way(), now)
            self._timer.agree(response, now)
            self._conclude(invite.request.body, description(response), is_refresh)
        elif self._timer.raise_to(response):
            self._invite(invite.request.body, now, is_refresh=is_refresh)
            return
        else:
            self._give_way(response, now, is_refresh)
        self._on_response(response, now)

    def _conclude(self, ours: bytes, theirs: bytes | None, is_refresh: bool) -> None:
        is_news = theirs != self._theirs
        self.agree(ours, theirs)
        if not is_refresh:
            self._tell(AnswerReceived(theirs) if theirs else OfferRefused(488))
        elif theirs and is_news:
            self._tell(Renewed(theirs))

    def _give_way(self, response: Response, now: float, is_refresh: bool) -> None:
        """Put off our offer if it met one of the peer's, else give it up."""
        pause = self.pause_after(response)
        if pause is not None:
            self._retry_at = now + pause
            self._is_waiting = self._is_waiting or not is_refresh
        if is_refresh:
            self._timer.refused(response, now, pause)
        else:
            self._tell(OfferRefused(response.status))

    def _refusal(self, request: Request) -> Response | None:
        """Return the answer to an offer at the wrong moment (14.2; RFC 3311 5.2), or too short."""
        status = self._clash(request)
        if status is None:
            return timer_refusal(request, self._line.policy)
        response = response_to(request, status)
        if status == 500:
            wait = self._courier.ids.number(_LONGEST_RETRY_AFTER + 1)
            response.headers.add("Retry-After", str(wait))
        return response

    def _clash(self, request: Request) -> int | None:
        is_invite = request.method == "INVITE"
        if not is_invite and description(request) is None:
            return None
        out, invite = self.outgoing, self.incoming
        if out is not None and out.is_busy and (is_invite or not out.is_settled):
            return 491
        if self._asked is not None:
            return 500
        if invite is None or not invite.is_busy:
            return None
        if is_invite:
            return 500 if invite.is_proceeding else 491
        if invite.awaits_answer:
            return 491
        return 500 if invite.is_proceeding and not invite.is_settled else None
