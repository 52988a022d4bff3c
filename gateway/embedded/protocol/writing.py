"""One written message of a response, where text is asked for in place of speech."""

import msgspec

from ...realtime.events import (
    ContentPart,
    ResponseContentPartAdded,
    ResponseContentPartDone,
    ResponseOutputTextDelta,
    ResponseOutputTextDone,
)
from .conversation import Entry
from .outbox import Outbox
from .output import Place

__all__ = ["Writing"]


class Writing:
    """An assistant's text message; it is sent as it comes."""

    job = ""
    is_done = True
    deadline = None

    def __init__(self, outbox: Outbox, entry: Entry, place: Place) -> None:
        self.entry = entry
        self.transcript = ""
        self._outbox = outbox
        self._place = place
        part = ContentPart(type="text", text="")
        outbox.emit(ResponseContentPartAdded(part=part, **place))

    def say(self, texts: list[str]) -> None:
        """Add texts."""
        said = " ".join(texts)
        delta = f" {said}" if self.transcript else said
        self.transcript += delta
        self._outbox.emit(ResponseOutputTextDelta(delta=delta, **self._place))

    def send(self, now: float) -> None:
        """Do nothing: all was sent at once."""

    def finish(self, status: str) -> None:
        """End the message."""
        emit, place, said = self._outbox.emit, self._place, self.transcript
        emit(ResponseOutputTextDone(text=said, **place))
        emit(ResponseContentPartDone(part=ContentPart(type="text", text=said), **place))
        content = [ContentPart(type="output_text", text=said)]
        self.entry.words = said
        self.entry.item = msgspec.structs.replace(self.entry.item, content=content, status=status)
