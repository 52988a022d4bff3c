"""Who speaks when: the spans of each speaker's lane, and where the agent was cut short."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from .record import Entry
from .shapes import Interruption, LaneName, Line, Span

__all__ = ["interruptions_of", "spans_by_lane"]

_STARTED: Final = "input_audio_buffer.speech_started"
_STOPPED: Final = "input_audio_buffer.speech_stopped"
_KEY: Final = "input_audio_buffer.dtmf_event_received"
_PLAYS: Final = "output_audio_buffer.started"
_ENDS: Final = ("output_audio_buffer.stopped", "output_audio_buffer.cleared")
_LONGEST_NOTICE: Final = 3.0  # seconds from speech to the service's word of it; more is no clock
_CAUSE: Final = 1.0  # seconds before a cut in which its cause is looked for
_MOST: Final = 2000  # spans of a kind


@dataclass(slots=True)
class _Spans:
    """Spans as they are found: one open at a time for each name."""

    end: float
    found: list[Span] = field(default_factory=list)
    _open: dict[str, tuple[float, str]] = field(default_factory=dict)

    def open(self, name: str, at: float, label: str = "") -> None:
        if len(self._open) < _MOST:
            self._open.setdefault(name, (at, label))

    def close(self, kind: str, name: str, at: float, *, is_cut: bool = False) -> None:
        known = self._open.pop(name, None)
        if known is not None and len(self.found) < _MOST:
            start, label = known
            span = Span(
                start=round(start, 3),
                end=round(max(start, at), 3),
                kind=kind,
                label=label,
                id=name,
                is_cut=is_cut,
            )
            self.found.append(span)

    def settle(self, kind: str) -> list[Span]:
        """End what is still open with the call."""
        for name in tuple(self._open):
            self.close(kind, name, self.end)
        return sorted(self.found, key=lambda span: span.start)


def spans_by_lane(
    entries: Sequence[Entry], end: float, words: Mapping[str, str]
) -> dict[LaneName, list[Span]]:
    """Return the spans of every speaker; ``words`` are what was said in each response."""
    voices = _voices(entries, end)
    lanes: dict[LaneName, list[Span]] = {
        "caller": [*_speech(entries, end), *voices["caller"]],
        "agent": [*_playout(entries, end, words), *_prompts(entries, end)],
        "callee": voices["callee"],
        "supervisor": _supervision(entries, end),
    }
    return lanes


def _speech(entries: Sequence[Entry], end: float) -> list[Span]:
    """Return the caller's speech as the service heard it, where it was on our axis.

    The service counts the sound it was sent; when that count began is told by its own words,
    which come no sooner than what they are about.
    """
    begins = _clocks(entries)
    spans, session = _Spans(end), 0
    for entry in entries:
        if entry.name == "link.ready":
            session += 1
        elif entry.name == _STARTED:
            told = entry.number("audio_start_ms")
            at = entry.at if told is None else begins.get(session, entry.at) + told / 1000
            known = entry.at - _LONGEST_NOTICE <= at <= entry.at
            spans.open(entry.text("item_id"), max(0.0, at if known else entry.at))
        elif entry.name == _STOPPED:
            spans.close("speech", entry.text("item_id"), entry.at)
        elif entry.name == "input_audio_buffer.cleared":
            spans.settle("speech")
    return spans.settle("speech")


def _clocks(entries: Iterable[Entry]) -> dict[int, float]:
    """Return when each session's count of sound began, as near as can be told."""
    begins: dict[int, float] = {}
    session = 0
    for entry in entries:
        if entry.name == "link.ready":
            session += 1
        told = {_STARTED: "audio_start_ms", _STOPPED: "audio_end_ms"}.get(entry.name)
        count = entry.number(told) if told else None
        if count is not None:
            begun = entry.at - count / 1000
            begins[session] = min(begun, begins.get(session, begun))
    return begins


def _voices(entries: Iterable[Entry], end: float) -> dict[Literal["caller", "callee"], list[Span]]:
    """Return who was heard to speak by the gateway itself."""
    caller, callee = _Spans(end), _Spans(end)
    legs = {"caller": caller, "callee": callee}
    for entry in entries:
        spans = legs.get(entry.text("leg") or "caller")
        if spans is not None and entry.name == "voice.started":
            spans.open("", entry.at)
        elif spans is not None and entry.name == "voice.stopped":
            spans.close("voice", "", entry.at)
    return {"caller": caller.settle("voice"), "callee": callee.settle("voice")}


def _playout(entries: Iterable[Entry], end: float, words: Mapping[str, str]) -> list[Span]:
    """Return when each response was heard by the caller."""
    spans = _Spans(end)
    for entry in entries:
        response = entry.text("response_id")
        if entry.name == _PLAYS:
            spans.open(response, entry.at, words.get(response, ""))
        elif entry.name in _ENDS:
            spans.close("playout", response, entry.at, is_cut=entry.name == _ENDS[1])
    return spans.settle("playout")


def _prompts(entries: Iterable[Entry], end: float) -> list[Span]:
    """Return when sounds from files and tones were heard."""
    spans = _Spans(end)
    for entry in entries:
        if entry.name == "Play":
            spans.open(entry.text("prompt"), entry.at, entry.text("prompt"))
        elif entry.name == "prompt.stopped":
            is_cut = entry.detail.get("is_complete") is False
            spans.close("prompt", entry.text("prompt_id"), entry.at, is_cut=is_cut)
    return spans.settle("prompt")


def _supervision(entries: Iterable[Entry], end: float) -> list[Span]:
    """Return who was there beside the caller and the agent, and what they did."""
    spans, modes = _Spans(end), dict[str, str]()
    for entry in entries:
        if entry.name == "supervision.changed":
            who = entry.text("supervisor")
            spans.close(entry.text("before"), who, entry.at)
            if entry.text("mode") != "leave":
                spans.open(who, entry.at, entry.text("by"))
            modes[who] = entry.text("mode")
    for who, mode in modes.items():
        spans.close(mode, who, end)
    return spans.settle("")


def interruptions_of(entries: Sequence[Entry], lines: Iterable[Line]) -> list[Interruption]:
    """Return where the agent fell silent before its time, why, and what was heard till then."""
    heard = {line.item_id: line.heard for line in lines if line.who == "agent"}
    cuts: dict[str, Entry] = {}
    for entry in entries:
        if entry.name in ("conversation.item.truncate", "conversation.item.truncated"):
            cuts.setdefault(entry.text("item_id"), entry)
    items: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        if entry.name == "response.output_item.added":
            item = entry.detail.get("item")
            named = item.get("id") if isinstance(item, dict) else None
            items[entry.text("response_id")].append(named if isinstance(named, str) else "")
    found = []
    for number, entry in enumerate(entries):
        if entry.name != _ENDS[1]:
            continue
        at, by = _cause(entries, number)
        item_id = next((one for one in items[entry.text("response_id")] if one in cuts), "")
        ms = cuts[item_id].number("audio_end_ms") if item_id else None
        found.append(
            Interruption(
                at=round(at, 3),
                silent_at=round(entry.at, 3),
                by=by,
                item_id=item_id,
                heard_ms=None if ms is None else round(ms),
                heard=heard.get(item_id, ""),
            )
        )
    return found[:_MOST]


def _cause(
    entries: Sequence[Entry], number: int
) -> tuple[float, Literal["speech", "key", "gateway"]]:
    """Return when whatever had the agent cut short at this entry was noticed, and what it was."""
    cut_at = entries[number].at
    for place in range(number - 1, -1, -1):
        entry = entries[place]
        if entry.at < cut_at - _CAUSE:
            break
        if entry.name == _STARTED:
            return entry.at, "speech"
        if entry.name == _KEY:
            return entry.at, "key"
        if entry.kind == "request":
            return entry.at, "gateway"
    return cut_at, "gateway"
