"""One client's connection: a socket, a session and the work it waits for, joined."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from websockets.exceptions import ConnectionClosed

from ..clock import Clock
from ..errors import CapacityError, GatewayError
from ..realtime.items import ErrorDetail
from .outbox import Hear, Job, Speak
from .session import Session
from .workers import Workers

__all__ = ["Connection", "Socket"]

_MOST_UNSENT: Final = 16_000_000  # bytes a client may leave unread


class Socket(Protocol):
    """What a connection needs of a WebSocket."""

    async def recv(self, decode: bool | None = None) -> bytes | str:
        """Return the next message; ``decode=False`` for the bytes of it."""
        ...

    async def send(self, message: bytes, *, text: bool | None = None) -> None:
        """Send one message; ``text`` makes bytes a text frame."""
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye and wait for the other side's."""
        ...


class Connection:
    """Runs one session over one socket until either ends."""

    def __init__(self, socket: Socket, session: Session, workers: Workers, clock: Clock) -> None:
        self._socket = socket
        self._session = session
        self._workers = workers
        self._clock = clock
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._has_news = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve the client; returns when the session is over or the client has gone."""
        async with self._group:
            ends = [self._start(self._read()), self._start(self._write())]
            self._pump()
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in self._tasks:
                    task.cancel()
                if self._timer is not None:
                    self._timer.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                data = await self._socket.recv(decode=False)
                self._session.receive(data, self._clock())
                self._pump()

    async def _write(self) -> None:
        """Send until the session says that it is over."""
        with contextlib.suppress(ConnectionClosed):
            while self._session.close is None or self._unsent:
                while self._unsent:
                    if self._unsent_bytes > _MOST_UNSENT:
                        await self._socket.close(1008, "the client does not read")
                        return
                    frame = self._unsent.popleft()
                    self._unsent_bytes -= len(frame)
                    await self._socket.send(frame, text=True)
                self._has_news.clear()
                if self._session.close is None:
                    await self._has_news.wait()
            await self._socket.close(self._session.close.code, self._session.close.reason)

    def _pump(self) -> None:
        """Collect what the session wants done; sleep until its deadline."""
        for frame in self._session.data_to_send():
            self._unsent.append(frame)
            self._unsent_bytes += len(frame)
        for job in self._session.jobs():
            self._start(self._do(job))
        self._has_news.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._session.deadline
        if deadline is not None:
            delay = max(0.0, deadline - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def _wake(self) -> None:
        self._session.wake(self._clock())
        self._pump()

    async def _do(self, job: Job) -> None:
        if isinstance(job, Hear):
            words = await self._workers.hear(job)
            self._session.heard(job.job, words, self._clock())
        else:
            await self._speak(job)
        self._pump()

    async def _speak(self, job: Speak) -> None:
        try:
            speech = await self._workers.speak(job)
        except GatewayError as error:
            is_full = isinstance(error, CapacityError)
            code = "inference_rate_limit_exceeded" if is_full else "speech_failed"
            problem = ErrorDetail(type="server_error", code=code, message=str(error))
            self._session.unspoken(job.job, problem, self._clock())
        else:
            self._session.spoken(job.job, speech, self._clock())
