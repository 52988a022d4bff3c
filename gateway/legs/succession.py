"""Somebody else on the way into the place of a leg's far end, who asked for it (RFC 3515)."""

from collections.abc import Awaitable, Callable
from typing import Final

from ..errors import GatewayError, NegotiationError, SdpError, SipError
from ..sdp.negotiate import OfferAnswer
from ..sip.dialogs.incoming import IncomingSession
from ..sip.dialogs.session import Session
from ..sip.dialogs.session_events import Answered, Ended, OfferReceived, Ringing, SessionEvent
from ..sip.wire.reason import NORMAL, Reason
from .events import LegEvent, LegMoved, LegReferred
from .placing import Placed
from .signalling import Signalling

__all__ = ["Succession", "admit", "see_off"]

_BAD_REQUEST: Final = 400
_NO_WAY: Final = 503
_NO_MEDIA: Final = 488
_GONE: Final = 487


class Succession:
    """One call to a successor, from the asking to its answer.

    Until then the far end stays; where it goes before that, its end waits in ``left``.

    Args:
        asker: The session whose far end asked.
        party: Who is called, by name.
        signalling: The endpoint of both sessions.
        tell: Is told how it goes.
        adopt: Goes on in the new session.
        give_up: Is given the end of an asker who has left, when nobody comes.

    """

    def __init__(
        self,
        asker: Session,
        party: str,
        signalling: Signalling,
        tell: Callable[[LegEvent], None],
        adopt: Callable[[Session, OfferAnswer], None],
        give_up: Callable[[Ended], None],
    ) -> None:
        self.is_over = False
        self.left: Ended | None = None
        self._asker = asker
        self._party = party
        self._signalling = signalling
        self._tell = tell
        self._adopt = adopt
        self._give_up = give_up
        self._placed: Placed | None = None
        self._early: bytes | None = None  # what was described before the answer

    def begin(self, target: str) -> None:
        """Say that the successor will be called; from now on the far end may leave."""
        self._asker.referred.accept(self._signalling.now())
        self._tell(LegReferred(target))
        self._signalling.flush()

    async def run(self, place: Callable[[], Awaitable[Placed]]) -> None:
        """Call the successor; returns once the call is on its way, or cannot be made."""
        if not self.is_over:
            await self._call(place)

    def stop(self, reason: Reason | None = None) -> None:
        """Give it up, for the leg is hung up or in other hands."""
        if self.is_over:
            return
        self.is_over = True
        now = self._signalling.now()
        self._asker.referred.report(_GONE, now)
        if self._placed is not None:
            self._placed[0].hang_up(now, reason)

    async def _call(self, place: Callable[[], Awaitable[Placed]]) -> None:
        try:
            session, media = await place()
        except GatewayError as error:
            self._fail(error.status if isinstance(error, SipError) else _NO_WAY)
        else:
            if self.is_over:  # in this very moment
                session.hang_up(self._signalling.now(), NORMAL)
            else:
                self._placed = session, media
                self._signalling.listen(session, self._on_successor)
        self._signalling.flush()

    def _on_successor(self, event: SessionEvent) -> None:
        now = self._signalling.now()
        if self.is_over or self._placed is None:
            return
        match event:
            case Ringing(status, sdp):
                self._early = sdp or self._early
                self._asker.referred.report(status, now)
            case Answered(sdp):
                self._on_answer(sdp or self._early, now)
            case Ended(status=status):
                self._fail(status)
            case _:
                pass
        self._signalling.flush()

    def _on_answer(self, sdp: bytes | None, now: float) -> None:
        if self._placed is None:
            return
        session, media = self._placed
        try:
            media.accept(sdp or b"")
        except (NegotiationError, SdpError):
            session.hang_up(now, Reason("Q.850", 65, "no codec in common"))
            self._fail(_NO_MEDIA)
            return
        self.is_over = True
        self._adopt(session, media)
        self._asker.referred.report(200, now)
        self._tell(LegMoved(self._party))

    def _fail(self, status: int) -> None:
        if self.is_over:
            return
        self.is_over = True
        status = status if status >= 300 else _GONE
        self._asker.referred.report(status, self._signalling.now())
        self._tell(LegMoved(self._party, status))
        if self.left is not None:
            self._give_up(self.left)


def admit(session: IncomingSession, media: OfferAnswer, now: float) -> bool:
    """Answer a call that takes a far end's place, or refuse one that cannot be understood."""
    try:
        answer = media.offer() if session.offer is None else media.answer(session.offer)
    except NegotiationError as error:
        session.reject(error.status, now)
    except SdpError:
        session.reject(_BAD_REQUEST, now)
    else:
        session.answer(answer, now)
        return True
    return False


def see_off(session: Session, signalling: Signalling) -> None:
    """Hear no more of a session whose place is taken, until it is over."""

    def on_event(event: SessionEvent) -> None:
        if isinstance(event, OfferReceived):
            session.refuse_offer(_NO_MEDIA, signalling.now())

    signalling.listen(session, on_event)
