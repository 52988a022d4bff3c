"""One entry of a transcript: what was said or done in it, and what the caller heard of that.

An answer that is cut has been generated, and often received, well beyond what was heard.  The
text is therefore cut in the proportion of the sound that was heard, back to a whole word.
"""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from .sealed import HIDDEN

__all__ = ["MS_PER_CHARACTER", "Passage", "Segment", "TranscriptItem", "cut_words"]

MS_PER_CHARACTER: Final = 66.0  # of speech, until a call has shown its own pace
_MOST_CHARACTERS: Final = 8_000  # of one passage
_MOST_SEGMENTS: Final = 200  # of one passage
_LONGEST_WORD: Final = 30  # characters; beyond it the language writes no blanks


def cut_words(text: str, share: float) -> str:
    """Return the first ``share`` (0 to 1) of ``text``, without the word that was cut into."""
    length = int(len(text) * min(max(share, 0.0), 1.0) + 1e-6)
    prefix = text[:length]
    if length in (0, len(text)) or text[length].isspace() or prefix[-1].isspace():
        return prefix.rstrip()
    words, _, last = prefix.rpartition(" ")
    return prefix if len(last) > _LONGEST_WORD else words.rstrip()


class Segment(NamedTuple):
    """A stretch of one speaker's words; times in seconds within the item's sound."""

    start: float
    end: float
    speaker: str
    text: str


@dataclass(slots=True)
class Passage:
    """One content part: its text as far as it is known, and how far it was heard.

    Attributes:
        text: What was said or written, complete once ``is_final``.
        is_spoken: It is sound, and ``text`` its transcript.
        heard_ms: How much sound of it the caller heard, where it was cut.
        total_ms: How much sound ``text`` stands for, where that is known.
        pace: Milliseconds a character, for where it is not.
        known: How many characters of ``text`` that sound stands for; 0 for all.
        last_event: The event that brought the latest piece; it may come twice.

    """

    text: str = ""
    is_final: bool = False
    is_spoken: bool = False
    problem: str = ""
    segments: dict[str, Segment] = field(default_factory=dict)
    heard_ms: int | None = None
    total_ms: int | None = None
    pace: float = MS_PER_CHARACTER
    known: int = 0
    last_event: str = ""

    @property
    def heard(self) -> str:
        """The words that reached the caller's ear; text that is only written reaches none."""
        if not self.is_spoken:
            return ""
        if self.heard_ms is None:
            return self.text
        text = self.text[: self.known or None]
        total = self.total_ms or len(text) * self.pace
        return cut_words(text, self.heard_ms / total if total else 0.0)

    def add(self, text: str, event_id: str = "") -> None:
        """Take in some more text; what comes twice, or after the end, adds nothing."""
        if self.is_final or (event_id and event_id == self.last_event):
            return
        self.last_event = event_id
        self.text = (self.text + text)[:_MOST_CHARACTERS]

    def finish(self, text: str) -> None:
        """Take in the whole text, which is right where the pieces were not."""
        self.is_final = True
        if text:
            self.text = text[:_MOST_CHARACTERS]

    def add_segment(self, name: str, segment: Segment) -> None:
        """Take in a stretch with times; in their order they are the text until that comes."""
        if name in self.segments or len(self.segments) < _MOST_SEGMENTS:
            self.segments[name] = segment
        if not self.is_final:
            self.text = " ".join(part.text for part in sorted(self.segments.values()))

    def cut(self, heard_ms: int, total_ms: int | None, pace: float) -> None:
        """Note that the caller heard no more than this of it."""
        self.heard_ms, self.total_ms, self.pace = max(0, heard_ms), total_ms, pace


@dataclass(slots=True)
class TranscriptItem:
    """A turn, a function call, a tool's work: whatever the conversation is made of.

    Attributes:
        at: When it was first heard of.
        status: ``in_progress``, ``completed`` or ``incomplete``.
        response_id: The response it is part of; empty for what the caller's side brought.
        previous_id: The item it is known to follow.
        output: The result of a call, as the model is told it.
        is_final: The arguments are complete.
        is_open: The caller is speaking, or spoke, and the turn is not committed yet.
        is_silence: The caller said nothing for so long that the service made it a turn.
        is_deleted: It is gone from the service's conversation.
        is_keys: It tells the service of keys that the caller pressed.
        is_heard: It was played to its end, or cut where the passages say.

    """

    item_id: str
    at: float
    type: str = "message"
    role: str = ""
    status: str = "in_progress"
    response_id: str = ""
    previous_id: str = ""
    name: str = ""
    arguments: str = ""
    output: str = ""
    call_id: str = ""
    is_final: bool = False
    is_open: bool = False
    is_silence: bool = False
    is_deleted: bool = False
    is_keys: bool = False
    is_heard: bool = False
    passages: dict[int, Passage] = field(default_factory=dict)
    weight: int = 0  # characters, as last counted

    def passage(self, index: int | None) -> Passage:
        """Return the content part of this index, beginning it where need be."""
        return self.passages.setdefault(index or 0, Passage())

    @property
    def text(self) -> str:
        """Everything said or written in it."""
        parts = (self.passages[index].text.strip() for index in sorted(self.passages))
        return " ".join(part for part in parts if part)

    @property
    def heard(self) -> str:
        """What of the agent's words the caller heard."""
        parts = (self.passages[index].heard.strip() for index in sorted(self.passages))
        return " ".join(part for part in parts if part)

    @property
    def is_spoken(self) -> bool:
        """Whether any of it is sound."""
        return any(passage.is_spoken for passage in self.passages.values())

    @property
    def is_cut(self) -> bool:
        """Whether the caller heard less of it than there was."""
        return any(passage.heard_ms is not None for passage in self.passages.values())

    @property
    def size(self) -> int:
        """How many characters it takes up."""
        texts = sum(len(passage.text) for passage in self.passages.values())
        return texts + len(self.arguments) + len(self.output)

    def as_dict(self, start: float = 0.0, *, with_keys: bool = True) -> dict[str, Any]:
        """Return it as JSON-ready data, its time counted from ``start``, without empty fields."""
        is_hidden = self.is_keys and not with_keys
        row: dict[str, Any] = {
            "item_id": self.item_id,
            "at": round(self.at - start, 3),
            "type": self.type,
            "role": self.role,
            "status": self.status,
            "response_id": self.response_id,
            "text": HIDDEN if is_hidden and self.text else self.text,
            "name": self.name,
            "arguments": self.arguments,
            "call_id": self.call_id,
            "output": HIDDEN if is_hidden and self.output else self.output,
            "is_silence": self.is_silence,
            "is_deleted": self.is_deleted,
        }
        row = {key: value for key, value in row.items() if value not in ("", False)}
        if self.role == "assistant" and self.is_spoken:
            row |= {"heard": self.heard, "is_cut": self.is_cut}
        if problems := [passage.problem for passage in self.passages.values() if passage.problem]:
            row["problem"] = "; ".join(problems)
        segments = [one for passage in self.passages.values() for one in passage.segments.values()]
        if segments:
            row["segments"] = [segment._asdict() for segment in sorted(segments)]
        return row
