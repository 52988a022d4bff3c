"""A realtime service that only sends speech, one delta of 200 ms every 200 ms to each client.

It prints its port and serves until its standard input closes; what it is sent it reads and
throws away.

    python -m rig.deltas --format audio/pcm
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from .service import DELTA_MS, tone


async def talk(socket: ServerConnection, delta: bytes) -> None:
    """Send the delta on a steady grid, each time under another name: the same twice is one."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    before, name, after = delta.partition(b"event_")
    for number in itertools.count():
        await socket.send(b"%s%s%d%s" % (before, name, number, after), text=True)
        due += DELTA_MS / 1000
        await asyncio.sleep(due - loop.time())


async def main(kind: str) -> None:
    """Serve until standard input closes."""
    event = {
        "type": "response.output_audio.delta",
        "event_id": "event_",
        "response_id": "resp_1",
        "item_id": "item_1",
        "output_index": 0,
        "content_index": 0,
        "delta": tone(kind, DELTA_MS),
    }
    delta = json.dumps(event, separators=(",", ":")).encode()

    async def handler(socket: ServerConnection) -> None:
        talking = asyncio.create_task(talk(socket, delta))
        with contextlib.suppress(ConnectionClosed):
            async for _ in socket:
                pass
        talking.cancel()

    async with serve(handler, "127.0.0.1", 0, compression=None, max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", default="audio/pcm")
    uvloop.run(main(parser.parse_args().format))
