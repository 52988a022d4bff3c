"""DTLS records as they lie in datagrams (RFC 6347 sections 4.1 and 4.2.2), read from without."""

from typing import Final

__all__ = [
    "APPLICATION_DATA",
    "HANDSHAKE",
    "MTU",
    "datagrams_of",
    "hello_of",
    "is_dtls",
    "moved",
    "records_of",
]

MTU: Final = 1200
"""Bytes of a datagram: what every path carries, IPv6 and a tunnel included."""
HANDSHAKE: Final = 22
APPLICATION_DATA: Final = 23

_RECORD: Final = 13  # bytes of a record's header
_CLIENT_HELLO: Final = 1
_HEADER: Final = 12  # bytes of a handshake message's
_SHORTEST: Final = 42  # bytes of a hello: version, random, and the shortest of everything else
_TYPES: Final = range(20, 64)  # RFC 7983


def is_dtls(datagram: bytes) -> bool:
    """Say whether a datagram on a shared port is DTLS (RFC 7983)."""
    return bool(datagram) and datagram[0] in _TYPES


def hello_of(datagram: bytes) -> bytes:
    """Return what tells one client's first word from another's: its random; empty in any other.

    The word may be cut in pieces, of which this must be the first.
    """
    records = records_of(datagram)
    if not records or records[0][0] != HANDSHAKE or any(records[0][3:5]):
        return b""
    message = records[0][_RECORD:]
    size, begin, piece = (int.from_bytes(message[a:b]) for a, b in ((1, 4), (6, 9), (9, 12)))
    is_hello = message[:1] == bytes([_CLIENT_HELLO]) and begin == 0 and _SHORTEST <= piece <= size
    is_whole = _HEADER + piece == len(message) and message[_HEADER : _HEADER + 1] == b"\xfe"
    return message[_HEADER + 2 : _HEADER + 34] if is_hello and is_whole else b""


def records_of(data: bytes) -> list[bytes]:
    """Take datagrams apart; nothing comes of one that is not whole records of DTLS."""
    records = []
    at = 0
    while at < len(data):
        end = at + _RECORD + int.from_bytes(data[at + 11 : at + 13])
        if data[at] not in _TYPES or data[at + 1 : at + 2] != b"\xfe" or end > len(data):
            return []
        records.append(data[at:end])
        at = end
    return records


def moved(record: bytes, by: int) -> bytes:
    """Give a record in the clear a later number; the others' are part of what is signed."""
    if not by or any(record[3:5]):
        return record
    return record[:5] + ((int.from_bytes(record[5:11]) + by) % (1 << 48)).to_bytes(6) + record[11:]


def datagrams_of(records: list[bytes]) -> list[bytes]:
    """Put records together again, as many into a datagram as it carries."""
    datagrams = [b""]
    for record in records:
        if datagrams[-1] and len(datagrams[-1]) + len(record) > MTU:
            datagrams.append(b"")
        datagrams[-1] += record
    return datagrams
