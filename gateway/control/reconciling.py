"""After a cut: have the model's conversation hold what the caller heard, and no more."""

from itertools import groupby
from operator import attrgetter
from typing import Final

from ..realtime.commands import ConversationItemDelete, ConversationItemTruncate
from ..realtime.events import OutputAudioBufferCleared, ResponseOutputAudioDone
from .context import Context
from .events import Heard, PlayoutFlushed
from .speech import Speech

__all__ = ["Reconciling"]

_MOST_PARTS: Final = 256


class Reconciling:
    """Reads the ledger of a flushed playout, and truncates or deletes by it."""

    def __init__(self, context: Context, speech: Speech) -> None:
        self._context = context
        self._speech = speech
        self._past: frozenset[str] = frozenset()  # still heard, of a session that is gone
        self._complete: dict[tuple[str, int], None] = {}  # parts whose audio is all here

    def begin_link(self) -> None:
        """What is still heard is of a session that is gone."""
        self._past = frozenset(self._speech.responses)

    def note_end(self, event: ResponseOutputAudioDone) -> None:
        """All audio of a part is here."""
        self._complete[(event.item_id, event.content_index)] = None
        if len(self._complete) > _MOST_PARTS:
            del self._complete[next(iter(self._complete))]

    def correct(self, flushed: PlayoutFlushed) -> None:
        """Correct every item that was in the playout, and tell that it was cleared."""
        responses = dict.fromkeys(heard.response_id for heard in flushed.items)
        if flushed.response_id is not None:
            responses[flushed.response_id] = None
        for item_id, parts in groupby(flushed.items, key=attrgetter("item_id")):
            known = [part for part in parts if part.response_id not in self._past]
            if known and self._context.is_service_ready:
                self._correct_item(item_id, known)
        for response_id in responses:
            cleared = OutputAudioBufferCleared(response_id=response_id, origin="gateway")
            self._context.derive(cleared)

    def _correct_item(self, item_id: str, parts: list[Heard]) -> None:
        if all(part.sent_ms <= 0 for part in parts):
            self._context.send(ConversationItemDelete(item_id=item_id))
            return
        for part in parts:
            is_whole = (item_id, part.content_index) in self._complete
            if is_whole and part.sent_ms >= part.received_ms:
                continue
            self._context.send(
                ConversationItemTruncate(
                    item_id=item_id,
                    content_index=part.content_index,
                    audio_end_ms=max(0, min(part.sent_ms, part.received_ms)),
                )
            )
