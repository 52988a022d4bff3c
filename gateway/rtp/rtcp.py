"""RTCP packets (RFC 3550 section 6): reports, names and goodbyes, in compounds."""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ..errors import RtpError

__all__ = [
    "Bye",
    "ReceiverReport",
    "ReportBlock",
    "RtcpPacket",
    "Sdes",
    "SenderReport",
    "pack_compound",
    "parse_compound",
]

_SENDER_REPORT: Final = 200
_RECEIVER_REPORT: Final = 201
_SDES: Final = 202
_BYE: Final = 203
_TYPES: Final = range(192, 224)

CNAME: Final = 1

_HEADER: Final = struct.Struct("!BBH")
_BLOCK: Final = struct.Struct("!LLLLLL")
_SENDER_INFO: Final = struct.Struct("!LQLLL")
_WORD: Final = struct.Struct("!L")


@dataclass(slots=True)
class ReportBlock:
    """How one source is heard.

    ``fraction_lost`` is in 256ths, ``jitter`` in units of the source's RTP clock,
    ``last_report`` the middle 32 bits of the NTP time of the last report from it,
    ``delay`` what has passed since then, in 65536ths of a second.
    """

    ssrc: int
    fraction_lost: int = 0
    cumulative_lost: int = 0
    highest_sequence: int = 0
    jitter: int = 0
    last_report: int = 0
    delay: int = 0

    @classmethod
    def parse(cls, data: bytes, offset: int = 0) -> "ReportBlock":
        """Read the 24 bytes at ``offset``, which must be there."""
        ssrc, loss, highest, jitter, last, delay = _BLOCK.unpack_from(data, offset)
        cumulative = loss & 0xFFFFFF
        if cumulative & 0x800000:
            cumulative -= 0x1000000
        return cls(ssrc, loss >> 24, cumulative, highest, jitter, last, delay)

    def __bytes__(self) -> bytes:
        loss = self.fraction_lost << 24 | self.cumulative_lost & 0xFFFFFF
        return _BLOCK.pack(
            self.ssrc, loss, self.highest_sequence, self.jitter, self.last_report, self.delay
        )


def _read_blocks(body: bytes, start: int, count: int) -> list[ReportBlock]:
    if len(body) < start + count * _BLOCK.size:
        raise RtpError(f"a report is too short for {count} blocks")
    return [ReportBlock.parse(body, start + i * _BLOCK.size) for i in range(count)]


def _pack(packet_type: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, packet_type, len(body) // 4) + body


@dataclass(slots=True)
class SenderReport:
    """What a source has sent, and how it hears others; ``ntp`` is a 64-bit NTP time."""

    ssrc: int
    ntp: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    blocks: list[ReportBlock] = field(default_factory=list)

    @classmethod
    def parse(cls, body: bytes, count: int) -> "SenderReport":
        """Read what follows the four-byte header."""
        if len(body) < 24:
            raise RtpError("a sender report is cut short")
        ssrc, ntp, timestamp, packets, octets = _SENDER_INFO.unpack_from(body)
        return cls(ssrc, ntp, timestamp, packets, octets, _read_blocks(body, 24, count))

    def __bytes__(self) -> bytes:
        info = _SENDER_INFO.pack(
            self.ssrc,
            self.ntp,
            self.rtp_timestamp,
            self.packet_count & 0xFFFFFFFF,
            self.octet_count & 0xFFFFFFFF,
        )
        blocks = b"".join(map(bytes, self.blocks))
        return _pack(_SENDER_REPORT, len(self.blocks), info + blocks)


@dataclass(slots=True)
class ReceiverReport:
    """How a side that sends nothing hears others."""

    ssrc: int
    blocks: list[ReportBlock] = field(default_factory=list)

    @classmethod
    def parse(cls, body: bytes, count: int) -> "ReceiverReport":
        """Read what follows the four-byte header."""
        if len(body) < 4:
            raise RtpError("a receiver report is cut short")
        return cls(_WORD.unpack_from(body)[0], _read_blocks(body, 4, count))

    def __bytes__(self) -> bytes:
        blocks = b"".join(map(bytes, self.blocks))
        return _pack(_RECEIVER_REPORT, len(self.blocks), _WORD.pack(self.ssrc) + blocks)


@dataclass(slots=True)
class Sdes:
    """Names of sources: for each SSRC, its items as (kind, text)."""

    chunks: list[tuple[int, list[tuple[int, str]]]] = field(default_factory=list)

    @classmethod
    def parse(cls, body: bytes, count: int) -> "Sdes":
        """Read what follows the four-byte header."""
        chunks = []
        offset = 0
        for _ in range(count):
            if len(body) < offset + 4:
                raise RtpError("a source description is cut short")
            (ssrc,) = _WORD.unpack_from(body, offset)
            items, offset = cls._read_items(body, offset + 4)
            chunks.append((ssrc, items))
        return cls(chunks)

    @staticmethod
    def _read_items(body: bytes, offset: int) -> tuple[list[tuple[int, str]], int]:
        """Return a chunk's items and where the next chunk begins."""
        items = []
        while offset < len(body) and body[offset]:
            text = offset + 2
            end = text + body[offset + 1] if text <= len(body) else len(body) + 1
            if end > len(body):
                raise RtpError("a source description item is cut short")
            items.append((body[offset], body[text:end].decode("utf-8", "replace")))
            offset = end
        if offset >= len(body):
            raise RtpError("a source description has no end")
        return items, (offset + 4) & ~3

    def __bytes__(self) -> bytes:
        body = b""
        for ssrc, items in self.chunks:
            chunk = _WORD.pack(ssrc)
            for kind, text in items:
                raw = text.encode()[:255]
                chunk += bytes((kind, len(raw))) + raw
            body += chunk + bytes(4 - len(chunk) % 4)
        return _pack(_SDES, len(self.chunks), body)


@dataclass(slots=True)
class Bye:
    """Sources that fall silent for good."""

    sources: list[int]
    reason: str = ""

    @classmethod
    def parse(cls, body: bytes, count: int) -> "Bye":
        """Read what follows the four-byte header."""
        if len(body) < 4 * count:
            raise RtpError("a goodbye is cut short")
        sources = [_WORD.unpack_from(body, 4 * i)[0] for i in range(count)]
        rest = body[4 * count :]
        if not rest:
            return cls(sources)
        if len(rest) < 1 + rest[0]:
            raise RtpError("the reason of a goodbye is cut short")
        return cls(sources, rest[1 : 1 + rest[0]].decode("utf-8", "replace"))

    def __bytes__(self) -> bytes:
        body = b"".join(map(_WORD.pack, self.sources))
        if self.reason:
            raw = self.reason.encode()[:255]
            body += bytes((len(raw),)) + raw
            body += bytes(-len(body) % 4)
        return _pack(_BYE, len(self.sources), body)


RtcpPacket: TypeAlias = SenderReport | ReceiverReport | Sdes | Bye

_PARSERS: Final[dict[int, Callable[[bytes, int], RtcpPacket]]] = {
    _SENDER_REPORT: SenderReport.parse,
    _RECEIVER_REPORT: ReceiverReport.parse,
    _SDES: Sdes.parse,
    _BYE: Bye.parse,
}


def parse_compound(data: bytes) -> list[RtcpPacket]:
    """Read a datagram of one or more RTCP packets; kinds we have no use for are left out.

    A datagram need not begin with a report (RFC 5506).

    Raises:
        RtpError: It is not RTCP, or something in it is cut short (RFC 3550 appendix A.2).

    """
    if not data or len(data) % 4:
        raise RtpError(f"{len(data)} bytes is no whole number of words")
    packets: list[RtcpPacket] = []
    offset = 0
    while offset < len(data):
        first, packet_type, words = _HEADER.unpack_from(data, offset)
        start, offset = offset + 4, offset + 4 + 4 * words
        if first >> 6 != 2 or packet_type not in _TYPES:
            raise RtpError(f"not an RTCP header: version {first >> 6}, type {packet_type}")
        if offset > len(data):
            raise RtpError("the length runs past the end")
        end = offset
        if first & 0x20:  # padding: on the last packet only
            end -= data[offset - 1]
            if offset < len(data) or end < start or end == offset:
                raise RtpError("padding runs past the start, or is not at the end")
        parser = _PARSERS.get(packet_type)
        if parser is not None:
            packets.append(parser(data[start:end], first & 0x1F))
    return packets


def pack_compound(packets: Iterable[RtcpPacket]) -> bytes:
    """Return the datagram of several packets; the first should be a report."""
    return b"".join(map(bytes, packets))
