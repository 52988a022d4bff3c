"""The header values that steer a SIP element, each read into its parts and written back.

RFC 3261: sections 20.10, 20.20 and 20.39 (name-addr), 20.42 (Via), 20.16 (CSeq).
"""

import re
from dataclasses import dataclass, field
from typing import Final, Self

from ...errors import SipError
from .grammar import Params, is_token, parse_number, parse_params, quote, unquote
from .uri import Uri

__all__ = ["BRANCH_COOKIE", "CSeq", "NameAddr", "Via"]

# The start of every branch made by RFC 3261's rules (section 8.1.1.7).
BRANCH_COOKIE: Final = "z9hG4bK"

_NAME_ADDR: Final = re.compile(
    r"""\s*+(?:"((?:[^"\\]|\\.)*+)"|([^"<>,;]*+))\s*+<([^<>]*+)>""", re.DOTALL
)
_ADDR_SPEC: Final = re.compile(r"""\s*+([^\s"<>,;?]++)\s*+""")
_VIA: Final = re.compile(
    r"""\s*+SIP\s*+/\s*+[0-9]++\.[0-9]++\s*+/\s*+([^\s/;,"<>]++)\s++
        (\[[0-9A-Fa-f:.]++(?:%[\w.\-]++)?\]|[^\s:;,\[\]"<>@]++)\s*+
        (?::\s*+([0-9]{1,5})\s*+)?""",
    re.IGNORECASE | re.VERBOSE,
)


def _write_params(params: Params) -> str:
    return "".join(f";{k}" if v is None else f";{k}={v}" for k, v in params.items())


@dataclass(slots=True)
class NameAddr:
    """An address with a name in front and parameters behind: From, To, Contact, Route."""

    uri: Uri
    display: str = ""
    params: Params = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"Display" <uri>;params`` or ``uri;params``.

        Raises:
            SipError: Brackets or quotes are missing where they must stand.

        """
        match = _NAME_ADDR.match(text)
        if match is not None:
            quoted, bare, address = match.groups()
            display = bare.strip() if quoted is None else unquote(quoted)
        else:
            # Without brackets the parameters belong to the header, not to the
            # address, which then may hold no comma, question mark or semicolon.
            match = _ADDR_SPEC.match(text)
            if match is None:
                raise SipError(f"not an address: {text[:60]!r}")
            display, address = "", match.group(1)
        rest = text[match.end() :]
        return cls(Uri.parse(address.strip()), display, parse_params(rest) if rest else {})

    @property
    def tag(self) -> str | None:
        """The tag of a From or To."""
        return self.params.get("tag")

    def __str__(self) -> str:
        name = f"{quote(self.display)} " if self.display else ""
        return f"{name}<{self.uri}>{_write_params(self.params)}"


@dataclass(slots=True)
class Via:
    """One hop a request has taken: where its response must go."""

    transport: str
    host: str
    port: int | None = None
    params: Params = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``SIP/2.0/UDP host:port;params``.

        Raises:
            SipError: It is not a Via.

        """
        match = _VIA.match(text)
        if match is None:
            raise SipError(f"not a Via: {text[:60]!r}")
        transport, host, digits = match.groups()
        port = int(digits) if digits else None
        if port is not None and port > 65535:
            raise SipError(f"no such port: {port}")
        rest = text[match.end() :]
        return cls(transport.upper(), host, port, parse_params(rest) if rest else {})

    @property
    def branch(self) -> str | None:
        """The name of the transaction."""
        return self.params.get("branch") or None

    @property
    def received(self) -> str | None:
        """The address the request really came from, as the next hop saw it."""
        return self.params.get("received")

    @property
    def rport(self) -> int | None:
        """The port the request really came from (RFC 3581)."""
        return parse_number(self.params.get("rport") or "", largest=65535)

    @property
    def sent_by(self) -> str:
        """Host and port as the sender names itself."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {self.sent_by}{_write_params(self.params)}"


@dataclass(slots=True)
class CSeq:
    """The number and the method of a request."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``314 INVITE``.

        Raises:
            SipError: The number is missing or beyond 32 bits, or the method is no token.

        """
        digits, _, method = text.partition(" ")
        number, method = parse_number(digits), method.strip()
        if number is None or not is_token(method):
            raise SipError(f"not a CSeq: {text[:60]!r}")
        return cls(number, method)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"
