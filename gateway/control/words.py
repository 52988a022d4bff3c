"""Words as they come, in pieces and whole, put where they belong in the transcript."""

from typing import Final

from ..realtime.events import (
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemInputAudioTranscriptionDelta,
    ConversationItemInputAudioTranscriptionFailed,
    ConversationItemInputAudioTranscriptionSegment,
    ResponseContentPartAdded,
    ResponseContentPartDone,
    ResponseFunctionCallArgumentsDelta,
    ResponseFunctionCallArgumentsDone,
    ResponseMcpCallArgumentsDelta,
    ResponseMcpCallArgumentsDone,
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputAudioTranscriptDone,
    ResponseOutputTextDelta,
    ResponseOutputTextDone,
)
from .context import Context
from .events import Event
from .transcript_items import Passage, Segment, TranscriptItem
from .transcript_order import ItemOrder

__all__ = ["MOST_ARGUMENTS", "SOUND", "Words"]

MOST_ARGUMENTS: Final = 8_000  # characters of one call's arguments, or of its result
SOUND: Final = ("audio", "output_audio", "input_audio")  # the types of parts that are heard


class Words:
    """Gathers what the caller said, what the agent says, and what its tools are given."""

    def __init__(self, context: Context, items: ItemOrder) -> None:
        self._context = context
        self._items = items
        self._is_text_told = False

    def handle(self, event: Event) -> None:
        """Take in some words, or all of them."""
        item = self._hear_caller(event) or self._hear_agent(event) or self._take_call(event)
        if item is not None:
            self._items.weigh(item)

    def _hear_caller(self, event: Event) -> TranscriptItem | None:
        match event:
            case ConversationItemInputAudioTranscriptionDelta():
                item = self._item(event.item_id, "user")
                item.passage(event.content_index).add(event.delta or "", event.event_id)
            case ConversationItemInputAudioTranscriptionSegment():
                item = self._item(event.item_id, "user")
                segment = Segment(event.start, event.end, event.speaker, event.text)
                item.passage(event.content_index).add_segment(event.id, segment)
            case ConversationItemInputAudioTranscriptionCompleted():
                item = self._item(event.item_id, "user")
                item.passage(event.content_index).finish(event.transcript)
            case ConversationItemInputAudioTranscriptionFailed():
                item = self._item(event.item_id, "user")
                reason = event.error.message or event.error.code or "no reason given"
                item.passage(event.content_index).problem = reason
                self._context.log(f"the caller's words are not known: {reason}")
            case _:
                return None
        return item

    def _hear_agent(self, event: Event) -> TranscriptItem | None:
        match event:
            case ResponseContentPartAdded():
                self._begin(event)
                return None
            case ResponseContentPartDone():
                text = event.part.transcript or event.part.text or ""
                self._begin(event).finish(text)
            case ResponseOutputAudioTranscriptDelta():
                self._part(event, is_spoken=True).add(event.delta, event.event_id)
            case ResponseOutputAudioTranscriptDone():
                self._part(event, is_spoken=True).finish(event.transcript)
            case ResponseOutputTextDelta():
                self._part(event).add(event.delta, event.event_id)
            case ResponseOutputTextDone():
                self._part(event).finish(event.text)
                self._tell_of_text()
            case _:
                return None
        return self._items.find(event.item_id)

    def _take_call(self, event: Event) -> TranscriptItem | None:
        match event:
            case ResponseFunctionCallArgumentsDelta() | ResponseFunctionCallArgumentsDone():
                item = self._item(event.item_id, "", event.response_id)
                item.type, item.call_id = "function_call", event.call_id
            case ResponseMcpCallArgumentsDelta() | ResponseMcpCallArgumentsDone():
                item = self._item(event.item_id, "", event.response_id)
                item.type = "mcp_call"
            case _:
                return None
        if isinstance(event, ResponseFunctionCallArgumentsDone | ResponseMcpCallArgumentsDone):
            item.arguments = event.arguments[:MOST_ARGUMENTS]
            item.is_final = True
            if isinstance(event, ResponseFunctionCallArgumentsDone):
                item.name = event.name or item.name
        elif not item.is_final:
            item.arguments = (item.arguments + event.delta)[:MOST_ARGUMENTS]
        return item

    def _begin(self, event: ResponseContentPartAdded | ResponseContentPartDone) -> Passage:
        return self._part(event, is_spoken=event.part.type in SOUND)

    def _part(
        self,
        event: ResponseContentPartAdded
        | ResponseContentPartDone
        | ResponseOutputTextDelta
        | ResponseOutputTextDone
        | ResponseOutputAudioTranscriptDelta
        | ResponseOutputAudioTranscriptDone,
        *,
        is_spoken: bool = False,
    ) -> Passage:
        passage = self._item(event.item_id, "assistant", event.response_id).passage(
            event.content_index
        )
        passage.is_spoken = passage.is_spoken or is_spoken
        return passage

    def _item(self, item_id: str, role: str, response_id: str = "") -> TranscriptItem:
        return self._items.obtain(item_id, self._context.now, role, response_id)

    def _tell_of_text(self) -> None:
        """Say once that an answer was written: a caller hears none of it."""
        if not self._is_text_told:
            self._is_text_told = True
            self._context.log("the service answers in writing, which the caller does not hear")
