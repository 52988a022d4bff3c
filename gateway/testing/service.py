"""A realtime service on a real WebSocket that does as a test says, the wrong things included.

It speaks plain JSON of its own, so that what the gateway sends and understands is judged by
other code than the gateway's.

Example:
    ::

        async with LoopbackService() as service:
            ...  # a call comes in at a gateway whose realtime.url is service.url
            session = await service.session(0)
            session.talk()
            await session.vanish()

"""

import asyncio
import base64
import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

__all__ = ["LoopbackService", "ServiceSession"]

Pcm: TypeAlias = NDArray[np.int16]

_LAWS: Final = {
    "audio/pcmu": (encode_ulaw, decode_ulaw),
    "audio/pcma": (encode_alaw, decode_alaw),
}
_DELTA: Final = 0.2  # seconds of speech in one delta
_LEAD: Final = 1.0  # how far speech is sent ahead of the time it takes
_AMPLITUDE: Final = 8000.0


class ServiceSession:
    """One connection of the gateway, as its service.

    Attributes:
        frequency: The tone this session speaks in, Hz.
        replies: How many seconds each coming ``response.create`` is answered with; when none
            are left, ``reply_seconds``.
        commands: Everything received but the audio, in order.
        format: Of the sound both ways, as the gateway asked for.

    """

    def __init__(self, socket: ServerConnection, frequency: float, reply_seconds: float) -> None:
        self.frequency = frequency
        self.replies: list[float] = []
        self.commands: list[dict[str, Any]] = []
        self.format = "audio/pcm"
        self._reply_seconds = reply_seconds
        self._socket = socket
        self._audio = bytearray()
        self._changed = asyncio.Event()
        self._numbers = itertools.count(1)
        self._phase = 0  # samples spoken so far: one tone throughout, without a click
        self._response: dict[str, Any] | None = None
        self._talking: asyncio.Task[None] | None = None

    # What the gateway sent

    @property
    def rate(self) -> int:
        """Samples a second, both ways."""
        return 8000 if self.format in _LAWS else 24_000

    @property
    def heard(self) -> Pcm:
        """All of the caller's voice so far: int16."""
        return self._decode(bytes(self._audio))

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the commands of one kind."""
        return [command for command in self.commands if command["type"] == kind]

    async def hears(self, seconds: float, *, within: float = 10.0) -> Pcm:
        """Wait for ``seconds`` more of the caller's voice, and return those."""
        start = len(self._audio)
        wanted = start + int(seconds * self.rate) * (1 if self.format in _LAWS else 2)
        await self.until(lambda: len(self._audio) >= wanted, within=within)
        return self._decode(bytes(self._audio[start:wanted]))

    async def until_hushed(self, *, within: float = 10.0) -> None:
        """Wait until all of the response is sent."""
        talking = self._talking
        if talking is not None:
            async with asyncio.timeout(within):
                await asyncio.wait([talking])

    async def until(self, holds: Callable[[], bool], *, within: float = 10.0) -> None:
        """Wait until something holds; looked at whenever the gateway sends anything.

        Raises:
            TimeoutError: It did not come to hold in time.

        """
        async with asyncio.timeout(within):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    # What the service does

    async def send(self, kind: str, **fields: Any) -> None:
        """Send an event, of whatever kind and with whatever in it."""
        event = {"type": kind, "event_id": f"event_{next(self._numbers)}"} | fields
        await self.send_raw(json.dumps(event))

    async def send_raw(self, message: str | bytes) -> None:
        """Send anything at all, text or binary."""
        await self._socket.send(message)

    async def send_audio(self, response_id: str, seconds: float = _DELTA) -> None:
        """Send a delta of any response, this session's or none that ever was."""
        count = int(seconds * self.rate)
        t = np.arange(self._phase, self._phase + count) / self.rate
        self._phase += count
        pcm = (_AMPLITUDE * np.sin(2 * np.pi * self.frequency * t)).astype(np.int16)
        sound = _LAWS[self.format][0](pcm) if self.format in _LAWS else pcm.astype("<i2")
        delta = base64.b64encode(sound.tobytes()).decode()
        where = _where(response_id)
        await self.send("response.output_audio.delta", **where, delta=delta)

    def talk(self, seconds: float = 600.0, metadata: object = None) -> str:
        """Begin a response of so many seconds of the tone; return its identifier."""
        response_id = f"resp_{next(self._numbers)}"
        self._response = {"id": response_id, "object": "realtime.response", "metadata": metadata}
        self._talking = asyncio.create_task(self._talk(response_id, seconds))
        return response_id

    async def hush(self, status: str = "completed") -> None:
        """End the response, if there is one; what was sent of it is all there is."""
        await self._stop_talking()
        response, self._response = self._response, None
        if response is not None:
            await self.send("response.done", response=response | {"status": status, "output": []})

    async def close(self, code: int = 1011, reason: str = "internal error") -> None:
        """Close the connection with a code, in mid-sentence if it is talking."""
        await self._stop_talking()
        await self._socket.close(code, reason)

    async def vanish(self) -> None:
        """Reset the TCP connection, without a word."""
        await self._stop_talking()
        self._socket.transport.abort()

    async def run(self) -> None:
        """Serve until either side ends the connection."""
        try:
            await self.send("session.created", session={"type": "realtime", "id": "sess_1"})
            async for message in self._socket:
                await self._take(json.loads(message))
        except ConnectionClosed:
            pass
        finally:
            await self._stop_talking()

    async def _take(self, command: dict[str, Any]) -> None:
        if command["type"] == "input_audio_buffer.append":
            self._audio += base64.b64decode(command["audio"], validate=True)
            self._changed.set()
            return
        self.commands.append(command)
        self._changed.set()
        match command["type"]:
            case "session.update":
                self.format = command["session"]["audio"]["input"]["format"]["type"]
                await self.send("session.updated", session=command["session"])
            case "response.create" if self._response is not None:
                code = "conversation_already_has_active_response"
                await self._refuse(code, command.get("event_id"))
            case "response.create":
                seconds = self.replies.pop(0) if self.replies else self._reply_seconds
                self.talk(seconds, command.get("response", {}).get("metadata"))
            case "response.cancel" if self._response is not None:
                await self.hush("cancelled")
            case "response.cancel":
                await self._refuse("response_cancel_not_active", command.get("event_id"))
            case _:
                pass

    def _decode(self, sound: bytes) -> Pcm:
        if self.format in _LAWS:
            return _LAWS[self.format][1](np.frombuffer(sound, np.uint8))
        return np.frombuffer(sound, "<i2").astype(np.int16)

    async def _refuse(self, code: str, event_id: str | None) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": code}
        await self.send("error", error=error | {"event_id": event_id})

    async def _talk(self, response_id: str, seconds: float) -> None:
        """Send a whole response, at most ``_LEAD`` seconds faster than it is heard."""
        loop = asyncio.get_running_loop()
        start, sent = loop.time(), 0.0
        try:
            await self.send("response.created", response=self._response)
            while sent < seconds:
                await self.send_audio(response_id, min(_DELTA, seconds - sent))
                sent += _DELTA
                await asyncio.sleep(max(0.0, start + sent - _LEAD - loop.time()))
            await self.send("response.output_audio.done", **_where(response_id))
            self._talking = None
            await self.hush()
        except ConnectionClosed:
            pass

    async def _stop_talking(self) -> None:
        talking, self._talking = self._talking, None
        if talking is not None:
            talking.cancel()
            await asyncio.wait([talking])


class LoopbackService:
    """Serves sessions on a free port of loopback; use it as ``async with``.

    Args:
        frequencies: The tone of each session, in the order they come; the last for all more.
        reply_seconds: How long an answer to ``response.create`` lasts.

    Attributes:
        sessions: In the order they came.
        welcome: How those who come are met: served, left without any word, or closed on.

    """

    def __init__(
        self, frequencies: Sequence[float] = (1000.0,), *, reply_seconds: float = 600.0
    ) -> None:
        self.sessions: list[ServiceSession] = []
        self.welcome: Literal["serve", "ignore", "close"] = "serve"
        self._frequencies = frequencies
        self._reply_seconds = reply_seconds
        self._came = asyncio.Event()
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await serve(self._serve, "127.0.0.1", 0, compression=None, max_size=None)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """Where the gateway reaches it."""
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}/v1/realtime"

    async def session(self, number: int, *, within: float = 10.0) -> ServiceSession:
        """Return a session by the order in which they came; wait for it if need be."""
        async with asyncio.timeout(within):
            while len(self.sessions) <= number:
                self._came.clear()
                await self._came.wait()
        return self.sessions[number]

    async def _serve(self, socket: ServerConnection) -> None:
        number = min(len(self.sessions), len(self._frequencies) - 1)
        session = ServiceSession(socket, self._frequencies[number], self._reply_seconds)
        self.sessions.append(session)
        self._came.set()
        if self.welcome == "serve":
            await session.run()
        elif self.welcome == "close":
            await session.close(1013, "try again later")
        else:
            async for _ in socket:
                pass


def _where(response_id: str) -> dict[str, Any]:
    item_id = f"item_of_{response_id}"
    return {
        "response_id": response_id,
        "item_id": item_id,
        "output_index": 0,
        "content_index": 0,
    }
