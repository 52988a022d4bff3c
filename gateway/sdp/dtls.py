"""What descriptions tell of a DTLS handshake: who is at the other side, and who begins.

RFC 8122 (fingerprints), RFC 4145 section 4 and RFC 8842 (roles and new associations).
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Self, TypeAlias

from ..errors import NegotiationError
from .description import Line, MediaDescription, SessionDescription

__all__ = [
    "Dtls",
    "Fingerprint",
    "Setup",
    "answered_dtls",
    "believable",
    "dtls_lines",
    "offered_dtls",
]

Setup: TypeAlias = Literal["actpass", "active", "passive", "holdconn"]

_FINGERPRINT: Final = re.compile(r"([A-Za-z0-9-]{1,16})\s+([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*)")
_BELIEVED: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_MOST_FINGERPRINTS: Final = 8
_TLS_ID: Final = re.compile(r"[A-Za-z0-9+/_-]{20,255}")


class Fingerprint(NamedTuple):
    """The digest of a certificate."""

    algorithm: str
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read an attribute's value; ``None`` for what is none, or proves nothing (md5, sha-1)."""
        match = _FINGERPRINT.fullmatch(text.strip())
        if match is None:
            return None
        algorithm, digest = match[1].lower(), bytes.fromhex(match[2].replace(":", ""))
        return cls(algorithm, digest) if _BELIEVED.get(algorithm) == len(digest) else None

    def __str__(self) -> str:
        return f"{self.algorithm} {self.digest.hex(':').upper()}"


@dataclass(frozen=True, slots=True)
class Dtls:
    """A handshake that was agreed on; another one than before asks for a new association.

    Attributes:
        fingerprints: of the certificates that the other side may show, any of them.
        is_client: we begin.
        tls_id: what the other side calls the association, mostly nothing (RFC 8842 section 4).

    """

    fingerprints: frozenset[Fingerprint]
    is_client: bool
    tls_id: str = ""


def believable(description: SessionDescription, section: MediaDescription) -> bool:
    """Say whether a section tells of a certificate in a way that proves something."""
    return bool(_fingerprints(description, section))


def offered_dtls(
    description: SessionDescription, section: MediaDescription, before: Dtls | None
) -> Dtls | None:
    """Return the handshake that our answer agrees to; ``None`` where nobody shakes hands yet.

    ``before`` is what was agreed last: who then began does so again, if the offer leaves it to us.

    Raises:
        NegotiationError: The role is unknown.

    """
    fingerprints = _fingerprints(description, section)
    setup = _setup(description, section, "actpass")
    if setup == "holdconn":
        return None
    tls_id = _tls_id(description, section)
    is_client = setup == "passive"
    if setup == "actpass" and before is not None and before.fingerprints == fingerprints:
        is_client = before.is_client
    return Dtls(fingerprints, is_client, tls_id)


def answered_dtls(
    description: SessionDescription, section: MediaDescription, ours: str
) -> Dtls | None:
    """Return the handshake that an answer to our offer agrees to, as :func:`offered_dtls`.

    Raises:
        NegotiationError: As there, or both sides would begin, or neither.

    """
    fingerprints = _fingerprints(description, section)
    setup = _setup(description, section, "active" if ours != "active" else "passive")
    if setup == "holdconn":
        return None
    if setup == "actpass" or setup == ours:
        raise NegotiationError(f"a=setup:{setup} is no answer to {ours}")
    return Dtls(fingerprints, setup == "passive", _tls_id(description, section))


def dtls_lines(fingerprint: str, setup: Setup) -> list[Line]:
    """Return our own attributes."""
    return [("a", f"fingerprint:{fingerprint}"), ("a", f"setup:{setup}")]


def _fingerprints(
    description: SessionDescription, section: MediaDescription
) -> frozenset[Fingerprint]:
    """Return those of the section, else those of the whole description."""
    lines = section.attributes("fingerprint") or description.attributes("fingerprint")
    found = map(Fingerprint.parse, lines[:_MOST_FINGERPRINTS])
    return frozenset(fingerprint for fingerprint in found if fingerprint is not None)


def _setup(description: SessionDescription, section: MediaDescription, default: Setup) -> Setup:
    told = section.attributes("setup") or description.attributes("setup") or [default]
    match told[0].lower():
        case "actpass" | "active" | "passive" | "holdconn" as setup:
            return setup
        case other:
            raise NegotiationError(f"a=setup:{other[:20]} is unknown")


def _tls_id(description: SessionDescription, section: MediaDescription) -> str:
    told = (section.attributes("tls-id") or description.attributes("tls-id") or [""])[0]
    return told if _TLS_ID.fullmatch(told) else ""
