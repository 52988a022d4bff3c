"""Digest authentication: what both sides share (RFC 3261 section 22, RFC 7616, RFC 8760).

Challenges and credentials are read with their values verbatim, as they stand between the
quotes: what is hashed and what is sent back is what came.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ...errors import SipError

__all__ = ["ALGORITHMS", "MAX_CHALLENGES", "Challenge", "Credentials", "Secret", "best_per_realm"]

MAX_CHALLENGES: Final = 16
_MAX_LENGTH: Final = 8192
_MAX_PARAMS: Final = 32

ALGORITHMS: Final = {"sha-512-256": "sha512_256", "sha-256": "sha256", "md5": "md5"}
"""The algorithms we know, strongest first, by the names hashlib has for them."""

_SCHEME: Final = re.compile(r"[\s,]*+([A-Za-z0-9\-.!%*_+`'~]++)(?=\s++[^\s=,]++\s*+=)\s*+")
_PARAM: Final = re.compile(
    r"""[\s,]*+([A-Za-z0-9\-.!%*_+`'~]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^\s,"]*+))""", re.DOTALL
)
_END: Final = re.compile(r"[\s,]*+\Z")
_QUOTE_BREAKERS: Final = re.compile(r'["\\\x00-\x1f\x7f]')


class Secret:
    """A name and its password, which is never written out."""

    __slots__ = ("_password", "username")

    def __init__(self, username: str, password: str) -> None:
        if _QUOTE_BREAKERS.search(username):
            raise SipError("a username holds no quotes, backslashes or control characters")
        self.username = username
        self._password = password

    def prove(
        self,
        algorithm: str,
        realm: str,
        nonce: str,
        method: str,
        uri: str,
        *,
        qop: str = "",
        nc: str = "",
        cnonce: str = "",
        body: bytes = b"",
    ) -> str:
        """Return the response to a challenge (RFC 7616 section 3.4.1), in lower-case hex.

        ``algorithm`` is one of :data:`ALGORITHMS`, perhaps with ``-sess``; an empty ``qop`` is
        that of RFC 2069.
        """
        name = algorithm.lower().removesuffix("-sess")
        first = _hash(name, f"{self.username}:{realm}:{self._password}")
        if name != algorithm.lower():
            first = _hash(name, f"{first}:{nonce}:{cnonce}")
        what = f"{method}:{uri}"
        if qop == "auth-int":
            what += f":{_hash_bytes(name, body)}"
        middle = f"{nonce}:{nc}:{cnonce}:{qop}" if qop else nonce
        return _hash(name, f"{first}:{middle}:{_hash(name, what)}")

    def __repr__(self) -> str:
        return f"Secret({self.username!r}, …)"


@dataclass(frozen=True, slots=True)
class Challenge:
    """One ``WWW-Authenticate`` or ``Proxy-Authenticate`` of the Digest scheme.

    ``algorithm`` is verbatim, empty where it is left to mean MD5.
    """

    realm: str
    nonce: str
    algorithm: str = ""
    qops: tuple[str, ...] = ()
    opaque: str | None = None
    is_stale: bool = False

    @property
    def strength(self) -> int:
        """How strong its hash is, the higher the stronger; -1 where we cannot answer it."""
        base = (self.algorithm or "MD5").lower().removesuffix("-sess")
        is_answerable = not self.qops or not {"auth", "auth-int"}.isdisjoint(self.qops)
        if base not in ALGORITHMS or not is_answerable:
            return -1
        return len(ALGORITHMS) - list(ALGORITHMS).index(base)

    @property
    def qop(self) -> str:
        """What quality we answer with; integrity only where nothing else is offered."""
        return "" if not self.qops else "auth" if "auth" in self.qops else "auth-int"

    @classmethod
    def parse_all(cls, lines: Iterable[str]) -> list["Challenge"]:
        """Read header lines, each with one challenge or several; what is no Digest is left out.

        Raises:
            SipError: A line cannot be read, or there is too much of it.

        """
        found = []
        for line in lines:
            for scheme, params in _read(line):
                if scheme == "digest" and "realm" in params and "nonce" in params:
                    found.append(cls._of(params))
        if len(found) > MAX_CHALLENGES:
            raise SipError(f"{len(found)} challenges")
        return found

    @classmethod
    def _of(cls, params: dict[str, str]) -> "Challenge":
        qops = (qop.strip().lower() for qop in params.get("qop", "").split(","))
        return cls(
            params["realm"],
            params["nonce"],
            params.get("algorithm", ""),
            tuple(qop for qop in qops if qop),
            params.get("opaque"),
            params.get("stale", "").lower() == "true",
        )


@dataclass(frozen=True, slots=True)
class Credentials:
    """One ``Authorization`` or ``Proxy-Authorization`` of the Digest scheme, values verbatim."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = ""
    cnonce: str = ""
    nc: str = ""
    qop: str = ""
    opaque: str | None = None

    @classmethod
    def parse(cls, line: str) -> "Credentials | None":
        """Read one header line; ``None`` where it is of another scheme.

        Raises:
            SipError: It cannot be read, or lacks what every Digest has.

        """
        (scheme, params), *_ = _read(line) or [("", {})]
        if scheme != "digest":
            return None
        names = ("username", "realm", "nonce", "uri", "response")
        if missing := [name for name in names if name not in params]:
            raise SipError(f"credentials without {missing[0]}")
        known = (*names, "algorithm", "cnonce", "nc", "qop", "opaque")
        return cls(**{name: params[name] for name in known if name in params})

    def __str__(self) -> str:
        parts = [
            f'username="{self.username}"',
            f'realm="{self.realm}"',
            f'nonce="{self.nonce}"',
            f'uri="{self.uri}"',
            f'response="{self.response}"',
        ]
        if self.algorithm:
            parts.append(f"algorithm={self.algorithm}")
        if self.cnonce:
            parts.append(f'cnonce="{self.cnonce}"')
        if self.opaque is not None:
            parts.append(f'opaque="{self.opaque}"')
        if self.qop:
            parts += [f"qop={self.qop}", f"nc={self.nc}"]
        return "Digest " + ", ".join(parts)


def best_per_realm(challenges: Iterable[Challenge]) -> list[Challenge]:
    """Return the challenge to answer of each realm, in the order the realms came.

    A server lists what it prefers first (RFC 8760 section 2.4), which is to be the strongest; one
    that does not, or whose list was turned round on the way, does not make us answer the weaker.
    Of equally strong ones the first counts.
    """
    best: dict[str, Challenge] = {}
    for challenge in challenges:
        known = best.get(challenge.realm)
        if challenge.strength > (known.strength if known is not None else -1):
            best[challenge.realm] = challenge
    return list(best.values())


def _read(line: str) -> list[tuple[str, dict[str, str]]]:
    """Split a line into schemes and their parameters; names in lower case, values verbatim."""
    if len(line) > _MAX_LENGTH:
        raise SipError(f"{len(line)} characters of authentication")
    found: list[tuple[str, dict[str, str]]] = []
    position, count = 0, 0
    while not _END.match(line, position):
        if match := _SCHEME.match(line, position):
            found.append((match[1].lower(), {}))
        elif (match := _PARAM.match(line, position)) and found:
            name, quoted, plain = match.groups()
            found[-1][1].setdefault(name.lower(), plain if quoted is None else quoted)
            count += 1
        if match is None or not found or count > _MAX_PARAMS * MAX_CHALLENGES:
            raise SipError(f"unreadable authentication {line[position : position + 20]!r}")
        position = match.end()
    return found


def _hash(name: str, text: str) -> str:
    return _hash_bytes(name, text.encode("utf-8", "surrogateescape"))


def _hash_bytes(name: str, data: bytes) -> str:
    return hashlib.new(ALGORITHMS[name], data, usedforsecurity=False).hexdigest()
