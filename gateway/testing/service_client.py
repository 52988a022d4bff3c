"""A client of an embedded session that lives in virtual time: no socket, no thread, no wait."""

from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..clock import CountedIds
from ..embedded.agents.agent import Agent
from ..embedded.protocol.outbox import Hear, Job, Speak
from ..embedded.protocol.session import Limits, Session
from ..realtime import commands
from ..realtime.dialect import Generation, dialect_of
from ..realtime.events import Event, ServerEvent, Transport, Unknown, wire_name
from ..realtime.items import ErrorDetail

__all__ = ["ServiceClient"]

Pcm: TypeAlias = NDArray[np.int16]
_E = TypeVar("_E", bound=Event)


class ServiceClient:
    """Drives one session: sends commands, does its work at once, moves its clock.

    Args:
        make_agent: Makes the agent that answers.
        words: What each turn is understood to say.
        speech_ms: How long a spoken sentence lasts.
        unable: Why nothing can be spoken, or ``None``.
        kind: ``realtime`` or ``transcription``.
        limits: What the session may last, and how fast it speaks.
        transport: Who carries the sound.
        model: The model it asks for.
        dialect: The generation it speaks; ``raw`` holds the frames as they came.

    """

    def __init__(
        self,
        make_agent: Callable[[], Agent],
        *,
        words: Iterator[str] | None = None,
        speech_ms: int = 1000,
        unable: ErrorDetail | None = None,
        kind: str = "realtime",
        limits: Limits | None = None,
        transport: Transport = "websocket",
        dialect: Generation = "ga",
        model: str = "",
    ) -> None:
        self.now = 0.0
        self.events: list[ServerEvent] = []
        self.raw: list[bytes] = []
        self.said: list[str] = []
        self.work_waits = False
        self._words = words
        self._speech = np.zeros(24 * speech_ms, np.int16)
        self._unable = unable
        self._waiting: list[Job] = []
        self.session = Session(
            make_agent,
            CountedIds(),
            now=0.0,
            unix_now=1000,
            model=model,
            kind=kind,
            limits=limits,
            transport=transport,
            dialect=dialect,
        )
        self._dialect = dialect_of(dialect)
        self.settle()

    @property
    def names(self) -> list[str]:
        """The wire names of what came, in order."""
        return [wire_name(event) for event in self.events]

    def take(self) -> list[str]:
        """Return the wire names of what came, and forget it."""
        names = self.names
        self.events.clear()
        return names

    def all(self, kind: type[_E]) -> list[_E]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def last(self, kind: type[_E]) -> _E:
        """Return the latest event of one kind."""
        return self.all(kind)[-1]

    def send(self, command: commands.ClientEvent) -> None:
        """Send a command."""
        self.send_raw(commands.encode(command))

    def send_raw(self, data: bytes | str) -> None:
        """Send whatever it is."""
        self.session.receive(data, self.now)
        self.settle()

    def feed(self, audio: bytes, bytes_per_ms: int = 48) -> None:
        """Send audio in real time, 20 ms at a time."""
        size = 20 * bytes_per_ms
        for start in range(0, len(audio), size):
            self.sleep(0.02)
            self.send(commands.InputAudioBufferAppend(audio=audio[start : start + size]))

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while (due := self.session.deadline) is not None and due <= end:
            self.now = max(self.now, due)
            self.session.wake(self.now)
            self.settle()
        self.now = end

    def take_waiting(self) -> list[Job]:
        """Take over the work that was left waiting."""
        jobs, self._waiting = self._waiting, []
        return jobs

    def work(self) -> None:
        """Do the work that was left waiting."""
        for job in self.take_waiting():
            self._do(job)
        self.settle()

    def settle(self) -> None:
        """Do the session's work, and read what it sends."""
        while jobs := self.session.jobs():
            if self.work_waits:
                self._waiting += jobs
            else:
                for job in jobs:
                    self._do(job)
        for frame in self.session.data_to_send():
            self.raw.append(frame)
            event = self._dialect.decode(frame)
            assert not isinstance(event, Unknown), event
            self.events.append(event)

    def _do(self, job: Job) -> None:
        match job:
            case Hear():
                words = next(self._words, "") if self._words else ""
                self.session.heard(job.job, words, self.now)
            case Speak() if self._unable is not None:
                self.session.unspoken(job.job, self._unable, self.now)
            case Speak():
                self._speak(job)
            case _:
                self._waiting.append(job)  # nobody but the test knows what comes of it

    def _speak(self, job: Speak) -> None:
        self.said.append(job.text)
        self.session.spoken(job.job, self._speech, self.now)
