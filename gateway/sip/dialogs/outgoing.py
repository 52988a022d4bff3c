"""A call we place: the side of the one who calls (RFC 3261 section 13.2)."""

from collections.abc import Callable, Iterable

from ..admission import Policy
from ..deadline import earliest
from ..ways.courier import Courier
from ..ways.routing import Way, flow_of
from ..wire.message import Headers, Request, Response
from ..wire.multipart import SDP, description
from ..wire.reason import Reason
from ..wire.uri import Uri
from .declined import declined
from .dialog import Dialog
from .early import EarlyDialogs
from .invite_out import InviteOutcome, OutgoingInvite
from .reliable import RELIABLE
from .session import Session
from .session_events import Answered, Ringing
from .session_state import RING_LIMIT, SessionInput, SessionState

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
        if policy.prack == "required":
            request.headers.add("Require", RELIABLE)
        super().__init__(
            courier,
            request,
            flow_of(way),
            touch=touch,
            local_tag=tag,
            first_state=SessionState.CALLING,
            policy=policy,
        )
        self._line.introduce(request, way)
        self._early = EarlyDialogs(self._line)
        self._offered: bytes | None = None  # what the answer described
        self._gives_up_at: float | None = now + ring_limit
        self._send_invite(request, way, now)

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
            self._acknowledge(self._refusal_of(self._offered), now)
        super().hang_up(now, reason)

    def answer_offer(self, sdp: bytes, now: float) -> None:
        """Answer an offer: that of ``Ringing`` or ``Answered``, or an ``OfferReceived``.

        The first two are offers when we made none.
        """
        if self.state is SessionState.ANSWERED:
            self._offers.agree(sdp, self._offered)
            self._acknowledge(sdp, now)
            self._settle()
        elif self.state is SessionState.EARLY and self._early.answer(self._invite, sdp, now):
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

    def _send_invite(self, request: Request, way: Way, now: float) -> None:
        self._timer.ask(request, now)
        self.request = request
        self._invite = self._offers.outgoing = OutgoingInvite(request, self._courier)
        self._invite.sent_as(self._line.send(request, now, self._on_response, way=way))

    def _dialog_with(self, tag: str) -> Dialog | None:
        """Return the dialog with the one who goes by ``tag``, a passing one while it rings."""
        is_ringing = self.dialog is None and self.is_live
        return self._early.with_tag(tag) if is_ringing else super()._dialog_with(tag)

    def _take_back(self, status: int, now: float, reason: Reason | None) -> None:
        self._gives_up_at = None
        self._invite.cancel(now, str(reason) if reason is not None else "")
        self._finish("gateway", status, reason, SessionInput.HANG_UP)

    def _on_response(self, response: Response, now: float) -> None:
        match self._invite.receive(response, now):
            case InviteOutcome.PROGRESS:
                self._line.flow = self._invite.flow or self._line.flow
                self._on_progress(response, now)
            case InviteOutcome.ANSWERED:
                self._line.flow = self._invite.flow or self._line.flow
                self._on_answer(response, now)
            case InviteOutcome.FORKED | InviteOutcome.CROSSED as outcome:
                self._turn_down(response, now, is_last=outcome is InviteOutcome.CROSSED)
            case InviteOutcome.FAILED:
                self._on_failure(response, now)
            case InviteOutcome.NOTHING:
                pass
        self._settle()

    def _on_progress(self, response: Response, now: float) -> None:
        if not self.is_live or response.status == 100:
            return
        self._move(SessionInput.PROGRESS)
        self._line.learn(response)
        # A 199 only says that one of several places is out (RFC 6228).
        if self._early.receive(self._invite, response, now) and response.status != 199:
            self._tell(Ringing(response.status, description(response)))

    def _on_answer(self, response: Response, now: float) -> None:
        self._gives_up_at = None
        fork = self._early.confirm(self.request, response)
        self._early.clear()
        self._line.dialog = fork.dialog
        self._line.learn(response)
        self._move(SessionInput.ANSWER)
        self._timer.agree(response, now)
        self._offered = fork.sdp
        if ours := self.request.body or fork.our_answer:
            self._offers.agree(ours, fork.sdp)
            self._acknowledge(None, now)
        self._tell(Answered(None if fork.our_answer else fork.sdp))

    def _on_failure(self, response: Response, now: float) -> None:
        if self.is_live and self._timer.raise_to(response):
            self._early.clear()
            again = self.request.headers.copy()
            again.set("CSeq", f"{self.request.cseq.number + 1} INVITE")
            request = Request("INVITE", self.request.uri, again, self.request.body)
            self._send_invite(request, self._invite.flow or self._line.flow, now)
            return
        self._gives_up_at = None
        self._finish("peer", response.status, Reason.of(response), SessionInput.OVER)

    def _acknowledge(self, sdp: bytes | None, now: float) -> None:
        if self.dialog is not None:
            self._invite.acknowledge(self.dialog, self._line.way(), now, sdp)
            self._move(SessionInput.ACK)

    def _refusal_of(self, offer: bytes | None) -> bytes | None:
        """Return the answer to an offer in a 2xx that we want nothing of (section 13.2.2.4)."""
        return declined(offer, self.local_host) if offer else None

    def _turn_down(self, response: Response, now: float, *, is_last: bool) -> None:
        """End a call that somebody took too late, or took as well (section 13.2.2.4)."""
        fork = self._early.confirm(self.request, response)
        dialog = fork.dialog
        way = self._line.way(dialog, self._invite.flow)
        is_offer = not (self.request.body or fork.our_answer)
        answer = self._refusal_of(description(response)) if is_offer else None
        self._invite.acknowledge(dialog, way, now, answer)
        on_response = self._on_bye_response if is_last else _ignore
        self._line.send(dialog.request("BYE"), now, on_response, dialog=dialog, way=way)


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
    if sdp:
        headers.add("Content-Type", SDP)
    return Request("INVITE", str(target), headers, sdp or b"")
