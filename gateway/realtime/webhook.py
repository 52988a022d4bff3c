"""The webhooks of a service that holds SIP calls: who may be believed, and what they say.

They are signed (:mod:`gateway.signing`); several signatures may stand beside each
other while a secret is being changed.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias

import msgspec

from ..errors import WebhookError
from ..signing import HEADERS, is_signed

__all__ = [
    "FrontDoor",
    "IncomingCall",
    "OtherEvent",
    "Replays",
    "SipHeader",
    "verify",
]

FrontDoor: TypeAlias = Literal["realtime", "live"]

_TOLERANCE: Final = 300.0  # seconds, both ways
_MOST_BYTES: Final = 1 << 20
_REMEMBERED: Final = 10_000
_MEMORY: Final = 660.0  # seconds: one dated 300 s ahead stays fresh for 600
_DOORS: Final[Mapping[str, FrontDoor]] = {
    "realtime.call.incoming": "realtime",
    "live.transport.incoming": "live",
}


class SipHeader(msgspec.Struct, frozen=True):
    """A header of the INVITE, as the caller's side wrote it; nothing in it is proven."""

    name: str
    value: str


class _Data(msgspec.Struct, frozen=True):
    type: str = "sip"
    call_id: str = ""
    session_id: str = ""  # the newer front door's name for the same
    sip_headers: list[SipHeader] | None = None
    sip_media_security: str | None = None


class _Event(msgspec.Struct, frozen=True):
    type: str
    id: str = ""
    created_at: float = 0.0
    data: msgspec.Raw = msgspec.Raw(b"{}")


class IncomingCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call rings at the service and waits to be accepted.

    Attributes:
        call_id: The service's name for the call; opaque.
        sip_headers: Of the INVITE, in order, repeats kept.
        media_security: ``"rtp"`` or ``"srtp"`` where the service says.
        front_door: Which of the service's two products asks.
        webhook_id: The same for every delivery of this webhook.
        created_at: Unix seconds.

    """

    call_id: str
    sip_headers: tuple[SipHeader, ...] = ()
    media_security: str | None = None
    front_door: FrontDoor = "realtime"
    webhook_id: str = ""
    created_at: float = 0.0

    def header(self, name: str) -> str:
        """Return the first header of that name, or nothing; case does not count."""
        return next((h.value for h in self.sip_headers if h.name.lower() == name.lower()), "")

    @property
    def from_uri(self) -> str:
        """Who calls, as they say."""
        return _uri_of(self.header("From"))

    @property
    def to_uri(self) -> str:
        """Whom they call."""
        return _uri_of(self.header("To"))

    @property
    def sip_call_id(self) -> str:
        """The Call-ID of the INVITE: the same at both front doors."""
        return self.header("Call-ID")


class OtherEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A genuine webhook about something else."""

    type: str
    webhook_id: str = ""


class Replays:
    """The webhooks of the last eleven minutes, so that none is taken twice; bounded."""

    def __init__(self, most: int = _REMEMBERED) -> None:
        self._most = most
        self._seen: OrderedDict[str, float] = OrderedDict()

    def is_new(self, webhook_id: str, now: float) -> bool:
        """Say whether this one was not seen yet, and remember it; ``now`` in seconds."""
        while self._seen and next(iter(self._seen.values())) <= now - _MEMORY:
            self._seen.popitem(last=False)
        if webhook_id in self._seen:
            return False
        self._seen[webhook_id] = now
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return True


def verify(
    secrets: Iterable[str], headers: Mapping[str, str], body: bytes, now: float
) -> IncomingCall | OtherEvent:
    """Read a webhook that one of ``secrets`` has signed within 300 s of ``now`` (unix seconds).

    Raises:
        WebhookError: It is forged, stale, from the future, or cannot be read.

    """
    webhook_id, timestamp, signatures = (_only(headers, name) for name in HEADERS)
    _check_fresh(timestamp, now)
    if not webhook_id or not signatures:
        raise WebhookError("the webhook is not signed")
    if len(body) > _MOST_BYTES:
        raise WebhookError(f"a webhook of {len(body)} bytes")
    if not is_signed(secrets, webhook_id, timestamp, signatures, body):
        raise WebhookError("no signature of the webhook is ours")
    return _read(webhook_id, body)


def _only(headers: Mapping[str, str], name: str) -> str:
    """Return a header that may be there once: of two, each reader might believe another."""
    values = [value for key, value in headers.items() if key.lower() == name]
    if len(values) > 1:
        raise WebhookError(f"the webhook has several {name} headers")
    return values[0] if values else ""


def _check_fresh(timestamp: str, now: float) -> None:
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise WebhookError("the webhook has no timestamp")
    if not abs(now - int(timestamp)) <= _TOLERANCE:
        raise WebhookError(f"the webhook is {now - int(timestamp):.0f} s old")


def _read(webhook_id: str, body: bytes) -> IncomingCall | OtherEvent:
    try:
        event = msgspec.json.decode(body, type=_Event)
        door = _DOORS.get(event.type)
        if door is None:
            return OtherEvent(type=event.type, webhook_id=webhook_id)
        data = msgspec.json.decode(event.data, type=_Data)
    except (ValueError, RecursionError) as error:
        raise WebhookError(f"the webhook cannot be read: {error}") from None
    if data.type != "sip":
        return OtherEvent(type=event.type, webhook_id=webhook_id)
    call_id = data.call_id or data.session_id
    if not call_id:
        raise WebhookError("the webhook names no call")
    return IncomingCall(
        call_id=call_id,
        sip_headers=tuple(data.sip_headers or ()),
        media_security=data.sip_media_security,
        front_door=door,
        webhook_id=webhook_id,
        created_at=event.created_at,
    )


def _uri_of(address: str) -> str:
    """Return the URI of a From or To header, with or without its brackets and parameters."""
    _, bracket, rest = address.rpartition("<")  # a display name may hold one too
    if bracket:
        return rest.partition(">")[0].strip()
    return address.partition(";")[0].strip()
