"""The work a session asks for, done outside it and handed back."""

from collections.abc import Callable

from ..clock import Clock
from ..errors import CapacityError, GatewayError
from ..realtime.items import ErrorDetail
from .outbox import Hear, Job, Speak
from .session import Session
from .workers import Workers

__all__ = ["Errands"]


class Errands:
    """Runs the jobs of one session: each in a task of the owner's.

    Args:
        session: Whose jobs they are.
        workers: The threads that speak and listen for every session.
        clock: Monotonic seconds.
        on_news: Called whenever the session may have something to send.

    """

    def __init__(
        self, session: Session, workers: Workers, clock: Clock, on_news: Callable[[], None]
    ) -> None:
        self._session = session
        self._workers = workers
        self._clock = clock
        self._on_news = on_news

    async def run(self, job: Job) -> None:
        """Do a job and hand its outcome to the session; what goes wrong is an outcome too."""
        match job:
            case Speak():
                await self._speak(job)
            case Hear():
                await self._hear(job)
        self._on_news()

    async def close(self) -> None:
        """Let go of whatever was opened for the session."""

    async def _speak(self, job: Speak) -> None:
        try:
            speech = await self._workers.speak(job)
        except GatewayError as error:
            self._session.unspoken(job.job, _problem(error, "speech_failed"), self._clock())
        else:
            self._session.spoken(job.job, speech, self._clock())

    async def _hear(self, job: Hear) -> None:
        try:
            words = await self._workers.hear(job)
        except GatewayError as error:
            problem = _problem(error, "transcription_failed", "transcription_error")
            self._session.unheard(job.job, problem, self._clock())
        else:
            self._session.heard(job.job, words, self._clock())


def _problem(error: GatewayError, code: str, kind: str = "server_error") -> ErrorDetail:
    """Return what a session tells its client of an error; too much work is not a fault."""
    if isinstance(error, CapacityError):
        code = "inference_rate_limit_exceeded"
    return ErrorDetail(type=kind, code=code, message=str(error))
