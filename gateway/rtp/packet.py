"""The RTP packet (RFC 3550, section 5.1) and the arithmetic of its wrapping counters."""

import struct
from dataclasses import dataclass
from typing import Final, Self

from ..errors import RtpError

__all__ = ["RtpPacket", "is_rtcp", "pack_header", "sequence_delta", "timestamp_delta"]

_HEADER: Final = struct.Struct("!BBHLL")
_VERSION: Final = 2 << 6
_EXTENSION: Final = 0x10
_PADDING: Final = 0x20


def is_rtcp(data: bytes) -> bool:
    """Say whether a datagram on a shared port is RTCP rather than RTP (RFC 5761 section 4)."""
    return len(data) >= 2 and 192 <= data[1] <= 223


def sequence_delta(later: int, earlier: int) -> int:
    """Return how far ``later`` is ahead of ``earlier``, -32768 to 32767, across the wrap."""
    return ((later - earlier + 0x8000) & 0xFFFF) - 0x8000


def timestamp_delta(later: int, earlier: int) -> int:
    """Return how far ``later`` is ahead of ``earlier`` in clock units, across the wrap."""
    return ((later - earlier + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def pack_header(
    payload_type: int, sequence: int, timestamp: int, ssrc: int, marker: bool = False
) -> bytes:
    """Return the twelve bytes that go before a payload; every number must be in range."""
    return _HEADER.pack(_VERSION, payload_type | marker << 7, sequence, timestamp, ssrc)


def _payload_bounds(data: bytes) -> tuple[int, int]:
    """Return where the payload starts and ends; the end is before the start in a bad packet."""
    first = data[0]
    start = _HEADER.size + 4 * (first & 0x0F)
    if first & _EXTENSION:  # a profile word, then a length in words
        if len(data) < start + 4:
            return 1, 0
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4])
    if not first & _PADDING:
        return start, len(data)
    padding = data[-1]
    return (start, len(data) - padding) if padding else (1, 0)


@dataclass(slots=True)
class RtpPacket:
    """One RTP packet; contributing sources and header extensions are skipped unread."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    @classmethod
    def read(cls, data: bytes) -> Self | None:
        """Read a packet off the wire without ever raising; ``None`` when it is not RTP.

        This is the entry for the media thread, which counts what it drops.
        """
        if len(data) < 12 or data[0] & 0xC0 != _VERSION:
            return None
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        if first == _VERSION:  # nothing optional: nearly every telephone packet
            payload = data[12:]
        else:
            start, end = _payload_bounds(data)
            if start > end:
                return None
            payload = data[start:end]
        return cls(second & 0x7F, sequence, timestamp, ssrc, payload, second > 0x7F)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a packet off the wire, saying what is wrong with a bad one.

        Raises:
            RtpError: The datagram is not RTP version 2, or is cut short.

        """
        packet = cls.read(data)
        if packet is not None:
            return packet
        if len(data) < _HEADER.size:
            raise RtpError(f"{len(data)} bytes is too short for a header")
        if data[0] & 0xC0 != _VERSION:
            raise RtpError(f"version {data[0] >> 6}, not 2")
        raise RtpError("padding or extension runs past the end")

    def __bytes__(self) -> bytes:
        header = pack_header(
            self.payload_type, self.sequence, self.timestamp, self.ssrc, self.marker
        )
        return header + self.payload
