"""A link joins a call to the realtime service; three kinds, one interface."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from ..errors import LinkError
from .commands import ClientEvent
from .events import ServerEvent, Transport, Unknown

__all__ = ["Link", "LinkStats", "OnClosed", "OnEvent"]

OnEvent: TypeAlias = Callable[[ServerEvent | Unknown], None]
OnClosed: TypeAlias = Callable[[LinkError | None], None]


@dataclass(slots=True)
class LinkStats:
    """What went over a link.

    ``errors`` counts the service's ``error`` events; ``refused_commands`` those of them that
    name a command of ours.  ``duplicates`` came twice, to the byte, and were handed on once.
    ``reconnects``: how often a lost socket was replaced by another to the same call.
    """

    events: int = 0
    unknown_events: int = 0
    malformed_events: int = 0
    duplicates: int = 0
    errors: int = 0
    refused_commands: int = 0
    commands: int = 0
    reconnects: int = 0
    audio_bytes: int = 0
    dropped_audio_bytes: int = 0


class Link(Protocol):
    """The connection to the service, as the call sees it.

    ``on_event`` is called with every event in order, on the loop;
    ``on_closed`` once, with ``None`` where we ended it ourselves.
    ``transport`` says which of the 47 events the service itself sends here.
    """

    transport: Transport
    on_event: OnEvent
    on_closed: OnClosed
    stats: LinkStats

    async def connect(self) -> None:
        """Reach the service.

        Raises:
            LinkError: It cannot be reached or refuses us.

        """
        ...

    def send(self, command: ClientEvent) -> str:
        """Queue a command; returns the ``event_id`` an error about it would carry."""
        ...

    def append(self, chunk: bytes) -> None:
        """Queue some of the caller's audio, in the session's input format.

        Nothing is sent where the service itself holds the call.
        """
        ...

    async def close(self) -> None:
        """End the connection and wait until it is over."""
        ...
