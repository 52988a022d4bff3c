"""One side of an offer and answer, and the offers made to it."""

from gateway.clock import CountedIds
from gateway.sdp.description import SessionDescription
from gateway.sdp.negotiate import Negotiated, OfferAnswer
from gateway.sdp.terms import Terms


def leg(*codecs: str, host: str = "203.0.113.9", rtcp_mux: bool = True) -> OfferAnswer:
    names = codecs or ("PCMU", "PCMA", "G722", "opus")
    return OfferAnswer(host, 10_000, Terms(names), ids=CountedIds(), rtcp_mux=rtcp_mux)


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
