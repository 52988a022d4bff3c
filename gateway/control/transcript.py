"""Both sides of a conversation in words, joined by item, as they were really heard.

Events of one item come in any order, more than once and long after the next turn: words join
their item by its name, whole texts replace pieces, and what is final stays.
"""

from collections.abc import Sequence
from typing import Any

from ..realtime.commands import ConversationItemCreate
from ..realtime.events import (
    ConversationCreated,
    ConversationItemAdded,
    ConversationItemCreated,
    ConversationItemDeleted,
    ConversationItemDone,
    ConversationItemRetrieved,
    InputAudioBufferCleared,
    InputAudioBufferCommitted,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    InputAudioBufferTimeoutTriggered,
    Item,
    ResponseDone,
    ResponseInfo,
    ResponseOutputItemAdded,
    ResponseOutputItemDone,
)
from .actions import Action, HangUp, Request, SendCommand
from .context import Context
from .events import CallStarted, Event, LegEnded, LinkReady
from .hearing import Hearing
from .seeds import message, seeds_of
from .transcript_items import TranscriptItem
from .transcript_order import ItemOrder, signature
from .words import MOST_ARGUMENTS, SOUND, Words

__all__ = ["Transcript"]


class Transcript:
    """What was said and done in a call, by whom, and how much of it was heard.

    Attributes:
        conversation_id: The service's name for the present conversation, where it gave one.

    """

    def __init__(self, context: Context) -> None:
        self.conversation_id = ""
        self._context = context
        self._items = ItemOrder()
        self._words = Words(context, self._items)
        self._hearing = Hearing(context, self._items)
        self._started_at = 0.0
        self._sent = 0
        self._seeded: list[tuple[TranscriptItem | None, dict[str, Any]]] = []

    @property
    def dropped(self) -> int:
        """How many items at the beginning are gone for want of room."""
        return self._items.dropped

    def __len__(self) -> int:
        return len(self._items)

    def as_list(self) -> list[dict[str, Any]]:
        """Return all items as JSON-ready data, in order; keys only where they may be kept."""
        with_keys = self._context.settings.call.keys_in_transcript
        return [item.as_dict(self._started_at, with_keys=with_keys) for item in self._items]

    def seeds(
        self, remarks: Sequence[str] = (), *, max_items: int = 40, max_chars: int = 16_000
    ) -> list[dict[str, Any]]:
        """Return the conversation as items to create in a new session, oldest first.

        Behind it come ``remarks``, which are no part of the conversation.
        """
        self._seeded = seeds_of(
            reversed(self._items),
            max_items=max_items,
            max_chars=max_chars,
            is_short=self.dropped > 0,
        )
        self._seeded += [(None, message("user", remark)) for remark in remarks]
        return [seed for _, seed in self._seeded]

    def note(self, actions: Sequence[Action]) -> None:
        """Take in what is put into the conversation, words of ours and seeds, and the end."""
        for action in actions:
            match action:
                case SendCommand(ConversationItemCreate() as command):
                    is_keys = command.event_id in self._context.key_commands
                    self._context.key_commands.discard(command.event_id)
                    self._note_item(command.item, is_keys=is_keys)
                case HangUp():
                    self._hearing.end()
                case _:
                    pass

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in whatever the service or the playout tells."""
        match event:
            case CallStarted():
                self._started_at = self._context.now
            case LegEnded():
                self._hearing.end()
            case LinkReady():
                self._items.forget_echoes()
            case ConversationCreated():
                self.conversation_id = str(event.conversation.get("id") or "")
            case (
                InputAudioBufferSpeechStarted()
                | InputAudioBufferSpeechStopped()
                | InputAudioBufferCommitted()
                | InputAudioBufferCleared()
                | InputAudioBufferTimeoutTriggered()
            ):
                self._take_turn(event)
            case (
                ConversationItemAdded()
                | ConversationItemCreated()
                | ConversationItemDone()
                | ConversationItemRetrieved()
                | ConversationItemDeleted()
                | ResponseOutputItemAdded()
                | ResponseOutputItemDone()
                | ResponseDone()
            ):
                self._take_item(event)
            case _:
                self._words.handle(event)
                self._hearing.handle(event)
        return ()

    # Items

    def _take_item(self, event: Event) -> None:
        match event:
            case ConversationItemAdded() | ConversationItemCreated():
                self._fill(event.item, previous=event.previous_item_id)
            case ConversationItemDone():
                self._fill(event.item, previous=event.previous_item_id, is_done=True)
            case ConversationItemRetrieved():
                self._fill(event.item, is_done=True)
            case ConversationItemDeleted() if item := self._items.find(event.item_id):
                item.is_deleted = True
            case ResponseOutputItemAdded():
                self._fill(event.item, response_id=event.response_id)
            case ResponseOutputItemDone():
                self._fill(event.item, response_id=event.response_id, is_done=True)
            case ResponseDone():
                self._close(event.response)
            case _:
                pass

    def _fill(
        self,
        told: Item,
        *,
        previous: str | None = None,
        response_id: str = "",
        is_done: bool = False,
    ) -> None:
        """Take in what the service says an item is."""
        if not told.id or self._items.is_echo(told):
            return
        item = self._items.obtain(told.id, self._context.now, told.role or "", response_id)
        item.type = told.type or item.type
        item.name = told.name or item.name
        item.call_id = told.call_id or item.call_id
        if told.arguments:
            item.arguments, item.is_final = told.arguments[:MOST_ARGUMENTS], is_done
        result = told.output if told.output is not None else told.error
        if result is not None:
            item.output = str(result)[:MOST_ARGUMENTS]
        self._items.place(item, previous)
        if told.status or is_done:
            item.status = told.status or "completed"
        for index, part in enumerate(told.content or ()):
            passage = item.passage(index)
            passage.is_spoken = passage.is_spoken or part.type in SOUND
            text = part.transcript or part.text or ""
            if is_done and text and not passage.is_final:
                passage.finish(text)
            elif text and not passage.text:
                passage.add(text)
        self._items.weigh(item)

    def _close(self, response: ResponseInfo) -> None:
        """A response is over: what of it is not complete will not become so."""
        for told in response.output or ():
            self._fill(told, response_id=response.id or "", is_done=True)
        for item in self._items:
            if response.id and item.response_id == response.id and item.status == "in_progress":
                item.status = "completed" if response.status == "completed" else "incomplete"
        self._hearing.measure(response)

    def _note_item(self, told: dict[str, Any], *, is_keys: bool) -> None:
        for item, seed in self._seeded:
            if seed is told:
                self._items.await_echo(signature(told), item)
                return
        if told.get("type") not in ("message", "function_call_output"):
            return
        self._sent += 1
        item = self._items.obtain(f"gateway-{self._sent}", self._context.now, told.get("role", ""))
        item.type, item.status, item.is_keys = told["type"], "completed", is_keys
        item.call_id = told.get("call_id", "")
        item.output = str(told.get("output", ""))[:MOST_ARGUMENTS]
        for index, part in enumerate(told.get("content") or ()):
            item.passage(index).finish(part.get("text") or "")
        self._items.weigh(item)
        self._items.await_echo(signature(told), item)

    # The caller's turns

    def _take_turn(self, event: Event) -> None:
        now = self._context.now
        match event:
            case InputAudioBufferSpeechStarted():
                item = self._items.obtain(event.item_id, now, "user")
                item.is_open = item.status != "completed"
            case InputAudioBufferSpeechStopped() if known := self._items.find(event.item_id):
                known.status = "completed"
            case InputAudioBufferCommitted():
                item = self._items.obtain(event.item_id, now, "user")
                item.is_open, item.status = False, "completed"
                self._items.place(item, event.previous_item_id)
            case InputAudioBufferTimeoutTriggered(origin="service"):
                self._items.obtain(event.item_id, now, "user").is_silence = True
            case InputAudioBufferCleared():
                self._drop_open()
            case _:
                pass

    def _drop_open(self) -> None:
        """What the caller was saying was thrown away before it became a turn."""
        for item in self._items:
            item.is_deleted = item.is_deleted or item.is_open
