"""The items of one response, and the events that tell how they come to be."""

from typing import TypedDict

import msgspec

from ...realtime.events import (
    ConversationItemAdded,
    ConversationItemDone,
    Item,
    ResponseFunctionCallArgumentsDelta,
    ResponseFunctionCallArgumentsDone,
    ResponseMcpCallArgumentsDelta,
    ResponseMcpCallArgumentsDone,
    ResponseMcpCallCompleted,
    ResponseMcpCallFailed,
    ResponseMcpCallInProgress,
    ResponseOutputItemAdded,
    ResponseOutputItemDone,
)
from ..agents.agent import CallTool
from .conversation import Conversation, Entry
from .outbox import Outbox

__all__ = ["OutputItems", "Place"]


class Place(TypedDict):
    """Where in a response a piece of content belongs."""

    response_id: str
    item_id: str
    output_index: int
    content_index: int


class OutputItems:
    """What a response puts out; into the conversation too, unless it runs beside it."""

    def __init__(self, outbox: Outbox, conversation: Conversation | None, response_id: str) -> None:
        self.entries: list[Entry] = []
        self._outbox = outbox
        self._conversation = conversation
        self._response_id = response_id

    def add_message(self) -> Entry:
        """Begin a message: empty, in progress."""
        message = Item(type="message", role="assistant", content=[])
        return self._add(message, self._outbox.new_id("item"), status="in_progress")

    def place(self, entry: Entry) -> Place:
        """Return where an item's content belongs."""
        return Place(
            response_id=self._response_id,
            item_id=entry.item.id or "",
            output_index=self.entries.index(entry),
            content_index=0,
        )

    def finish(self, entry: Entry) -> None:
        """Tell that an item is final."""
        item = entry.item
        if self._conversation is not None:
            before = self._conversation.before(item.id or "")
            self._outbox.emit(ConversationItemDone(item=item, previous_item_id=before))
        index = self.entries.index(entry)
        done = ResponseOutputItemDone(response_id=self._response_id, output_index=index, item=item)
        self._outbox.emit(done)

    def call_function(self, call: CallTool) -> None:
        """Have the client call one of its functions."""
        call_id, arguments = self._outbox.new_id("call"), call.text
        item = Item(type="function_call", name=call.name, call_id=call_id, arguments="")
        entry = self._add(item, self._outbox.new_id("item"), status="in_progress")
        item_id, index = entry.item.id or "", self.entries.index(entry)
        self._outbox.emit(
            ResponseFunctionCallArgumentsDelta(
                response_id=self._response_id,
                item_id=item_id,
                output_index=index,
                call_id=call_id,
                delta=arguments,
            )
        )
        self._outbox.emit(
            ResponseFunctionCallArgumentsDone(
                response_id=self._response_id,
                item_id=item_id,
                output_index=index,
                call_id=call_id,
                name=call.name,
                arguments=arguments,
            )
        )
        entry.item = msgspec.structs.replace(entry.item, arguments=arguments, status="completed")
        self.finish(entry)

    def request_approval(self, call: CallTool, server_label: str) -> str:
        """Ask the client whether an MCP tool may be called; return the request's id."""
        request = Item(
            type="mcp_approval_request",
            server_label=server_label,
            name=call.name,
            arguments=call.text,
        )
        entry = self._add(request, self._outbox.new_id("mcpr"))
        self.finish(entry)
        return entry.item.id or ""

    def begin_mcp_call(self, call: CallTool, server_label: str) -> Entry:
        """Tell that an MCP tool is called."""
        item = Item(
            type="mcp_call",
            server_label=server_label,
            name=call.name,
            arguments="",
            approval_request_id=call.approval_id or None,
        )
        entry = self._add(item, self._outbox.new_id("mcp"))
        place = self.place(entry)
        item_id, index = place["item_id"], place["output_index"]
        self._outbox.emit(
            ResponseMcpCallArgumentsDelta(
                response_id=self._response_id,
                item_id=item_id,
                output_index=index,
                delta=call.text,
            )
        )
        self._outbox.emit(
            ResponseMcpCallArgumentsDone(
                response_id=self._response_id,
                item_id=item_id,
                output_index=index,
                arguments=call.text,
            )
        )
        entry.item = msgspec.structs.replace(entry.item, arguments=call.text)
        self._outbox.emit(ResponseMcpCallInProgress(item_id=item_id, output_index=index))
        return entry

    def end_mcp_call(self, entry: Entry, output: str | None, error: object = None) -> None:
        """Tell what became of a call: its output, or the error that it met."""
        place = self.place(entry)
        item_id, index = place["item_id"], place["output_index"]
        entry.item = msgspec.structs.replace(entry.item, output=output, error=error)
        if error is None:
            self._outbox.emit(ResponseMcpCallCompleted(item_id=item_id, output_index=index))
        else:
            self._outbox.emit(ResponseMcpCallFailed(item_id=item_id, output_index=index))
        self.finish(entry)

    def _add(self, item: Item, item_id: str, status: str | None = None) -> Entry:
        item = msgspec.structs.replace(item, id=item_id, object="realtime.item", status=status)
        entry = Entry(item)
        self.entries.append(entry)
        index = len(self.entries) - 1
        self._outbox.emit(
            ResponseOutputItemAdded(response_id=self._response_id, output_index=index, item=item)
        )
        if self._conversation is not None:
            before = self._conversation.add(entry)
            self._outbox.emit(ConversationItemAdded(item=item, previous_item_id=before))
        return entry
