"""How one leg's sound is protected: keys by description or by handshake, and signed ways (ICE)."""

from typing import Final, NamedTuple

from ..clock import Ids
from ..errors import NegotiationError
from .crypto import SrtpKeys
from .description import Line, MediaDescription, SessionDescription
from .dtls import Dtls, Setup, answered_dtls, believable, dtls_lines, offered_dtls
from .ice import Credentials, Ice, ice_lines, is_mismatched, new_credentials, offered_ice
from .sdes import PROTOCOLS as WITHOUT_DTLS
from .sdes import Sdes
from .stream import Address
from .terms import Terms

__all__ = ["PROTOCOLS", "Protection", "Protector"]

_WITH_DTLS: Final = frozenset({"UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"})
PROTOCOLS: Final = WITHOUT_DTLS | _WITH_DTLS


class Protection(NamedTuple):
    """What was agreed on, and what of it our own section has to say."""

    lines: list[Line]
    is_secure: bool = False
    srtp: SrtpKeys | None = None
    dtls: Dtls | None = None
    ice: Ice | None = None


class Protector:
    """The exchange of one leg's keys and ways.

    ``fingerprint`` is that of our certificate, empty where no handshake can be made;
    ``is_private`` says that nobody beside the neighbour reads what is written here.
    """

    def __init__(self, terms: Terms, fingerprint: str, *, is_private: bool, ids: Ids) -> None:
        self._terms = terms
        self._fingerprint = fingerprint if terms.srtp != "off" else ""
        self._ids = ids
        self._sdes = Sdes(terms.srtp, is_private=is_private, ids=ids)
        self._local: Credentials | None = None  # what checks of us are signed with

    def offer(self, at: Address) -> tuple[str, list[Line]]:
        """Return the profile of an offer of ours, and what protects it."""
        ways = self._ways(at) if self._terms.ice else []
        if not (self._fingerprint and self._terms.srtp_keys == "dtls"):
            protocol, keys = self._sdes.offer()
            return protocol, keys + ways
        # The handshake where it must be; else where the other side can (RFC 8643).
        protocol = "UDP/TLS/RTP/SAVP" if self._terms.srtp == "required" else "RTP/AVP"
        return protocol, dtls_lines(self._fingerprint, "actpass") + ways

    def offer_again(self, section: MediaDescription, at: Address) -> list[Line]:
        """Return what protects a section of ours when it is offered to whoever may be there."""
        ways = self._ways(at) if section.attributes("ice-ufrag") else []
        if section.attributes("fingerprint"):
            return dtls_lines(self._fingerprint, "actpass") + ways
        return self._sdes.offer_again(section) + ways

    def takes(self, theirs: SessionDescription, section: MediaDescription) -> bool:
        """Say whether a section that is offered to us is as secure as it must be, and may be."""
        if self._can_shake_hands(theirs, section):
            return True
        return section.protocol.upper() not in _WITH_DTLS and self._sdes.takes(section)

    def answer(
        self,
        theirs: SessionDescription,
        section: MediaDescription,
        before: Protection,
        at: Address,
        *,
        is_mux: bool,
    ) -> Protection:
        """Agree to what an offered section brings; ``before`` is what was agreed on last.

        Raises:
            NegotiationError: Its handshake is none that can be made.

        """
        ice, ways = self._answer_ice(theirs, section, before.ice, at, is_mux=is_mux)
        if not self._can_shake_hands(theirs, section):
            srtp, keys = self._sdes.answer(section, before.srtp)
            return Protection(keys + ways, srtp is not None, srtp, None, ice)
        dtls = offered_dtls(theirs, section, before.dtls)
        setup: Setup = "holdconn"
        if dtls is not None:
            setup = "active" if dtls.is_client else "passive"
        return Protection(dtls_lines(self._fingerprint, setup) + ways, True, None, dtls, ice)

    def accept(
        self, ours: MediaDescription, theirs: SessionDescription, section: MediaDescription
    ) -> Protection:
        """Return what the answer to an offer of ours comes to.

        Raises:
            NegotiationError: It leaves plain what must be encrypted, or takes no key of ours.

        """
        remote = offered_ice(theirs, section) if ours.attributes("ice-ufrag") else None
        ice = Ice(self._local, remote) if remote is not None and self._local is not None else None
        setup = ours.attribute("setup")
        if setup is not None and self._can_shake_hands(theirs, section):
            return Protection([], True, None, answered_dtls(theirs, section, setup), ice)
        if ours.protocol.upper() in _WITH_DTLS or section.protocol.upper() in _WITH_DTLS:
            raise NegotiationError("the answer has no fingerprint to believe")
        srtp = self._sdes.accept(ours, section)
        return Protection([], srtp is not None, srtp, None, ice)

    def _can_shake_hands(self, theirs: SessionDescription, section: MediaDescription) -> bool:
        return bool(self._fingerprint) and believable(theirs, section)

    def _answer_ice(
        self,
        theirs: SessionDescription,
        section: MediaDescription,
        before: Ice | None,
        at: Address,
        *,
        is_mux: bool,
    ) -> tuple[Ice | None, list[Line]]:
        remote = offered_ice(theirs, section)
        if remote is None:
            return None, [("a", "ice-mismatch")] if is_mismatched(theirs, section) else []
        if before is None or before.remote != remote:
            self._local = None  # the other side begins anew, and so do we
        ways = self._ways(at, is_mux=is_mux)
        assert self._local is not None
        return Ice(self._local, remote), ways

    def _ways(self, at: Address, *, is_mux: bool = False) -> list[Line]:
        if self._local is None:
            self._local = new_credentials(self._ids)
        return ice_lines(self._local, at, is_rtcp_mux=is_mux)
