"""What lasts for a while beside the talk: menus, holds, transfers, outages, what is private."""

from collections.abc import Iterable, Sequence
from typing import Final

from .record import Entry
from .shapes import Key, Mark, Span

__all__ = ["interventions_of", "keys_of", "spans_of"]

_KEY: Final = "input_audio_buffer.dtmf_event_received"
_MOST: Final = 2000
_LONGEST: Final = 300  # characters of what somebody did
_MODES: Final = {
    "listen": "listens",
    "speak": "speaks with the caller",
    "takeover": "took over",
    "leave": "left",
}
_OUTCOMES: Final = {"failed": "came to nothing", "closed": "left"}


def keys_of(entries: Iterable[Entry]) -> list[Key]:
    """Return the keys that the caller pressed, each once."""
    keys = [
        Key(
            at=round(entry.at, 3),
            key=entry.text("event"),
            sources=entry.sources or (["service"] if entry.kind == "event" else []),
            duration_ms=entry.duration_ms,
        )
        for entry in entries
        if entry.name == _KEY and entry.text("event") and not entry.text("event").startswith("(")
    ]
    return keys[:_MOST]


def interventions_of(entries: Iterable[Entry]) -> list[Mark]:
    """Return what people did to the call, in words, and who they were."""
    marks = [
        Mark(at=round(entry.at, 3), who=_who(entry), did=did[:_LONGEST])
        for entry in entries
        if _who(entry) and (did := _did(entry))
    ]
    return marks[:_MOST]


def _who(entry: Entry) -> str:
    """Return the person that an entry is of, empty where it is nobody's."""
    return entry.by or (entry.text("by") if entry.name == "supervision.changed" else "")


def _did(entry: Entry) -> str:
    """Say what somebody did; nothing where another entry says what came of it."""
    match entry.name:
        case "supervision.changed":
            mode = entry.text("mode")
            gives_back = mode != "takeover" and entry.text("before") == "takeover"
            return "gave the call back" if gives_back else _MODES.get(mode, mode)
        case "Supervise" | "Stop":
            return ""
        case "Whisper":
            return f"whispered: {entry.text('text')}"
        case "Say":
            return f"had the agent say: {entry.text('text')}"
        case "Respond":
            return "had the agent answer"
        case "Transfer":
            return f"transferred the caller to {entry.text('target') or entry.text('profile')}"
        case "HangUp":
            return "hung up"
        case name:
            told = ", ".join(str(value) for value in entry.detail.values() if value)
            return f"asked for {name}{': ' if told else ''}{told}"


def spans_of(entries: Sequence[Entry], end: float) -> list[Span]:
    """Return everything that lasts, in the order in which it began."""
    found: list[Span] = []
    open_: dict[str, tuple[float, str]] = {}
    for entry in entries:
        for kind, label in _begun(entry):
            open_.setdefault(kind, (entry.at, label))
        for kind, more in _ended(entry):
            if kind in open_:
                found.append(_span(kind, *open_.pop(kind), entry.at, more))
    found += [_span(kind, start, label, end, "") for kind, (start, label) in open_.items()]
    return sorted(found, key=lambda span: span.start)[:_MOST]


def _span(kind: str, start: float, label: str, end: float, more: str) -> Span:
    words = f"{label}: {more}" if label and more else label or more
    return Span(start=round(start, 3), end=round(max(start, end), 3), kind=kind, label=words)


def _begun(entry: Entry) -> list[tuple[str, str]]:
    """Return what begins with an entry, with its words."""
    match entry.name:
        case "menu.opened":
            return [("menu", entry.text("name"))]
        case "leg.held" if entry.detail.get("is_held") is True:
            return [("hold", "on hold by the caller")]
        case "Hold":
            return [("hold", "on hold")]
        case "Refer":
            return [("transfer", f"to {entry.text('target')}")]
        case "CallOut":
            return [("transfer", f"calling {entry.text('target')}")]
        case "callee.answered":
            return [("callee", "second leg")]
        case "link.lost":
            return [("outage", entry.text("reason"))]
        case "Conceal" if entry.detail.get("is_on") is True:
            return [("private", "kept from the service and the recording")]
        case _:
            return []


def _ended(entry: Entry) -> list[tuple[str, str]]:
    """Return what ends with an entry, with what is to be said of its end."""
    match entry.name:
        case "menu.closed":
            keys, outcome = entry.text("keys"), entry.text("outcome")
            return [("menu", f"pressed {keys}" if keys else _OUTCOMES.get(outcome, outcome))]
        case "leg.held" if entry.detail.get("is_held") is False:
            return [("hold", "")]
        case "Resume":
            return [("hold", "")]
        case "transfer.ended":
            is_accepted = entry.detail.get("is_accepted") is True
            return [("transfer", "taken over" if is_accepted else "came to nothing")]
        case "callee.answered":
            return [("transfer", "answered")]
        case "callee.ended":
            return [("transfer", "not answered"), ("callee", "")]
        case "link.ready":
            return [("outage", "")]
        case "Conceal" if entry.detail.get("is_on") is False:
            return [("private", "")]
        case _:
            return []
