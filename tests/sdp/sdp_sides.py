"""One side of an offer and answer, and the offers made to it."""

from gateway.clock import RandomIds
from gateway.sdp.description import SessionDescription
from gateway.sdp.negotiate import Negotiated, OfferAnswer
from gateway.sdp.terms import Srtp, Terms


def leg(
    *codecs: str,
    host: str = "203.0.113.9",
    rtcp_mux: bool = True,
    srtp: Srtp = "off",
    is_private: bool = False,
    ptime: int = 20,
) -> OfferAnswer:
    terms = Terms(codecs or ("PCMU", "PCMA", "G722", "opus"), srtp=srtp, ptime=ptime)
    return OfferAnswer(
        host, 10_000, terms, ids=RandomIds(), rtcp_mux=rtcp_mux, is_private=is_private
    )


def offer(*media: str, host: str = "192.0.2.1", version: int = 1) -> bytes:
    """Return a description whose sections are given as ``m=`` line, then attributes."""
    head = f"v=0\r\no=- 7 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    return (head + "".join(f"{line}\r\n" for line in media)).encode()


def agreed(side: OfferAnswer) -> Negotiated:
    assert side.negotiated is not None
    return side.negotiated


def version_of(description: bytes) -> int:
    origin = SessionDescription.parse(description).origin
    assert origin is not None
    return int(origin.split()[2])


def answered(side: OfferAnswer, body: bytes) -> SessionDescription:
    return SessionDescription.parse(side.answer(body))
