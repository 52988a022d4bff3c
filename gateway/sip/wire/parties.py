"""Who calls, and how the call came about, as headers beside From tell it.

P-Asserted-Identity (RFC 3325), Privacy (RFC 3323), Remote-Party-ID (never an RFC, still sent),
Diversion (RFC 5806), History-Info (RFC 7044), User-to-User (RFC 7433), Identity (RFC 8224).
All of it only informs: what cannot be read is left out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self, TypeVar
from urllib.parse import unquote as unescape

from ...errors import SipError
from .grammar import Params, parse_number, parse_params, quote, unquote
from .headers import NameAddr
from .message import Message, Request
from .reason import Reason
from .uri import Uri

__all__ = [
    "ANONYMOUS",
    "Caller",
    "Diversion",
    "HistoryEntry",
    "UserToUser",
    "asserted",
    "caller_of",
    "diversions",
    "history",
    "identities",
    "privacy",
    "user_to_user",
]

ANONYMOUS: Final = Uri("sip", "anonymous", "anonymous.invalid")
"""Who calls when that is not to be told (RFC 3323 section 4.1.1.3)."""

_MOST: Final = 32  # values of one header; the rest is not looked at
_LONGEST: Final = 8192  # characters of one value; a longer one is left out
_PRIVATE: Final = frozenset({"id", "user", "header"})

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    ``address`` is the true one as far as it is known: where the caller ``is_private`` it is
    told to nobody but neighbours that are trusted.  ``is_asserted`` by the network, rather
    than claimed by the caller.
    """

    address: NameAddr
    is_private: bool
    is_asserted: bool


@dataclass(frozen=True, slots=True)
class Diversion:
    """One time that the call was sent on, and why."""

    address: NameAddr
    reason: str  # unconditional, user-busy, no-answer, …
    counter: int  # how many times this one stands for

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``<sip:…>;reason=user-busy;counter=1``."""
        address = NameAddr.parse(text)
        reason = _plain(address.params.get("reason")) or "unknown"
        return cls(address, reason, parse_number(address.params.get("counter") or "") or 1)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One address that the call was for, by its place in the tree of all."""

    address: NameAddr
    index: str
    reason: Reason | None  # why it was for the next one
    is_private: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``<sip:…?Reason=SIP%3Bcause%3D302>;index=1.1``."""
        address = NameAddr.parse(text)
        headers = {name.lower(): unescape(value) for name, value in address.uri.headers.items()}
        reason = Reason.parse(headers["reason"]) if "reason" in headers else None
        is_private = "history" in headers.get("privacy", "").lower()
        return cls(address, address.params.get("index") or "", reason, is_private)


@dataclass(frozen=True, slots=True)
class UserToUser:
    """What the calling side sends along for the called one."""

    data: bytes
    encoding: str = "hex"
    purpose: str = "isdn-uui"
    content: str = "isdn-uui"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``48656c6c6f;encoding=hex;purpose=…;content=…``.

        Raises:
            SipError: It is said to be hexadecimal, and is not.

        """
        head, semicolon, rest = _cut(text)
        params: Params = parse_params(semicolon + rest)
        encoding = (_plain(params.get("encoding")) or "hex").lower()
        plain = _plain(head)
        try:
            data = bytes.fromhex(plain) if encoding == "hex" else plain.encode("utf-8")
        except ValueError as error:
            raise SipError("User-to-User is not hexadecimal") from error
        purpose, content = _plain(params.get("purpose")), _plain(params.get("content"))
        return cls(data, encoding, purpose or "isdn-uui", content or "isdn-uui")

    @property
    def text(self) -> str:
        """The data as text; empty where it is none."""
        try:
            text = self.data.decode("utf-8")
        except UnicodeDecodeError:
            return ""
        return text if text.isprintable() else ""

    def __str__(self) -> str:
        if self.encoding == "hex":
            return f"{self.data.hex()};encoding=hex;purpose={self.purpose};content={self.content}"
        data = quote(self.data.decode("utf-8"))
        return f"{data};encoding={self.encoding};purpose={self.purpose};content={self.content}"


def caller_of(request: Request, *, is_trusted: bool) -> Caller:
    """Tell who calls: whom a trusted neighbour asserts, else who From says.

    Raises:
        SipError: There is no From.

    """
    claimed = request.from_
    party = next(iter(_remote_parties(request)), None)
    asks = privacy(request) | (_party_privacy(party) if party is not None else frozenset())
    is_private = bool(asks & _PRIVATE) or _is_anonymous(claimed.uri)
    if is_trusted and (known := asserted(request)):
        return Caller(known[0], is_private, is_asserted=True)
    if is_trusted and party is not None:
        return Caller(party, is_private, is_asserted=True)
    return Caller(claimed, is_private, is_asserted=False)


def asserted(message: Message) -> tuple[NameAddr, ...]:
    """Return P-Asserted-Identity: whom the network found to call, to be asked of the trusted."""
    return _read(message, "P-Asserted-Identity", NameAddr.parse)


def privacy(message: Message) -> frozenset[str]:
    """Return what the caller asks to be kept: ``id``, ``user``, ``header``, …, or ``none``."""
    values = message.headers.get_all("Privacy")[:_MOST]
    words = (word.strip().lower() for value in values for word in value.split(";"))
    return frozenset(word for word in words if word)


def diversions(message: Message) -> tuple[Diversion, ...]:
    """Return who sent the call on, the latest first."""
    return _read(message, "Diversion", Diversion.parse)


def history(message: Message) -> tuple[HistoryEntry, ...]:
    """Return whom the call was for, the first of them first."""
    return _read(message, "History-Info", HistoryEntry.parse)


def user_to_user(message: Message) -> tuple[UserToUser, ...]:
    """Return what was sent along."""
    return _read(message, "User-to-User", UserToUser.parse)


def identities(message: Message) -> tuple[str, ...]:
    """Return the signed statements on who calls, as they came: a changed one proves nothing."""
    return tuple(v for v in message.headers.get_all("Identity")[:_MOST] if len(v) <= _LONGEST)


def _read(message: Message, name: str, parse: Callable[[str], _T]) -> tuple[_T, ...]:
    try:
        values = message.headers.values(name)[:_MOST]
    except SipError:
        return ()
    found = []
    for value in values:
        if len(value) <= _LONGEST:
            try:
                found.append(parse(value))
            except SipError:
                continue
    return tuple(found)


def _remote_parties(message: Message) -> tuple[NameAddr, ...]:
    """Return Remote-Party-ID of the calling side."""
    parties = _read(message, "Remote-Party-ID", NameAddr.parse)
    return tuple(p for p in parties if _plain(p.params.get("party")) in ("", "calling"))


def _party_privacy(party: NameAddr) -> frozenset[str]:
    asked = _plain(party.params.get("privacy")).lower()
    return frozenset() if asked in ("", "off", "no") else frozenset({"id"})


def _is_anonymous(uri: Uri) -> bool:
    return uri.username.lower() == "anonymous" or uri.host.lower() == ANONYMOUS.host


def _plain(value: str | None) -> str:
    """Return a value without the quotes that it may stand in."""
    value = (value or "").strip()
    is_quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return unquote(value[1:-1]) if is_quoted else value


def _cut(text: str) -> tuple[str, str, str]:
    """Cut a value at its first semicolon outside quotes."""
    if text.startswith('"') and (end := text.find('"', 1)) > 0:
        while end > 0 and text[end - 1] == "\\":
            end = text.find('"', end + 1)
        head, rest = text[: end + 1], text[end + 1 :].lstrip()
        return head, rest[:1], rest[1:]
    return text.partition(";")
