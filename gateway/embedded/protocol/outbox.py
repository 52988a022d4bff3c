"""What a session wants of the world: events to send, work to be done elsewhere."""

from dataclasses import dataclass
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...clock import Ids
from ...realtime.dialect import Dialect, Generation, dialect_of
from ...realtime.events import (
    ErrorDetail,
    ErrorEvent,
    InputAudioBufferDtmfEventReceived,
    ServerEvent,
)
from ..agents.agent import Grammar
from ..agents.chat import ChatRequest
from .checks import Refused
from .mcp_server import McpServer

__all__ = ["CallMcp", "Chat", "Close", "Hear", "Job", "ListTools", "Observer", "Outbox", "Speak"]

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
    grammar: Grammar


@dataclass(frozen=True, slots=True)
class ListTools:
    """Ask an MCP server for its tools; hand them back with ``listed``, else say ``unlisted``."""

    job: str
    server: McpServer


@dataclass(frozen=True, slots=True)
class CallMcp:
    """Call a tool of an MCP server; ``arguments`` is JSON.  Answered with ``tool_returned``."""

    job: str
    server: McpServer
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Chat:
    """Ask a chat model; hand each piece to ``thought``, and a failure to ``unthought``."""

    job: str
    request: ChatRequest


Job: TypeAlias = Speak | Hear | ListTools | CallMcp | Chat


@dataclass(frozen=True, slots=True)
class Close:
    """The session is over: how to close its socket."""

    code: int
    reason: str


class Observer:
    """One client's view of a session: what it has still to be sent, in its own words."""

    def __init__(self, generation: Generation = "ga") -> None:
        self.dialect: Generation = generation
        self.wire: Dialect = dialect_of(generation)
        self._frames: list[bytes] = []

    @property
    def is_preview(self) -> bool:
        """Whether it speaks the older generation."""
        return self.dialect == "preview"

    def add(self, frame: bytes) -> None:
        """Queue a frame."""
        self._frames.append(frame)

    def data_to_send(self) -> list[bytes]:
        """Drain the frames waiting to go out."""
        frames, self._frames = self._frames, []
        return frames


class Outbox:
    """Collects what is to go out, for every client that looks on; names each event."""

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        self.close: Close | None = None
        self._observers: list[Observer] = []
        self._jobs: list[Job] = []

    def attach(self, observer: Observer) -> None:
        """Let a client see what happens from here on."""
        self._observers.append(observer)

    def detach(self, observer: Observer) -> None:
        """Forget a client."""
        if observer in self._observers:
            self._observers.remove(observer)

    def new_id(self, prefix: str) -> str:
        """Return an identifier nobody has, such as ``item_…``."""
        return f"{prefix}_{self.ids.token(96)}"

    def emit(self, event: ServerEvent, to: Observer | None = None) -> None:
        """Queue an event to every client, or to one.

        A key pressed is the one event that has no ``event_id``.
        """
        if not isinstance(event, InputAudioBufferDtmfEventReceived):
            event = msgspec.structs.replace(event, event_id=self.new_id("event"))
        observers = self._observers if to is None else [to]
        frames = {each.dialect: each.wire.encode_event(event) for each in observers}
        for observer in observers:
            if frame := frames[observer.dialect]:  # else its generation has no such event
                observer.add(frame)

    def refuse(
        self, refused: Refused, event_id: str | None = None, to: Observer | None = None
    ) -> None:
        """Queue the ``error`` that answers a command, to the client that sent it."""
        detail = ErrorDetail(
            type="invalid_request_error",
            code=refused.code,
            message=refused.message,
            param=refused.param,
            event_id=event_id,
        )
        self.emit(ErrorEvent(error=detail), to)

    def request(self, job: Job) -> None:
        """Queue work to be done elsewhere."""
        self._jobs.append(job)

    def jobs(self) -> list[Job]:
        """Drain the work waiting to be done."""
        jobs, self._jobs = self._jobs, []
        return jobs
