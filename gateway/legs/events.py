"""What a leg tells the call it belongs to."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..sdp.negotiate import Negotiated

__all__ = [
    "LegAnswered",
    "LegEnded",
    "LegEvent",
    "LegHeld",
    "LegKey",
    "LegMedia",
    "LegMoved",
    "LegReferred",
    "LegRinging",
    "TransferEnded",
    "TransferProgress",
]


@dataclass(slots=True)
class LegAnswered:
    """The call is up: both sides know it was taken."""


@dataclass(slots=True)
class LegRinging:
    """The far end of a call we placed is being told of it (a provisional SIP status)."""

    status: int


@dataclass(slots=True)
class LegEnded:
    """The leg is gone; nothing follows.

    ``by`` is ``caller`` for the far end of a call that came in, ``peer`` for that of one we
    placed; ``status`` is 200 for a call that was up, else the SIP status that ended it;
    ``q850`` is the cause in the terms of the telephone network (ITU-T Q.850).
    """

    by: Literal["caller", "gateway", "peer"]
    status: int
    reason: str
    q850: int = 16


@dataclass(slots=True)
class LegReferred:
    """The far end asked that ``target`` take its place, and that is being tried."""

    target: str


@dataclass(slots=True)
class LegMoved:
    """``party`` has taken the far end's place, or did not, by the SIP status."""

    party: str
    status: int = 200


@dataclass(slots=True)
class LegKey:
    """A key, told by signalling; ``duration_ms`` is 0 where that is not said."""

    key: str
    source: Literal["info", "browser"]
    duration_ms: int


@dataclass(slots=True)
class LegHeld:
    """The far end put us on hold, or took us back."""

    is_held: bool


@dataclass(slots=True)
class TransferProgress:
    """How far a transfer has come, as a SIP status."""

    status: int


@dataclass(slots=True)
class TransferEnded:
    """The transfer's target took the call, or the transfer came to nothing."""

    is_accepted: bool
    status: int


@dataclass(slots=True)
class LegMedia:
    """What both sides agreed to send, at the start and after each change."""

    negotiated: Negotiated


LegEvent: TypeAlias = (
    LegAnswered
    | LegRinging
    | LegEnded
    | LegKey
    | LegHeld
    | LegReferred
    | LegMoved
    | TransferProgress
    | TransferEnded
    | LegMedia
)
