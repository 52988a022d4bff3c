"""Links to the realtime service under load: they are given voice, and hear speech.

The service is a process of its own (:mod:`rig.deltas`), so that only the links' cost is measured.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import uvloop

from gateway.realtime.connection import Connect, open_socket
from gateway.realtime.endpoint import Endpoint
from gateway.realtime.events import ResponseOutputAudioDelta, ServerEvent, Unknown
from gateway.realtime.websocket import WebSocketLink

__all__ = ["CHUNK_MS", "FORMATS", "LOOPS", "Listener", "OpenPeer", "Peer", "measured", "open_link"]

GROUPS: Final = 4  # the links take turns, a quarter of them every 5 ms
CHUNK_MS: Final = 20
DELTA_MS: Final = 200
FORMATS: Final = {"audio/pcm": 48, "audio/pcmu": 8}  # bytes a millisecond
LOOPS: Final = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


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


OpenPeer: TypeAlias = Callable[[int, int, Listener], Awaitable[Peer]]


def open_link(append_ms: int, connect: Connect = open_socket) -> OpenPeer:
    """Return what connects the gateway's link, over a socket of the given kind."""

    async def opened(port: int, per_ms: int, listener: Listener) -> Peer:
        link = WebSocketLink(
            Endpoint(f"ws://127.0.0.1:{port}/v1/realtime"),
            on_event=listener.on_event,
            on_closed=listener.on_closed,
            append_ms=append_ms,
            bytes_per_ms=per_ms,
            connect=connect,
        )
        await link.connect()
        return link

    return opened


async def _speak(peers: Sequence[Peer], chunk: bytes, seconds: float) -> None:
    """Give every peer 20 ms of voice every 20 ms."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for turn in range(int(seconds * 1000 / CHUNK_MS * GROUPS)):
        await asyncio.sleep(start + turn * CHUNK_MS / 1000 / GROUPS - loop.time())
        for peer in peers[turn % GROUPS :: GROUPS]:
            peer.append(chunk)


async def _measure(
    open_peer: OpenPeer, port: int, count: int, seconds: float, per_ms: int
) -> tuple[float, float]:
    """Return CPU microseconds, and decoded deltas, per peer and second."""
    listener = Listener()
    peers = [await open_peer(port, per_ms, listener) for _ in range(count)]
    chunk = bytes(CHUNK_MS * per_ms)
    await _speak(peers, chunk, 1.0)
    heard, cpu, began = listener.audio_bytes, time.process_time(), time.monotonic()
    await _speak(peers, chunk, seconds)
    cpu, took = time.process_time() - cpu, time.monotonic() - began
    heard = listener.audio_bytes - heard
    await asyncio.gather(*(peer.close() for peer in peers))
    return cpu * 1e6 / (count * took), heard / (DELTA_MS * per_ms * count * took)


def measured(
    open_peer: OpenPeer, loop: str, kind: str, count: int, seconds: float
) -> tuple[float, float]:
    """Measure one kind of peer on a loop of its own, the server in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "rig.deltas", "--format", kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        try:
            with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
                return runner.run(_measure(open_peer, port, count, seconds, FORMATS[kind]))
        finally:
            server.kill()
