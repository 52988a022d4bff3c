"""What a session wants of the world: events to send, work to be done elsewhere."""

from dataclasses import dataclass
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..clock import Ids
from ..realtime.events import ErrorDetail, ErrorEvent, ServerEvent, encode
from .agent import Grammar
from .checks import Refused

__all__ = ["Close", "Hear", "Job", "Outbox", "Speak"]

Pcm: TypeAlias = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Speak:
    """Turn a sentence into speech; hand it back with ``spoken``."""

    job: str
    text: str


@dataclass(frozen=True, slots=True)
class Hear:
    """Turn a turn into words; hand them back with ``heard``.  ``pcm`` is int16 at ``rate`` Hz."""

    job: str
    pcm: Pcm
    rate: int
    grammar: Grammar | None


Job: TypeAlias = Speak | Hear


@dataclass(frozen=True, slots=True)
class Close:
    """The session is over: how to close its socket."""

    code: int
    reason: str


class Outbox:
    """Collects what is to go out; names each event."""

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        self.close: Close | None = None
        self._frames: list[bytes] = []
        self._jobs: list[Job] = []

    def new_id(self, prefix: str) -> str:
        """Return an identifier nobody has, such as ``item_…``."""
        return f"{prefix}_{self.ids.token(96)}"

    def emit(self, event: ServerEvent) -> None:
        """Queue an event to the client."""
        named = msgspec.structs.replace(event, event_id=self.new_id("event"))
        self._frames.append(encode(named))

    def refuse(self, refused: Refused, event_id: str | None = None) -> None:
        """Queue the ``error`` that answers a command."""
        detail = ErrorDetail(
            type="invalid_request_error",
            code=refused.code,
            message=refused.message,
            param=refused.param,
            event_id=event_id,
        )
        self.emit(ErrorEvent(error=detail))

    def request(self, job: Job) -> None:
        """Queue work to be done elsewhere."""
        self._jobs.append(job)

    def data_to_send(self) -> list[bytes]:
        """Drain the frames waiting to go out."""
        frames, self._frames = self._frames, []
        return frames

    def jobs(self) -> list[Job]:
        """Drain the work waiting to be done."""
        jobs, self._jobs = self._jobs, []
        return jobs
