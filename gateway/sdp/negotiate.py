"""Offer and answer (RFC 3264): what two sides may send each other, and where to.

One :class:`OfferAnswer` lives as long as its leg.  It writes our descriptions,
reads the other side's, and keeps the outcome of the last complete exchange in
:attr:`OfferAnswer.negotiated`, which stays the same object as long as nothing
changed: a session refresh disturbs no media.
"""

import enum
from dataclasses import dataclass, field

from ..clock import Ids
from ..errors import NegotiationError
from .codecs import EVENTS, NOISE, SUPPORTED, Codec, listed_codecs
from .crypto import SrtpKeys
from .description import Line, MediaDescription, SessionDescription
from .dtls import Dtls
from .ice import Ice
from .protection import PROTOCOLS, Protection, Protector
from .sections import audio_section, numbered, redirected, with_events
from .stream import PTIME, Address, Direction, Ways, destination, offered_ways, ptime
from .terms import Terms

__all__ = ["Address", "Codec", "Direction", "Negotiated", "OfferAnswer", "State"]


class State(enum.Enum):
    """Whether an offer of ours waits for its answer."""

    STABLE = enum.auto()
    OFFERED = enum.auto()


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The outcome of one complete exchange: all that the media side needs to know.

    Attributes:
        remote: where to send sound; ``None`` when that cannot be known before the other
            side's packets show where they come from, and during a hold by 0.0.0.0.
        remote_rtcp: where to send reports, under the same conditions.
        codec: what to send, under the other side's payload number and with its ``fmtp``.
        receive_types: every payload number that may bring sound or comfort noise.
        dtmf_send_type: the number to send keys under, ``None`` to send none.
        dtmf_send_clock: the clock of those events, in Hz.
        dtmf_receive_types: number to clock in Hz of every telephone-event that may arrive.
        ptime: milliseconds of sound per packet sent, a multiple of 10 from 10 to 60.
        direction: what *we* may do.
        is_held: the other side put us on hold.
        is_rtcp_mux: reports share the port of the sound (RFC 5761).
        is_secure: sound goes encrypted, or not at all.
        srtp: what it is encrypted with; ``None`` while that is still being exchanged.
        dtls: the handshake that brings those keys; another one asks for others.
        ice: who proves by signed checks that it is the other side, which then says where to send.
        peer_host: where its signalling comes from, empty where that says nothing.

    """

    remote: Address | None
    remote_rtcp: Address | None
    codec: Codec
    receive_types: dict[int, Codec]
    dtmf_send_type: int | None = None
    dtmf_send_clock: int = 8000
    dtmf_receive_types: dict[int, int] = field(default_factory=dict)
    ptime: int = PTIME
    direction: Direction = "sendrecv"
    is_held: bool = False
    is_rtcp_mux: bool = False
    is_secure: bool = False
    srtp: SrtpKeys | None = None
    dtls: Dtls | None = None
    ice: Ice | None = None
    peer_host: str = ""

    @property
    def sends(self) -> bool:
        """Whether we may send sound."""
        return Ways.of(self.direction).sends

    @property
    def receives(self) -> bool:
        """Whether the other side may send us sound."""
        return Ways.of(self.direction).receives


def _is_sound(codec: Codec) -> bool:
    return codec.name not in (EVENTS, NOISE)


def _events_for(codec: Codec, listed: list[Codec]) -> Codec | None:
    """Return the telephone-event to use beside ``codec``.

    The clocks must agree (RFC 4733 section 2.1); but keys offered at 8000 Hz only,
    beside a codec of another clock, are better heard than not.
    """
    events = [c for c in listed if c.name == EVENTS]
    for rate in (codec.rate, 8000):
        for event in events:
            if event.rate == rate:
                return event
    return None


class OfferAnswer:
    """The descriptions of one leg, offered and answered, first to last.

    Our offers prefer the codecs in the order of ``terms``; an answer follows the order of the
    offer.  ``is_private`` says that nobody beside the neighbour reads the descriptions,
    ``peer_host`` where its signalling comes from, ``fingerprint`` what our certificate comes to.
    """

    def __init__(
        self,
        local_host: str,
        local_port: int,
        terms: Terms,
        *,
        ids: Ids,
        rtcp_mux: bool = True,
        is_private: bool = False,
        peer_host: str = "",
        fingerprint: str = "",
    ) -> None:
        self.state = State.STABLE
        self.negotiated: Negotiated | None = None
        self._host = local_host
        self._port = local_port
        self._codecs = [codec for name in terms.codecs for codec in SUPPORTED[name]]
        self._ptime = terms.ptime
        self._protector = Protector(terms, fingerprint, is_private=is_private, ids=ids)
        self._protection = Protection([])  # agreed on last
        self._peer_host = peer_host
        self._rtcp_mux = rtcp_mux
        self._session_id = ids.number(1 << 62)
        self._version = 0
        self._sent = SessionDescription()  # our last description, its o= line apart
        self._direction: Direction = "sendrecv"  # what we want, whatever they allow
        self._former_direction: Direction = "sendrecv"
        self._answered_offer: bytes | None = None  # theirs, which our last description answers
        self._our_offer: MediaDescription | None = None  # ours, which an answer is for

    def offer(self, direction: Direction = "sendrecv", *, is_full: bool = False) -> bytes:
        """Return an offer: all our codecs at first, later what was agreed, redirected.

        A full one has all our codecs at any time, under the numbers they already had: whoever
        asks for an offer may have somebody else behind it by now (RFC 6337 section 5.3.1).

        Raises:
            NegotiationError: An offer of ours is still unanswered (status 491).

        """
        if self.state is State.OFFERED:
            raise NegotiationError("our last offer is still unanswered", status=491)
        sections = [redirected(section, direction) for section in self._sent.media]
        if not sections:
            protection = self._protector.offer(self._at)
            sections = [self._section(direction, *protection, known=[])]
        elif is_full:
            sections = [self._filled(section, direction) for section in sections]
        self.state = State.OFFERED
        self._former_direction, self._direction = self._direction, direction
        self._answered_offer = None
        self._our_offer = next(section for section in sections if section.port)
        return self._write(sections, self._sent.value("t") or "0 0")

    def repeat(self) -> bytes:
        """Return as an offer what we said last, byte for byte: a refresh of the session.

        Raises:
            NegotiationError: An offer of ours is still unanswered (status 491).

        """
        if self.state is State.OFFERED:
            raise NegotiationError("our last offer is still unanswered", status=491)
        self.state = State.OFFERED
        self._former_direction = self._direction
        self._answered_offer = None
        self._our_offer = next(section for section in self._sent.media if section.port)
        return self._written()

    def _section(
        self, direction: Direction, protocol: str, keys: list[Line], known: list[Codec]
    ) -> MediaDescription:
        """Return a section that offers all we have, ``known`` being what it already listed."""
        listed = numbered(with_events(self._codecs), known)
        return audio_section(
            self._port, protocol, listed, direction, self._ptime, is_mux=self._rtcp_mux, keys=keys
        )

    def _filled(self, section: MediaDescription, direction: Direction) -> MediaDescription:
        """Return one of our sections with everything in it that it could offer."""
        if not section.port:
            return section
        keys = self._protector.offer_again(section, self._at)
        return self._section(direction, section.protocol, keys, listed_codecs(section))

    @property
    def _at(self) -> Address:
        return self._host, self._port

    def withdraw(self) -> None:
        """Take back our open offer, because it was refused: all stays as it was."""
        if self.state is State.OFFERED:
            self.state = State.STABLE
            self._direction = self._former_direction
            self._our_offer = None

    def answer(self, offer: bytes) -> bytes:
        """Take in the other side's offer and return our answer to it.

        Raises:
            SdpError: The offer cannot be read.
            NegotiationError: Nothing in it can be accepted (488), or it crossed
                our own offer (491).  What was agreed before still holds.

        """
        if self.state is State.OFFERED:
            raise NegotiationError("offers crossed", status=491)
        if offer == self._answered_offer:
            return self._written()  # a refresh: not a byte of it changed
        theirs = SessionDescription.parse(offer)
        chosen, codec = self._choose(theirs)
        section = theirs.media[chosen]
        listed = listed_codecs(section)
        events = _events_for(codec, listed)
        noise = next((c for c in listed if c.name == NOISE and c.rate == codec.rate), None)
        heard = [codec, noise] if noise else [codec]
        is_mux = self._rtcp_mux and section.attribute("rtcp-mux") is not None
        protection = self._protector.answer(
            theirs, section, self._protection, self._at, is_mux=is_mux
        )
        negotiated = self._outcome(
            theirs,
            section,
            codec,
            ms=ptime(section),
            protection=protection,
            receive_types={c.payload_type: c for c in heard},
            dtmf_send_type=events.payload_type if events else None,
            dtmf_send_clock=events.rate if events else 8000,
            dtmf_receive_types={events.payload_type: events.rate} if events else {},
            is_rtcp_mux=is_mux,
        )
        self._conclude(negotiated, protection)
        self._answered_offer = offer
        self._our_offer = None
        kept = [*heard, events] if events else heard
        ours = audio_section(
            self._port,
            section.protocol,
            kept,
            negotiated.direction,
            negotiated.ptime,
            is_mux=negotiated.is_rtcp_mux,
            keys=protection.lines,
        )
        sections = [MediaDescription(m.media, 0, m.protocol, m.formats) for m in theirs.media]
        sections[chosen] = ours
        return self._write(sections, (theirs.value("t") or "").strip() or "0 0")

    def accept(self, answer: bytes) -> None:
        """Take in the answer to our offer.

        A second answer to the same offer replaces the first: what a provisional
        response said the final one may correct.

        Raises:
            SdpError: The answer cannot be read.
            NegotiationError: It accepts nothing of what was offered, or nothing was offered.

        """
        if self._our_offer is None:
            raise NegotiationError("an answer to no offer of ours")
        theirs = SessionDescription.parse(answer)
        index = next(i for i, section in enumerate(self._sent.media) if section.port)
        if index >= len(theirs.media) or not theirs.media[index].port:
            raise NegotiationError("the answer refuses the only stream of the call")
        section = theirs.media[index]
        offered = {codec.key: codec for codec in reversed(listed_codecs(self._our_offer))}
        agreed = [codec for codec in listed_codecs(section) if codec.key in offered]
        sounds = [codec for codec in agreed if _is_sound(codec)]
        if not sounds or section.protocol.upper() not in PROTOCOLS:
            raise NegotiationError("the answer has no codec of the offer")
        protection = self._protector.accept(self._our_offer, theirs, section)
        events = _events_for(sounds[0], agreed)
        # Numbers may differ each way: we receive by ours and send by theirs.  Some
        # sides send by their own as well, which costs nothing to understand.
        either = {c.payload_type: c for c in agreed}
        either |= {offered[c.key].payload_type: offered[c.key] for c in agreed}
        negotiated = self._outcome(
            theirs,
            section,
            sounds[0],
            ms=ptime(section, unless=self._ptime),
            protection=protection,
            receive_types={number: c for number, c in either.items() if c.name != EVENTS},
            dtmf_send_type=events.payload_type if events else None,
            dtmf_send_clock=events.rate if events else 8000,
            dtmf_receive_types={n: c.rate for n, c in either.items() if c.name == EVENTS},
            is_rtcp_mux=section.attribute("rtcp-mux") is not None
            and self._our_offer.attribute("rtcp-mux") is not None,
        )
        self.state = State.STABLE
        self._conclude(negotiated, protection)

    def _choose(self, theirs: SessionDescription) -> tuple[int, Codec]:
        """Return the first section with a codec of ours, and that codec."""
        ours = {codec.key for codec in self._codecs}
        is_codec_the_matter = True
        for index, section in enumerate(theirs.media):
            is_audio = section.media.lower() == "audio" and section.port > 0
            if not is_audio or section.protocol.upper() not in PROTOCOLS:
                continue
            if not self._protector.takes(theirs, section):
                is_codec_the_matter = False
                continue
            for codec in listed_codecs(section):
                if codec.key in ours:
                    return index, codec
        if is_codec_the_matter:
            raise NegotiationError("no audio stream with a codec in common")
        raise NegotiationError("no audio stream that is as secure as it must be, and may be")

    def _outcome(
        self,
        theirs: SessionDescription,
        section: MediaDescription,
        codec: Codec,
        *,
        ms: int,
        protection: Protection,
        receive_types: dict[int, Codec],
        dtmf_send_type: int | None,
        dtmf_send_clock: int,
        dtmf_receive_types: dict[int, int],
        is_rtcp_mux: bool,
    ) -> Negotiated:
        to = destination(theirs, section, local_host=self._host)
        they, we = offered_ways(theirs, section), Ways.of(self._direction)
        they_receive = they.receives and not to.is_blackhole
        return Negotiated(
            remote=to.rtp,
            remote_rtcp=to.rtp if is_rtcp_mux else to.rtcp,
            codec=codec,
            receive_types=receive_types,
            dtmf_send_type=dtmf_send_type,
            dtmf_send_clock=dtmf_send_clock,
            dtmf_receive_types=dtmf_receive_types,
            ptime=ms,
            direction=Ways(we.sends and they_receive, we.receives and they.sends).direction,
            is_held=not they_receive and (we.sends or self._our_offer is None),
            is_rtcp_mux=is_rtcp_mux,
            is_secure=protection.is_secure,
            srtp=protection.srtp,
            dtls=protection.dtls,
            ice=protection.ice,
            peer_host=self._peer_host,
        )

    def _conclude(self, negotiated: Negotiated, protection: Protection) -> None:
        self._protection = protection
        if negotiated != self.negotiated:
            self.negotiated = negotiated

    def _write(self, sections: list[MediaDescription], times: str) -> bytes:
        """Make these sections our description; the version rises only when it differs."""
        family = "IP6" if ":" in self._host else "IP4"
        lines = [("v", "0"), ("s", "-"), ("c", f"IN {family} {self._host}"), ("t", times)]
        if any(section.attributes("ice-ufrag") for section in sections):
            lines.append(("a", "ice-lite"))
        sent = SessionDescription(lines, sections)
        if sent != self._sent:
            self._sent = sent
            self._version += 1
        return self._written()

    def _written(self) -> bytes:
        family = "IP6" if ":" in self._host else "IP4"
        origin = f"- {self._session_id} {self._version} IN {family} {self._host}"
        version, *others = self._sent.lines
        return bytes(SessionDescription([version, ("o", origin), *others], self._sent.media))
