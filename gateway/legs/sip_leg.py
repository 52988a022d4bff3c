"""A caller on SIP: joins a session, the descriptions exchanged in it, and a lane for the sound."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal, Protocol, assert_never
from urllib.parse import quote

from ..clock import Ids, RandomIds
from ..errors import SdpError, SipError
from ..sdp.negotiate import OfferAnswer
from ..sdp.terms import Terms
from ..sip.admission import Policy
from ..sip.agent import UserAgent
from ..sip.flow import Flow
from ..sip.incoming import IncomingSession
from ..sip.reason import NORMAL_CAUSE, Reason, cause_of, cause_of_status
from ..sip.session import Session
from ..sip.session_events import (
    Answered,
    AnswerReceived,
    Confirmed,
    Ended,
    InfoReceived,
    OfferDue,
    OfferReceived,
    OfferRefused,
    ReferEnded,
    ReferProgress,
    Renewed,
    Ringing,
    SessionEvent,
)
from ..sip.session_state import RING_LIMIT
from ..sip.status import REASONS
from ..sip.uri import Uri, bracketed
from .events import (
    LegAnswered,
    LegEnded,
    LegEvent,
    LegKey,
    LegRinging,
    TransferEnded,
    TransferProgress,
)
from .exchange import Exchange, MediaLane
from .info_keys import KEYS, RELAY, read_key, write_key

__all__ = ["Signalling", "SipLeg", "name_of"]

_KEY_MS: Final = 160
_UNSPECIFIED: Final = ("0.0.0.0", "::")


class Signalling(Protocol):
    """What a leg needs of the SIP endpoint."""

    @property
    def agent(self) -> UserAgent:
        """The user agent that places calls."""
        ...

    def now(self) -> float:
        """Return the time to give to sessions."""
        ...

    def flush(self) -> None:
        """Send what a session has to say."""
        ...

    def listen(self, session: Session, on_event: Callable[[SessionEvent], None], /) -> None:
        """Have ``on_event`` told what happens to a session."""
        ...

    async def resolve(self, uri: Uri, /) -> Sequence[Flow]:
        """Return the ways to an address, best first: at least one."""
        ...


class SipLeg:
    """One caller, or one called, by SIP and RTP."""

    def __init__(
        self,
        session: Session,
        media: OfferAnswer,
        signalling: Signalling,
        lane: MediaLane,
        on_event: Callable[[LegEvent], None],
    ) -> None:
        self._session = session
        self._exchange = Exchange(media, session, lane, on_event)
        self._signalling = signalling
        self._lane = lane
        self._on_event = on_event
        self._answer: bytes | None = None  # what answers an incoming call

    @classmethod
    def incoming(
        cls,
        session: IncomingSession,
        signalling: Signalling,
        lane: MediaLane,
        terms: Terms,
        on_event: Callable[[LegEvent], None],
        *,
        host: str | None = None,
        ids: Ids | None = None,
    ) -> "SipLeg":
        """Make a leg of a call that came in; it has yet to be answered.

        ``host`` is where the caller is told to send sound, if not where the lane is bound.

        Raises:
            NegotiationError: The offer has no codec in common with us.
            SipError: The offer cannot be read.

        """
        if host is None:
            host = session.local_host if lane.host in _UNSPECIFIED else lane.host
        ids, is_private = ids or RandomIds(), session.flow.is_secure
        media = OfferAnswer(host, lane.port, terms, ids=ids, is_private=is_private)
        leg = cls(session, media, signalling, lane, on_event)
        try:
            leg._answer = media.offer() if session.offer is None else media.answer(session.offer)
        except SdpError as error:
            raise SipError(str(error), status=400) from error
        signalling.listen(session, leg._on_session)
        return leg

    @classmethod
    async def outgoing(
        cls,
        signalling: Signalling,
        target: Uri,
        lane: MediaLane,
        terms: Terms,
        on_event: Callable[[LegEvent], None],
        *,
        host_towards: Callable[[str], str] | None = None,
        from_uri: Uri | None = None,
        next_hop: Uri | None = None,
        headers: Iterable[tuple[str, str]] = (),
        ring_limit: float = RING_LIMIT,
        policy: Policy | None = None,
        ids: Ids | None = None,
    ) -> "SipLeg":
        """Call ``target``.

        ``host_towards`` returns where an address is told to send sound, if not where the lane
        is bound.  The call goes to ``next_hop`` first, if not to its target.

        Raises:
            SipError: There is no way to it.

        """
        flows = await signalling.resolve(next_hop or target)
        own_host = signalling.agent.host_towards(flows[0])
        if host_towards is not None:
            host = host_towards(flows[0].remote[0])
        else:
            host = own_host if lane.host in _UNSPECIFIED else lane.host
        ids, is_private = ids or RandomIds(), all(flow.is_secure for flow in flows)
        media = OfferAnswer(host, lane.port, terms, ids=ids, is_private=is_private)
        session = signalling.agent.invite(
            target,
            flows,
            signalling.now(),
            from_uri=from_uri or Uri("sip", "gateway", bracketed(own_host)),
            sdp=media.offer(),
            headers=headers,
            ring_limit=ring_limit,
            policy=policy,
        )
        leg = cls(session, media, signalling, lane, on_event)
        signalling.listen(session, leg._on_session)
        signalling.flush()
        return leg

    @property
    def id(self) -> str:
        """The Call-ID."""
        return self._session.call_id

    @property
    def caller(self) -> str:
        """Who calls: a number or a name, else the whole address."""
        return name_of(self._session.request.from_.uri)

    @property
    def called(self) -> str:
        """Who was called."""
        return name_of(self._session.request.to.uri)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the INVITE, the first of each name."""
        return dict(reversed(list(self._session.request.headers.items())))

    def ring(self) -> None:
        """Let the caller hear that it rings."""
        if isinstance(self._session, IncomingSession):
            self._session.ring(self._signalling.now())
            self._signalling.flush()

    def answer(self) -> None:
        """Take the call; one the caller has given up meanwhile is left alone."""
        if not isinstance(self._session, IncomingSession) or self._answer is None:
            return
        answer, self._answer = self._answer, None
        try:
            self._session.answer(answer, self._signalling.now())
        except SipError:
            return  # its end has been told
        self._exchange.conclude()
        self._signalling.flush()

    def reject(self, status: int, reason: str = "") -> None:
        """Do not take the call."""
        if isinstance(self._session, IncomingSession):
            why = Reason("Q.850", cause_of_status(status), reason)
            wait = self._signalling.agent.retry_after if status == 503 else None
            self._session.reject(status, self._signalling.now(), why, wait)
            self._signalling.flush()

    def redirect(self, target: str) -> None:
        """Send a call that is not yet answered elsewhere."""
        if not isinstance(self._session, IncomingSession):
            return
        try:
            self._session.redirect(Uri.parse(target), self._signalling.now())
        except SipError:
            self._session.reject(404, self._signalling.now())
        self._signalling.flush()

    def hang_up(self, reason: str = "", q850: int = NORMAL_CAUSE) -> None:
        """End the call, however far it has come, for a cause of Q.850."""
        self._session.hang_up(self._signalling.now(), Reason("Q.850", q850, reason))
        self._signalling.flush()

    @property
    def replaced_by(self) -> str:
        """What a ``Replaces`` header says to take this call over; empty before it is up.

        The tags are told as the far end knows them (RFC 3891 section 3).
        """
        dialog = self._session.dialog
        if dialog is None:
            return ""
        name = dialog.id
        return f"{name.call_id};to-tag={name.remote_tag};from-tag={name.local_tag}"

    def transfer(self, target: str, replaces: str = "") -> None:
        """Ask the far end to call ``target`` instead, in the place of another call if given."""
        try:
            uri = Uri.parse(target)
            if replaces:
                uri = uri.replace(headers={**uri.headers, "Replaces": quote(replaces, safe="")})
            self._session.refer(uri, self._signalling.now())
        except SipError as error:
            self._on_event(TransferEnded(is_accepted=False, status=error.status))
        self._signalling.flush()

    def hold(self) -> None:
        """Put the far end on hold: it is sent silence and not listened to."""
        self._lane.hold(True)
        self._exchange.want("sendonly", self._signalling.now())
        self._signalling.flush()

    def resume(self) -> None:
        """Take the far end back."""
        self._lane.hold(False)
        self._exchange.want("sendrecv", self._signalling.now())
        self._signalling.flush()

    def send_dtmf(self, digits: str) -> None:
        """Press keys: as events in the sound where both sides can, else by INFO.

        What is on no telephone is left out.
        """
        agreed = self._exchange.in_use
        if agreed is None:
            return
        if agreed.dtmf_send_type is not None:
            self._lane.send_digits("".join(key for key in digits.upper() if key in KEYS))
        else:
            self.send_info_keys(digits)

    def send_info_keys(self, digits: str) -> None:
        """Press keys by INFO, whatever the sound could carry."""
        for key in digits.upper():
            if key in KEYS:
                self._session.info(RELAY, write_key(key, _KEY_MS), self._signalling.now())
        self._signalling.flush()

    def _on_session(self, event: SessionEvent) -> None:
        now = self._signalling.now()
        match event:
            case Ringing(status, sdp):
                self._on_event(LegRinging(status))
                if sdp is not None:
                    self._exchange.accept(sdp, now)  # no use of it is not yet the end
            case Answered(sdp):
                self._on_answered(sdp, now)
            case Confirmed():
                self._on_event(LegAnswered())
            case OfferReceived(sdp, _):
                self._exchange.answer(sdp, now)
            case AnswerReceived(sdp):
                if not self._exchange.accept(sdp, now):
                    self._end_without_media(now)
            case Renewed(sdp):
                self._exchange.renew(sdp, now)
            case OfferRefused(status):
                self._exchange.refused(status)
            case OfferDue():
                self._exchange.offer(now)
            case InfoReceived(content_type, body):
                if found := read_key(content_type, body):
                    self._on_event(LegKey(found.key, "info", found.duration_ms))
            case ReferProgress(status):
                self._on_event(TransferProgress(status))
            case ReferEnded(status):
                self._on_event(TransferEnded(is_accepted=status < 300, status=status))
            case Ended(by, status, reason):
                why, cause = _words(status, reason), cause_of(status, reason)
                self._on_event(LegEnded(self._who(by), status, why, cause))
            case _:
                assert_never(event)
        self._signalling.flush()

    def _on_answered(self, sdp: bytes | None, now: float) -> None:
        if sdp is not None:
            self._exchange.accept(sdp, now)
        self._end_without_media(now)
        if self._session.is_live:
            self._on_event(LegAnswered())

    def _end_without_media(self, now: float) -> None:
        """Hang up when nothing was agreed, neither here nor in an early answer."""
        if self._exchange.in_use is None:
            self._session.hang_up(now, Reason("Q.850", 65, "no codec in common"))

    def _who(self, by: Literal["gateway", "peer"]) -> Literal["caller", "gateway", "peer"]:
        is_incoming = isinstance(self._session, IncomingSession)
        return "caller" if by == "peer" and is_incoming else by


def name_of(uri: Uri) -> str:
    """Return who an address is: a number or a name, else the whole of it."""
    return uri.username or str(uri)


def _words(status: int, reason: Reason | None) -> str:
    if reason is not None and reason.text:
        return reason.text
    if reason is not None and (reason.protocol.upper(), reason.cause) == ("SIP", 200):
        return "answered elsewhere"
    if status >= 300:
        return REASONS.get(status, str(status))
    if reason is None or reason.cause == NORMAL_CAUSE:
        return "hung up"
    return f"{reason.protocol} {reason.cause}"
