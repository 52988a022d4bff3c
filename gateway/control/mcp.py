"""Tools that the service runs itself at MCP servers: what they are allowed, what they delay.

The greeting waits a moment for the tools to be listed.  A request to be allowed a call is
granted where ``[mcp].approve`` names it, and refused otherwise.  A caller who waits for a
tool hears the comfort prompt.  Sources disagree on whether the service goes on by itself
after a tool's result: it is given a moment to, then asked.
"""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from ..realtime.commands import ConversationItemCreate
from ..realtime.events import (
    ConversationItemAdded,
    ConversationItemCreated,
    ConversationItemDone,
    Item,
    McpListToolsCompleted,
    McpListToolsFailed,
    McpListToolsInProgress,
    ResponseCreated,
    ResponseDone,
    ResponseInfo,
    ResponseMcpCallArgumentsDone,
    ResponseMcpCallCompleted,
    ResponseMcpCallFailed,
    ResponseMcpCallInProgress,
    ResponseOutputItemAdded,
    ResponseOutputItemDone,
    SessionUpdated,
)
from .actions import Request, Respond
from .comfort import Comfort
from .context import Context
from .events import Event, LinkLost, LinkReady
from .settings import ControlSettings
from .states import CallState
from .turns import Turns

__all__ = ["Mcp"]

_GRACE_SECONDS: Final = 0.3  # for the service to go on by itself
_MOST_ROUNDS: Final = 3
_SPEAK: Final = "Do not use tools now. Tell the caller in one sentence what you could not do."
_LONGEST_SECONDS: Final = 60.0  # that a tool may take
_MOST_ITEMS: Final = 256
_MOST_TOLD: Final = 200  # characters of arguments in a log line


class Mcp:
    """Follows the service's MCP tools through a call.

    Attributes:
        tools: The names of each server's tools, as they were listed.

    """

    def __init__(
        self,
        context: Context,
        turns: Turns,
        comfort: Comfort,
        on_listed: Callable[[], Sequence[Request]],
    ) -> None:
        self.tools: dict[str, list[str]] = {}
        self._context = context
        self._turns = turns
        self._comfort = comfort
        self._on_listed = on_listed
        self._labels: dict[str, str] = {}  # what an item is about: SERVER, or SERVER/TOOL
        self._listed: dict[str, None] = {}  # lists that came, or never will
        self._wait_until: float | None = None  # for the lists
        self._was_waiting = False
        self._decided: dict[str, None] = {}
        self._running: dict[str, float] = {}  # calls under way, and when they are given up
        self._follow_at: float | None = None  # when the model is asked to go on
        self._rounds = 0  # how often it was, and only called tools again

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        times = [self._wait_until, *self._running.values()]
        if not self._running:
            times.append(self._follow_at)
        return min((time for time in times if time is not None), default=None)

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in what concerns tools; returns what follows."""
        match event:
            case SessionUpdated():
                self._await_lists()
            case McpListToolsInProgress() | McpListToolsCompleted() | McpListToolsFailed():
                return self._take_list(event)
            case (
                ConversationItemAdded()
                | ConversationItemCreated()
                | ConversationItemDone()
                | ResponseOutputItemAdded()
                | ResponseOutputItemDone()
            ):
                is_done = isinstance(event, ConversationItemDone | ResponseOutputItemDone)
                self._take_item(event.item, is_done=is_done)
            case ResponseMcpCallInProgress():
                self._begin(event.item_id)
            case ResponseMcpCallArgumentsDone():
                told = event.arguments[:_MOST_TOLD]
                self._context.log(f"tool {self._label(event.item_id)} is called with {told}")
            case ResponseMcpCallCompleted() | ResponseMcpCallFailed():
                self._end(event.item_id, is_failed=isinstance(event, ResponseMcpCallFailed))
            case ResponseCreated():
                self._follow_at = None
            case ResponseDone():
                self._take_response(event.response)
            case LinkReady() | LinkLost():
                self._reset()
            case _:
                pass
        return ()

    def wake(self) -> Sequence[Request]:
        """Greet without the tools, give up a tool, or have the model go on: whatever is due."""
        now = self._context.now
        for item_id in [one for one, end in self._running.items() if now >= end]:
            self._context.log(f"tool {self._label(item_id)} takes too long")
            self._end(item_id, is_failed=False)
        requests: list[Request] = []
        if self._follow_at is not None and now >= self._follow_at and not self._running:
            self._follow_at = None
            if self._may_go_on:
                requests += self._go_on()
        if self._wait_until is not None and now >= self._wait_until:
            self._context.log("the tools are not listed yet: the call goes on without them")
            requests += self._release()
        return requests

    @property
    def _may_go_on(self) -> bool:
        """Whether the model is to be asked: a caller who speaks will be answered anyway."""
        context = self._context
        is_talk = context.state is CallState.TALKING and not context.is_caller_speaking
        return is_talk and context.is_service_ready and self._turns.is_free

    def _go_on(self) -> Sequence[Request]:
        """Ask the model to go on; one that only ever calls tools is told to speak, then left."""
        self._rounds += 1
        if self._rounds <= _MOST_ROUNDS:
            return (Respond(),)
        if self._rounds == _MOST_ROUNDS + 1:
            self._context.log("the model calls tools and says nothing: it is told to speak")
            return (Respond(_SPEAK),)
        self._context.log("the model calls tools and says nothing: it is asked no more")
        return ()

    # Lists of tools

    def _await_lists(self) -> None:
        """Hold the greeting for the tools, once."""
        seconds = self._context.settings.mcp.wait_seconds
        missing = expected_lists(self._context.settings) - len(self._listed)
        if missing > 0 and seconds and not self._was_waiting:
            self._context.is_awaiting_tools = True
            self._wait_until = self._context.now + seconds
        self._was_waiting = True

    def _take_list(
        self, event: McpListToolsInProgress | McpListToolsCompleted | McpListToolsFailed
    ) -> Sequence[Request]:
        if isinstance(event, McpListToolsInProgress):
            self._listed.pop(event.item_id, None)  # it is being listed again
            return ()
        if isinstance(event, McpListToolsFailed):
            self._context.log(f"the tools of {self._label(event.item_id)} cannot be listed")
        _remember(self._listed, event.item_id, None)
        if len(self._listed) < expected_lists(self._context.settings):
            return ()
        return self._release()

    def _release(self) -> Sequence[Request]:
        if self._wait_until is None:
            return ()
        self._wait_until = None
        self._context.is_awaiting_tools = False
        return self._on_listed()

    # Items

    def _take_item(self, item: Item, *, is_done: bool) -> None:
        if not item.id or not item.type.startswith("mcp_"):
            return
        if item.server_label:
            tool = f"/{item.name}" if item.name else ""
            _remember(self._labels, item.id, f"{item.server_label}{tool}")
        if item.type == "mcp_list_tools" and is_done:
            names = [str(tool.get("name")) for tool in item.tools or () if isinstance(tool, dict)]
            _remember(self.tools, self._label(item.id), names[:_MOST_ITEMS])
        elif item.type == "mcp_approval_request" and (is_done or (item.name and item.server_label)):
            self._decide(item)

    def _decide(self, request: Item) -> None:
        """Grant or refuse a call, once."""
        request_id = request.id or ""
        if request_id in self._decided:
            return
        _remember(self._decided, request_id, None)
        tool = f"{request.server_label}/{request.name}"
        is_granted = any(fnmatchcase(tool, one) for one in self._context.settings.mcp.approve)
        reason = "allowed by configuration" if is_granted else "not allowed by configuration"
        self._context.log(f"tool {tool} is {reason}")
        answer: dict[str, Any] = {
            "type": "mcp_approval_response",
            "id": f"approval-{len(self._decided)}-{request_id}"[:32],
            "approval_request_id": request_id,
            "approve": is_granted,
            "reason": reason,
        }
        self._context.send(ConversationItemCreate(item=answer))
        if self._turns.active is None:
            self._follow()

    # Calls

    def _begin(self, item_id: str) -> None:
        if item_id in self._running or len(self._running) >= _MOST_ITEMS:
            return
        self._running[item_id] = self._context.now + _LONGEST_SECONDS
        self._comfort.begin(f"mcp {item_id}")

    def _end(self, item_id: str, *, is_failed: bool) -> None:
        self._comfort.end(f"mcp {item_id}")
        if is_failed:
            self._context.log(f"tool {self._label(item_id)} failed")
        is_known = self._running.pop(item_id, None) is not None
        if is_known and self._turns.active is None:
            self._follow()

    def _take_response(self, response: ResponseInfo) -> None:
        """Tell whether the model still owes words on what a tool gave."""
        output = response.output or []
        kinds = [item.type for item in output]
        if "message" in kinds:
            self._rounds = 0
        if response.status != "completed" or not kinds or "function_call" in kinds:
            return
        if kinds[-1] in ("mcp_call", "mcp_approval_request"):
            self._follow()

    def _follow(self) -> None:
        self._follow_at = self._context.now + _GRACE_SECONDS

    def _reset(self) -> None:
        """The connection is another: nothing of the old one goes on."""
        for item_id in self._running:
            self._comfort.end(f"mcp {item_id}")
        self._running.clear()
        self._listed.clear()
        self._follow_at = None

    def _label(self, item_id: str) -> str:
        return self._labels.get(item_id, item_id)


def expected_lists(settings: ControlSettings) -> int:
    """Return how many servers' tools are listed as soon as a session is set up."""
    tools = settings.session.get("tools") or ()
    wanted = [tool for tool in tools if isinstance(tool, dict) and tool.get("type") == "mcp"]
    return sum(not tool.get("defer_loading") for tool in wanted)


def _remember(table: dict[str, Any], name: str, value: object) -> None:
    table[name] = value
    if len(table) > _MOST_ITEMS:
        del table[next(iter(table))]
