"""A call we place: the side of the one who calls (RFC 3261 section 13.2)."""

from collections.abc import Callable, Iterable

from .admission import Policy
from .courier import Courier
from .deadline import earliest
from .dialog import Dialog
from .invite_out import InviteOutcome, OutgoingInvite
from .message import Headers, Request, Response
from .reason import Reason
from .routing import Way, flow_of
from .screening import SDP, add_capabilities
from .session import Session
from .session_events import Answered, Ringing
from .session_state import RING_LIMIT, SessionInput, SessionState
from .uri import Uri

__all__ = ["OutgoingSession"]


class OutgoingSession(Session):
    """A call that rings somewhere else until it is taken."""

    def __init__(
        self,
        target: Uri,
        way: Way,
        courier: Courier,
        touch: Callable[[Session], None],
        now: float,
        *,
        from_uri: Uri,
        sdp: bytes | None,
        headers: Iterable[tuple[str, str]] = (),
        ring_limit: float = RING_LIMIT,
        policy: Policy,
    ) -> None:
        tag = courier.ids.token()
        request = _invite(target, from_uri, tag, courier.ids.token(128), sdp, headers)
        request.headers.add("Contact", courier.contact(way, target.scheme))
        super().__init__(
            courier,
            request,
            flow_of(way),
            touch=touch,
            local_tag=tag,
            first_state=SessionState.CALLING,
            policy=policy,
        )
        self._invite = self._offers.outgoing = OutgoingInvite(request, courier)
        self._gives_up_at: float | None = now + ring_limit
        self._invite.sent_as(
            courier.send(request, way, now, self._on_response, account=policy.account)
        )

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        return earliest(super().deadline, self._gives_up_at, self._invite.deadline)

    def hang_up(self, now: float, reason: Reason | None = None) -> None:
        """End the call, however far it has come."""
        if self.state in (SessionState.CALLING, SessionState.EARLY):
            self._take_back(487, now, reason)
            return
        if self.state is SessionState.ANSWERED and self.dialog is not None:
            self._acknowledge(None, now)  # an offer we shall not answer
        super().hang_up(now, reason)

    def answer_offer(self, sdp: bytes, now: float) -> None:
        """Answer an offer: that of ``Answered`` when we made none, or an ``OfferReceived``."""
        if self.state is SessionState.ANSWERED:
            self._acknowledge(sdp, now)
            self._settle()
        else:
            super().answer_offer(sdp, now)

    def wake(self, now: float) -> None:
        """Run whatever timers are due at ``now``."""
        if self._gives_up_at is not None and now >= self._gives_up_at:
            self._take_back(408, now, None)
        if self._invite.wake(now):
            self._move(SessionInput.OVER)
        super().wake(now)

    def _take_back(self, status: int, now: float, reason: Reason | None) -> None:
        self._gives_up_at = None
        self._invite.cancel(now, str(reason) if reason is not None else "")
        self._finish("gateway", status, reason, SessionInput.HANG_UP)

    def _on_response(self, response: Response, now: float) -> None:
        match self._invite.receive(response, now):
            case InviteOutcome.PROGRESS:
                self._line.flow = self._invite.flow or self._line.flow
                self._on_progress(response)
            case InviteOutcome.ANSWERED:
                self._line.flow = self._invite.flow or self._line.flow
                self._on_answer(response, now)
            case InviteOutcome.FORKED | InviteOutcome.CROSSED as outcome:
                self._turn_down(response, now, is_last=outcome is InviteOutcome.CROSSED)
            case InviteOutcome.FAILED:
                self._gives_up_at = None
                reason = Reason.of(response)
                self._finish("peer", response.status, reason, SessionInput.OVER)
            case InviteOutcome.NOTHING:
                pass
        self._settle()

    def _on_progress(self, response: Response) -> None:
        if not self.is_live or response.status == 100:
            return
        self._move(SessionInput.PROGRESS)
        self._tell(Ringing(response.status, response.body or None))

    def _on_answer(self, response: Response, now: float) -> None:
        self._gives_up_at = None
        self._line.dialog = Dialog.calling(self.request, response)
        self._move(SessionInput.ANSWER)
        if self.request.body:
            self._acknowledge(None, now)
        self._tell(Answered(response.body or None))

    def _acknowledge(self, sdp: bytes | None, now: float) -> None:
        if self.dialog is not None:
            self._invite.acknowledge(self.dialog, self._line.way(), now, sdp)
            self._move(SessionInput.ACK)

    def _turn_down(self, response: Response, now: float, *, is_last: bool) -> None:
        """End a call that somebody took too late, or took as well (section 13.2.2.4)."""
        dialog = Dialog.calling(self.request, response)
        way = self._line.way(dialog, self._invite.flow)
        self._invite.acknowledge(dialog, way, now)
        on_response = self._on_bye_response if is_last else _ignore
        bye, account = dialog.request("BYE"), self.policy.account
        self._courier.send(
            bye, way, now, on_response, account=account, renumber=dialog.next_sequence
        )


def _ignore(response: Response, now: float) -> None:
    """Take no notice: the call that was turned down is nobody's concern."""


def _invite(
    target: Uri,
    from_uri: Uri,
    tag: str,
    call_id: str,
    sdp: bytes | None,
    extra: Iterable[tuple[str, str]],
) -> Request:
    headers = Headers(
        ("Max-Forwards", "70"),
        ("From", f"<{from_uri}>;tag={tag}"),
        ("To", f"<{target}>"),
        ("Call-ID", call_id),
        ("CSeq", "1 INVITE"),
        *extra,
    )
    request = Request("INVITE", str(target), headers, sdp or b"")
    add_capabilities(request)
    if sdp:
        request.headers.add("Content-Type", SDP)
    return request
