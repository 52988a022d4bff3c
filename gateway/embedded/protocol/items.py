"""What a client may do to the items of the conversation."""

import base64
import dataclasses
from typing import cast

import msgspec

from ...realtime import commands as c
from ...realtime.events import (
    ConversationItemAdded,
    ConversationItemDeleted,
    ConversationItemDone,
    ConversationItemRetrieved,
    ConversationItemTruncated,
    Item,
)
from ..agents.agent import Recalled, ToolReturned, TurnEnded, read_user_text
from .checks import Refused
from .conversation import CallerAudio, Entry, read_item
from .formats import BYTES_PER_MS
from .inbox import Approved, Inbox, News
from .outbox import Observer
from .room import Room

__all__ = ["Items"]


class Items:
    """Obeys the ``conversation.item`` commands; what the caller says in them waits for the agent.

    Every method raises :class:`~.checks.Refused` where the item is not as it must be.
    """

    def __init__(self, room: Room, inbox: Inbox) -> None:
        self._outbox = room.outbox
        self._conversation = room.conversation
        self._settings = room.settings
        self._toolbox = room.toolbox
        self._inbox = inbox

    def create(self, command: c.ConversationItemCreate) -> None:
        """Put an item into the conversation."""
        item = read_item(command.item)
        item = msgspec.structs.replace(item, id=item.id or self._outbox.new_id("item"))
        news = self._read_tool_news(item)
        entry = _entry(item, self._settings.input_format)
        item = entry.item
        before = self._conversation.add(entry, command.previous_item_id)
        self._outbox.emit(ConversationItemAdded(item=item, previous_item_id=before))
        self._outbox.emit(ConversationItemDone(item=item, previous_item_id=before))
        if news is not None:
            self._inbox.add(news)
        elif item.role == "user":
            self._take_user_message(item)
        elif item.role == "assistant":
            self._inbox.add(Recalled(" ".join(part.text or "" for part in item.content or ())))

    def _read_tool_news(self, item: Item) -> News | None:
        """Return what an item tells of a tool."""
        if item.type == "function_call_output":
            name = self._conversation.call_name(item.call_id or "")
            if name is None:
                told = f"Tool call ID '{item.call_id}' not found in conversation."
                raise Refused("invalid_value", told, "item.call_id")
            return ToolReturned(name, cast("str", item.output))
        if item.type == "mcp_approval_response":
            request_id = item.approval_request_id or ""
            call = self._toolbox.answer(request_id)
            if item.approve:
                return Approved(dataclasses.replace(call, approval_id=request_id))
            reason = item.reason or "The call was not approved."
            return ToolReturned(call.name, msgspec.json.encode({"error": reason}).decode())
        return None

    def retrieve(self, item_id: str, to: Observer | None) -> None:
        """Show an item with its audio to the client that asked."""
        entry = self._conversation.find(item_id)
        audio = base64.b64encode(entry.audio).decode() if entry.audio else None
        content = [
            msgspec.structs.replace(part, audio=audio if "audio" in part.type else None)
            for part in entry.item.content or ()
        ]
        item = entry.item
        if item.content is not None:
            item = msgspec.structs.replace(item, content=content)
        self._outbox.emit(ConversationItemRetrieved(item=item), to)

    def truncate(self, command: c.ConversationItemTruncate) -> None:
        """Cut an item where the caller stopped hearing it."""
        index, end_ms = command.content_index, command.audio_end_ms
        self._conversation.truncate(command.item_id, index, end_ms)
        self._outbox.emit(
            ConversationItemTruncated(
                item_id=command.item_id, content_index=index, audio_end_ms=end_ms
            )
        )

    def delete(self, item_id: str) -> None:
        """Take an item out of the conversation."""
        self._conversation.delete(item_id)
        self._outbox.emit(ConversationItemDeleted(item_id=item_id))

    def _take_user_message(self, item: Item) -> None:
        for part in item.content or ():
            if part.type == "input_text":
                self._inbox.add(read_user_text(part.text or ""))
            elif part.type == "input_audio":
                self._inbox.add(TurnEnded(part.transcript or ""))


def _entry(item: Item, kind: str) -> Entry:
    """Return a created item as it is kept: its audio beside it, not in its events."""
    audio = bytearray()
    content = []
    for index, part in enumerate(item.content or ()):
        if part.audio is not None:
            try:
                audio += base64.b64decode(part.audio, validate=True)
            except ValueError:
                path = f"item.content[{index}].audio"
                told = f"Invalid '{path}': it is not base64."
                raise Refused("invalid_value", told, path) from None
        if part.type == "input_audio":
            part = CallerAudio(type=part.type, transcript=part.transcript)
        content.append(msgspec.structs.replace(part, audio=None))
    if item.content is not None:
        item = msgspec.structs.replace(item, content=content)
    return Entry(item, audio, len(audio) // BYTES_PER_MS[kind])
