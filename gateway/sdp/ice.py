"""ICE in descriptions, as a side writes it that answers checks and makes none (RFC 8839)."""

import re
from dataclasses import dataclass, field
from typing import Final

from ..clock import Ids
from .description import Line, MediaDescription, SessionDescription
from .stream import Address

__all__ = [
    "PASSWORD",
    "UFRAG",
    "Credentials",
    "Ice",
    "ice_lines",
    "is_mismatched",
    "new_credentials",
    "offered_ice",
]

UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
PASSWORD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}")
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_HOST: Final = 126 << 24 | 65_535 << 8  # the priority of a host's only address (RFC 8445 5.1.2.1)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The name and the password that one side's checks are signed with."""

    ufrag: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ice:
    """ICE that was agreed on: the other side finds the way, and signs what it sends on it."""

    local: Credentials
    remote: Credentials


def new_credentials(ids: Ids) -> Credentials:
    """Return a name and a password of ours (RFC 8839 section 5.4)."""
    return Credentials(_word(ids, 8), _word(ids, 24))


def offered_ice(description: SessionDescription, section: MediaDescription) -> Credentials | None:
    """Return the other side's credentials, ``None`` where it does no ICE that we could serve.

    So it is when it makes no checks either, or somebody on the way changed the addresses of its
    description, or told it that ours were: the packets themselves then show the way.
    """
    if description.attributes("ice-lite") or section.attributes("ice-mismatch"):
        return None
    ufrag = (section.attributes("ice-ufrag") or description.attributes("ice-ufrag") or [""])[0]
    password = (section.attributes("ice-pwd") or description.attributes("ice-pwd") or [""])[0]
    if not (UFRAG.fullmatch(ufrag) and PASSWORD.fullmatch(password)):
        return None
    return None if is_mismatched(description, section) else Credentials(ufrag, password)


def is_mismatched(description: SessionDescription, section: MediaDescription) -> bool:
    """Say whether a section sends its packets where none of its candidates is (RFC 8839 3.2.4).

    One that has no candidates, or no address yet, will tell them by its checks (RFC 8838).
    """
    host = section.connection or description.connection or ""
    candidates = [tuple(value.split()[4:6]) for value in section.attributes("candidate")]
    if not candidates or section.port == 9 or host in ("", "0.0.0.0", "::"):
        return False
    return (host, str(section.port)) not in candidates


def ice_lines(local: Credentials, address: Address, *, is_rtcp_mux: bool) -> list[Line]:
    """Return our own attributes: one candidate a component."""
    host, port = address
    lines = [f"ice-ufrag:{local.ufrag}", f"ice-pwd:{local.password}"]
    for component in (1,) if is_rtcp_mux else (1, 2):
        priority, at = _HOST + 256 - component, port + component - 1
        lines.append(f"candidate:1 {component} udp {priority} {host} {at} typ host")
    return [("a", line) for line in lines]


def _word(ids: Ids, length: int) -> str:
    return "".join(_ALPHABET[ids.number(64)] for _ in range(length))
