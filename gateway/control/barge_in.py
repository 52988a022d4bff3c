"""The caller talks over the agent: stop at once, and tell the model what was really heard.

On a WebSocket the client owns playout, so it alone knows.  The ledger of the flushed
playout decides for each item: heard to its end, nothing; heard in part, truncate at the
lesser of sent and received; not heard at all, delete.
"""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from ..realtime.commands import ConversationItemDelete, ConversationItemTruncate
from ..realtime.events import (
    InputAudioBufferSpeechStarted,
    OutputAudioBufferCleared,
    ResponseOutputAudioDone,
)
from .actions import Request
from .context import Context
from .events import Event, Heard, LinkReady, PlayoutFlushed
from .speech import Speech
from .states import CallState
from .turns import Turns

__all__ = ["BargeIn"]

_MOST_PARTS = 256


class BargeIn:
    """Cuts playout for a caller who speaks, and corrects the conversation afterwards."""

    def __init__(self, context: Context, turns: Turns, speech: Speech) -> None:
        self._context = context
        self._turns = turns
        self._speech = speech
        self._past: frozenset[str] = frozenset()  # still heard, of a session that is gone
        self._complete: dict[tuple[str, int], None] = {}  # parts whose audio is all here

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in speech, the end of a part's audio, or the ledger of a flush."""
        match event:
            case InputAudioBufferSpeechStarted():
                self._interrupt()
            case ResponseOutputAudioDone():
                self._complete[(event.item_id, event.content_index)] = None
                if len(self._complete) > _MOST_PARTS:
                    del self._complete[next(iter(self._complete))]
            case PlayoutFlushed():
                self._reconcile(event)
            case LinkReady():
                self._past = frozenset(self._speech.responses)
            case _:
                pass
        return ()

    def _interrupt(self) -> None:
        """Stop for the caller, unless this call or this moment is not to be interrupted."""
        settings = self._context.settings
        if "service" in settings.barge_in.by and self._context.state is CallState.TALKING:
            cancels = settings.turn_detection.get("interrupt_response", True)
            self._turns.interrupt(is_cancelled_by_service=bool(cancels))

    def _reconcile(self, flushed: PlayoutFlushed) -> None:
        responses = dict.fromkeys(heard.response_id for heard in flushed.items)
        if flushed.response_id is not None:
            responses[flushed.response_id] = None
        for item_id, parts in groupby(flushed.items, key=attrgetter("item_id")):
            known = [part for part in parts if part.response_id not in self._past]
            if known and self._context.is_service_ready:
                self._correct(item_id, known)
        for response_id in responses:
            cleared = OutputAudioBufferCleared(response_id=response_id, origin="gateway")
            self._context.derive(cleared)

    def _correct(self, item_id: str, parts: list[Heard]) -> None:
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
