"""The answer to an offer of which nothing is wanted, for an ACK owes one (RFC 3261 13.2.2.4)."""

__all__ = ["declined"]


def declined(offer: bytes, host: str) -> bytes:
    """Return an answer by which ``host`` turns down every stream of an offer (RFC 3264 section 6).

    It has the media lines of the offer with port 0, and its time.
    """
    lines = offer.splitlines()
    address = f"IN {'IP6' if ':' in host else 'IP4'} {host}".encode()
    answer = [
        b"v=0",
        b"o=- 0 0 " + address,
        b"s=-",
        b"c=" + address,
        next((line for line in lines if line.startswith(b"t=")), b"t=0 0"),
        *(_without_port(line) for line in lines if line.startswith(b"m=")),
    ]
    return b"\r\n".join([*answer, b""])


def _without_port(line: bytes) -> bytes:
    media, _, rest = line.partition(b" ")
    _, _, formats = rest.partition(b" ")
    return b"%b 0 %b" % (media, formats)
