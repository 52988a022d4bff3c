"""The tools of a session that the service runs itself: those of MCP servers."""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from ...realtime.events import (
    ConversationItemAdded,
    ConversationItemDone,
    Item,
    McpListToolsCompleted,
    McpListToolsFailed,
    McpListToolsInProgress,
)
from ..agents.agent import CallTool
from .checks import Refused
from .conversation import Conversation, Entry
from .mcp_server import McpServer, read_server
from .outbox import ListTools, Outbox

__all__ = ["Imported", "Toolbox"]

_MOST_TOOLS: Final = 128  # of one server; further ones are left out
_MOST_REQUESTS: Final = 64  # for approval, at a time; of more the oldest is forgotten


@dataclass(frozen=True, slots=True)
class Imported:
    """One tool of an MCP server, as ``mcp_list_tools`` items show it."""

    server: McpServer
    tool: dict[str, Any]

    @property
    def needs_approval(self) -> bool:
        """Whether the client must agree to a call before it is made."""
        return self.server.needs_approval(self.tool)


@dataclass(slots=True)
class _Import:
    """What is known of one server; ``job`` while it is being asked."""

    server: McpServer
    entry: Entry
    job: str
    tools: dict[str, Imported] = field(default_factory=dict)


class Toolbox:
    """Imports the tools of the session's MCP servers, and keeps what waits for approval."""

    def __init__(self, outbox: Outbox, conversation: Conversation) -> None:
        self._outbox = outbox
        self._conversation = conversation
        self._imports: dict[str, _Import] = {}
        self._functions: frozenset[str] = frozenset()
        self._requests: dict[str, CallTool] = {}

    @property
    def imported(self) -> list[Imported]:
        """Every tool that can be called, of all servers."""
        return [tool for each in self._imports.values() for tool in each.tools.values()]

    def find(self, name: str) -> Imported | None:
        """Return the tool of this name, unless a function of the client's goes by it."""
        if name in self._functions:
            return None
        return next((each for each in self.imported if each.tool["name"] == name), None)

    def configure(self, tools: list[dict[str, Any]]) -> None:
        """Take in the session's tools; servers that are new or changed are asked for theirs."""
        servers = [read_server(tool) for tool in tools if tool["type"] == "mcp"]
        self._functions = frozenset(tool["name"] for tool in tools if tool["type"] == "function")
        kept = {each.label: self._imports.get(each.label) for each in servers}
        self._imports = {label: had for label, had in kept.items() if had is not None}
        for server in servers:
            had = self._imports.get(server.label)
            if had is None or had.server != server:
                self._imports[server.label] = self._import(server)

    def listed(self, job: str, tools: list[dict[str, Any]]) -> bool:
        """Take in what a server offers; false where it is not asked for any more."""
        found = self._take(job)
        if found is None:
            return False
        allowed = [tool for tool in tools if found.server.allows(tool)][:_MOST_TOOLS]
        found.tools = {tool["name"]: Imported(found.server, tool) for tool in allowed}
        self._finish(found, allowed)
        self._outbox.emit(McpListToolsCompleted(item_id=found.entry.item.id or ""))
        return True

    def unlisted(self, job: str) -> None:
        """Take in that a server cannot be had."""
        found = self._take(job)
        if found is not None:
            self._finish(found, [])
            self._outbox.emit(McpListToolsFailed(item_id=found.entry.item.id or ""))

    def ask(self, request_id: str, call: CallTool) -> None:
        """Keep a call until the client agrees to it."""
        if len(self._requests) >= _MOST_REQUESTS:
            del self._requests[next(iter(self._requests))]
        self._requests[request_id] = call

    def answer(self, request_id: str) -> CallTool:
        """Return the call that was waiting for the client's word.

        Raises:
            Refused: There is none.

        """
        call = self._requests.pop(request_id, None)
        if call is None:
            told = f"Approval request '{request_id}' not found in conversation."
            raise Refused("invalid_value", told, "item.approval_request_id")
        return call

    def _import(self, server: McpServer) -> _Import:
        item = Item(
            id=self._outbox.new_id("mcpl"),
            type="mcp_list_tools",
            server_label=server.label,
            tools=[],
        )
        entry, job = Entry(item), self._outbox.new_id("job")
        before = self._conversation.add(entry)
        self._outbox.emit(ConversationItemAdded(item=item, previous_item_id=before))
        self._outbox.emit(McpListToolsInProgress(item_id=item.id or ""))
        self._outbox.request(ListTools(job, server))
        return _Import(server, entry, job)

    def _take(self, job: str) -> _Import | None:
        found = next((each for each in self._imports.values() if each.job == job), None)
        if found is not None:
            found.job = ""
        return found

    def _finish(self, found: _Import, tools: list[dict[str, Any]]) -> None:
        item = found.entry.item = msgspec.structs.replace(found.entry.item, tools=tools)
        before = self._conversation.before(item.id or "")
        self._outbox.emit(ConversationItemDone(item=item, previous_item_id=before))
