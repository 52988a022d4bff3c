"""Every event and every action of a call with its time: what happened, and a way to see it again.

Streams of deltas are kept as their first piece and a count, so that a long call stays
small.  The timeline holds the objects themselves; they become plain data only on export.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec

from ..realtime.commands import CLIENT_EVENTS, Command
from ..realtime.commands import wire_name as command_name
from ..realtime.events import SERVER_EVENTS, ResponseOutputAudioDelta, Unknown
from .actions import Action, Request, SendCommand
from .events import OWN_EVENTS, Event, name_of

__all__ = ["Kind", "Timeline", "TimelineEntry"]

Kind: TypeAlias = Literal["event", "derived", "timer", "request", "action"]

_LIMIT: Final = 20_000  # entries; what comes later is counted, not kept
_REQUESTS: Final[Mapping[str, type[Any]]] = {cls.__name__: cls for cls in get_args(Request)}


@dataclass(slots=True)
class TimelineEntry:
    """One thing that happened (``event``, ``derived``, ``timer``, ``request``) or was done."""

    at: float
    kind: Kind
    name: str
    subject: Event | Request | None = None
    count: int = 1

    @property
    def detail(self) -> dict[str, Any]:
        """The fields of the event or action, as plain data."""
        if self.subject is None:
            return {}
        subject = self.subject
        plain = msgspec.to_builtins(
            subject.command if isinstance(subject, SendCommand) else subject
        )
        plain.pop("type", None)
        return dict(plain)

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as JSON-ready data."""
        return {
            "at": self.at,
            "kind": self.kind,
            "name": self.name,
            "detail": self.detail,
            "count": self.count,
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> "TimelineEntry":
        """Read back what :meth:`as_dict` wrote."""
        kind, name, detail = row["kind"], row["name"], row["detail"]
        return cls(row["at"], kind, name, _subject(kind, name, detail), row.get("count", 1))


class Timeline:
    """The entries of one call in order, bounded; ``dropped`` counts what came after the bound."""

    def __init__(self) -> None:
        self.entries: list[TimelineEntry] = []
        self.dropped = 0
        self._streams: dict[tuple[str, str], TimelineEntry] = {}

    def as_list(self) -> list[dict[str, Any]]:
        """Return all entries as JSON-ready data."""
        return [entry.as_dict() for entry in self.entries]

    def add_event(self, at: float, event: Event, kind: Kind = "event") -> None:
        """Note an event; a delta after the first of its item only raises a count."""
        name = name_of(event)
        if not name.endswith(".delta"):
            self._add(TimelineEntry(at, kind, name, event))
            return
        key = (name, getattr(event, "item_id", ""))
        entry = self._streams.get(key)
        if entry is not None:
            entry.count += 1
            return
        if isinstance(event, ResponseOutputAudioDelta):
            event = msgspec.structs.replace(event, delta=b"")
        if len(self._streams) >= _LIMIT:
            self._streams.clear()
        self._streams[key] = entry = TimelineEntry(at, kind, name, event)
        self._add(entry)

    def add_timer(self, at: float) -> None:
        """Note that a timer of the controller ran."""
        self._add(TimelineEntry(at, "timer", "timer"))

    def add_request(self, at: float, request: Request) -> None:
        """Note what somebody outside asked for."""
        self._add(TimelineEntry(at, "request", type(request).__name__, request))

    def add_action(self, at: float, action: Action) -> None:
        """Note what the call was told to do; a command goes by its name on the wire."""
        name = type(action).__name__
        if isinstance(action, SendCommand):
            name = command_name(action.command)
        self._add(TimelineEntry(at, "action", name, action))

    def _add(self, entry: TimelineEntry) -> None:
        if len(self.entries) >= _LIMIT:
            self.dropped += 1
        else:
            self.entries.append(entry)


def _subject(kind: Kind, name: str, detail: Mapping[str, Any]) -> Any:
    if kind == "timer":
        return None
    if kind in ("request", "action"):
        if name in CLIENT_EVENTS:
            command: Command = msgspec.convert({**detail, "type": name}, CLIENT_EVENTS[name])
            return SendCommand(command)  # type: ignore[arg-type]
        return msgspec.convert(detail, _REQUESTS[name])
    if name in OWN_EVENTS:
        return msgspec.convert(detail, OWN_EVENTS[name])
    if name in SERVER_EVENTS:
        return msgspec.convert({**detail, "type": name}, SERVER_EVENTS[name])
    return Unknown(type=name, problem=detail.get("problem", ""))
