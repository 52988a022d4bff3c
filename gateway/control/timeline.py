"""Every event and every action of a call with its time: what happened, and a way to see it again.

Deltas of one item that nothing else comes between are one entry: their text joined, their
sound left out, and their count, so that a long call stays small and can still be played
again.  The timeline holds the objects themselves; they become plain data only on export.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec

from ..realtime.commands import CLIENT_EVENTS, Command
from ..realtime.commands import wire_name as command_name
from ..realtime.events import (
    SERVER_EVENTS,
    ConversationItemRetrieved,
    ResponseOutputAudioDelta,
    Unknown,
)
from .actions import Action, Request, SendCommand
from .events import OWN_EVENTS, Event, KeySource, name_of
from .sealed import Sealed

__all__ = ["Decision", "Kind", "Timeline", "TimelineEntry"]

Kind: TypeAlias = Literal["event", "derived", "timer", "request", "action", "decision"]

_LIMIT: Final = 20_000  # entries; what comes later is counted, not kept
_MOST_STREAMS: Final = 256
_LONGEST_TEXT: Final = 4_096  # characters of deltas in one entry
_LONGEST_RAW: Final = 2_000  # of an event that nobody could read
_SOUND: Final = "response.output_audio.delta"
_SECRETS: Final = frozenset({"authorization", "headers", "client_secret"})
_HIDDEN: Final = "…"
_REQUESTS: Final[Mapping[str, type[Any]]] = {cls.__name__: cls for cls in get_args(Request)}


@dataclass(frozen=True, slots=True)
class Decision:
    """Which way was taken: a rule, by where it is written; whether a number not shown was right."""

    about: str
    outcome: str


@dataclass(slots=True)
class TimelineEntry:
    """One thing that happened (``event``, ``derived``, ``timer``, ``request``) or was done.

    An entry for several deltas has their ``count``, and the last came at ``until``.  One for a
    key has its ``sources``: every detector that saw it, the first one first.  One for a request
    tells who it is ``by``; the first of several that were asked for at once says how many
    belong ``together``.
    """

    at: float
    kind: Kind
    name: str
    subject: Event | Request | Decision | None = None
    count: int = 1
    until: float | None = None
    sources: list[KeySource] | None = None
    duration_ms: int | None = None  # that the key was down
    is_ahead: bool = False  # a key that was pressed before it was asked for, and may yet be secret
    by: str = ""
    together: int | None = None

    @property
    def detail(self) -> dict[str, Any]:
        """The fields of the event or action, as plain data."""
        if self.subject is None:
            return {}
        subject = self.subject
        plain = msgspec.to_builtins(
            subject.command if isinstance(subject, SendCommand) else subject, enc_hook=repr
        )
        plain.pop("type", None)
        return {name: _without_secrets(value) for name, value in plain.items()}

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as JSON-ready data."""
        row: dict[str, Any] = {
            "at": self.at,
            "kind": self.kind,
            "name": self.name,
            "detail": self.detail,
            "count": self.count,
        }
        more = {
            "until": self.until,
            "sources": self.sources and list(self.sources),
            "duration_ms": self.duration_ms,
            "by": self.by or None,
            "together": self.together,
        }
        return row | {name: value for name, value in more.items() if value is not None}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> "TimelineEntry":
        """Read back what :meth:`as_dict` wrote."""
        kind, name, detail = row["kind"], row["name"], row["detail"]
        subject = _subject(kind, name, detail)
        return cls(
            row["at"],
            kind,
            name,
            subject,
            row.get("count", 1),
            row.get("until"),
            row.get("sources"),
            row.get("duration_ms"),
            by=row.get("by", ""),
            together=row.get("together"),
        )


class Timeline:
    """The entries of one call in order, bounded; ``dropped`` counts what came after the bound."""

    def __init__(self) -> None:
        self.entries: list[TimelineEntry] = []
        self.dropped = 0
        self._fresh: list[TimelineEntry] | None = None  # None: nobody asks for them
        self._streams: dict[tuple[str, str | None], TimelineEntry] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def watch(self) -> None:
        """Have :meth:`drain` return what comes from now on."""
        self._fresh = []

    def drain(self) -> list[TimelineEntry]:
        """Return what is new since the last call, and entries that more text was added to.

        Sound and timers are nothing new to anybody.
        """
        if not self._fresh:
            return []
        fresh, self._fresh = self._fresh, []
        return fresh

    def as_list(self) -> list[dict[str, Any]]:
        """Return all entries as JSON-ready data."""
        return [entry.as_dict() for entry in self.entries]

    def add_event(self, at: float, event: Event, kind: Kind = "event") -> TimelineEntry:
        """Note an event and return its entry; deltas in a row are one for each item."""
        name = name_of(event)
        if not name.endswith(".delta"):
            entry = TimelineEntry(at, kind, name, _without_sound(event))
            self._add(entry)
            return entry
        key = (name, getattr(event, "item_id", None))  # None: one that could not be read
        known = self._streams.get(key)
        if known is not None and _join(known, event):
            known.count += 1
            known.until = at
            self._show(known)
            return known
        entry = TimelineEntry(at, kind, name, _without_sound(event))
        self._append(entry)
        if len(self._streams) >= _MOST_STREAMS:
            self._streams.clear()
        self._streams[key] = entry
        return entry

    def add_timer(self, at: float) -> None:
        """Note that a timer of the controller ran."""
        self._add(TimelineEntry(at, "timer", "timer"))

    def add_requests(self, at: float, requests: Sequence[Request], by: str) -> None:
        """Note what somebody outside asked for at once, and who."""
        for number, request in enumerate(requests):
            entry = TimelineEntry(at, "request", type(request).__name__, request, by=by)
            entry.together = len(requests) if len(requests) > 1 and not number else None
            self._add(entry)

    def add_action(self, at: float, action: Action) -> None:
        """Note what the call was told to do; a command goes by its name on the wire."""
        name = type(action).__name__
        if isinstance(action, SendCommand):
            name = command_name(action.command)
        self._add(TimelineEntry(at, "action", name, action))

    def add_decision(self, at: float, decision: Decision) -> None:
        """Note what was decided."""
        self._add(TimelineEntry(at, "decision", decision.about, decision))

    def _add(self, entry: TimelineEntry) -> None:
        """Note what may have been done because of the deltas before: they end here."""
        self._streams.clear()
        self._append(entry)

    def _show(self, entry: TimelineEntry) -> None:
        """Keep an entry for whoever watches, once though it is added to again and again."""
        fresh = self._fresh
        if fresh is None or entry.kind == "timer" or entry.name == _SOUND:
            return
        if not fresh or fresh[-1] is not entry:
            fresh.append(entry)

    def _append(self, entry: TimelineEntry) -> None:
        self._show(entry)
        if len(self.entries) >= _LIMIT:
            self.dropped += 1
        else:
            self.entries.append(entry)


def _without_sound(event: Event) -> Event:
    """Return the event as it is kept: sound, and what cannot be read, take too much room."""
    if isinstance(event, Unknown):
        return msgspec.structs.replace(event, raw=_legible(event))
    if isinstance(event, ResponseOutputAudioDelta):
        return msgspec.structs.replace(event, delta=b"")
    if isinstance(event, ConversationItemRetrieved) and event.item.content:
        silent = [msgspec.structs.replace(part, audio=None) for part in event.item.content]
        return msgspec.structs.replace(
            event, item=msgspec.structs.replace(event.item, content=silent)
        )
    return event


def _legible(event: Unknown) -> str:
    """Return what came, as far as it is text that may be kept: neither sound nor a session."""
    if "audio" in event.type or event.type.startswith("session."):
        return ""
    raw = event.raw[:_LONGEST_RAW]
    return raw.decode(errors="replace") if isinstance(raw, bytes) else raw


def _without_secrets(value: Any) -> Any:
    """Return plain data without what opens doors: the keys of tools' servers, client secrets."""
    if isinstance(value, list):
        return [_without_secrets(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _HIDDEN if name in _SECRETS and one else _without_secrets(one)
        for name, one in value.items()
    }


def _join(entry: TimelineEntry, event: Event) -> bool:
    """Add the text of a delta to an entry; tell whether there was room for it."""
    more = getattr(event, "delta", None)
    if not isinstance(more, str):
        return True
    text = (getattr(entry.subject, "delta", None) or "") + more
    if len(text) > _LONGEST_TEXT:
        return False
    entry.subject = msgspec.structs.replace(entry.subject, delta=text)  # type: ignore[type-var]
    return True


def _unseal(kind: type, shown: object) -> Sealed:
    """Return what is left of something sealed: nothing."""
    del kind, shown
    return Sealed()


def _subject(kind: Kind, name: str, detail: Mapping[str, Any]) -> Any:
    if kind == "timer":
        return None
    if kind == "decision":
        return msgspec.convert(detail, Decision)
    if kind in ("request", "action"):
        if name in CLIENT_EVENTS:
            command: Command = msgspec.convert({**detail, "type": name}, CLIENT_EVENTS[name])
            return SendCommand(command)  # type: ignore[arg-type]
        return msgspec.convert(detail, _REQUESTS[name], dec_hook=_unseal)
    if name in OWN_EVENTS:
        return msgspec.convert(detail, OWN_EVENTS[name])
    if name in SERVER_EVENTS:
        return msgspec.convert({**detail, "type": name}, SERVER_EVENTS[name])
    return Unknown(type=name, raw=detail.get("raw", ""), problem=detail.get("problem", ""))
