"""Tokens: those that are configured, and those that the gateway signs itself.

A token of the gateway's own is ``vg1.CLAIMS.SIGNATURE``: base64url of JSON with a name, a role
and the second at which it ends, and of its HMAC-SHA256.  Nothing is kept of it, so that every
gateway with the same key believes it; it ends by its time, or when the key is changed.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Final

import msgspec

from ..config.web import HttpSettings
from .operation import Role, Visitor

__all__ = ["ConfiguredToken", "Keyring", "configured_tokens"]

_PREFIX: Final = "vg1"
_LONGEST: Final = 1024  # characters of a token that is looked at
_PURPOSE: Final = b"voice-gateway token\0"  # what is signed here is good for nothing else


class _Claims(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    role: str
    until: int


_claims: Final = msgspec.json.Decoder(_Claims)


@dataclass(frozen=True, slots=True)
class ConfiguredToken:
    """Who shows this may do what the visitor may."""

    token: str
    visitor: Visitor


class Keyring:
    """Tells by their tokens who somebody is.

    Args:
        configured: The tokens of the configuration.
        key: What the gateway signs its own by.

    """

    def __init__(self, configured: Sequence[ConfiguredToken], key: bytes) -> None:
        self._configured = [(_digest(one.token.encode()), one.visitor) for one in configured]
        self._key = key

    def visitor(self, token: str, now: float) -> Visitor | None:
        """Return whose token it is, also where it has ended; ``None`` for a stranger's.

        It takes as long for a token that is nearly right as for one that is not.
        """
        if len(token) > _LONGEST:
            return None
        shown, found = _digest(token.encode(errors="surrogateescape")), None
        for known, visitor in self._configured:
            if hmac.compare_digest(shown, known):
                found = visitor
        return found or self._signed(token)

    def make(self, name: str, role: Role, until: int) -> str:
        """Sign a token that is good until a second of unix time."""
        claims = _encode(msgspec.json.encode(_Claims(name, role.name.lower(), until)))
        return f"{_PREFIX}.{claims}.{_encode(self._sign(claims))}"

    def _signed(self, token: str) -> Visitor | None:
        prefix, _, rest = token.partition(".")
        claims, _, signature = rest.partition(".")
        wanted = _encode(self._sign(claims)).encode()
        is_ours = hmac.compare_digest(signature.encode(errors="surrogateescape"), wanted)
        if prefix != _PREFIX or not is_ours:
            return None
        try:
            told = _claims.decode(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
            return Visitor(told.name, Role[told.role.upper()], told.until)
        except (binascii.Error, ValueError, KeyError):  # signed by a gateway that knows more
            return None

    def _sign(self, claims: str) -> bytes:
        signed = _PURPOSE + claims.encode(errors="surrogateescape")
        return hmac.digest(self._key, signed, hashlib.sha256)


def configured_tokens(settings: HttpSettings) -> list[ConfiguredToken]:
    """Return the tokens that ``[http]`` names."""
    found = []
    if settings.token is not None:
        admin = Visitor("admin", Role.ADMIN)
        found.append(ConfiguredToken(settings.token.get_secret_value(), admin))
    for one in settings.tokens:
        if one.token is None:
            continue
        until = one.expires
        if until is not None and until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        ends = until.timestamp() if until is not None else None
        visitor = Visitor(one.name, Role[one.role.upper()], ends)
        found.append(ConfiguredToken(one.token.get_secret_value(), visitor))
    return found


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
