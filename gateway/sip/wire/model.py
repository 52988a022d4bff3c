"""Requests and responses: values kept verbatim, read into their parts once, on demand.

RFC 3261, section 7.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from ...errors import SipError
from .fields import Headers
from .grammar import parse_number
from .headers import CSeq, NameAddr, Via
from .status import REASONS
from .uri import Uri

__all__ = ["MAX_ADDRESSES", "MAX_VIAS", "Message", "MessageError", "Request", "Response"]

MAX_VIAS: Final = 64
MAX_ADDRESSES: Final = 256

_T = TypeVar("_T")


class MessageError(SipError):
    """A message cannot be served.

    ``answerable`` is the request as far as it could be read, when that is
    enough to send it ``status``; ``None`` when the message is to be dropped.
    """

    def __init__(
        self, reason: str, *, status: int = 0, answerable: "Request | None" = None
    ) -> None:
        super().__init__(reason, status=status)
        self.answerable = answerable


class Message:
    """What requests and responses have in common."""

    __slots__ = ("body", "headers")

    def __init__(self, headers: Headers | None = None, body: bytes = b"") -> None:
        self.headers = Headers() if headers is None else headers
        self.body = body

    @property
    def start_line(self) -> str:
        """The first line, without its end."""
        raise NotImplementedError

    def _once(self, key: str, load: Callable[[str], _T]) -> _T:
        typed = self.headers.typed
        if key in typed:
            return typed[key]  # type: ignore[no-any-return]
        value = typed[key] = load(key)
        return value

    def _only(self, key: str) -> str:
        """Return the value of a header that must stand once, or repeat itself exactly."""
        values = self.headers.get_all(key)
        if not values:
            raise SipError(f"no {key}")
        if len(values) > 1 and any(value != values[0] for value in values):
            raise SipError(f"more than one {key}")
        return values[0]

    def _load_vias(self, key: str) -> list[Via]:
        values = self.headers.values(key)
        if len(values) > MAX_VIAS:
            raise SipError(f"{len(values)} hops")
        return [Via.parse(value) for value in values]

    def _load_address(self, key: str) -> NameAddr:
        return NameAddr.parse(self._only(key))

    def _load_addresses(self, key: str) -> list[NameAddr]:
        values = self.headers.values(key)
        if len(values) > MAX_ADDRESSES:
            raise SipError(f"{len(values)} addresses in one {key}")
        return [NameAddr.parse(value) for value in values if value != "*"]

    def _load_cseq(self, key: str) -> CSeq:
        return CSeq.parse(self._only(key))

    def _load_call_id(self, key: str) -> str:
        call_id = self._only(key)
        if not call_id or " " in call_id or "\t" in call_id:
            raise SipError(f"not a Call-ID: {call_id[:60]!r}")
        return call_id

    def _load_max_forwards(self, key: str) -> int | None:
        if key not in self.headers:
            return None
        hops = parse_number(self._only(key))
        if hops is None:
            raise SipError("not a Max-Forwards")
        return hops

    def _load_options(self, key: str) -> list[str]:
        return [option.lower() for option in self.headers.values(key) if option]

    @property
    def vias(self) -> list[Via]:
        """Every Via, topmost first."""
        return self._once("via", self._load_vias)

    @property
    def via(self) -> Via:
        """The topmost Via."""
        vias = self.vias
        if not vias:
            raise SipError("no via")
        return vias[0]

    @property
    def from_(self) -> NameAddr:
        """Who sent the request."""
        return self._once("from", self._load_address)

    @property
    def to(self) -> NameAddr:
        """Whom the request was sent to."""
        return self._once("to", self._load_address)

    @property
    def call_id(self) -> str:
        """The name of the call, the same in all its messages."""
        return self._once("call-id", self._load_call_id)

    @property
    def cseq(self) -> CSeq:
        """The number and method of the request."""
        return self._once("cseq", self._load_cseq)

    @property
    def contacts(self) -> list[NameAddr]:
        """Where the sender can be reached; a lone ``*`` is no contact."""
        return self._once("contact", self._load_addresses)

    @property
    def record_routes(self) -> list[NameAddr]:
        """The proxies that stay in the dialog, in the order they stand."""
        return self._once("record-route", self._load_addresses)

    @property
    def routes(self) -> list[NameAddr]:
        """The proxies this request must still pass."""
        return self._once("route", self._load_addresses)

    @property
    def max_forwards(self) -> int | None:
        """How many hops are left, or ``None`` when it does not say."""
        return self._once("max-forwards", self._load_max_forwards)

    @property
    def content_type(self) -> str | None:
        """The media type of the body in lower case, without parameters."""
        value = self.headers.get("content-type")
        return None if value is None else value.partition(";")[0].strip().lower()

    @property
    def require(self) -> list[str]:
        """The extensions the sender insists on, in lower case."""
        return self._once("require", self._load_options)

    @property
    def supported(self) -> list[str]:
        """The extensions the sender knows, in lower case."""
        return self._once("supported", self._load_options)

    @property
    def expires(self) -> int | None:
        """A life in seconds, at most 32 bits; ``None`` when absent or unreadable."""
        value = self.headers.get("expires")
        if value is None or not (value.isascii() and value.isdigit()):
            return None
        return min(int(value[:12]), 2**32 - 1)

    @property
    def retry_after(self) -> int | None:
        """Seconds after which to ask again; ``None`` when absent or unreadable (section 20.33)."""
        text = (self.headers.get("Retry-After") or "").partition("(")[0].partition(";")[0]
        return parse_number(text.strip())

    def check(self) -> None:
        """Read every header an element relies on.

        Raises:
            SipError: One of them is missing or malformed.

        """
        self.via  # noqa: B018 - reading is the check
        self.from_, self.to, self.call_id, self.cseq  # noqa: B018
        self.max_forwards, self.contacts  # noqa: B018
        self.record_routes, self.routes, self.require, self.supported  # noqa: B018
        if "content-type" in self.headers:
            self._only("content-type")

    def __bytes__(self) -> bytes:
        start = self.start_line
        if "\n" in start or "\r" in start:
            raise SipError("the start line would break", status=500)
        lines = self.headers.lines(without="content-length")
        head = "\r\n".join([start, *lines, f"Content-Length: {len(self.body)}\r\n\r\n"])
        return head.encode("utf-8", "surrogateescape") + self.body


class Request(Message):
    """A SIP request; ``uri`` is the Request-URI verbatim."""

    __slots__ = ("method", "uri")

    def __init__(
        self, method: str, uri: str, headers: Headers | None = None, body: bytes = b""
    ) -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri = uri

    @property
    def start_line(self) -> str:
        """The first line, without its end."""
        return f"{self.method} {self.uri} SIP/2.0"

    @property
    def request_uri(self) -> Uri:
        """The Request-URI, in its parts."""
        return Uri.parse(self.uri)

    def check(self) -> None:
        """Read every header an element relies on, and the Request-URI.

        Raises:
            SipError: One of them is missing or malformed, or CSeq names another method.

        """
        super().check()
        if self.cseq.method != self.method:
            raise SipError(f"CSeq names {self.cseq.method[:20]!r}")
        self.request_uri  # noqa: B018

    def __repr__(self) -> str:
        return f"<Request {self.start_line!r}>"


class Response(Message):
    """A SIP response."""

    __slots__ = ("reason", "status")

    def __init__(
        self,
        status: int,
        reason: str | None = None,
        headers: Headers | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = REASONS.get(status, "") if reason is None else reason

    @property
    def start_line(self) -> str:
        """The first line, without its end; a reason of several lines is put on one."""
        return f"SIP/2.0 {self.status} {' '.join(self.reason.splitlines())}"

    def __repr__(self) -> str:
        return f"<Response {self.start_line!r}>"
