"""What a session tells its owner."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..wire.reason import Reason
from ..wire.uri import Uri

if TYPE_CHECKING:
    from .incoming import IncomingSession

__all__ = [
    "AnswerReceived",
    "Answered",
    "Confirmed",
    "Ended",
    "InfoReceived",
    "OfferDue",
    "OfferReceived",
    "OfferRefused",
    "ReferEnded",
    "ReferProgress",
    "ReferReceived",
    "Renewed",
    "Replaced",
    "Ringing",
    "SessionEvent",
]


@dataclass(slots=True)
class Ringing:
    """The other side rings (180) or plays early media (183, with a description).

    When we made no offer, ``sdp`` is one, to be answered by ``answer_offer``.
    """

    status: int
    sdp: bytes | None


@dataclass(slots=True)
class Answered:
    """The other side took our call; ``sdp`` answers our offer, or offers when we made none.

    ``None`` when offer and answer were complete before.
    """

    sdp: bytes | None


@dataclass(slots=True)
class Confirmed:
    """The ACK to our answer is in: the call is up on both sides."""


@dataclass(slots=True)
class OfferReceived:
    """The peer wants to change the media; ``sdp`` is ``None`` when it asks us to offer.

    To be answered by ``answer_offer`` or ``refuse_offer``.
    """

    sdp: bytes | None
    method: Literal["INVITE", "PRACK", "UPDATE"]


@dataclass(slots=True)
class AnswerReceived:
    """The peer answered our offer: that of a re-INVITE, or one made in a response."""

    sdp: bytes


@dataclass(slots=True)
class Renewed:
    """The call was refreshed by us, and the peer describes itself otherwise than before."""

    sdp: bytes


@dataclass(slots=True)
class OfferRefused:
    """The peer refused our offer; the media stays as it was."""

    status: int


@dataclass(slots=True)
class OfferDue:
    """An offer that had to wait may go now: call ``reinvite`` if it is still wanted."""


@dataclass(slots=True)
class InfoReceived:
    """An INFO request; already answered."""

    content_type: str
    body: bytes


@dataclass(slots=True)
class ReferProgress:
    """How far the transfer we asked for has come, as a SIP status."""

    status: int


@dataclass(slots=True)
class ReferEnded:
    """The transfer is decided: 2xx done, 408 no news came, anything else the refusal."""

    status: int


@dataclass(slots=True)
class ReferReceived:
    """The peer asks that ``target`` be called in its place: ``Session.referred`` takes the answer.

    ``replaces`` is whose place our call is to take there, ``referred_by`` who asks; both are
    told on as headers, where they are not empty.
    """

    target: Uri
    replaces: str = ""
    referred_by: str = ""


@dataclass(slots=True)
class Replaced:
    """A new call asks for the place of this one (RFC 3891): answer it, then end this one."""

    by: "IncomingSession"


@dataclass(slots=True)
class Ended:
    """The session is over.

    ``status`` is 200 for a call that was up, else the final status that ended it;
    ``reason`` is what whoever ended it gave in words and cause, if anything.
    """

    by: Literal["gateway", "peer"]
    status: int
    reason: Reason | None = None


SessionEvent: TypeAlias = (
    Ringing
    | Answered
    | Confirmed
    | OfferReceived
    | AnswerReceived
    | Renewed
    | OfferRefused
    | OfferDue
    | InfoReceived
    | ReferProgress
    | ReferEnded
    | ReferReceived
    | Replaced
    | Ended
)
