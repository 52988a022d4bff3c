"""The slow work of the service, in a few threads: speech and recognition.

Both are C code that lets other threads run.  What comes when too much is
waiting already is refused at once, so that an overloaded service says so in
place of stalling every call.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from voicecodecs.resample import StreamResampler

from ..errors import CapacityError, ConfigError
from .agents.agent import Grammar
from .agents.cascade import Cascade
from .protocol.outbox import Hear, Speak
from .speech.recognise import RATE
from .speech.voice import Voice

__all__ = ["Listening", "Workers"]

Pcm: TypeAlias = NDArray[np.int16]
_T = TypeVar("_T")

_MOST_WAITING: Final = 100


class Listening(Protocol):
    """A recogniser: one turn at a time."""

    def start(self, grammar: Grammar) -> None:
        """Begin a turn, in which one of the grammar's phrases is expected."""
        ...

    def feed(self, pcm: Pcm) -> None:
        """Take in some of the turn: int16 at 16 kHz."""
        ...

    def finish(self) -> str:
        """End the turn; return the phrase, or ``""``."""
        ...


class Workers:
    """Threads that speak and listen for all sessions of a service.

    Args:
        voice: What speaks; used by several threads at once.
        make_recogniser: Builds a recogniser, or is ``None`` where there is none;
            each thread builds its own, when it first needs it.
        threads: How many; by default one a core, at most four.
        cascade: The models that do some of it elsewhere, where the engine is a cascade.

    """

    def __init__(
        self,
        voice: Voice,
        make_recogniser: Callable[[], Listening] | None,
        threads: int | None = None,
        cascade: Cascade | None = None,
    ) -> None:
        self.cascade = cascade
        count = threads or min(4, os.cpu_count() or 1)
        self._voice = voice
        self._make_recogniser = make_recogniser
        self._own = threading.local()
        self._waiting = 0
        self.refused = 0
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="embedded")

    async def speak(self, job: Speak) -> Pcm:
        """Return the speech of a sentence: int16, 24 kHz.

        Raises:
            CapacityError: Too much is waiting already.
            ConfigError: Nothing here can speak it.

        """
        with self.slot():
            return await self._run(lambda: _join(list(self._voice.speak(job.text))))

    async def hear(self, job: Hear) -> str:
        """Return the words of a turn; none where nothing was understood.

        Raises:
            CapacityError: Too much is waiting already.
            ConfigError: Nothing here can listen.

        """
        if self._make_recogniser is None:
            raise ConfigError("nothing here can listen; pip install 'voice-gateway[local]'")
        with self.slot():
            return await self._run(lambda: self._recognise(job))

    def close(self) -> None:
        """Let the threads end, without waiting for what they do."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    @contextlib.contextmanager
    def slot(self) -> Iterator[None]:
        """Take a place among what is waiting, for as long as the work takes.

        Raises:
            CapacityError: Too much is waiting already.

        """
        if self._waiting >= _MOST_WAITING:
            self.refused += 1
            raise CapacityError("too much is waiting to be spoken or understood")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def _recognise(self, job: Hear) -> str:
        recogniser: Listening | None = getattr(self._own, "recogniser", None)
        if recogniser is None:
            assert self._make_recogniser is not None
            recogniser = self._own.recogniser = self._make_recogniser()
        recogniser.start(job.grammar)
        recogniser.feed(StreamResampler(job.rate, RATE).process(job.pcm))
        return recogniser.finish()


def _join(pieces: list[Pcm]) -> Pcm:
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int16)
