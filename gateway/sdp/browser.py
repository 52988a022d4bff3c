"""The offer of a browser, read and answered once (RFC 9429, RFC 9725 section 4.4).

A browser bundles everything on one way (RFC 9143) and puts its reports there too; sound is
DTLS-SRTP, and addresses are told by ICE alone: what its ``c=`` lines and ports say means nothing.
Of its sections the first sound we can agree on and a data channel are taken; others are refused
and the call goes on without them.  Only the section that stands for the bundle is kept in any case,
idle where it holds nothing for us: browsers that bundle at all costs tell the way there and nowhere
else, and accept no answer without it.
"""

import re
from dataclasses import dataclass
from typing import Final

from ..errors import NegotiationError, SdpError
from .codecs import EVENTS, NOISE, SUPPORTED, Codec, listed_codecs
from .description import Line, MediaDescription, SessionDescription
from .dtls import Dtls, Setup, believable, dtls_lines, offered_dtls
from .fragment import MOST_CANDIDATES, candidates_of, credentials_of
from .ice import Credentials, Ice
from .negotiate import Negotiated
from .sections import audio_section
from .stream import Address, Ways, offered_ways, ptime

__all__ = ["BrowserOffer", "Channel", "Ours"]

_SOUND: Final = frozenset({"UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"})
_MESSAGES: Final = frozenset({"UDP/DTLS/SCTP", "TCP/DTLS/SCTP"})
_SCTP_PORT: Final = 5000
_LARGEST: Final = 65_536  # bytes of a message that we take
_LARGEST_UNSAID: Final = 65_536  # that the other side takes, unless it says (RFC 8841 6.1)
_CODECS: Final = ("rtpmap", "fmtp")
_MID: Final = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]{1,32}")
_NOT_ACCEPTABLE: Final = 406
_UNPROCESSABLE: Final = 422
# Sound is taken apart at 24 kHz: more would be sent for nobody (RFC 7587 section 6.1).
_OPUS: Final = "minptime=10;useinbandfec=1;maxplaybackrate=24000"


@dataclass(frozen=True, slots=True)
class Channel:
    """The way of data channels that was offered: its SCTP port, and the longest message it takes.

    The length is in bytes, 0 for any.
    """

    port: int
    largest: int


@dataclass(frozen=True, slots=True)
class Ours:
    """What our side tells of itself.

    Attributes:
        fingerprint: of our certificate.
        credentials: what checks of us are signed with.
        candidates: where we can be reached, as ``a=candidate`` has it, the best first.
        ssrc: of the sound that we send.
        cname: by which reports call us, as random as the rest (RFC 7022).
        session_id: unlike any other's.

    """

    fingerprint: str
    credentials: Credentials
    candidates: tuple[str, ...]
    ssrc: int
    cname: str
    session_id: int

    @property
    def at(self) -> Address:
        """Where we are by default: at our best candidate (RFC 8839 section 4.2.1.2)."""
        fields = self.candidates[0].split() if self.candidates else []
        return (fields[4], int(fields[5])) if len(fields) > 5 else ("0.0.0.0", 9)


class BrowserOffer:
    """An offer that we can take.

    Attributes:
        codec: what will be sent, by our own preference, as the offer numbers it.
        dtls: the handshake that we agree to.
        remote: what its checks are signed with.
        candidates: where it can be reached, as ``a=candidate`` has it.
        channel: where messages go, ``None`` where none is offered.
        tag: the ``mid`` of the section that stands for all.
        tagged: its medium and protocol.

    """

    def __init__(self, offer: bytes, codecs: tuple[str, ...]) -> None:
        """Read an offer; ``codecs`` are ours, best first.

        Raises:
            SdpError: It cannot be read.
            NegotiationError: Nothing can come of it; ``status`` is the HTTP answer it deserves.

        """
        theirs = self._theirs = SessionDescription.parse(offer)
        self._mids = [_mid(section, index) for index, section in enumerate(theirs.media)]
        self._bundle = _bundle(theirs, self._mids)
        self._offered = [index for index in range(len(self._mids)) if self._is_offered(index)]
        self._audio, self.codec = _choose(theirs, self._offered, codecs)
        self._data = self._find_channel()
        self.channel = _channel(theirs.media[self._data]) if self._data is not None else None
        self._tagged = self._find_tagged()
        self.tag = self._mids[self._tagged]
        way = theirs.media[self._tagged]
        self.tagged = (way.media, way.protocol)
        self.dtls = _handshake(theirs, way)
        remote = credentials_of(way) or credentials_of(theirs)
        if remote is None or theirs.attributes("ice-lite"):
            raise NegotiationError("the offer makes no checks (ICE)", status=_NOT_ACCEPTABLE)
        self.remote: Credentials = remote
        if not theirs.media[self._audio].attributes("rtcp-mux") + way.attributes("rtcp-mux"):
            raise NegotiationError(
                "reports must go the way of the sound (rtcp-mux)", status=_NOT_ACCEPTABLE
            )
        self.candidates = tuple(dict.fromkeys(candidates_of(way)))[:MOST_CANDIDATES]

    @property
    def setup(self) -> Setup:
        """Our part in the handshake."""
        return "active" if self.dtls.is_client else "passive"

    def agree(self, local: Credentials) -> Negotiated:
        """Return what the offer and our answer come to."""
        section = self._theirs.media[self._audio]
        listed = listed_codecs(section)
        events = [c for c in listed if c.name == EVENTS and c.rate in (self.codec.rate, 8000)]
        best = max(events, key=lambda c: c.rate == self.codec.rate, default=None)
        ways = self._ways()
        heard = [self.codec, *self._noise(listed)]
        return Negotiated(
            remote=None,
            remote_rtcp=None,
            codec=self.codec,
            receive_types={c.payload_type: c for c in heard},
            dtmf_send_type=best.payload_type if best else None,
            dtmf_send_clock=best.rate if best else 8000,
            dtmf_receive_types={c.payload_type: c.rate for c in events},
            ptime=ptime(section),
            direction=ways.direction,
            is_held=False,
            is_rtcp_mux=True,
            is_secure=True,
            dtls=self.dtls,
            ice=Ice(local, self.remote),
        )

    def answer(self, ours: Ours) -> bytes:
        """Return our answer, with every candidate of ours in it."""
        lines: list[Line] = [
            ("v", "0"),
            ("o", f"- {ours.session_id} 1 IN IP4 0.0.0.0"),
            ("s", "-"),
            ("t", "0 0"),
        ]
        if self._audio in self._bundle:
            taken = (self._tagged, self._audio, self._data)
            mids = [self._mids[index] for index in self._bundle if index in taken]
            lines.append(("a", " ".join(["group:BUNDLE", *mids])))
        lines += [("a", "ice-options:trickle"), ("a", "msid-semantic: WMS *")]
        sections = []
        for index, section in enumerate(self._theirs.media):
            if index == self._audio:
                answered = self._answer_audio(ours)
            elif index == self._data:
                answered = self._answer_channel(section, ours)
            elif index == self._tagged:
                answered = self._keep_idle(section, ours)
            else:
                answered = MediaDescription(section.media, 0, section.protocol, section.formats)
                answered.lines.append(("a", "inactive"))
            if section.attribute("mid") is not None:
                answered.lines.append(("a", f"mid:{self._mids[index]}"))
            sections.append(answered)
        return bytes(SessionDescription(lines, sections))

    def _is_offered(self, index: int) -> bool:
        """Say whether a section may be taken: some are only where they are bundled (RFC 9143 6)."""
        section = self._theirs.media[index]
        is_bundle_only = section.attribute("bundle-only") is not None and index in self._bundle
        return section.port > 0 or is_bundle_only

    def _find_channel(self) -> int | None:
        """Return the data channels' section, if it goes the way of the sound."""
        for index in self._offered:
            section = self._theirs.media[index]
            is_channel = section.media.lower() == "application"
            if not is_channel or section.protocol.upper() not in _MESSAGES:
                continue
            if {index, self._audio} <= set(self._bundle):
                return index
        return None

    def _find_tagged(self) -> int:
        """Return the section whose lines on the way hold for all that goes it.

        Of a bundle it is the first that is offered (RFC 9143 section 7.2.1); of one that could not
        even be kept idle, the first that is taken.
        """
        taken = (self._audio, self._data)
        offered = [index for index in self._bundle if index in self._offered]
        if self._audio not in offered:
            return self._audio
        is_kept = self._theirs.media[offered[0]].protocol.upper() in _SOUND
        return offered[0] if is_kept else next(index for index in offered if index in taken)

    def _ways(self) -> Ways:
        they = offered_ways(self._theirs, self._theirs.media[self._audio])
        return Ways(they.receives, they.sends)

    def _noise(self, listed: list[Codec]) -> list[Codec]:
        return [c for c in listed if c.name == NOISE and c.rate == self.codec.rate][:1]

    def _answer_audio(self, ours: Ours) -> MediaDescription:
        section = self._theirs.media[self._audio]
        agreed = self.agree(ours.credentials)
        listed = listed_codecs(section)
        events = [c for c in listed if c.payload_type in agreed.dtmf_receive_types]
        answered = audio_section(
            ours.at[1],
            section.protocol,
            [*agreed.receive_types.values(), *events],
            agreed.direction,
            agreed.ptime,
            is_mux=True,
            keys=self._transport(ours),
        )
        answered.lines.insert(0, _connection(ours.at))
        if self.codec.name == "opus":
            answered.lines.append(("a", f"fmtp:{self.codec.payload_type} {_OPUS}"))
        if section.attribute("rtcp-rsize") is not None:
            answered.lines.append(("a", "rtcp-rsize"))
        if agreed.sends:
            answered.lines.append(("a", "msid:gateway voice"))
            answered.lines.append(("a", f"ssrc:{ours.ssrc} cname:{ours.cname}"))
        return answered

    def _answer_channel(self, section: MediaDescription, ours: Ours) -> MediaDescription:
        lines: list[Line] = [
            _connection(ours.at),
            ("a", f"sctp-port:{_SCTP_PORT}"),
            ("a", f"max-message-size:{_LARGEST}"),
            *self._transport(ours),
        ]
        formats = ["webrtc-datachannel"]
        return MediaDescription(section.media, ours.at[1], section.protocol, formats, lines)

    def _keep_idle(self, section: MediaDescription, ours: Ours) -> MediaDescription:
        """Return a section that nothing is sent in, as it was offered."""
        told = [("a", f"{name}:{value}") for name in _CODECS for value in section.attributes(name)]
        lines: list[Line] = [_connection(ours.at), *told, ("a", "inactive"), ("a", "rtcp-mux")]
        lines += self._transport(ours)
        formats = section.formats
        return MediaDescription(section.media, ours.at[1], section.protocol, formats, lines)

    def _transport(self, ours: Ours) -> list[Line]:
        """Return the lines on the way, which are the same in every section."""
        lines: list[Line] = [
            ("a", f"ice-ufrag:{ours.credentials.ufrag}"),
            ("a", f"ice-pwd:{ours.credentials.password}"),
            *(("a", f"candidate:{candidate}") for candidate in ours.candidates),
            ("a", "end-of-candidates"),
        ]
        return lines + dtls_lines(ours.fingerprint, self.setup)


def _bundle(theirs: SessionDescription, mids: list[str]) -> list[int]:
    """Return the sections that go one way, as grouped; none where the offer groups nothing."""
    for value in theirs.attributes("group"):
        kind, *named = value.split() or [""]
        if kind.upper() == "BUNDLE":
            return [mids.index(mid) for mid in dict.fromkeys(named) if mid in mids]
    return []


def _choose(
    theirs: SessionDescription, offered: list[int], codecs: tuple[str, ...]
) -> tuple[int, Codec]:
    """Return the section whose sound we take, and the codec of ours that is liked best.

    Raises:
        NegotiationError: No sound is offered, or none that we have.

    """
    sounds = [index for index in offered if theirs.media[index].media.lower() == "audio"]
    if not sounds:
        raise NegotiationError("the offer has no audio", status=_UNPROCESSABLE)
    wanted = [codec.key for name in codecs for codec in SUPPORTED[name]]
    for index in sounds:
        section = theirs.media[index]
        if section.protocol.upper() not in _SOUND:
            continue
        listed = {codec.key: codec for codec in reversed(listed_codecs(section))}
        for key in wanted:
            if key in listed:
                return index, listed[key]
    raise NegotiationError("no encrypted audio with a codec in common", status=_NOT_ACCEPTABLE)


def _handshake(theirs: SessionDescription, way: MediaDescription) -> Dtls:
    """Return the handshake that we agree to.

    Raises:
        NegotiationError: None can be made.

    """
    if not believable(theirs, way):
        raise NegotiationError("the offer tells of no certificate", status=_NOT_ACCEPTABLE)
    dtls = offered_dtls(theirs, way, None)
    if dtls is None:
        raise NegotiationError("a handshake for later is none", status=_UNPROCESSABLE)
    return dtls


def _channel(section: MediaDescription) -> Channel:
    """Read how messages are taken.

    Raises:
        SdpError: The port is none.

    """
    port = section.attribute("sctp-port") or str(_SCTP_PORT)
    largest = section.attribute("max-message-size") or str(_LARGEST_UNSAID)
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65_536:
        raise SdpError(f"there is no SCTP port {port[:20]!r}")
    is_number = re.fullmatch(r"[0-9]{1,18}", largest) is not None
    return Channel(int(port), int(largest) if is_number else _LARGEST_UNSAID)


def _mid(section: MediaDescription, index: int) -> str:
    """Return what a section is called.

    Raises:
        SdpError: That is no name.

    """
    mid = section.attribute("mid")
    if mid is None:
        return str(index)
    if not _MID.fullmatch(mid):
        raise SdpError(f"no name for a section: {mid[:40]!r}")
    return mid


def _connection(at: Address) -> Line:
    return "c", f"IN {'IP6' if ':' in at[0] else 'IP4'} {at[0]}"
