"""The WebRTC session description: one audio stream and one data channel, bundled (RFC 9429).

Offers are whole: every candidate is in them.  Of what the other side describes only what
the connection needs is read: how to reach it, who it must prove to be, and which codecs
it takes.  Sections beyond the first audio stream and the first data channel are refused.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aioice import Candidate

from ..errors import RtcError, SdpError
from ..sdp.description import MediaDescription, SessionDescription

__all__ = ["CLOCKS", "LONGEST_MESSAGE", "OFFERED", "Local", "Remote"]

CLOCKS: Final[Mapping[str, int]] = {"opus": 48000, "PCMU": 8000, "PCMA": 8000}
"""RTP clock in Hz of each codec that can be agreed."""
OFFERED: Final[Mapping[str, int]] = {"opus": 111, "PCMU": 0, "PCMA": 8}
"""Payload types under which they are offered."""

_STATIC: Final[Mapping[str, str]] = {"0": "PCMU/8000", "8": "PCMA/8000"}  # RFC 3551, table 4
_ENCODINGS: Final[Mapping[str, str]] = {
    "opus/48000/2": "opus",
    "pcmu/8000": "PCMU",
    "pcmu/8000/1": "PCMU",
    "pcma/8000": "PCMA",
    "pcma/8000/1": "PCMA",
}
_RTPMAPS: Final[Mapping[str, str]] = {
    "opus": "opus/48000/2",
    "PCMU": "PCMU/8000",
    "PCMA": "PCMA/8000",
}
_DIGESTS: Final = ("sha-256", "sha-384", "sha-512")
_DEFAULT_MESSAGE: Final = 65_536  # RFC 8841, section 6.1
LONGEST_MESSAGE: Final = 16 << 20
"""Bytes of a message that we take: an item that is fetched comes with its sound."""
_DEFAULT_SCTP_PORT: Final = 5000
_HIGHEST_PORT: Final = 65_535
_MOST_CANDIDATES: Final = 64
"""Addresses tried: each costs packets to whoever is there, and time."""
_AUDIO: Final = "UDP/TLS/RTP/SAVPF"
_DATA: Final = "UDP/DTLS/SCTP"


@dataclass(slots=True)
class Remote:
    """What the other side's description says.

    Attributes:
        ufrag: its ICE user name fragment.
        password: its ICE password.
        is_lite: it never checks by itself (RFC 8445, section 2.5).
        setup: its part in the DTLS handshake: ``active``, ``passive`` or ``actpass``.
        fingerprints: digest name and value of its certificate, as given.
        candidates: where it can be reached by UDP, names instead of addresses left out.
        codecs: payload types it takes and the names of their codecs, best first.
        sctp_port: its SCTP port.
        max_message: the longest message it takes, in bytes; 0 for any.
        sections: kind and ``mid`` of every section, in order; the kind is empty where refused.

    """

    ufrag: str
    password: str = field(repr=False)
    is_lite: bool
    setup: str
    fingerprints: list[tuple[str, str]]
    candidates: list[Candidate]
    codecs: dict[int, str]
    sctp_port: int
    max_message: int
    sections: list[tuple[str, str, MediaDescription]] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "Remote":
        """Read an offer or an answer.

        Raises:
            RtcError: It cannot be read, or lacks what a connection needs.

        """
        try:
            description = SessionDescription.parse(text)
        except SdpError as error:
            raise RtcError(f"the description cannot be read: {error}") from error
        sections: list[tuple[str, str, MediaDescription]] = []
        chosen: dict[str, MediaDescription] = {}
        for media in description.media:
            kind = media.media if _is_usable(media) and media.media not in chosen else ""
            if kind:
                chosen[kind] = media
            sections.append((kind, media.attribute("mid") or "", media))
        if missing := {"audio", "application"} - chosen.keys():
            raise RtcError(f"the description has no usable {missing.pop()} section")
        audio, data = chosen["audio"], chosen["application"]

        def first(name: str) -> str:
            values = audio.attributes(name) + description.attributes(name) + data.attributes(name)
            return next(iter(values), "")

        fingerprints = _fingerprints(
            audio.attributes("fingerprint") or description.attributes("fingerprint")
        )
        if not (first("ice-ufrag") and first("ice-pwd") and fingerprints):
            raise RtcError("the description lacks ICE credentials or a fingerprint")
        codecs = _codecs(audio)
        if not codecs:
            raise RtcError("the description names no codec we have")
        return cls(
            first("ice-ufrag"),
            first("ice-pwd"),
            bool(description.attributes("ice-lite")),
            first("setup").lower() or "actpass",
            fingerprints,
            _candidates(audio.attributes("candidate") or data.attributes("candidate")),
            codecs,
            _number(data.attribute("sctp-port"), _DEFAULT_SCTP_PORT, most=_HIGHEST_PORT),
            _number(data.attribute("max-message-size"), _DEFAULT_MESSAGE, most=1 << 62),
            sections,
        )


def _is_usable(media: MediaDescription) -> bool:
    if media.port == 0 and "bundle-only" not in {n for _, n in media.lines}:
        return False
    if media.media == "audio":
        return media.protocol.upper() == _AUDIO
    return media.media == "application" and "DTLS/SCTP" in media.protocol.upper()


def _fingerprints(values: Sequence[str]) -> list[tuple[str, str]]:
    found = []
    for value in values:
        digest, _, hexadecimal = value.partition(" ")
        if digest.lower() in _DIGESTS and hexadecimal:
            found.append((digest.lower(), hexadecimal.strip()))
    return found


def _candidates(values: Sequence[str]) -> list[Candidate]:
    """Return the candidates that can be tried; each other one is left out.

    That is ICE-TCP, a second component (there is only one where RTCP shares the port), and
    names, which only multicast DNS could resolve: who hides behind one reaches us first.
    """
    found: list[Candidate] = []
    for value in values:
        try:
            candidate = Candidate.from_sdp(value)
            ipaddress.ip_address(candidate.host)
        except ValueError:
            continue
        is_udp = candidate.transport.lower() == "udp" and candidate.component == 1
        if is_udp and 0 < candidate.port <= _HIGHEST_PORT and len(found) < _MOST_CANDIDATES:
            found.append(candidate)
    return found


def _codecs(audio: MediaDescription) -> dict[int, str]:
    maps = dict(_STATIC)
    for value in audio.attributes("rtpmap"):
        payload_type, _, encoding = value.partition(" ")
        maps[payload_type] = encoding.strip()
    codecs: dict[int, str] = {}
    for payload_type in audio.formats:
        name = _ENCODINGS.get(maps.get(payload_type, "").lower())
        number = _number(payload_type, -1, most=127)
        if name is not None and number >= 0:
            codecs[number] = name
    return codecs


def _number(text: str | None, default: int, *, most: int) -> int:
    """Read a number; one that is none, or more than there may be, is not taken."""
    if text is None or not text.isdecimal() or len(text) > len(str(most)):
        return default
    number = int(text)
    return number if number <= most else default


@dataclass(slots=True)
class Local:
    """What we say of ourselves: writes offers and answers."""

    ufrag: str
    password: str = field(repr=False)
    fingerprint: str  # SHA-256
    candidates: Sequence[Candidate]
    ssrc: int
    cname: str
    session_id: int

    def offer(self, codecs: Sequence[str]) -> str:
        """Return an offer of one audio stream in ``codecs``, best first, and a data channel."""
        payload_types = {OFFERED[name]: name for name in codecs}
        sections = [self._audio("0", payload_types, "actpass"), self._data("1", "actpass")]
        return str(self._describe(sections, ["0", "1"]))

    def answer(self, remote: Remote, codecs: Mapping[int, str], setup: str) -> str:
        """Return the answer to an offer: the same sections in the same order."""
        sections, mids = [], []
        for kind, mid, media in remote.sections:
            if not kind:
                refused = MediaDescription(media.media, 0, media.protocol, media.formats)
                refused.lines = [("c", "IN IP4 0.0.0.0"), ("a", f"mid:{mid}"), ("a", "inactive")]
                sections.append(refused)
                continue
            mids.append(mid)
            is_audio = kind == "audio"
            sections.append(self._audio(mid, codecs, setup) if is_audio else self._data(mid, setup))
        return str(self._describe(sections, mids))

    def _describe(
        self, sections: list[MediaDescription], mids: Sequence[str]
    ) -> SessionDescription:
        lines = [
            ("v", "0"),
            ("o", f"- {self.session_id} 1 IN IP4 0.0.0.0"),
            ("s", "-"),
            ("t", "0 0"),
            ("a", f"group:BUNDLE {' '.join(mids)}"),
            ("a", "msid-semantic:WMS *"),
        ]
        return SessionDescription(lines, sections)

    def _audio(self, mid: str, codecs: Mapping[int, str], setup: str) -> MediaDescription:
        section = self._section("audio", _AUDIO, [str(number) for number in codecs], mid)
        values = ["sendrecv", "rtcp-mux", "rtcp-rsize", f"msid:{self.cname} audio"]
        values.append(f"ssrc:{self.ssrc} cname:{self.cname}")
        for number, name in codecs.items():
            values.append(f"rtpmap:{number} {_RTPMAPS[name]}")
            if name == "opus":
                values.append(f"fmtp:{number} minptime=10;useinbandfec=1")
        section.lines += [("a", value) for value in [*values, "ptime:20"]]
        section.lines += self._transport(setup)
        return section

    def _data(self, mid: str, setup: str) -> MediaDescription:
        section = self._section("application", _DATA, ["webrtc-datachannel"], mid)
        values = (f"sctp-port:{_DEFAULT_SCTP_PORT}", f"max-message-size:{LONGEST_MESSAGE}")
        section.lines += [("a", value) for value in values]
        section.lines += self._transport(setup)
        return section

    def _section(self, kind: str, protocol: str, formats: list[str], mid: str) -> MediaDescription:
        host, port = next(((c.host, c.port) for c in self.candidates), ("0.0.0.0", 9))
        version = "IP6" if ":" in host else "IP4"
        lines = [("c", f"IN {version} {host}"), ("a", f"mid:{mid}")]
        return MediaDescription(kind, port, protocol, formats, lines)

    def _transport(self, setup: str) -> list[tuple[str, str]]:
        values = [f"candidate:{candidate.to_sdp()}" for candidate in self.candidates]
        values += [
            "end-of-candidates",
            f"ice-ufrag:{self.ufrag}",
            f"ice-pwd:{self.password}",
            f"fingerprint:sha-256 {self.fingerprint}",
            f"setup:{setup}",
        ]
        return [("a", value) for value in values]
