"""The sessions of one service: how each is made, how many there may be, how they end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from ..clock import Clock, Ids
from ..errors import CapacityError
from ..realtime.dialect import Generation
from ..realtime.events import Transport
from .agents.agent import Agent
from .faults import Faults
from .http.secrets import Preset
from .live import LiveSession
from .protocol.session import Limits, Session
from .protocol.sounds import Sound
from .workers import Workers

__all__ = ["Opening", "Sessions"]


@dataclass(frozen=True, slots=True)
class Opening:
    """How a client asks for a session.

    Attributes:
        model: The model, or the deployment, that its address names.
        kind: ``realtime`` or ``transcription``, where no preset says so.
        transport: Who carries the sound.
        dialect: The generation of the protocol it speaks.
        preset: What the session begins with.

    """

    model: str = ""
    kind: str = "realtime"
    transport: Transport = "websocket"
    dialect: Generation = "ga"
    preset: Preset | None = None


class Sessions:
    """Makes sessions and keeps count of them.

    Args:
        make_agent: Makes the agent of each.
        workers: Speak and listen for all of them.
        limits: What each may last and say.
        most: More are refused.
        ids: Names everything.
        faults: What is to go wrong on purpose.
        clock: Monotonic seconds.
        calendar: Unix seconds.

    """

    def __init__(
        self,
        make_agent: Callable[[], Agent],
        workers: Workers,
        limits: Limits,
        *,
        most: int,
        ids: Ids,
        faults: Faults,
        clock: Clock,
        calendar: Clock,
    ) -> None:
        self.workers = workers
        self.clock = clock
        self.calendar = calendar
        self.faults = faults
        self._make_agent = make_agent
        self._limits = limits
        self._most = most
        self._ids = ids
        self._live: dict[LiveSession, None] = {}
        self._left = asyncio.Event()

    def __len__(self) -> int:
        return len(self._live)

    @property
    def live(self) -> tuple[LiveSession, ...]:
        """Those under way."""
        return tuple(self._live)

    @property
    def is_full(self) -> bool:
        """Whether another would be refused."""
        return len(self._live) >= self._most

    def open(
        self, asked: Opening, on_sounds: Callable[[list[Sound]], None] | None = None
    ) -> LiveSession:
        """Make a session; :meth:`running` brings it to life.

        Raises:
            CapacityError: There are too many.
            Refused: The preset cannot be.

        """
        if self.is_full:
            raise CapacityError("Too many sessions.")
        preset = asked.preset
        described = preset.copy() if preset else None
        names_model = described is not None and "model" in described
        now = self.clock()
        session = Session(
            self._make_agent,
            self._ids,
            now=now,
            unix_now=int(self.calendar()),
            model="" if names_model else asked.model,
            kind=preset.kind if preset else asked.kind,
            limits=self._limits,
            transport=asked.transport,
            dialect=asked.dialect,
            preset=described,
        )
        faults = self.faults.of_session(now)
        return LiveSession(session, self.workers, self.clock, on_sounds=on_sounds, faults=faults)

    @contextlib.asynccontextmanager
    async def running(self, live: LiveSession) -> AsyncIterator[None]:
        """Let a session live for as long as the block lasts."""
        self._live[live] = None
        running = asyncio.create_task(live.run(), name=live.session.id)
        try:
            yield
        finally:
            live.end()
            try:
                await running
            finally:
                del self._live[live]
                self._left.set()

    async def close(self, seconds: float) -> None:
        """End every session, and wait at most so long until all are gone."""
        for live in self.live:
            live.end(1001, "the service is going away")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._live:
                    self._left.clear()
                    await self._left.wait()

    def find(self, session_id: str) -> list[LiveSession]:
        """Return the session of that name, all of them for no name."""
        return [each for each in self._live if session_id in ("", each.session.id)]

    def describe(self) -> list[dict[str, Any]]:
        """Return what is worth knowing of each."""
        now = self.clock()
        return [
            {
                "id": each.session.id,
                "transport": each.session.transport,
                "seconds": round(now - each.began, 3),
                "clients": len(each.viewers),
            }
            for each in self._live
        ]
