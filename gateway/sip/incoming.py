"""A call that came in: the side of the one who is called (RFC 3261 section 13.3)."""

from collections.abc import Callable
from typing import Literal

from ..errors import SipError
from .admission import Policy
from .courier import Courier
from .deadline import earliest
from .dialog import Dialog
from .flow import Flow
from .invite_in import IncomingInvite
from .message import Request
from .reason import Reason, cause_of_status, status_of_cause
from .session import Session
from .session_state import RING_LIMIT, SessionInput, SessionState
from .uri import Uri

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
        self._invite = self._offers.incoming = IncomingInvite(key, request, flow, courier, tag)
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
        if self.state is SessionState.EARLY:
            self._invite.provisional(180, None, now)
            self._settle()

    def progress(self, sdp: bytes, now: float) -> None:
        """Let the caller hear us before we answer (183)."""
        if self.state is SessionState.EARLY:
            self._invite.provisional(183, sdp, now)
            self._settle()

    def answer(self, sdp: bytes, now: float) -> None:
        """Take the call; ``Confirmed`` follows when the caller has our answer.

        Raises:
            SipError: It has been answered, rejected or taken back already.

        """
        if self.state is not SessionState.EARLY:
            raise SipError("the call is no longer to be answered", status=487)
        self._expires_at = None
        self._invite.accept(sdp, now)
        self._move(SessionInput.ANSWER)
        self._settle()

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
