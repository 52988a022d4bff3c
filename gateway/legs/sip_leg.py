"""A caller on SIP: joins a session, the descriptions exchanged in it, and a lane for the sound."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Literal, TypeAlias, Unpack, assert_never
from urllib.parse import quote

from ..clock import Ids
from ..errors import SdpError, SipError
from ..sdp.negotiate import OfferAnswer
from ..sdp.terms import Terms
from ..sip.dialogs.incoming import IncomingSession
from ..sip.dialogs.session import Session
from ..sip.dialogs.session_events import (
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
    ReferReceived,
    Renewed,
    Replaced,
    Ringing,
    SessionEvent,
)
from ..sip.dialogs.session_state import SessionState
from ..sip.wire.reason import NORMAL, NORMAL_CAUSE, Reason, cause_of, cause_of_status
from ..sip.wire.uri import Uri
from .events import (
    LegAnswered,
    LegEnded,
    LegEvent,
    LegKey,
    LegMoved,
    LegRinging,
    TransferEnded,
    TransferProgress,
)
from .exchange import Exchange, MediaLane
from .info_keys import KEYS, RELAY, read_key, write_key
from .naming import name_of, words_of
from .placing import HostTowards, Placing, describe, place
from .signalling import Signalling
from .succession import Succession, admit, see_off

__all__ = ["OnRefer", "SipLeg"]

_KEY_MS: Final = 160
_NOT_AUTHORIZED: Final = 57  # "bearer capability not authorized" of Q.850
_RINGING: Final = (SessionState.CALLING, SessionState.EARLY)
_ELSEWHERE: Final = Reason("SIP", 200, "Call completed elsewhere")


OnRefer: TypeAlias = Callable[["SipLeg", ReferReceived], None]


class SipLeg:
    """One caller, or one called, by SIP and RTP."""

    kind: Final = "sip"

    def __init__(
        self,
        session: Session,
        media: OfferAnswer,
        signalling: Signalling,
        lane: MediaLane,
        on_event: Callable[[LegEvent], None],
        terms: Terms,
        on_refer: OnRefer | None,
        host_towards: HostTowards | None,
    ) -> None:
        self._first = session.request
        self._far_end: Literal["caller", "peer"] = "peer" if session.is_ours else "caller"
        self._session = session
        self._exchange = Exchange(media, session, lane, on_event, self._refuse_media)
        self._signalling = signalling
        self._lane = lane
        self._on_event = on_event
        self._terms = terms
        self._on_refer = on_refer
        self._host_towards = host_towards
        self._answer: bytes | None = None  # what answers an incoming call
        self._is_up = False
        self._parting_seconds = 0.0
        self._succession: Succession | None = None

    @classmethod
    def incoming(
        cls,
        session: IncomingSession,
        signalling: Signalling,
        lane: MediaLane,
        terms: Terms,
        on_event: Callable[[LegEvent], None],
        *,
        host_towards: HostTowards | None = None,
        on_refer: OnRefer | None = None,
        ids: Ids | None = None,
    ) -> "SipLeg":
        """Make a leg of a call that came in; it has yet to be answered.

        ``host_towards`` returns where the caller is told to send sound, if not where the lane
        is bound; ``on_refer`` judges whom they want called in their place, which is nobody
        without it.

        Raises:
            NegotiationError: The offer has no codec in common with us.
            SipError: The offer cannot be read.

        """
        media = describe(
            lane,
            terms,
            [session.flow],
            session.local_host,
            host_towards=host_towards,
            ids=ids,
        )
        leg = cls(session, media, signalling, lane, on_event, terms, on_refer, host_towards)
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
        on_refer: OnRefer | None = None,
        **how: Unpack[Placing],
    ) -> "SipLeg":
        """Call ``target``.

        Raises:
            SipError: There is no way to it.

        """
        session, media = await place(signalling, target, lane, terms, how)
        towards = how.get("host_towards")
        leg = cls(session, media, signalling, lane, on_event, terms, on_refer, towards)
        signalling.listen(session, leg._on_session)
        signalling.flush()
        return leg

    @property
    def id(self) -> str:
        """The Call-ID."""
        return self._first.call_id

    @property
    def caller(self) -> str:
        """Who calls: a number or a name, else the whole address."""
        return name_of(self._first.from_.uri)

    @property
    def called(self) -> str:
        """Who was called."""
        return name_of(self._first.to.uri)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the INVITE, the first of each name."""
        return dict(reversed(list(self._first.headers.items())))

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
        why = Reason("Q.850", q850, reason)
        if (succession := self._end_succession(why)) and succession.left is not None:
            self._on_event(LegEnded("gateway", 200, words_of(200, why), q850))
        self._session.hang_up(self._signalling.now(), why)
        self._signalling.flush()

    def hold_end(self, seconds: float) -> None:
        """Have a far end that hangs up wait for :meth:`let_go`, at most for so long."""
        self._session.parting_seconds = self._parting_seconds = seconds

    def let_go(self) -> None:
        """Tell a far end that has hung up that we know of it."""
        self._session.agree(self._signalling.now())
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

    def refuse_referral(self, status: int, words: str) -> None:
        """Do not call whoever the far end wants us to call in its place."""
        self._session.referred.refuse(status, words, self._signalling.now())
        self._signalling.flush()

    def follow(
        self, target: Uri, terms: Terms, **how: Unpack[Placing]
    ) -> Coroutine[Any, Any, None]:
        """Call whoever the far end wants in its place; ``LegMoved`` tells what came of it.

        The far end is told so at once; what is returned is the calling, to be awaited.
        """
        self._end_succession()
        succession = self._succession = Succession(
            self._session,
            name_of(target),
            self._signalling,
            self._on_event,
            self._adopt,
            self._tell_end,
        )
        succession.begin(str(target))
        return succession.run(lambda: place(self._signalling, target, self._lane, terms, how))

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
                self._tell_up()
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
            case ReferReceived():
                self._judge(event)
            case Replaced(session):
                self._give_place_to(session, now)
            case Ended():
                if self._succession is not None and not self._succession.is_over:
                    self._succession.left = event
                    self._session.agree(now)  # this is not the end of the call
                else:
                    self._tell_end(event)
            case _:
                assert_never(event)
        self._signalling.flush()

    def _on_answered(self, sdp: bytes | None, now: float) -> None:
        if sdp is not None:
            self._exchange.accept(sdp, now)
        self._end_without_media(now)
        if self._session.is_live:
            self._tell_up()

    def _tell_up(self) -> None:
        """Tell that the call is up; once, whoever comes into the far end's place."""
        if not self._is_up:
            self._is_up = True
            self._on_event(LegAnswered())

    def _tell_end(self, event: Ended) -> None:
        by = self._far_end if event.by == "peer" else "gateway"
        why, cause = words_of(event.status, event.reason), cause_of(event.status, event.reason)
        self._on_event(LegEnded(by, event.status, why, cause))

    def _refuse_media(self, reason: str) -> None:
        self.hang_up(reason, _NOT_AUTHORIZED)

    def _judge(self, wish: ReferReceived) -> None:
        if self._on_refer is not None:
            self._on_refer(self, wish)
        else:
            self.refuse_referral(403, "Nobody can be called from here")

    def _give_place_to(self, session: IncomingSession, now: float) -> None:
        """Answer a call that takes the far end's place, and end the present one (RFC 3891)."""
        media = describe(
            self._lane,
            self._terms,
            [session.flow],
            session.local_host,
            host_towards=self._host_towards,
            ids=None,
        )
        if not admit(session, media, now):
            return
        self._end_succession()
        before = self._session
        self._adopt(session, media)
        before.hang_up(now, _ELSEWHERE if before.state in _RINGING else NORMAL)
        self._on_event(LegMoved(name_of(session.request.from_.uri)))

    def _adopt(self, session: Session, media: OfferAnswer) -> None:
        """Go on in another session; of the one before nothing more is heard."""
        see_off(self._session, self._signalling)
        self._session.parting_seconds = 0.0
        self._session = session
        session.parting_seconds = self._parting_seconds
        self._signalling.listen(session, self._on_session)
        self._exchange.move_to(session, media, self._signalling.now())

    def _end_succession(self, reason: Reason | None = None) -> Succession | None:
        """Give up whoever is on the way, and return that; ``None`` where nobody is."""
        succession, self._succession = self._succession, None
        if succession is None or succession.is_over:
            return None
        succession.stop(reason)
        return succession

    def _end_without_media(self, now: float) -> None:
        """Hang up when nothing was agreed, neither here nor in an early answer."""
        if self._exchange.in_use is None:
            self._session.hang_up(now, Reason("Q.850", 65, "no codec in common"))
