"""CPU per call-second of the link to the realtime service alone: 100 links, a server elsewhere.

Each link is given the caller's voice every 20 ms and sends it in appends of 40 ms; each receives
a delta of 200 ms five times a second, decoded.  The ratio is to a bare transport on the same loop
that writes as many bytes as often, made beforehand, and throws away what comes, measured in turn
with it: most of that is the kernel's.

    python benchmarks/bench_link.py
"""

import asyncio
import statistics
from typing import cast

from rig.links import CHUNK_MS, FORMATS, LOOPS, Listener, Peer, measured, open_link
from rig.report import options, report

from gateway.realtime.commands import encode_append

APPEND_MS = 40

HANDSHAKE = (
    b"GET /v1/realtime HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Bare(asyncio.Protocol):
    """The reference: the same bytes at the same times, and nothing done to them."""

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self.turn = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket, so that the server talks."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        """Throw away what comes."""

    def append(self, chunk: bytes) -> None:
        """Write a frame for every other chunk."""
        self.turn += 1
        if self.turn % (APPEND_MS // CHUNK_MS) == 0:
            self.transport.write(self.frame)

    async def close(self) -> None:
        """Cut the connection."""
        self.transport.abort()


async def open_bare(port: int, per_ms: int, _: Listener) -> Peer:
    """Connect a bare transport."""
    text = encode_append(bytes(APPEND_MS * per_ms))
    frame = b"\x81\xfe" + len(text).to_bytes(2) + bytes(4) + text  # masked with zeros
    loop = asyncio.get_running_loop()
    _transport, peer = await loop.create_connection(lambda: Bare(frame), "127.0.0.1", port)
    return peer


if __name__ == "__main__":
    chosen = options(__doc__, links=100, seconds=4.0, repeats=3)
    rows = []
    for kind in FORMATS:
        for loop in LOOPS:
            bare, links, deltas = [], [], []
            for _ in range(chosen.repeats):
                bare.append(measured(open_bare, loop, kind, chosen.links, chosen.seconds)[0])
                us, heard = measured(open_link(APPEND_MS), loop, kind, chosen.links, chosen.seconds)
                links.append(us)
                deltas.append(heard)
            us, reference = statistics.median(links), statistics.median(bare)
            rows.append(
                {
                    "format": kind,
                    "loop": loop,
                    "links": chosen.links,
                    "us_per_call_second": round(us),
                    "bare_us_per_call_second": round(reference),
                    "ratio": round(us / reference, 2),
                    "deltas_per_second": round(statistics.median(deltas), 1),
                }
            )
    report("link", rows, "<= 2 times the bare transport", as_json=chosen.json)
