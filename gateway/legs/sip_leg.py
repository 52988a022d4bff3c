"""A caller on SIP: joins a session, the descriptions exchanged in it, and a lane for the sound."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal, Protocol, assert_never

from ..clock import Ids, RandomIds
from ..errors import NegotiationError, SdpError, SipError
from ..sdp.negotiate import Direction, Negotiated, OfferAnswer
from ..sip.agent import UserAgent
from ..sip.flow import Flow
from ..sip.incoming import IncomingSession
from ..sip.outgoing import RING_LIMIT
from ..sip.reason import NORMAL, Reason, cause_of_status
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
    Ringing,
    SessionEvent,
)
from ..sip.status import REASONS
from ..sip.uri import Uri
from .events import (
    LegAnswered,
    LegEnded,
    LegEvent,
    LegHeld,
    LegKey,
    LegMedia,
    TransferEnded,
    TransferProgress,
)
from .info_keys import KEYS, RELAY, read_key, write_key

__all__ = ["MediaLane", "Signalling", "SipLeg"]

_KEY_MS: Final = 160
_UNSPECIFIED: Final = ("0.0.0.0", "::")


class MediaLane(Protocol):
    """What a leg needs of the media engine's lane."""

    @property
    def host(self) -> str:
        """The address that sound is received at."""
        ...

    @property
    def port(self) -> int:
        """The port that sound is received at."""
        ...

    def configure(self, negotiated: Negotiated, /) -> None:
        """Send and receive what was agreed from now on."""
        ...

    def hold(self, is_on: bool, /) -> None:
        """Send and hear nothing for a while, or go on."""
        ...

    def send_digits(self, digits: str, /) -> None:
        """Press keys by RFC 4733."""
        ...


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

    async def resolve(self, uri: Uri, /) -> Flow:
        """Return the way to an address."""
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
        self._media = media
        self._signalling = signalling
        self._lane = lane
        self._on_event = on_event
        self._answer: bytes | None = None  # what answers an incoming call
        self._in_use: Negotiated | None = None
        self._is_held = False
        self._wanted: Direction = "sendrecv"  # what we want to do with sound,
        self._offering: Direction | None = None  # what we are offering just now,
        self._agreed: Direction = "sendrecv"  # and what the far end last agreed to

    @classmethod
    def incoming(
        cls,
        session: IncomingSession,
        signalling: Signalling,
        lane: MediaLane,
        codecs: Sequence[str],
        on_event: Callable[[LegEvent], None],
        *,
        ids: Ids | None = None,
    ) -> "SipLeg":
        """Make a leg of a call that came in; it has yet to be answered.

        Raises:
            NegotiationError: The offer has no codec in common with us.
            SipError: The offer cannot be read.

        """
        host = session.local_host if lane.host in _UNSPECIFIED else lane.host
        media = OfferAnswer(host, lane.port, codecs, ids=ids or RandomIds())
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
        codecs: Sequence[str],
        on_event: Callable[[LegEvent], None],
        *,
        from_uri: Uri | None = None,
        headers: Iterable[tuple[str, str]] = (),
        ring_limit: float = RING_LIMIT,
        ids: Ids | None = None,
    ) -> "SipLeg":
        """Call ``target``.

        Raises:
            SipError: There is no way to it.

        """
        flow = await signalling.resolve(target)
        own_host = signalling.agent.host_towards(flow)
        host = own_host if lane.host in _UNSPECIFIED else lane.host
        media = OfferAnswer(host, lane.port, codecs, ids=ids or RandomIds())
        session = signalling.agent.invite(
            target,
            flow,
            signalling.now(),
            from_uri=from_uri or Uri("sip", "gateway", own_host),
            sdp=media.offer(),
            headers=headers,
            ring_limit=ring_limit,
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
        return _name(self._session.request.from_.uri)

    @property
    def called(self) -> str:
        """Who was called."""
        return _name(self._session.request.to.uri)

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
        self._conclude()
        self._signalling.flush()

    def reject(self, status: int, reason: str = "") -> None:
        """Do not take the call."""
        if isinstance(self._session, IncomingSession):
            why = Reason("Q.850", cause_of_status(status), reason)
            wait = self._signalling.agent.retry_after if status == 503 else None
            self._session.reject(status, self._signalling.now(), why, wait)
            self._signalling.flush()

    def hang_up(self, reason: str = "") -> None:
        """End the call, however far it has come."""
        self._session.hang_up(self._signalling.now(), Reason("Q.850", 16, reason))
        self._signalling.flush()

    def transfer(self, target: str) -> None:
        """Ask the far end to call ``target`` instead."""
        try:
            self._session.refer(Uri.parse(target), self._signalling.now())
        except SipError as error:
            self._on_event(TransferEnded(is_accepted=False, status=error.status))
        self._signalling.flush()

    def hold(self) -> None:
        """Put the far end on hold: it is sent silence and not listened to."""
        self._lane.hold(True)
        self._want("sendonly")

    def resume(self) -> None:
        """Take the far end back."""
        self._lane.hold(False)
        self._want("sendrecv")

    def send_dtmf(self, digits: str) -> None:
        """Press keys: as events in the sound where both sides can, else by INFO.

        What is on no telephone is left out.
        """
        if self._in_use is None:
            return
        if self._in_use.dtmf_send_type is not None:
            self._lane.send_digits("".join(key for key in digits.upper() if key in KEYS))
        else:
            self.send_info_keys(digits)

    def send_info_keys(self, digits: str) -> None:
        """Press keys by INFO, whatever the sound could carry."""
        for key in digits.upper():
            if key in KEYS:
                self._session.info(RELAY, write_key(key, _KEY_MS), self._signalling.now())
        self._signalling.flush()

    def _want(self, direction: Direction) -> None:
        self._wanted = direction
        self._offer()
        self._signalling.flush()

    def _offer(self) -> None:
        """Offer the direction we want, unless it is agreed or an offer is open already."""
        if self._wanted == self._agreed or self._offering is not None:
            return
        if self._session.reinvite(self._media.offer(self._wanted), self._signalling.now()):
            self._offering = self._wanted
        else:
            self._media.withdraw()

    def _on_session(self, event: SessionEvent) -> None:
        match event:
            case Ringing(_, sdp):
                if sdp is not None:
                    self._take_answer(sdp)
            case Answered(sdp):
                self._on_answered(sdp)
            case Confirmed():
                self._on_event(LegAnswered())
            case OfferReceived(sdp, _):
                self._on_offer(sdp)
            case AnswerReceived(sdp):
                self._take_answer(sdp)
            case OfferRefused(status):
                self._on_offer_refused(status)
            case OfferDue():
                self._offer()
            case InfoReceived(content_type, body):
                if found := read_key(content_type, body):
                    self._on_event(LegKey(found.key, "info", found.duration_ms))
            case ReferProgress(status):
                self._on_event(TransferProgress(status))
            case ReferEnded(status):
                self._on_event(TransferEnded(is_accepted=status < 300, status=status))
            case Ended(by, status, reason):
                self._on_event(LegEnded(self._who(by), status, _words(status, reason)))
            case _:
                assert_never(event)
        self._signalling.flush()

    def _on_answered(self, sdp: bytes | None) -> None:
        if sdp is not None:
            self._take_answer(sdp)
        if self._in_use is None:  # neither here nor in an early answer was there any
            self._session.hang_up(self._signalling.now(), Reason("Q.850", 65, "no media"))
        elif self._session.is_live:
            self._on_event(LegAnswered())

    def _on_offer(self, sdp: bytes | None) -> None:
        now = self._signalling.now()
        try:
            if sdp is None:
                answer, self._offering = self._media.offer(self._wanted), self._wanted
            else:
                answer = self._media.answer(sdp)
        except NegotiationError as error:
            self._session.refuse_offer(error.status, now)
        except SdpError:
            self._session.refuse_offer(400, now)
        else:
            self._session.answer_offer(answer, now)
            self._conclude()

    def _take_answer(self, sdp: bytes) -> None:
        """Take in an answer; one we cannot use leaves all as it was, or ends a new call."""
        offered, self._offering = self._offering, None
        try:
            self._media.accept(sdp)
        except (NegotiationError, SdpError):
            self._media.withdraw()
            if self._in_use is None:
                self._session.hang_up(self._signalling.now(), Reason("Q.850", 65, "no codec"))
            return
        self._agreed = offered or self._agreed
        self._conclude()
        self._offer()

    def _on_offer_refused(self, status: int) -> None:
        self._media.withdraw()
        self._offering = None
        if status != 491:  # which only asks us to wait: OfferDue will come
            self._wanted = self._agreed

    def _conclude(self) -> None:
        """Put what was just agreed into use."""
        agreed = self._media.negotiated
        if agreed is None or agreed is self._in_use:
            return
        self._in_use = agreed
        self._lane.configure(agreed)
        self._on_event(LegMedia(agreed))
        if agreed.is_held != self._is_held:
            self._is_held = agreed.is_held
            self._on_event(LegHeld(agreed.is_held))

    def _who(self, by: Literal["gateway", "peer"]) -> Literal["caller", "gateway", "peer"]:
        is_incoming = isinstance(self._session, IncomingSession)
        return "caller" if by == "peer" and is_incoming else by


def _name(uri: Uri) -> str:
    return uri.username or str(uri)


def _words(status: int, reason: Reason | None) -> str:
    if reason is not None and reason.text:
        return reason.text
    if status >= 300:
        return REASONS.get(status, str(status))
    if reason is None or reason.cause == NORMAL.cause:
        return "hung up"
    return f"{reason.protocol} {reason.cause}"
