"""What the agent of a call is doing, told from what happens and what is done."""

from typing import Any, Final, Literal, TypeAlias

from ..control import events as own
from ..control.actions import CallOut, Patch, Refer, SendCommand, Supervise
from ..realtime import events as service
from ..realtime.commands import ConversationItemCreate

__all__ = ["Doing", "Told"]

Told: TypeAlias = tuple[
    Literal[
        "away", "listening", "thinking", "speaking", "tool", "menu", "collect", "transfer", "silent"
    ],
    str,
]

_MOST: Final = 32  # tools at work, or menus in each other
_COLLECT: Final = "collect_digits"  # told as the collection that it opens
_BETWEEN_OTHERS: Final = ("bridge", "monitor")


class Doing:
    """Follows one agent."""

    def __init__(self) -> None:
        self._is_linked = False
        self._is_lost = False  # the service, in the middle of the call
        self._is_thinking = False
        self._tools: dict[str, str] = {}  # those at work, by call
        self._places: list[own.MenuOpened] = []  # menus and collections that are open
        self._target: str | None = None  # whom the caller is being put through to, by name
        self._line = "caller"  # who talks to whom
        self._instead = ""  # who has the agent's place

    def told(self, *, is_speaking: bool) -> Told:
        """Return what the agent does, and what more there is to say about that."""
        if self._instead:
            return "silent", "takeover"
        if self._line in _BETWEEN_OTHERS:
            return "silent", self._line
        if self._target is not None:
            return "transfer", self._target
        if is_speaking:
            return "speaking", ""
        if self._is_lost:
            return "away", ""
        if self._places:
            place = self._places[-1]
            return ("collect" if place.is_collection else "menu"), place.name
        if self._tools:
            return "tool", next(reversed(self._tools.values()))
        if not self._is_linked:
            return "away", ""
        return ("thinking" if self._is_thinking else "listening"), ""

    def take_action(self, action: Any) -> None:
        """Take in what the call was told to do."""
        match action:
            case CallOut(name=name) | Refer(name=name):
                self._target = name
            case Patch(line=line):
                self._line = line
                self._target = self._target if line == "consult" else None
            case Supervise(mode="takeover", supervisor=supervisor):
                self._instead = supervisor
            case Supervise(supervisor=supervisor) if supervisor == self._instead:
                self._instead = ""
            case SendCommand(ConversationItemCreate(item={"type": "function_call_output"})):
                self._tools.pop(str(action.command.item.get("call_id")), None)  # type: ignore[union-attr]
            case _:
                pass

    def take_event(self, event: Any) -> None:
        """Take in what happened."""
        match event:
            case own.LinkReady():
                self._is_linked, self._is_lost = True, False
            case own.LinkLost():
                self._is_linked = self._is_thinking = False
                self._is_lost = True
                self._tools.clear()
            case own.MenuOpened():
                self._leave(event.name)
                self._places = [*self._places, event][-_MOST:]
            case own.MenuClosed():
                self._leave(event.name)
            case own.TransferEnded() | own.CalleeEnded():
                self._target = None
            case service.ResponseCreated():
                self._is_thinking = True
            case service.ResponseDone():
                self._is_thinking = False
            case service.ResponseFunctionCallArgumentsDone() if event.name != _COLLECT:
                self._begin_tool(event.call_id, event.name)
            case service.ResponseMcpCallInProgress():
                self._begin_tool(event.item_id, "mcp")
            case service.ResponseMcpCallCompleted() | service.ResponseMcpCallFailed():
                self._tools.pop(event.item_id, None)
            case _:
                pass

    def _leave(self, name: str) -> None:
        """Close a place, and those that were opened from it."""
        names = [place.name for place in self._places]
        if name in names:
            del self._places[names.index(name) :]

    def _begin_tool(self, key: str, name: str) -> None:
        if len(self._tools) >= _MOST:
            self._tools.clear()
        self._tools[key] = name
