"""The items of a conversation in their order, however they come, and bounded.

The service names the predecessor of most items; an item that is heard of before its
predecessor is put behind the last one, and the predecessor before it when it comes.  What the
gateway itself puts into the conversation is known before the service has a name for it, and
what it puts in again, into a new session, is known already: both are recognised by their
content when the service echoes them.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from ..realtime.events import Item
from .transcript_items import TranscriptItem

__all__ = ["ItemOrder", "signature"]

_MOST_ITEMS: Final = 1_000
_MOST_CHARACTERS: Final = 200_000
_MOST_AWAITED: Final = 256
_MOST_NAMES: Final = 4_000

Signature: TypeAlias = tuple[str, str, str, str]


def signature(item: Item | Mapping[str, Any]) -> Signature:
    """Return what an item of ours and its echo have in common: type, role, call, words."""
    if isinstance(item, Item):
        return item.type, item.role or "", item.call_id or "", item.transcript
    texts = [part.get("text") or "" for part in item.get("content") or ()]
    words = " ".join(text for text in texts if text)
    return item.get("type", ""), item.get("role", ""), item.get("call_id", ""), words


class ItemOrder:
    """What a transcript holds; ``dropped`` counts the oldest, gone for want of room."""

    def __init__(self) -> None:
        self.dropped = 0
        self._items: dict[str, TranscriptItem] = {}
        self._order: list[str] = []
        self._names: dict[str, str] = {}  # the service's name for what we knew under another
        self._followers: dict[str, str] = {}  # predecessor not yet seen -> who waits behind it
        self._awaited: deque[tuple[Signature, str]] = deque(maxlen=_MOST_AWAITED)
        self._characters = 0

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[TranscriptItem]:
        return (self._items[item_id] for item_id in self._order)

    def __reversed__(self) -> Iterator[TranscriptItem]:
        return (self._items[item_id] for item_id in reversed(self._order))

    def find(self, item_id: str) -> TranscriptItem | None:
        """Return the item of this name, if it is known."""
        return self._items.get(self._names.get(item_id, item_id))

    def obtain(
        self, item_id: str, at: float, role: str = "", response_id: str = ""
    ) -> TranscriptItem:
        """Return the item of this name; one not heard of is put behind all others."""
        item = self.find(item_id)
        if item is None:
            item = self._items[item_id] = TranscriptItem(item_id, at)
            self._order.append(item_id)
            if (follower := self._followers.pop(item_id, None)) is not None:
                self._move_before(item, follower)
            self._trim()
        item.role = item.role or role
        item.response_id = item.response_id or response_id
        return item

    def place(self, item: TranscriptItem, previous_item_id: str | None) -> None:
        """Put an item behind its predecessor, where one is named."""
        if not previous_item_id or previous_item_id == item.item_id:
            return
        previous = self.find(previous_item_id)
        if previous is None:
            if len(self._followers) >= _MOST_AWAITED:
                self._followers.clear()
            self._followers[previous_item_id] = item.item_id
            return
        item.previous_id = previous.item_id
        start, end = self._run_of(item)
        if start > 0 and self._order[start - 1] == previous.item_id:
            return
        run = self._order[start:end]
        if previous.item_id not in run:
            del self._order[start:end]
            behind = self._order.index(previous.item_id) + 1
            self._order[behind:behind] = run

    def await_echo(self, of: Signature, item: TranscriptItem | None) -> None:
        """The next item of the service with this content is known already, or is to be ignored."""
        self._awaited.append((of, item.item_id if item is not None else ""))

    def is_echo(self, told: Item) -> bool:
        """Tell whether this is what we put in ourselves; from then on it has the service's name."""
        item_id = told.id or ""
        if item_id in self._names:
            return True
        if item_id in self._items or told.status == "in_progress":
            return False
        said = signature(told)
        for one in self._awaited:
            if one[0] == said or (not told.content and one[0][:3] == said[:3]):
                self._awaited.remove(one)
                if len(self._names) >= _MOST_NAMES:
                    self._names.clear()
                self._names[item_id] = one[1]
                return True
        return False

    def forget_echoes(self) -> None:
        """No echo will come any more: the connection they were sent over is gone."""
        self._awaited.clear()
        self._followers.clear()

    def weigh(self, item: TranscriptItem) -> None:
        """Take note of how much there is in an item by now."""
        size = item.size
        self._characters += size - item.weight
        item.weight = size
        self._trim()

    def _run_of(self, item: TranscriptItem) -> tuple[int, int]:
        """Return where an item stands, and where those that follow it one by one end."""
        start = self._order.index(item.item_id)
        end = start + 1
        while end < len(self._order):
            if self._items[self._order[end]].previous_id != self._order[end - 1]:
                break
            end += 1
        return start, end

    def _move_before(self, item: TranscriptItem, follower: str) -> None:
        if follower in self._items:
            self._items[follower].previous_id = item.item_id
            self._order.remove(item.item_id)
            self._order.insert(self._order.index(follower), item.item_id)

    def _trim(self) -> None:
        while len(self._order) > 1 and (
            len(self._order) > _MOST_ITEMS or self._characters > _MOST_CHARACTERS
        ):
            gone = self._items.pop(self._order.pop(0))
            self._characters -= gone.weight
            self.dropped += 1
