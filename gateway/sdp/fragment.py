"""What is told of ICE after the descriptions: ``application/trickle-ice-sdpfrag`` (RFC 8840)."""

import re
from dataclasses import dataclass
from typing import Final, Self

from ..errors import SdpError
from .description import MediaDescription, SessionDescription
from .ice import PASSWORD, UFRAG, Credentials

__all__ = ["MOST_CANDIDATES", "IceFragment", "candidates_of", "credentials_of"]

MOST_CANDIDATES: Final = 64
"""Addresses of one side: each costs packets to whoever is there, and time."""

_LONGEST: Final = 512  # characters of a candidate
_MOST_LINES: Final = 300
_CANDIDATE: Final = re.compile(r"[!-~]{1,32} [0-9]{1,3} [A-Za-z]{1,10} [0-9]{1,10} [ -~]+")


@dataclass(frozen=True, slots=True)
class IceFragment:
    """More of one side's addresses, or the credentials it begins anew with.

    Attributes:
        credentials: of whom it tells; ``None`` where it does not say.
        candidates: as ``a=candidate`` has them, in order.
        is_complete: there will be no more.

    """

    credentials: Credentials | None
    candidates: tuple[str, ...] = ()
    is_complete: bool = False

    @classmethod
    def parse(cls, data: bytes, tag: str) -> Self:
        """Read a fragment; of sections but the one called ``tag`` nothing is taken.

        Raises:
            SdpError: It is not made of attributes and sections, or names half of the credentials.

        """
        text = data.decode("utf-8", "surrogateescape")
        if text.count("\n") + text.count("\r") > 2 * _MOST_LINES:
            raise SdpError("too many lines for a fragment")
        whole = SessionDescription.parse(f"v=0\r\n{text}")
        if not any(letter == "a" for letter, _ in whole.lines) and not whole.media:
            raise SdpError("a fragment tells of nothing")
        scopes: list[SessionDescription | MediaDescription] = [whole]
        scopes += [m for m in whole.media if m.attribute("mid") in (None, tag)]
        names = [scope for scope in scopes if scope.attributes("ice-ufrag")]
        words = [scope for scope in scopes if scope.attributes("ice-pwd")]
        credentials = next(filter(None, map(credentials_of, scopes)), None)
        if credentials is None and (names or words):
            raise SdpError("the fragment's credentials cannot be read")
        found = dict.fromkeys(c for scope in scopes for c in candidates_of(scope))
        is_complete = any(scope.attributes("end-of-candidates") for scope in scopes)
        return cls(credentials, tuple(found)[:MOST_CANDIDATES], is_complete)

    def written(self, tag: str, section: tuple[str, str]) -> bytes:
        """Return the fragment as our side tells it.

        It is for the section called ``tag``, of which its medium and protocol are told.
        """
        lines = ["ice-options:trickle"]
        if self.credentials is not None:
            ufrag, password = self.credentials.ufrag, self.credentials.password
            lines += [f"ice-ufrag:{ufrag}", f"ice-pwd:{password}"]
        text = "".join(f"a={line}\r\n" for line in lines)
        if self.candidates:
            text += f"m={section[0]} 9 {section[1]} 0\r\na=mid:{tag}\r\n"
            text += "".join(f"a=candidate:{candidate}\r\n" for candidate in self.candidates)
        if self.is_complete:
            text += "a=end-of-candidates\r\n"
        return text.encode()


def credentials_of(scope: SessionDescription | MediaDescription) -> Credentials | None:
    """Return the credentials that stand in a section, or before all; ``None`` without any."""
    ufrag, password = (next(iter(scope.attributes(name)), "") for name in ("ice-ufrag", "ice-pwd"))
    if not (UFRAG.fullmatch(ufrag) and PASSWORD.fullmatch(password)):
        return None
    return Credentials(ufrag, password)


def candidates_of(scope: SessionDescription | MediaDescription) -> list[str]:
    """Return what can be a candidate; what cannot is left out (RFC 9725 section 4.3.2)."""
    return [
        value
        for value in scope.attributes("candidate")[: 2 * MOST_CANDIDATES]
        if len(value) <= _LONGEST and _CANDIDATE.fullmatch(value)
    ]
