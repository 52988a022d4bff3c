"""The descriptions a leg exchanges in its session, and what they mean for its lane."""

from collections.abc import Callable
from typing import Protocol

from ..errors import NegotiationError, SdpError
from ..sdp.negotiate import Direction, Negotiated, OfferAnswer
from ..sip.dialogs.session import Session
from .events import LegHeld, LegMedia

__all__ = ["Exchange", "MediaLane"]


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

    @property
    def fingerprint(self) -> str:
        """What our certificate comes to in a DTLS handshake."""
        ...

    def configure(self, negotiated: Negotiated, on_refused: Callable[[str], None], /) -> None:
        """Send and receive what was agreed from now on, unless the other side is another."""
        ...

    def hold(self, is_on: bool, /) -> None:
        """Send and hear nothing for a while, or go on."""
        ...

    def send_digits(self, digits: str, /) -> None:
        """Press keys by RFC 4733."""
        ...


class Exchange:
    """Offers, answers, and puts into use what comes of them.

    ``in_use`` is what the lane was last told, ``None`` before the first agreement;
    ``on_refused`` is told why there can be no sound after all.
    """

    def __init__(
        self,
        media: OfferAnswer,
        session: Session,
        lane: MediaLane,
        tell: Callable[[LegMedia | LegHeld], None],
        on_refused: Callable[[str], None],
    ) -> None:
        self.in_use: Negotiated | None = None
        self._media = media
        self._session = session
        self._lane = lane
        self._tell = tell
        self._on_refused = on_refused
        self._is_held = False
        self._wanted: Direction = "sendrecv"  # what we want to do with sound,
        self._offering: Direction | None = None  # what we are offering just now,
        self._agreed: Direction = "sendrecv"  # and what the far end last agreed to

    def want(self, direction: Direction, now: float) -> None:
        """Bring about a direction, as soon as it can be offered."""
        self._wanted = direction
        self.offer(now)

    def offer(self, now: float) -> None:
        """Offer the direction we want, unless it is agreed or an offer is open already."""
        if self._wanted == self._agreed or self._offering is not None:
            return
        if self._session.reinvite(self._media.offer(self._wanted), now):
            self._offering = self._wanted
        else:
            self._media.withdraw()

    def answer(self, sdp: bytes | None, now: float) -> None:
        """Answer the far end's offer, or make the offer it asks for by sending none."""
        try:
            if sdp is None:
                answer = self._media.offer(self._wanted, is_full=True)
                self._offering = self._wanted
            else:
                answer = self._media.answer(sdp)
        except NegotiationError as error:
            self._session.refuse_offer(error.status, now)
        except SdpError:
            self._session.refuse_offer(400, now)
        else:
            self._session.answer_offer(answer, now)
            self.conclude()

    def accept(self, sdp: bytes, now: float) -> bool:
        """Take in an answer; one we cannot use leaves all as it was, and returns ``False``."""
        offered, self._offering = self._offering, None
        try:
            self._media.accept(sdp)
        except (NegotiationError, SdpError):
            self._media.withdraw()
            return False
        self._agreed = offered or self._agreed
        self.conclude()
        self.offer(now)
        return True

    def renew(self, sdp: bytes, now: float) -> None:
        """Take in what the far end answered when it was offered again what was agreed."""
        if self._offering is None:
            self._media.repeat()
            self.accept(sdp, now)

    def refused(self, status: int) -> None:
        """Take back our offer; 491 only asks us to wait, anything else to give it up."""
        self._media.withdraw()
        self._offering = None
        if status != 491:
            self._wanted = self._agreed

    def move_to(self, session: Session, media: OfferAnswer, now: float) -> None:
        """Go on in another session, whose descriptions are ``media``'s."""
        self._session, self._media = session, media
        self.in_use, self._offering, self._agreed = None, None, "sendrecv"
        self.conclude()
        self.offer(now)

    def conclude(self) -> None:
        """Put into use what was just agreed."""
        agreed = self._media.negotiated
        if agreed is None or agreed is self.in_use:
            return
        self.in_use = agreed
        self._lane.configure(agreed, self._on_refused)
        self._tell(LegMedia(agreed))
        if agreed.is_held != self._is_held:
            self._is_held = agreed.is_held
            self._tell(LegHeld(agreed.is_held))
