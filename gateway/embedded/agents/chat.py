"""The conversation as a chat model reads it, and what such a model answers.

The messages are made anew of the conversation's items for every answer, so
that what a client inserts, truncates or deletes is known to the model too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from ...realtime.events import Item
from ..protocol.conversation import Entry

__all__ = ["ChatRequest", "Thought", "ThoughtOver", "ToolAsked", "Words", "compose", "functions"]

_Message: TypeAlias = dict[str, Any]

_MOST_MESSAGES: Final = 200  # the latest; what came before is left out
_MOST_CHARACTERS: Final = 100_000


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a chat model is asked: in the form of ``/chat/completions``."""

    messages: list[_Message]
    tools: list[dict[str, Any]] = field(default_factory=list)
    tool_choice: Any = "auto"
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """Some more text of the answer, cut anywhere."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolAsked:
    """The model wants a tool called; ``arguments`` is JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ThoughtOver:
    """The answer is complete; ``is_cut`` where the model had more to say than it was allowed."""

    is_cut: bool = False


Thought: TypeAlias = Words | ToolAsked | ThoughtOver


def compose(entries: Iterable[Entry], instructions: Iterable[str]) -> list[_Message]:
    """Return the messages of a conversation, the instructions before them."""
    items = list(entries)
    answered = {e.item.call_id for e in items if e.item.type == "function_call_output"}
    messages: list[_Message] = []
    for entry in items:
        messages += _messages(entry, answered)
    told = "\n\n".join(each for each in instructions if each)
    system = [{"role": "system", "content": told}] if told else []
    return system + _latest(messages)


def functions(
    tools: Iterable[dict[str, Any]], imported: Iterable[dict[str, Any]]
) -> list[_Message]:
    """Return the session's tools, and those of its MCP servers, as functions of a chat model."""
    described = [
        (tool["name"], tool.get("description"), tool.get("parameters"))
        for tool in tools
        if tool["type"] == "function"
    ]
    described += [
        (tool["name"], tool.get("description"), tool.get("input_schema")) for tool in imported
    ]
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": description or "",
                "parameters": parameters or {"type": "object", "properties": {}},
            },
        }
        for name, description, parameters in described
    ]


def _messages(entry: Entry, answered: set[str | None]) -> list[_Message]:
    item = entry.item
    match item.type:
        case "message":
            said = item.transcript or entry.words
            return [{"role": item.role, "content": said}] if said else []
        case "function_call" if item.call_id in answered:
            return [_call(item, item.call_id or "")]
        case "function_call_output":
            return [_output(item.call_id or "", str(item.output))]
        case "mcp_call" if item.output is not None or item.error is not None:
            output = str(item.error if item.output is None else item.output)
            return [_call(item, item.id or ""), _output(item.id or "", output)]
        case "mcp_approval_response" if item.approve is False:
            why = f": {item.reason}" if item.reason else ""
            told = f"The call of that tool was refused{why}. Go on without it."
            return [{"role": "system", "content": told}]
    return []


def _call(item: Item, call_id: str) -> _Message:
    function = {"name": item.name, "arguments": item.arguments}
    call = {"id": call_id, "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _output(call_id: str, output: str) -> _Message:
    return {"role": "tool", "tool_call_id": call_id, "content": output}


def _latest(messages: list[_Message]) -> list[_Message]:
    """Return what is not too much, beginning with no answer to a call that was left out."""
    kept, size = 0, 0
    for message in reversed(messages[-_MOST_MESSAGES:]):
        size += len(message["content"] or "")
        if size > _MOST_CHARACTERS:
            break
        kept += 1
    latest = messages[len(messages) - kept :]
    while latest and latest[0]["role"] == "tool":
        latest = latest[1:]
    return latest
