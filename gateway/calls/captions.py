"""What caller and agent say, in words as they come: whole where they end, cut where they were.

The agent's words are there before its voice is; where the caller talks over them, the transcript
knows what was heard.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ..control.events import LegEnded, PlayoutFlushed
from ..control.timeline import TimelineEntry
from ..realtime.events import (
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemInputAudioTranscriptionDelta,
    ConversationItemTruncated,
    OutputAudioBufferCleared,
    ResponseDone,
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputAudioTranscriptDone,
)
from .notices import Caption
from .registry import Account

__all__ = ["Captions"]

_MOST_ITEMS: Final = 64  # the latest
_MOST_PARTS: Final = 16  # of one item
_LONGEST: Final = 8_000  # characters of a part


@dataclass(slots=True)
class _Part:
    """One part of an item: what earlier entries say, and what the latest does so far."""

    before: str = ""
    now: str = ""
    entry: TimelineEntry | None = None

    @property
    def text(self) -> str:
        return self.before + self.now


@dataclass(slots=True)
class _Words:
    who: Literal["caller", "agent"]
    parts: dict[int, _Part] = field(default_factory=dict)
    cut: str | None = None  # what was told to have been heard

    @property
    def text(self) -> str:
        texts = (self.parts[index].text.strip() for index in sorted(self.parts))
        return " ".join(text for text in texts if text)


class Captions:
    """The captions of one call."""

    def __init__(self, call_id: str, said: Account | None) -> None:
        self._call_id = call_id
        self._said = said
        self._items: OrderedDict[str, _Words] = OrderedDict()

    def take(self, entry: TimelineEntry, at: float) -> list[Caption]:
        """Return the captions that an entry changes."""
        event: Any = entry.subject
        match event:
            case ConversationItemInputAudioTranscriptionDelta():
                return self._add(entry, "caller", event.delta or "", at)
            case ResponseOutputAudioTranscriptDelta():
                return self._add(entry, "agent", event.delta, at)
            case ConversationItemInputAudioTranscriptionCompleted():
                return self._finish(event, "caller", at)
            case ResponseOutputAudioTranscriptDone():
                return self._finish(event, "agent", at)
            case PlayoutFlushed(items=items) if not items:
                return []
            case PlayoutFlushed() | OutputAudioBufferCleared() | ConversationItemTruncated():
                return self._cut(at)
            case ResponseDone() if event.response.status != "completed":
                return self._cut(at)
            case LegEnded():
                return self._cut(at)
            case _:
                return []

    def _add(
        self, entry: TimelineEntry, who: Literal["caller", "agent"], text: str, at: float
    ) -> list[Caption]:
        """Take in an entry of pieces, which has grown since it was taken in last."""
        event: Any = entry.subject
        words, part = self._part(event.item_id, who, event.content_index)
        if part.entry is not entry:
            part.before, part.entry = part.text, entry
        part.now = text[: max(0, _LONGEST - len(part.before))]
        return self._caption(event.item_id, words, at)

    def _finish(self, event: Any, who: Literal["caller", "agent"], at: float) -> list[Caption]:
        words, part = self._part(event.item_id, who, event.content_index)
        part.before, part.now, part.entry = event.transcript[:_LONGEST] or part.text, "", None
        return self._caption(event.item_id, words, at, is_final=True)

    def _cut(self, at: float) -> list[Caption]:
        """Tell of what the agent said as far as it was heard, where that is less or news."""
        told: list[Caption] = []
        for row in self._said.as_list() if self._said is not None else ():
            words = self._items.get(row["item_id"])
            if words is None or not row.get("is_cut") or row["heard"] == words.cut:
                continue
            words.cut = row["heard"]
            told += self._caption(row["item_id"], words, at, is_final=True)
        return told

    def _caption(
        self, item_id: str, words: _Words, at: float, *, is_final: bool = False
    ) -> list[Caption]:
        """Return what is to be shown; of what was cut nothing more, once it was told."""
        is_cut = words.cut is not None
        if is_cut and not is_final:
            return []
        text = words.text if words.cut is None else words.cut
        one = Caption(
            call_id=self._call_id,
            at=at,
            who=words.who,
            item_id=item_id,
            text=text,
            is_final=is_final,
            is_cut=is_cut,
        )
        return [one]

    def _part(
        self, item_id: str, who: Literal["caller", "agent"], index: int | None
    ) -> tuple[_Words, _Part]:
        words = self._items.get(item_id)
        if words is None:
            words = self._items[item_id] = _Words(who)
            if len(self._items) > _MOST_ITEMS:
                self._items.popitem(last=False)
        index = min(index or 0, _MOST_PARTS - 1)
        return words, words.parts.setdefault(index, _Part())
