"""The conversation: an ordered list of items, and how much of each was heard."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from ...realtime.items import ContentPart, Item
from .checks import Check, Refused, anything, choice, flag, list_of, optional, record, text, variant

__all__ = [
    "AUDIO_TOKEN_MS",
    "CallerAudio",
    "Conversation",
    "Entry",
    "read_item",
    "text_tokens",
]

_MOST_ITEMS: Final = 1000
_AUDIO_BYTES: Final = 16_000_000  # of audio kept to be retrieved, per session

# How much audio one token stands for, by who speaks.
AUDIO_TOKEN_MS: Final = {"user": 100, "assistant": 50}

_STATUS: Final = choice("completed", "incomplete", "in_progress")
_COMMON: Final[dict[str, Check]] = {
    "id": text,
    "object": choice("realtime.item"),
    "type": text,
    "status": _STATUS,
}
_PARTS: Final[dict[str, Check]] = {
    "system": variant({"input_text": record({"type": text, "text": text}, ("text",))}),
    "user": variant(
        {
            "input_text": record({"type": text, "text": text}, ("text",)),
            "input_audio": record(
                {"type": text, "audio": text, "transcript": optional(text)}, ("audio",)
            ),
            "input_image": record(
                {"type": text, "image_url": text, "detail": optional(text)}, ("image_url",)
            ),
        }
    ),
    "assistant": variant({"output_text": record({"type": text, "text": text}, ("text",))}),
}
_KINDS: Final[dict[str, Check]] = {
    "function_call": record(
        {**_COMMON, "name": text, "arguments": text, "call_id": text}, ("name", "arguments")
    ),
    "function_call_output": record(
        {**_COMMON, "call_id": text, "output": text}, ("call_id", "output")
    ),
    "mcp_approval_response": record(
        {**_COMMON, "approval_request_id": text, "approve": flag, "reason": optional(text)},
        ("approval_request_id", "approve"),
    ),
}


def _no_words() -> None:
    """Stand for a transcript that is not there: unlike a plain default, it is written as null."""


class CallerAudio(ContentPart, frozen=True, kw_only=True):
    """Sound in an item of the caller's; its transcript is named even while there is none."""

    transcript: str | None = msgspec.field(default_factory=_no_words)


def _message(value: Any, path: str) -> dict[str, Any]:
    check_role = choice(*_PARTS)
    role = check_role(value.get("role"), f"{path}.role")
    fields = {**_COMMON, "role": anything, "content": list_of(_PARTS[role], most=100)}
    checked: dict[str, Any] = record(fields, ("content",))(value, path)
    return checked


_ITEM: Final = variant({"message": _message, **_KINDS})


def read_item(value: dict[str, Any], path: str = "item") -> Item:
    """Return the item a client describes.

    Raises:
        Refused: It is not one that a client may create.

    """
    checked = _ITEM(value, path)
    if checked["type"] != "mcp_approval_response":
        checked.setdefault("status", "completed")
    return msgspec.convert({**checked, "object": "realtime.item"}, Item)


def text_tokens(words: str) -> int:
    """Return about how many tokens a text is."""
    return (len(words) + 3) // 4


@dataclass(slots=True)
class Entry:
    """One item, with what its events do not show.

    Attributes:
        item: As its events show it.
        audio: The sound of it, in the format of its side.
        audio_ms: How long that is.
        words: What was said in it, so far as the other side heard it.

    """

    item: Item
    audio: bytearray = field(default_factory=bytearray)
    audio_ms: int = 0
    words: str = ""

    @property
    def audio_tokens(self) -> int:
        """What the item's audio counts for."""
        return self.audio_ms // AUDIO_TOKEN_MS.get(self.item.role or "", 100)

    @property
    def text_tokens(self) -> int:
        """What the item's text counts for."""
        parts = [part.text or "" for part in self.item.content or ()]
        parts += [self.item.arguments or "", str(self.item.output or "")]
        return sum(text_tokens(part) for part in parts if part)


class Conversation:
    """The default conversation of one session; the oldest items go beyond a thousand."""

    def __init__(self, conversation_id: str) -> None:
        self.id = conversation_id
        self._entries: dict[str, Entry] = {}
        self._order: list[str] = []
        self._audio_bytes = 0

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Entry]:
        return (self._entries[item_id] for item_id in self._order)

    def add(self, entry: Entry, after: str | None = None) -> str | None:
        """Put an item after another (``None``: at the end, ``root``: at the front).

        Returns:
            The item before it.

        Raises:
            Refused: The id is taken, or there is no such item to follow.

        """
        item_id = entry.item.id or ""
        if item_id in self._entries:
            raise Refused("invalid_value", f"Item '{item_id}' exists already.", "item.id")
        index = len(self._order)
        if after == "root":
            index = 0
        elif after is not None:
            self.find(after, "previous_item_id")
            index = self._order.index(after) + 1
        self._entries[item_id] = entry
        self._order.insert(index, item_id)
        self._audio_bytes += len(entry.audio)
        self._forget()
        return self._order[index - 1] if index else None

    def find(self, item_id: str, param: str = "item_id") -> Entry:
        """Return an item.

        Raises:
            Refused: There is none of this id.

        """
        if item_id not in self._entries:
            raise Refused("item_not_found", f"Item with item_id '{item_id}' not found.", param)
        return self._entries[item_id]

    def get(self, item_id: str) -> Entry | None:
        """Return an item, or ``None`` where it is gone."""
        return self._entries.get(item_id)

    def before(self, item_id: str) -> str | None:
        """Return the id of the item before this one."""
        index = self._order.index(item_id) if item_id in self._entries else 0
        return self._order[index - 1] if index else None

    def delete(self, item_id: str) -> None:
        """Take an item out.

        Raises:
            Refused: There is none of this id.

        """
        self._audio_bytes -= len(self.find(item_id).audio)
        del self._entries[item_id]
        self._order.remove(item_id)

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Cut an item's audio where the caller stopped hearing it; its transcript goes too.

        Raises:
            Refused: It is not the model's speech, or is shorter than that.

        """
        entry = self.find(item_id)
        parts = entry.item.content or []
        if entry.item.role != "assistant" or any(part.type == "output_text" for part in parts):
            told = "Only model output audio messages can be truncated."
            raise Refused("invalid_value", told, "item_id")
        if content_index != 0:
            told = f"Item '{item_id}' has no content at index {content_index}."
            raise Refused("invalid_value", told, "content_index")
        if not 0 <= audio_end_ms <= entry.audio_ms:
            told = f"Audio content of {entry.audio_ms} ms is already shorter than {audio_end_ms} ms"
            raise Refused("item_truncate_invalid_audio_end_ms", told, "audio_end_ms")
        kept = len(entry.audio) * audio_end_ms // max(entry.audio_ms, 1) & ~1
        self._audio_bytes -= len(entry.audio) - kept
        entry.words = _begin_of(entry.words, audio_end_ms / max(entry.audio_ms, 1))
        entry.audio, entry.audio_ms = entry.audio[:kept], audio_end_ms
        content = [ContentPart(type="output_audio")]
        entry.item = msgspec.structs.replace(entry.item, content=content)

    def grow(self, entry: Entry, audio: bytes, duration_ms: int) -> None:
        """Add to an item's audio."""
        entry.audio += audio
        entry.audio_ms += duration_ms
        self._audio_bytes += len(audio)
        self._forget()

    def call_name(self, call_id: str) -> str | None:
        """Return the name of the function that was called as ``call_id``."""
        for entry in self._entries.values():
            if entry.item.type == "function_call" and entry.item.call_id == call_id:
                return entry.item.name
        return None

    def count_tokens(self) -> tuple[int, int]:
        """Return the text and the audio tokens of all items."""
        entries = self._entries.values()
        return sum(e.text_tokens for e in entries), sum(e.audio_tokens for e in entries)

    def _forget(self) -> None:
        """Keep within bounds: the oldest items go first, and the oldest audio."""
        while len(self._order) > _MOST_ITEMS:
            self.delete(self._order[0])
        if self._audio_bytes > _AUDIO_BYTES:
            for entry in self._entries.values():
                self._audio_bytes -= len(entry.audio)
                entry.audio = bytearray()
                if self._audio_bytes <= _AUDIO_BYTES:
                    return


def _begin_of(words: str, share: float) -> str:
    """Return the words in the first part of a text, none of them cut."""
    if share >= 1:
        return words
    return words[: int(len(words) * share)].rpartition(" ")[0]
