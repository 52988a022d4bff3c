"""What the caller really heard of the agent's answers, on each kind of link.

Where the gateway plays (a WebSocket) its playout ledger says how much of each part went out,
of how much had come.  Where the service plays it says from when to when, and to which
millisecond it cut an item; how much sound there was is then known from the audio tokens it
charges (one for 50 ms), or estimated from the pace of what was heard whole before.
"""

from typing import Final

from ..realtime.events import (
    ConversationItemTruncated,
    OutputAudioBufferCleared,
    OutputAudioBufferStarted,
    OutputAudioBufferStopped,
    ResponseInfo,
)
from .context import Context
from .events import Event, Heard, LinkLost, PlayoutFlushed
from .transcript_items import MS_PER_CHARACTER, Passage, TranscriptItem
from .transcript_order import ItemOrder

__all__ = ["Hearing"]

_MS_PER_TOKEN: Final = 50  # of the agent's sound
_MOST_RESPONSES: Final = 64
_ENOUGH: Final = 40  # characters heard whole that tell a pace


class Hearing:
    """Follows playout, and marks in the items how far they were heard."""

    def __init__(self, context: Context, items: ItemOrder) -> None:
        self._context = context
        self._items = items
        self._started: dict[str, float] = {}  # responses being played, and since when
        self._by_ledger: dict[str, None] = {}  # responses whose cut we know exactly
        self._is_told = False  # playout is told of on this link
        self._characters = self._ms = 0.0  # of what was heard whole

    def handle(self, event: Event) -> None:
        """Take in what is told of playout."""
        match event:
            case OutputAudioBufferStarted():
                self._is_told = True
                self._started.setdefault(event.response_id, self._context.now)
                if len(self._started) > _MOST_RESPONSES:
                    del self._started[next(iter(self._started))]
            case OutputAudioBufferStopped():
                self._finish(event.response_id)
            case OutputAudioBufferCleared():
                self._cut_by_time(event.response_id)
            case PlayoutFlushed():
                for heard in event.items:
                    self._cut_by_ledger(heard)
            case ConversationItemTruncated():
                self._cut_by_service(event)
            case LinkLost() if self._context.transport == "webrtc":
                for response_id in tuple(self._started):  # its sound came over that link
                    self._cut_by_time(response_id)
            case _:
                pass

    def end(self) -> None:
        """The caller is gone: what was not played by now was not heard."""
        for response_id in tuple(self._started):
            self._cut_by_time(response_id)
        for item in self._items if self._is_told else ():
            if not item.is_heard and not item.is_deleted:
                for part in _spoken(item) if item.role == "assistant" else ():
                    part.cut(0, part.total_ms, self._pace)

    def measure(self, response: ResponseInfo) -> None:
        """Learn from a response's usage how much sound it had, where it had one part of it."""
        details = (response.usage or {}).get("output_token_details")
        tokens = details.get("audio_tokens") if isinstance(details, dict) else None
        parts = [part for _, part in self._parts_of(response.id or "")]
        if isinstance(tokens, int) and tokens > 0 and len(parts) == 1 and not parts[0].total_ms:
            parts[0].total_ms = tokens * _MS_PER_TOKEN

    @property
    def _pace(self) -> float:
        return self._ms / self._characters if self._characters >= _ENOUGH else MS_PER_CHARACTER

    def _items_of(self, response_id: str) -> list[TranscriptItem]:
        return [item for item in self._items if response_id and item.response_id == response_id]

    def _parts_of(self, response_id: str) -> list[tuple[TranscriptItem, Passage]]:
        return [(item, part) for item in self._items_of(response_id) for part in _spoken(item)]

    def _finish(self, response_id: str) -> None:
        started = self._started.pop(response_id, None)
        parts = self._parts_of(response_id)
        for item, _ in parts:
            item.is_heard = True
        if started is not None:
            self._characters += sum(len(part.text) for _, part in parts)
            self._ms += (self._context.now - started) * 1000

    def _cut_by_ledger(self, heard: Heard) -> None:
        item = self._items.obtain(heard.item_id, self._context.now, "assistant", heard.response_id)
        self._by_ledger[heard.response_id] = None
        if len(self._by_ledger) > _MOST_RESPONSES:
            del self._by_ledger[next(iter(self._by_ledger))]
        item.is_heard = True
        part = item.passage(heard.content_index)
        part.is_spoken = True
        if heard.sent_ms < heard.received_ms or heard.sent_ms <= 0:
            part.cut(heard.sent_ms, max(heard.received_ms, 1), self._pace)
            part.known = len(part.text)

    def _cut_by_time(self, response_id: str) -> None:
        """Share the time that a response was played for among its parts, in their order."""
        started = self._started.pop(response_id, None)
        if response_id in self._by_ledger:
            return
        left = 0 if started is None else round((self._context.now - started) * 1000)
        for item, part in self._parts_of(response_id):
            if item.is_heard:
                continue  # its end is known better
            item.is_heard = True
            length = part.total_ms or round(len(part.text) * self._pace)
            if left < length or not part.is_final:
                part.cut(left, part.total_ms, self._pace)
            left = max(0, left - length)

    def _cut_by_service(self, event: ConversationItemTruncated) -> None:
        item = self._items.find(event.item_id)
        if item is None or (item.response_id in self._by_ledger and item.response_id):
            return
        item.is_heard = True
        part = item.passage(event.content_index)
        part.is_spoken = True
        part.cut(event.audio_end_ms, part.total_ms, self._pace)


def _spoken(item: TranscriptItem) -> list[Passage]:
    """Return the parts of an item that are sound, in order."""
    parts = (item.passages[index] for index in sorted(item.passages))
    return [part for part in parts if part.is_spoken]
