"""A session: one call's INVITE dialog, from its first message to its last (RFC 3261).

This is what both sides share once a dialog stands: changing the media, keys by
INFO, transfer, hanging up.  :class:`~.incoming.IncomingSession` adds the ways to
answer a call and :class:`~.outgoing.OutgoingSession` those to place one.
Descriptions pass through as bytes: what they say is not read here.
"""

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from ..admission import Policy
from ..deadline import earliest
from ..flow import Flow
from ..ways.courier import Courier
from ..wire.message import Request, Response, response_to
from ..wire.multipart import description
from ..wire.reason import NORMAL, Reason, cause_of_status
from ..wire.uri import Uri
from .dialog import Dialog, Order
from .info import Infos
from .invite_in import InviteState
from .line import Line
from .offers import Offers
from .referred import Referred
from .refreshes import Refreshes
from .screening import add_capabilities
from .session_events import (
    AnswerReceived,
    Confirmed,
    Ended,
    OfferDue,
    SessionEvent,
)
from .session_state import EARLY_METHODS, LIVE, TRANSITIONS, SessionInput, SessionState
from .session_timer import SessionTimer
from .transfer import Transfer

__all__ = ["Session"]

_Handler: TypeAlias = Callable[[str, Request, float], None]

_EXPIRED: Final = Reason("Q.850", 102, "session expired")  # recovery on timer expiry


class Session:
    """One call, seen from our side; the base of incoming and outgoing ones."""

    def __init__(
        self,
        courier: Courier,
        request: Request,
        flow: Flow,
        *,
        touch: Callable[["Session"], None],
        local_tag: str,
        first_state: SessionState,
        policy: Policy,
    ) -> None:
        self.request = request
        self.call_id = request.call_id
        self.local_tag = local_tag
        self.state = first_state
        self.policy = policy
        self._line = Line(courier, flow, policy, request.request_uri.scheme)
        self._courier = courier
        self._touch = touch
        self.is_ours = is_ours = first_state is SessionState.CALLING
        self.local_uri = (request.from_ if is_ours else request.to).uri
        self._timer = SessionTimer(policy)
        self._offers = Offers(
            self._line,
            self._timer,
            self._tell,
            self._on_plain_response,
            self._follow,
            local_tag=local_tag,
            owns_call_id=is_ours,
        )
        self._refreshes = Refreshes(self._line, self._offers, self._timer, self._on_plain_response)
        self._transfer = Transfer(self._line, self._tell, self._on_plain_response)
        self.referred = Referred(
            self._line, self._tell, self._settle, is_welcome=policy.accepts_transfer
        )
        self._infos = Infos(self._line, self._tell, self._on_plain_response)
        self._is_bye_due = False  # hung up before the ACK: the BYE must wait for it
        self._bye_reason: Reason | None = None
        self.parting_seconds = 0.0  # that a peer's BYE may wait for :meth:`agree`
        self._unanswered_bye: tuple[str, Request] | None = None
        self._agrees_at: float | None = None  # whoever else is to
        self._has_ended = False
        self._events: list[SessionEvent] = []
        self._handlers: dict[str, _Handler] = {
            "BYE": self._on_bye,
            "INFO": self._infos.receive,
            "INVITE": self._offers.receive,
            "NOTIFY": self._transfer.receive,
            "OPTIONS": self._on_options,
            "REFER": self._on_refer,
            "SUBSCRIBE": self.referred.subscribe,
            "UPDATE": self._offers.receive,
        }

    @property
    def dialog(self) -> Dialog | None:
        """The dialog, once there is one."""
        return self._line.dialog

    @property
    def flow(self) -> Flow:
        """The way the peer last spoke to us."""
        return self._line.flow

    @property
    def local_host(self) -> str:
        """Our address as the peer sees it."""
        return self._courier.host_towards(self.flow)

    @property
    def is_live(self) -> bool:
        """Whether nobody has ended the call yet."""
        return self.state in LIVE

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        refresh = self._refreshes.deadline if self.is_live else None
        return earliest(
            self._offers.deadline,
            self._transfer.deadline,
            self.referred.deadline,
            refresh,
            self._agrees_at,
        )

    def events(self) -> list[SessionEvent]:
        """Drain what happened since the last call."""
        events, self._events = self._events, []
        return events

    def hang_up(self, now: float, reason: Reason | None = None) -> None:
        """End the call, however far it has come."""
        if self.state is SessionState.ANSWERED:
            self._is_bye_due, self._bye_reason = True, reason  # section 15: not before the ACK
        elif self.state is SessionState.CONFIRMED:
            self._send_bye(now, reason)
        if self.is_live:
            self._finish("gateway", 200, reason, SessionInput.HANG_UP)

    def agree(self, now: float) -> None:
        """Answer the BYE of a peer that waits for it, where ``parting_seconds`` let it wait."""
        if self._unanswered_bye is not None:
            key, request = self._unanswered_bye
            self._unanswered_bye = self._agrees_at = None
            self._courier.respond(key, response_to(request, 200), now)
            self._move(SessionInput.OVER)

    def reinvite(self, sdp: bytes, now: float) -> bool:
        """Offer to change the media; ``False`` when that cannot be done now.

        The outcome is ``AnswerReceived`` or ``OfferRefused``.  After ``False``,
        or a refusal by 491, ``OfferDue`` says when to make an offer again.
        """
        if self.state is not SessionState.CONFIRMED:
            self._offers.wait()
            return False
        return self._offers.make(sdp, now)

    def answer_offer(self, sdp: bytes, now: float) -> None:
        """Answer an ``OfferReceived``; nothing happens when it was withdrawn meanwhile."""
        if self._has_offer:
            self._offers.answer(sdp, now)
        self._settle()

    def refuse_offer(self, status: int, now: float) -> None:
        """Refuse an ``OfferReceived``; the media stays as it was."""
        if self._has_offer:
            self._offers.refuse(status, now)
        self._settle()

    def refer(self, target: Uri, now: float) -> None:
        """Ask the peer to call ``target`` instead of us: a blind transfer.

        Raises:
            SipError: The call is not up, or a transfer is under way already.

        """
        self._transfer.start(target, self.local_uri, now)
        self._settle()

    def info(self, content_type: str, body: bytes, now: float) -> None:
        """Send an INFO request once those before it are answered; only while the call is up."""
        if self.state is SessionState.CONFIRMED:
            self._infos.send(content_type, body, now)

    def has_peer(self, tag: str) -> bool:
        """Whether the other side of this call, or one of them while it rings, goes by ``tag``."""
        return self._dialog_with(tag) is not None

    def receive(self, key: str, request: Request, flow: Flow, now: float) -> None:
        """Take in a request of this dialog; ACK and CANCEL have their own ways in."""
        dialog = self._dialog_with(request.from_.tag or "")
        handler = self._handlers.get(request.method)
        is_over = not self.is_live and request.method != "BYE"
        is_too_soon = self.dialog is None and request.method not in EARLY_METHODS
        if dialog is None or handler is None or is_over or is_too_soon:
            self._courier.respond(key, response_to(request, 481), now)
            return
        order = dialog.admit(request)
        if order is not Order.NEXT:
            status = 482 if order is Order.REPEATED else 500
            self._courier.respond(key, response_to(request, status), now)
            return
        self._line.heard_by(flow)
        self._line.learn(request)
        handler(key, request, now)
        self._settle()

    def lose(self, flow: Flow) -> None:
        """Take note that a connection is gone; the next request goes to the peer's Contact."""
        self._line.lose(flow)

    def receive_ack(self, ack: Request, now: float) -> None:
        """Take in the ACK to a 2xx of ours."""
        invite = self._offers.incoming
        if invite is None or not invite.acknowledge(ack):
            return
        answer = description(ack) if invite.awaits_answer else None
        is_answered = not invite.awaits_answer or answer is not None
        if answer is not None:
            self._offers.agree(invite.ours, answer)
            self._tell(AnswerReceived(answer))
        if self._is_bye_due:
            self._send_bye(now, self._bye_reason)
        elif not is_answered:
            self._end_with_bye(488, now)  # our offer stays unanswered: nothing to talk by
        elif self.state is SessionState.ANSWERED:
            self._move(SessionInput.ACK)
            self._tell(Confirmed())
        self._settle()

    def cancel(self, cancel: Request, now: float) -> None:
        """Take in a CANCEL of an INVITE of this session; it has its own 200 already."""
        invite = self._offers.incoming
        if invite is None or invite.request.cseq.number != cancel.cseq.number:
            return
        if not invite.is_proceeding:
            return
        invite.refuse(487, now)
        if invite.request is self.request:
            self._finish("peer", 487, Reason.of(cancel), SessionInput.OVER)
        self._settle()

    def wake(self, now: float) -> None:
        """Run whatever timers are due at ``now``."""
        self._offers.wake(now)
        self._transfer.wake(now)
        if self.is_live and self._refreshes.wake(now):
            self._end_with_bye(408, now, reason=_EXPIRED)
        if self._agrees_at is not None and now >= self._agrees_at:
            self.agree(now)
        if self.referred.wake(now):
            self.hang_up(now, NORMAL)
        invite = self._offers.incoming
        if invite is not None and invite.state is InviteState.UNACKNOWLEDGED:
            self._offers.incoming = None
            self._end_with_bye(408, now)
        self._settle()

    @property
    def _has_offer(self) -> bool:
        """Whether an offer can be open that is not the one of a call that still rings."""
        return self._offers.is_asked or self.state is not SessionState.EARLY

    def _dialog_with(self, tag: str) -> Dialog | None:
        """Return the dialog with the one who goes by ``tag``."""
        is_peer = self.dialog is not None and self.dialog.id.remote_tag == tag
        return self.dialog if is_peer else None

    def _follow(self, accepted: Request) -> None:
        """Send to the Contact of a change from now on, as it has our 2xx (12.2.2, RFC 6141)."""
        if dialog := self._dialog_with(accepted.from_.tag or ""):
            dialog.refresh(accepted)

    def _on_bye(self, key: str, request: Request, now: float) -> None:
        """Take in a BYE; copies of one that is to wait are absorbed by its transaction."""
        status = 487 if self.state is SessionState.EARLY else 200
        self.agree(now)  # to one before
        self._offers.stop(now)
        self._offers.incoming = None
        if self.is_live and self.parting_seconds:
            self._unanswered_bye, self._agrees_at = (key, request), now + self.parting_seconds
            step = SessionInput.PART
        else:
            self._courier.respond(key, response_to(request, 200), now)
            step = SessionInput.OVER
        self._finish("peer", status, Reason.of(request), step)

    def _on_options(self, key: str, request: Request, now: float) -> None:
        response = response_to(request, 200)
        add_capabilities(response, self.policy)
        self._courier.respond(key, response, now)

    def _on_refer(self, key: str, request: Request, now: float) -> None:
        if self.state is SessionState.CONFIRMED:
            self.referred.receive(key, request, now)
        else:
            self._courier.respond(key, response_to(request, 491), now)

    def _on_plain_response(self, response: Response, now: float) -> None:
        """A peer that knows nothing of the call any more has ended it (section 12.2.1.2)."""
        if response.status in (408, 481) and self.is_live:
            self._end_with_bye(response.status, now, by="peer")
        self._settle()

    def _on_bye_response(self, response: Response, now: float) -> None:
        del now
        if response.status >= 200:
            self._move(SessionInput.OVER)

    def _end_with_bye(
        self,
        status: int,
        now: float,
        by: Literal["gateway", "peer"] = "gateway",
        reason: Reason | None = None,
    ) -> None:
        self._finish(by, status, reason, SessionInput.HANG_UP)
        told = reason or self._bye_reason or Reason("Q.850", cause_of_status(status))
        self._send_bye(now, told)

    def _send_bye(self, now: float, reason: Reason | None) -> None:
        self._is_bye_due = False
        self._offers.stop(now)
        request = self._line.request("BYE")
        if reason is not None:
            request.headers.add("Reason", str(reason))
        self._line.send(request, now, self._on_bye_response)

    def _tell(self, event: SessionEvent) -> None:
        """Note an event; nothing follows the end."""
        self._touch(self)
        if not self._has_ended:
            self._events.append(event)

    def _settle(self) -> None:
        """Finish a step: say that a waiting offer is due, and have the timers read anew."""
        self._touch(self)
        if self.state is SessionState.CONFIRMED and self._offers.is_due():
            self._events.append(OfferDue())

    def _finish(
        self,
        by: Literal["gateway", "peer"],
        status: int,
        reason: Reason | None,
        step: SessionInput,
    ) -> None:
        self._infos.stop()
        self._tell(Ended(by, status, reason))
        self._has_ended = True
        self._move(step)

    def _move(self, step: SessionInput) -> None:
        self._touch(self)
        self.state = TRANSITIONS.get((self.state, step), self.state)
