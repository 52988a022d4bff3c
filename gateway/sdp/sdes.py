"""Keys by description (RFC 4568): which streams may be encrypted, and under which keys.

A section of the profile RTP/SAVP is encrypted or refused.  One of RTP/AVP that brings keys
none the less asks for encryption where the other side can (RFC 8643).
"""

from typing import Final

from ..clock import Ids
from ..errors import NegotiationError
from .crypto import OFFERED, CryptoLine, SrtpKeys, new_key
from .description import Line, MediaDescription
from .terms import Srtp

__all__ = ["PROTOCOLS", "Sdes"]

_PLAIN: Final = frozenset({"RTP/AVP", "RTP/AVPF"})
_SECURE: Final = frozenset({"RTP/SAVP", "RTP/SAVPF"})
PROTOCOLS: Final = _PLAIN | _SECURE


def _usable(section: MediaDescription) -> list[CryptoLine]:
    lines = map(CryptoLine.parse, section.attributes("crypto"))
    return [line for line in lines if line is not None]


def _is_secure(section: MediaDescription) -> bool:
    return section.protocol.upper() in _SECURE


class Sdes:
    """The exchange of one leg's keys.

    ``is_private`` says that nobody beside the neighbour reads what is written here: keys that
    others can read are offered only where sound must be encrypted.
    """

    def __init__(self, srtp: Srtp, *, is_private: bool, ids: Ids) -> None:
        self._srtp = srtp
        self._ids = ids
        self._offers = srtp == "required" or (srtp == "optional" and is_private)

    def offer(self) -> tuple[str, list[Line]]:
        """Return the profile of an offer of ours, and its keys, each suite's own."""
        if not self._offers:
            return "RTP/AVP", []
        lines: list[Line] = []
        for tag, suite in enumerate(OFFERED, 1):
            line = CryptoLine(tag, suite, new_key(suite, self._ids))
            lines.append(("a", f"crypto:{line}"))
        return "RTP/SAVP" if self._srtp == "required" else "RTP/AVP", lines

    def offer_again(self, section: MediaDescription) -> list[Line]:
        """Return the keys a section of ours has, and one for each suite of ours it has not."""
        lines = _usable(section)
        if lines:
            known = {line.suite for line in lines}
            free = max(line.tag for line in lines) + 1
            others = [suite for suite in OFFERED if suite not in known]
            for tag, suite in enumerate(others, free):
                lines.append(CryptoLine(tag, suite, new_key(suite, self._ids)))
        return [("a", f"crypto:{line}") for line in lines]

    def takes(self, section: MediaDescription) -> bool:
        """Say whether a section that is offered to us is as secure as it must be, and may be."""
        if self._srtp == "off":
            return not _is_secure(section)
        if self._srtp == "optional" and not _is_secure(section):
            return True
        return bool(_usable(section))

    def answer(
        self, section: MediaDescription, before: SrtpKeys | None
    ) -> tuple[SrtpKeys | None, list[Line]]:
        """Choose among the keys of an offered section; return what they come to, and our line.

        Our key stays as long as theirs does: a new one begins its numbers anew, on both sides.
        """
        lines = _usable(section) if self._srtp != "off" else []
        if not lines:
            return None, []
        theirs = lines[0]
        if before is not None and theirs.is_key_of(before):
            local = bytes(before.local)
        else:
            local = new_key(theirs.suite, self._ids)
        ours = CryptoLine(theirs.tag, theirs.suite, local, name=theirs.name)
        keys = SrtpKeys(theirs.suite, bytearray(local), bytearray(theirs.key), theirs.mki)
        return keys, [("a", f"crypto:{ours}")]

    def accept(self, ours: MediaDescription, theirs: MediaDescription) -> SrtpKeys | None:
        """Return what the answer to an offer of ours comes to.

        Raises:
            NegotiationError: It leaves plain what must be encrypted, or takes no key of ours.

        """
        offered = {line.tag: line for line in _usable(ours)}
        for line in _usable(theirs):
            mine = offered.get(line.tag)
            if mine is None or mine.suite != line.suite:
                continue
            if mine.key != line.key:  # one key for both ways would betray both
                return SrtpKeys(line.suite, bytearray(mine.key), bytearray(line.key), line.mki)
        if self._srtp == "required" or _is_secure(ours) or _is_secure(theirs):
            raise NegotiationError("the answer has no key for encrypted sound")
        return None
