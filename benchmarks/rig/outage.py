"""A realtime service that can be cut off: every session speaks in a tone of its own.

What a caller hears then tells which session it came from, and when.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import time
from typing import Any, Final, Self

import numpy as np
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

__all__ = ["TONES", "OutageService"]

TONES: Final = (500.0, 1100.0)  # Hz: of the first session, and of the one after it
_RATE: Final = 24_000
_DELTA_MS: Final = 100
_AHEAD_MS: Final = 200  # of speech sent before it is due
_LONGEST: Final = 60.0  # seconds of speech in a response


class OutageService:
    """Serves one gateway on one port; use it as ``async with OutageService() as service``."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[str] = []  # every command's name, but appends
        self._count = itertools.count()
        self._server: Server

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def cut(self, seconds: float) -> float:
        """Cut every connection and take no others for so long; returns when that was."""
        connections = list(self._server.connections)
        self._server.close(close_connections=False)
        at = time.monotonic()
        for connection in connections:
            connection.transport.abort()
        await self._server.wait_closed()
        await asyncio.sleep(at + seconds - time.monotonic())
        await self._open()
        return at

    async def bare(self) -> float:
        """Return the seconds a bare client needs to connect and have its session confirmed."""
        start = time.monotonic()
        async with connect(f"ws://127.0.0.1:{self.port}/", compression=None, proxy=None) as socket:
            await socket.recv()
            await socket.send(json.dumps({"type": "session.update", "session": {}}))
            await socket.recv()
            return time.monotonic() - start

    async def _open(self) -> None:
        self._server = await serve(
            self._serve, "127.0.0.1", self.port, compression=None, max_size=None
        )
        self.port = int(next(iter(self._server.sockets)).getsockname()[1])

    async def _serve(self, socket: ServerConnection) -> None:
        session = _Session(socket, TONES[next(self._count) % len(TONES)])
        speaking: set[asyncio.Task[None]] = set()
        with contextlib.suppress(ConnectionClosed):
            await session.send("session.created", session={"type": "realtime"})
            async for text in socket:
                if "input_audio_buffer.append" in str(text[:60]):
                    continue
                command = json.loads(text)
                self.asked.append(command["type"])
                if command["type"] == "session.update":
                    await session.send("session.updated", session=command["session"])
                elif command["type"] == "response.create" and not speaking:
                    speaking.add(asyncio.create_task(session.speak()))
        for task in speaking:
            task.cancel()


class _Session:
    def __init__(self, socket: ServerConnection, frequency: float) -> None:
        self._socket = socket
        self._frequency = frequency
        self._count = itertools.count()

    async def send(self, kind: str, **fields: Any) -> None:
        event = {"type": kind, "event_id": f"event_{next(self._count)}", **fields}
        await self._socket.send(json.dumps(event))

    async def speak(self) -> None:
        """Speak a little ahead of real time until nobody is there."""
        ids = {"response_id": "resp", "item_id": "item", "output_index": 0, "content_index": 0}
        body = {"id": "resp", "object": "realtime.response", "status": "in_progress", "output": []}
        samples = np.arange(_RATE * _DELTA_MS // 1000) / _RATE
        wave = 9000 * np.sin(2 * np.pi * self._frequency * samples)
        delta = base64.b64encode(wave.astype("<i2").tobytes()).decode()
        start = asyncio.get_running_loop().time() - _AHEAD_MS / 1000
        with contextlib.suppress(ConnectionClosed):
            await self.send("response.created", response=body)
            for number in range(int(_LONGEST * 1000 / _DELTA_MS)):
                await self.send("response.output_audio.delta", **ids, delta=delta)
                due = start + (number + 1) * _DELTA_MS / 1000
                await asyncio.sleep(due - asyncio.get_running_loop().time())
