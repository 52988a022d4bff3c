"""A realtime service that costs little: it talks in a steady tone and is interrupted on time.

Not the embedded service, which listens and thinks: this one exists to load a gateway and to note,
on the clock all processes share (CLOCK_MONOTONIC), when it sent what.  It prints its port, then
serves until its standard input closes, then prints what it noted as one JSON line.

    python -m rig.service --talk 4.0 --every 5.0 --interrupt 2.0
"""

import argparse
import asyncio
import base64
import contextlib
import json
import math
import struct
import sys
import time
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

DELTA_MS = 200


def tone(kind: str, milliseconds: int) -> str:
    """Return base64 of a 500 Hz tone in the service's format: never silent, whole periods."""
    rate = 24000 if kind == "audio/pcm" else 8000
    count = rate * milliseconds // 1000
    samples = [int(9000 * math.sin(2 * math.pi * 500 * n / rate + 0.3)) for n in range(count)]
    if kind == "audio/pcm":
        return base64.b64encode(struct.pack(f"<{count}h", *samples)).decode()
    return base64.b64encode(bytes((n % 64) + 10 for n in range(count))).decode()


class Peer:
    """One gateway connection."""

    def __init__(self, socket: ServerConnection, options: argparse.Namespace, call: int) -> None:
        self.socket, self.options, self.call = socket, options, call
        self.format = "audio/pcm"
        self.notes: list[dict[str, Any]] = []
        self._count = 0

    def note(self, what: str, **more: Any) -> None:
        """Remember that something happened now."""
        self.notes.append({"what": what, "at": time.monotonic(), "call": self.call, **more})

    async def send(self, kind: str, **fields: Any) -> None:
        """Send one event."""
        self._count += 1
        await self.socket.send(json.dumps({"type": kind, "event_id": f"e{self._count}", **fields}))

    async def run(self) -> None:
        """Serve until the gateway leaves."""
        await self.send("session.created", session={"type": "realtime", "id": "sess_1"})
        async with asyncio.TaskGroup() as group:
            talking: asyncio.Task[None] | None = None
            async for text in self.socket:
                if "input_audio_buffer.append" in str(text[:60]):
                    continue
                event = json.loads(text)
                if event["type"] == "session.update":
                    audio = event["session"].get("audio", {})
                    self.format = audio.get("output", {}).get("format", {}).get("type", self.format)
                    await self.send("session.updated", session=event["session"])
                    talking = talking or group.create_task(self.talk())
                elif event["type"] == "conversation.item.truncate":
                    self.note("truncate", item=event["item_id"], ms=event["audio_end_ms"])
            if talking:
                talking.cancel()

    async def talk(self) -> None:
        """Say a passage every so often, faster than real time, and interrupt it."""
        piece = tone(self.format, DELTA_MS)
        for turn in range(10_000):
            response, item = f"resp_{turn}", f"item_{turn}"
            ids = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
            body = {"id": response, "object": "realtime.response", "status": "in_progress"}
            await self.send("response.created", response={**body, "output": []})
            self.note("first_delta", item=item)
            for _ in range(int(self.options.talk * 1000) // DELTA_MS):
                await self.send("response.output_audio.delta", **ids, delta=piece)
            await self.send("response.output_audio.done", **ids)
            await self.send("response.done", response={**body, "status": "completed", "output": []})
            waited = 0.0
            if self.options.interrupt:
                waited = self.options.interrupt + 0.0371 * (turn % 7)
                await asyncio.sleep(waited)
                self.note("speech_started", item=item)
                await self.send(
                    "input_audio_buffer.speech_started", audio_start_ms=0, item_id=f"user_{turn}"
                )
            await asyncio.sleep(max(0.0, self.options.every - waited))


async def main(options: argparse.Namespace) -> None:
    """Serve until standard input closes, then tell what was noted."""
    peers: list[Peer] = []

    async def handler(socket: ServerConnection) -> None:
        peer = Peer(socket, options, len(peers))
        peers.append(peer)
        with contextlib.suppress(ExceptionGroup):  # the gateway left while we were talking
            await peer.run()

    async with serve(handler, "127.0.0.1", 0, compression=None, max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        notes = [note for peer in peers for note in peer.notes]
        print(json.dumps({"notes": notes}), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--talk", type=float, default=4.0, help="seconds of speech in a response")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between responses")
    parser.add_argument("--interrupt", type=float, default=0.0, help="seconds into it; 0: never")
    import uvloop

    uvloop.run(main(parser.parse_args()))
