"""Who may ask for what: by the token they show (RFC 6750), or as a reader on this machine."""

import ipaddress
import math
import re
import time
from collections.abc import Callable
from typing import Final

from aiohttp import HttpVersion11, hdrs, web

from ..calls.pace import Paces
from ..clock import Clock, monotonic
from .keyring import Keyring
from .operation import Role, Visitor
from .problems import Kind, Refusal

__all__ = ["Access", "is_from_here"]

_NOBODY: Final = Visitor("", Role.NOBODY)
_LOCAL: Final = Visitor("local", Role.VIEWER)
_CHALLENGE: Final = "WWW-Authenticate"
_REALM: Final = 'Bearer realm="voice-gateway"'
_PASSED_ON: Final = re.compile(
    r"forwarded|via|x-forwarded.*|x-original-.*|x-real-ip|x-(cluster-)?client-ip|cf-.*|cdn-loop|"
    r"true-client-ip|fastly-client-ip|fly-.*|x-envoy-.*|x-amzn-.*|x-azure-.*",
    re.IGNORECASE,
)
"""Headers by which proxies give themselves away."""
_HOST: Final = re.compile(r"(\[[^]]*\]|[^:]*)(?::\d*)?")
_GUESSES_PER_MINUTE: Final = 30  # of one address (IPv6: of one /64)
_OWN_SITES: Final = ("", "same-origin", "none")  # of Sec-Fetch-Site


class Access:
    """Lets people in.

    Args:
        keyring: Knows the tokens.
        is_open_here: Where nobody was given a token, whoever sits at this machine may look.
        unix_clock: Says when tokens end.

    Attributes:
        refused: requests that were not let in.
        wrong: tokens that are nobody's.
        slowed: tokens that were not looked at, for wrong ones that came from there before.

    """

    def __init__(
        self,
        keyring: Keyring,
        *,
        is_open_here: bool,
        unix_clock: Callable[[], float] = time.time,
        clock: Clock = monotonic,
    ) -> None:
        self.refused = 0
        self.wrong = 0
        self.slowed = 0
        self._clock = clock
        self._guesses = Paces(_GUESSES_PER_MINUTE)
        self._keyring = keyring
        self._is_open_here = is_open_here
        self._unix_clock = unix_clock

    def admit(self, request: web.Request, role: Role) -> Visitor:
        """Return who asks, for something that is for ``role``.

        Raises:
            Refusal: They may not, or show a token that is worth nothing.

        """
        visitor = self._visitor(request, is_for_all=role is Role.NOBODY)
        if visitor.role >= role:
            return visitor
        self.refused += 1
        if visitor.role is Role.NOBODY:
            raise _unauthorized("show a token: Authorization: Bearer TOKEN")
        needed = role.name.lower()
        remedy = (
            f"this is for the role {needed}, and {visitor.name!r} is {visitor.role.name.lower()}"
        )
        if visitor is _LOCAL:
            remedy = (
                f"this is for the role {needed}: name the variable with a token in http.token_env"
            )
        headers = {_CHALLENGE: f'{_REALM}, error="insufficient_scope"'}
        raise Refusal(403, remedy, kind="role-needed", headers=headers)

    def _visitor(self, request: web.Request, *, is_for_all: bool) -> Visitor:
        shown = request.headers.getall(hdrs.AUTHORIZATION, [])
        if not shown:
            return _LOCAL if self._is_open_here and is_from_here(request) else _NOBODY
        try:
            return self._holder(shown, request.remote or "")
        except Refusal:
            if is_for_all:
                return _NOBODY
            self.refused += 1
            raise

    def _holder(self, shown: list[str], address: str) -> Visitor:
        """Return whose token is shown."""
        scheme, _, token = shown[0].partition(" ")
        if len(shown) > 1 or scheme.lower() != "bearer":
            raise _unauthorized("show one token, and nothing else: Authorization: Bearer TOKEN")
        if wait := self._guesses.seconds_to_wait(address, self._clock()):
            self.slowed += 1
            headers = {"Retry-After": str(math.ceil(wait))}
            raise Refusal(429, "too many wrong tokens came from this address", headers=headers)
        visitor = self._keyring.visitor(token.strip(), self._unix_clock())
        if visitor is None:
            self.wrong += 1
            self._guesses.takes(address, self._clock())
            raise _unauthorized("this token is nobody's", "token-unknown")
        if visitor.until is not None and visitor.until <= self._unix_clock():
            raise _unauthorized("this token has expired", "token-expired")
        return visitor


def is_from_here(request: web.Request) -> bool:
    """Tell whether somebody at this machine asks, and no page of another site for them.

    A page whose name was bent to this machine (DNS rebinding) asks for its own name in Host.
    Most proxies give themselves away, by a header or by HTTP/1.0; one that passes everything on
    as it came, under a name of this machine, cannot be told from somebody who sits there.
    """
    if request.version < HttpVersion11 or any(map(_PASSED_ON.fullmatch, request.headers)):
        return False
    if request.headers.get("Sec-Fetch-Site", "") not in _OWN_SITES:
        return False
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        return False
    return _is_loopback(request.remote or "") and _is_loopback(_name_of(request.host))


def _unauthorized(detail: str, kind: Kind = "") -> Refusal:
    why = f', error="invalid_token", error_description="{detail}"' if kind else ""
    return Refusal(401, detail, kind=kind, headers={_CHALLENGE: _REALM + why})


def _name_of(host: str) -> str:
    """Return a Host header without its port, empty where it is none."""
    found = _HOST.fullmatch(host)
    return found[1].strip("[]") if found else ""


def _is_loopback(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
