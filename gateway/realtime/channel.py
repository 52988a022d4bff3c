"""What every link does with its messages: names, counts and ties them, and ends once."""

import abc
import asyncio
import itertools
from collections import OrderedDict
from typing import Final

import msgspec
import structlog

from ..errors import LinkError
from .commands import ClientEvent, wire_name
from .dialect import GA, Dialect
from .events import ErrorEvent, ServerEvent, Transport, Unknown
from .link import LinkStats, OnClosed, OnEvent

__all__ = ["Channel"]

_REMEMBERED: Final = 256  # commands an error may still be about
_REPEATED: Final = 4  # events among which one that comes again is found


class Channel(abc.ABC):
    """The half of a link that is the same on a socket and on a data channel.

    A kind of link says how a message leaves (``_put``) and how the line is
    cut (``_drop``); it calls :meth:`take` for what came and :meth:`finish` at
    the end.
    """

    transport: Transport

    def __init__(self, *, on_event: OnEvent, on_closed: OnClosed, dialect: Dialect = GA) -> None:
        self.on_event = on_event
        self.on_closed = on_closed
        self.stats = LinkStats()
        self.is_closing = False  # we were told to
        self.is_over = False  # and that, or another end, was told
        self._dialect = dialect
        self._fault: LinkError | None = None  # why we gave up
        self._counter = itertools.count(1)
        self._sent: OrderedDict[str, str] = OrderedDict()  # event_id -> name of the command
        self._latest: dict[str, bytes | bytearray | str] = {}  # event_id -> message

    @property
    def is_live(self) -> bool:
        """Whether anything may still be sent or taken."""
        return not (self.is_closing or self.is_over or self._fault is not None)

    def send(self, command: ClientEvent) -> str:
        """Send a command; returns the ``event_id`` an error about it would carry."""
        event_id = command.event_id
        if event_id is None:
            event_id = f"cmd_{next(self._counter)}"
            command = msgspec.structs.replace(command, event_id=event_id)
        if self.is_live:
            self._remember(event_id, wire_name(command))
            self.stats.commands += 1
            self._put(self._dialect.encode(command))
        return event_id

    def take(self, message: bytes | bytearray | str) -> None:
        """Hand a message of the service to the owner, whatever it is; the same one only once."""
        if self.is_over or self._fault is not None:
            return
        self.stats.events += 1
        try:
            event = self._dialect.decode(message)
            if self._is_repeated(event, message):
                self.stats.duplicates += 1
                return
            self._count(event)
            self.on_event(event)
        except Exception:
            structlog.get_logger().exception("the link failed inside the gateway")
            self.give_up(LinkError("the link failed inside the gateway"))

    def give_up(self, fault: LinkError) -> None:
        """End the link for a fault found on this side, and tell of it in the loop's next turn."""
        if self.is_over or self._fault is not None:
            return
        self._fault = fault
        self._drop(str(fault))
        asyncio.get_running_loop().call_soon(self.finish, fault)

    def finish(self, fault: LinkError | None) -> None:
        """Tell the owner, once, how the link ended; our own fault, or wish, goes before."""
        if self.is_over:
            return
        self.is_over = True
        self.on_closed(None if self.is_closing else self._fault or fault)

    @abc.abstractmethod
    def _put(self, text: bytes) -> None:
        """Send a command, at once or behind those that wait."""

    @abc.abstractmethod
    def _drop(self, reason: str) -> None:
        """Cut the line; it ends soon, whatever the other side does."""

    def _count(self, event: ServerEvent | Unknown) -> None:
        if isinstance(event, Unknown):
            self.stats.unknown_events += 1
            self.stats.malformed_events += bool(event.problem)
        elif isinstance(event, ErrorEvent):
            self._tie(event)

    def _is_repeated(self, event: ServerEvent | Unknown, message: bytes | bytearray | str) -> bool:
        """Whether this is, to the byte, one of the latest; services name each event anew."""
        if isinstance(event, Unknown) or not event.event_id:
            return False
        latest = self._latest
        if latest.get(event.event_id) == message:
            return True
        latest[event.event_id] = message
        if len(latest) > _REPEATED:
            del latest[next(iter(latest))]
        return False

    def _remember(self, event_id: str, name: str) -> None:
        self._sent[event_id] = name
        if len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)

    def _tie(self, event: ErrorEvent) -> None:
        """Count an error, and say which command of ours it is about."""
        self.stats.errors += 1
        name = self._sent.get(event.error.event_id or "")
        if name is not None:
            self.stats.refused_commands += 1
            code = event.error.code or event.error.type
            structlog.get_logger().debug("the service refused a command", command=name, code=code)
