"""One session kept going: its work, its timer, and everybody who looks on."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

import structlog

from ..clock import Clock
from .errands import Errands
from .protocol.outbox import Chat, Close, Job, Observer, Speak
from .protocol.session import Session
from .protocol.sounds import Played, Sound
from .session_faults import SessionFaults
from .workers import Workers

__all__ = ["LiveSession", "Viewer"]

_BROKEN: Final = Close(1011, "internal error")


class Viewer(Protocol):
    """One client's connection, as the session it looks at sees it."""

    def news(self) -> None:
        """Look for what is to be sent."""
        ...

    def inject(self, frame: bytes) -> None:
        """Send something the session never said."""
        ...

    def drop(self, code: int, reason: str) -> None:
        """Close this connection, whatever becomes of the session."""
        ...


class LiveSession:
    """Runs a session for its viewers; a fault inside it ends it and nothing else.

    Args:
        session: What to run.
        workers: The threads that speak and listen.
        clock: Monotonic seconds.
        on_sounds: Takes what is to be played, where the service carries the sound.
        faults: What is to go wrong on purpose.

    """

    def __init__(
        self,
        session: Session,
        workers: Workers,
        clock: Clock,
        *,
        on_sounds: Callable[[list[Sound]], None] | None = None,
        faults: SessionFaults | None = None,
    ) -> None:
        self.session = session
        self.clock = clock
        self.faults = faults or SessionFaults()
        self.goodbye: Close | None = None  # how viewers' sockets are closed, once it is over
        self.over = asyncio.Event()
        self.began = clock()
        self._on_sounds = on_sounds
        self._errands = Errands(session, workers, clock, self.pump)
        self._viewers: list[Viewer] = []
        self._group: asyncio.TaskGroup | None = None
        self._jobs: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at: float | None = None  # what the timer is set to

    @property
    def viewers(self) -> tuple[Viewer, ...]:
        """Those who look on."""
        return tuple(self._viewers)

    @property
    def is_stalled(self) -> bool:
        """Whether it is made to say nothing just now."""
        return self.faults.is_stalled(self.clock())

    async def run(self) -> None:
        """Live until the session is over or is ended; nothing of it is left then."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self.pump()
                if self.is_stalled:
                    self.wake_after(self.faults.stalled_until - self.clock())
                await self.over.wait()
                for job in self._jobs:
                    job.cancel()
        finally:
            self._group = None
            if self._timer is not None:
                self._timer.cancel()
            await self._errands.close()

    def end(self, code: int = 1000, reason: str = "") -> None:
        """Close every viewer's socket and stop; the first call counts."""
        self._end(Close(code, reason))

    def join(self, viewer: Viewer) -> None:
        """Let a viewer look on."""
        self._viewers.append(viewer)
        viewer.news()

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer."""
        if viewer in self._viewers:
            self._viewers.remove(viewer)

    def receive(self, data: bytes | str, observer: Observer | None) -> None:
        """Take in a command of one of the viewers."""
        with self._guarded():
            self.session.receive(data, self.clock(), observer)
        self.pump()

    def hear(self, pcm: bytes) -> None:
        """Take in what the caller says, where the service carries the sound."""
        with self._guarded():
            self.session.hear(pcm, self.clock())
        self.pump()

    def played(self, events: list[Played]) -> None:
        """Take in what the player did with the sounds."""
        with self._guarded():
            for event in events:
                self.session.played(event, self.clock())
        self.pump()

    def key(self, key: str, unix_now: int) -> None:
        """Take in a key that the caller pressed, where the service hears it."""
        with self._guarded():
            self.session.key(key, unix_now)
        self.pump()

    def pump(self) -> None:
        """Collect what the session wants done; sleep until its deadline."""
        if self._group is not None and not self.over.is_set():
            with self._guarded():
                self._pump(self._group)

    def _pump(self, group: asyncio.TaskGroup) -> None:
        for job in self.session.jobs():
            task = group.create_task(self._do(job))
            self._jobs.add(task)
            task.add_done_callback(self._jobs.discard)
        if self._on_sounds is not None and not self.is_stalled:
            sounds = self.session.sounds()
            if sounds:
                self._on_sounds(sounds)
        if self.session.close is not None:
            self._end(self.session.close)
            return
        for viewer in self._viewers:
            viewer.news()
        self._arm()

    def wake_after(self, seconds: float) -> None:
        """Look again then: a stall may be over."""
        if not self.over.is_set():
            asyncio.get_running_loop().call_later(seconds, self.pump)

    def _end(self, goodbye: Close) -> None:
        if self.goodbye is None:
            self.goodbye = goodbye
            self.over.set()
            for viewer in self.viewers:
                viewer.news()

    def _arm(self) -> None:
        """Set the timer to the session's deadline; most news leave it where it was."""
        deadline = self.session.deadline
        if deadline == self._wakes_at:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wakes_at = deadline
        if deadline is not None:
            delay = max(0.0, deadline - self.clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def _wake(self) -> None:
        self._timer = self._wakes_at = None
        with self._guarded():
            self.session.wake(self.clock())
        self.pump()

    async def _do(self, job: Job) -> None:
        problem = self.faults.failure(self.clock())
        with self._guarded():
            match job:
                case Speak() if problem is not None:
                    self.session.unspoken(job.job, problem, self.clock())
                case Chat() if problem is not None:
                    self.session.unthought(job.job, problem, self.clock())
                case _:
                    await self._errands.run(job)
        self.pump()

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[Any]:
        try:
            yield
        except Exception:
            structlog.get_logger().exception("fault inside a session of the embedded service")
            self._end(_BROKEN)
