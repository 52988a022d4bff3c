"""CPU per call-second of the link to the realtime service alone: 100 links, a server elsewhere.

Each link is given the caller's voice every 20 ms and sends it in appends of 40 ms; each receives
a delta of 200 ms five times a second, decoded.  The ratio is to a bare transport on the same loop
that writes as many bytes as often, made beforehand, and throws away what comes, measured in turn
with it: most of that is the kernel's.

    python benchmarks/bench_link.py
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias, cast

import uvloop
from rig.report import options, report

from gateway.realtime.commands import encode_append
from gateway.realtime.endpoint import Endpoint
from gateway.realtime.events import ResponseOutputAudioDelta, ServerEvent, Unknown
from gateway.realtime.websocket import WebSocketLink

GROUPS = 4  # the links take turns, a quarter of them every 5 ms
CHUNK_MS, APPEND_MS, DELTA_MS = 20, 40, 200
FORMATS = {"audio/pcm": 48, "audio/pcmu": 8}  # bytes a millisecond
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}

HANDSHAKE = (
    b"GET /v1/realtime HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Peer(Protocol):
    """A link, or the bare transport it is compared with."""

    def append(self, chunk: bytes) -> None:
        """Take 20 ms of voice."""

    async def close(self) -> None:
        """End the connection."""


class Listener:
    """Counts the speech that comes over all links."""

    def __init__(self) -> None:
        self.audio_bytes = 0

    def on_event(self, event: ServerEvent | Unknown) -> None:
        """Take an event of a link."""
        if isinstance(event, ResponseOutputAudioDelta):
            self.audio_bytes += len(event.delta)

    def on_closed(self, fault: Exception | None) -> None:
        """Take the end of a link."""
        if fault is not None:
            raise SystemExit(f"a link failed: {fault}")


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


OpenPeer: TypeAlias = Callable[[int, int, Listener], Awaitable[Peer]]


async def open_link(port: int, per_ms: int, listener: Listener) -> Peer:
    """Connect the gateway's link."""
    link = WebSocketLink(
        Endpoint(f"ws://127.0.0.1:{port}/v1/realtime"),
        on_event=listener.on_event,
        on_closed=listener.on_closed,
        append_ms=APPEND_MS,
        bytes_per_ms=per_ms,
    )
    await link.connect()
    return link


async def open_bare(port: int, per_ms: int, _: Listener) -> Peer:
    """Connect a bare transport."""
    text = encode_append(bytes(APPEND_MS * per_ms))
    frame = b"\x81\xfe" + len(text).to_bytes(2) + bytes(4) + text  # masked with zeros
    loop = asyncio.get_running_loop()
    _transport, peer = await loop.create_connection(lambda: Bare(frame), "127.0.0.1", port)
    return peer


async def speak(peers: Sequence[Peer], chunk: bytes, seconds: float) -> None:
    """Give every peer 20 ms of voice every 20 ms."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for turn in range(int(seconds * 1000 / CHUNK_MS * GROUPS)):
        await asyncio.sleep(start + turn * CHUNK_MS / 1000 / GROUPS - loop.time())
        for peer in peers[turn % GROUPS :: GROUPS]:
            peer.append(chunk)


async def measure(
    open_peer: OpenPeer, port: int, count: int, seconds: float, per_ms: int
) -> tuple[float, float]:
    """Return CPU microseconds, and decoded deltas, per peer and second."""
    listener = Listener()
    peers = [await open_peer(port, per_ms, listener) for _ in range(count)]
    chunk = bytes(CHUNK_MS * per_ms)
    await speak(peers, chunk, 1.0)
    heard, cpu, began = listener.audio_bytes, time.process_time(), time.monotonic()
    await speak(peers, chunk, seconds)
    cpu, took = time.process_time() - cpu, time.monotonic() - began
    heard = listener.audio_bytes - heard
    await asyncio.gather(*(peer.close() for peer in peers))
    return cpu * 1e6 / (count * took), heard / (DELTA_MS * per_ms * count * took)


def once(
    open_peer: OpenPeer, loop: str, kind: str, count: int, seconds: float
) -> tuple[float, float]:
    """Measure one kind of peer on a loop of its own, the server in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "rig.deltas", "--format", kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        try:
            with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
                return runner.run(measure(open_peer, port, count, seconds, FORMATS[kind]))
        finally:
            server.kill()


if __name__ == "__main__":
    chosen = options(__doc__, links=100, seconds=4.0, repeats=3)
    rows = []
    for kind in FORMATS:
        for loop in LOOPS:
            bare, links, deltas = [], [], []
            for _ in range(chosen.repeats):
                bare.append(once(open_bare, loop, kind, chosen.links, chosen.seconds)[0])
                us, heard = once(open_link, loop, kind, chosen.links, chosen.seconds)
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
