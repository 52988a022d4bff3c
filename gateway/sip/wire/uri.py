"""Addresses: SIP, SIPS and tel URIs, and any other kept as it stands (RFC 3261, section 19.1)."""

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import unquote

from ...errors import SipError
from .grammar import Params

__all__ = ["Uri", "bracketed"]

# More hosts than the RFC allows are met in the wild: underscores, container names.
_SIP: Final = re.compile(
    r"""(sips?):
        (?:([^@\s<>"]*+)@)?
        (\[[0-9A-Fa-f:.]++(?:%[\w.\-]++)?\]|[A-Za-z0-9._\-]++)
        (?::([0-9]{1,5}))?
        (;[^?\s<>"]*+)?
        (?:\?([^\s<>"]*+))?""",
    re.IGNORECASE | re.VERBOSE,
)
_TEL: Final = re.compile(r"""(tel):([^;\s<>"]++)((?:;[^;\s<>"]*+)*+)""", re.IGNORECASE)
_OTHER: Final = re.compile(r"""([A-Za-z][A-Za-z0-9+.\-]*+):[^\s<>"]++""")


@dataclass(slots=True)
class Uri:
    """One address.

    ``user`` (with a password, if there is one), ``host`` and every parameter
    are verbatim: still escaped, in the case they came in.  A URI that was
    parsed prints exactly as it was read, so it is not to be changed:
    :meth:`replace` makes a changed copy.
    A URI of an unknown scheme has neither user nor host.
    """

    scheme: str
    user: str | None = None
    host: str = ""
    port: int | None = None
    params: Params = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    raw: str = field(default="", compare=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address.

        Raises:
            SipError: It has no scheme, or breaks the rules of the one it has (400).

        """
        match = _SIP.fullmatch(text)
        if match is not None:
            scheme, user, host, digits, params, headers = match.groups()
            port = int(digits) if digits else None
            if port is not None and port > 65535:
                raise SipError(f"no such port: {port}")
            return cls(
                scheme.lower(),
                user,
                host,
                port,
                _uri_params(params) if params else {},
                _uri_headers(headers) if headers else {},
                text,
            )
        match = _TEL.fullmatch(text)
        if match is not None:
            return cls("tel", match.group(2), params=_uri_params(match.group(3)), raw=text)
        match = _OTHER.fullmatch(text)
        scheme = match.group(1).lower() if match is not None else ""
        if scheme in ("", "sip", "sips", "tel"):
            raise SipError(f"not an address: {text[:60]!r}")
        return cls(scheme, raw=text)

    @property
    def username(self) -> str:
        """The user, unescaped and without a password: what to compare and to show."""
        return unquote((self.user or "").partition(":")[0], errors="surrogateescape")

    @property
    def address(self) -> str:
        """The host without the brackets of an IPv6 address: what a socket takes."""
        return self.host[1:-1] if self.host.startswith("[") else self.host

    @property
    def is_loose(self) -> bool:
        """Whether this is a route to a loose router (``lr``, section 16.12)."""
        return "lr" in self.params

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other fields, written out anew."""
        return dataclasses.replace(self, **changes, raw="")

    def __str__(self) -> str:
        if self.raw:
            return self.raw
        user = self.user or ""
        if self.scheme != "tel":
            user = f"{user}@" if user else ""
        port = "" if self.port is None else f":{self.port}"
        params = "".join(f";{k}" if v is None else f";{k}={v}" for k, v in self.params.items())
        headers = "&".join(f"{k}={v}" for k, v in self.headers.items())
        return f"{self.scheme}:{user}{self.host}{port}{params}{'?' if headers else ''}{headers}"


def bracketed(address: str) -> str:
    """Return a host name or an address as it stands in a URI: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address


def _uri_params(text: str) -> Params:
    params: Params = {}
    for piece in text.split(";"):
        name, equals, value = piece.partition("=")
        if name and (name := name.lower()) not in params:
            params[name] = value if equals else None
    return params


def _uri_headers(text: str) -> dict[str, str]:
    pairs = (piece.partition("=") for piece in text.split("&"))
    return {name: value for name, _, value in pairs if name}
