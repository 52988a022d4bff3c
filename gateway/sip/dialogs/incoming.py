"""A call that came in: the side of the one who is called (RFC 3261 section 13.3)."""

from collections.abc import Callable
from typing import Literal

from ...errors import SipError
from ..admission import Policy
from ..deadline import earliest
from ..flow import Flow
from ..ways.courier import Courier
from ..wire.message import Request, response_to
from ..wire.multipart import description
from ..wire.reason import Reason, cause_of_status, status_of_cause
from ..wire.uri import Uri
from .dialog import Dialog
from .invite_in import IncomingInvite, InviteState
from .session import Session
from .session_events import AnswerReceived
from .session_state import RING_LIMIT, SessionInput, SessionState

__all__ = ["IncomingSession"]


class IncomingSession(Session):
    """A call to be answered or rejected."""

    def __init__(
        self,
        key: str,
        request: Request,
        flow: Flow,
        courier: Courier,
        touch: Callable[[Session], None],
        now: float,
        *,
        policy: Policy,
    ) -> None:
        self.key = key
        tag = courier.ids.token()
        super().__init__(
            courier,
            request,
            flow,
            touch=touch,
            local_tag=tag,
            first_state=SessionState.EARLY,
            policy=policy,
        )
        self._line.dialog = Dialog.answering(request, tag, first_sequence=1)
        self._line.learn(request)
        self._invite = IncomingInvite(key, request, self._line, self._timer, tag)
        self._offers.incoming = self._invite
        self._handlers["PRACK"] = self._on_prack
        # The caller may limit how long it lets us ring (section 13.3.1), and so do we,
        # for it may have gone without our ever hearing its CANCEL.
        self._is_callers_limit = request.expires is not None and request.expires <= RING_LIMIT
        limit = float(request.expires or 0) if self._is_callers_limit else RING_LIMIT
        self._expires_at: float | None = now + limit

    @property
    def offer(self) -> bytes | None:
        """The caller's description; ``None`` asks us for an offer in ``answer``."""
        return self._invite.offer

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        return earliest(super().deadline, self._expires_at)

    def ring(self, now: float) -> None:
        """Tell the caller that it rings (180)."""
        if self._invite.is_open:
            self._invite.provisional(180, None, now)
            self._settle()

    def progress(self, sdp: bytes, now: float) -> None:
        """Let the caller hear us before we answer (183)."""
        if self._invite.is_open:
            self._invite.provisional(183, sdp, now)
            self._settle()

    def answer(self, sdp: bytes, now: float) -> None:
        """Take the call; ``Confirmed`` follows when the caller has our answer.

        Raises:
            SipError: It has been answered, rejected or taken back already.

        """
        if not self._invite.is_open:
            raise SipError("the call is no longer to be answered", status=487)
        self._invite.accept(sdp)
        self._expires_at = None
        self._advance(now)
        self._settle()

    def answer_offer(self, sdp: bytes, now: float) -> None:
        """Answer an ``OfferReceived``; nothing happens when it was withdrawn meanwhile."""
        super().answer_offer(sdp, now)
        self._advance(now)

    def reject(
        self, status: int, now: float, reason: Reason | None = None, retry_after: int | None = None
    ) -> None:
        """Do not take the call; a call that is past that is left alone."""
        if self.state is not SessionState.EARLY:
            return
        reason = reason or Reason("Q.850", cause_of_status(status))
        self._invite.refuse(status, now, reason=str(reason), retry_after=retry_after)
        self._expires_at = None
        self._finish("gateway", status, reason, SessionInput.OVER)

    def redirect(self, target: Uri, now: float) -> None:
        """Send the caller elsewhere (302, section 8.3); past the answer, nothing is done."""
        if self.state is not SessionState.EARLY:
            return
        self._invite.refuse(302, now, contact=str(target))
        self._expires_at = None
        self._finish("gateway", 302, None, SessionInput.OVER)

    def hang_up(self, now: float, reason: Reason | None = None) -> None:
        """End the call, however far it has come."""
        if self.state is SessionState.EARLY:
            self.reject(status_of_cause(reason.cause if reason is not None else None), now, reason)
        else:
            super().hang_up(now, reason)

    def wake(self, now: float) -> None:
        """Run whatever timers are due at ``now``."""
        if self._expires_at is not None and now >= self._expires_at:
            self._expires_at = None
            status = 487 if self._is_callers_limit else 480
            self._invite.refuse(status, now)
            by: Literal["gateway", "peer"] = "peer" if self._is_callers_limit else "gateway"
            self._finish(by, status, None, SessionInput.OVER)
        super().wake(now)
        if self._invite.is_given_up:
            self.reject(504, now)

    def _on_prack(self, key: str, prack: Request, now: float) -> None:
        """Take in the acknowledgement of a provisional response, and what it describes."""
        if not self._invite.acknowledge_provisional(prack):
            self._courier.respond(key, response_to(prack, 481), now)
            return
        sdp = description(prack)
        if sdp is not None and not self._invite.awaits_answer:
            self._offers.receive(key, prack, now)
        else:
            self._courier.respond(key, response_to(prack, 200), now)
            if sdp is not None:
                self._invite.is_settled = True
                self._offers.agree(self._invite.ours, sdp)
                self._tell(AnswerReceived(sdp))
            elif self._invite.awaits_answer:
                self.reject(488, now)  # our offer stays unanswered: nothing to talk by
        self._advance(now)

    def _advance(self, now: float) -> None:
        """Go on as far as PRACK allows; the offer of one is to be answered first."""
        if self._offers.is_asked:
            return
        self._invite.advance(now)
        if self.state is SessionState.EARLY and self._invite.state is InviteState.ANSWERED:
            self._offers.agree(self._invite.ours, self._invite.offer)
            self._move(SessionInput.ANSWER)
