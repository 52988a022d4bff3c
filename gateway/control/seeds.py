"""A conversation as text, to go on with in a new session: what the old one can never give back.

The newest turns come first into the bounds; the agent's are what the caller heard of them.  A
function call goes with its result; one that never got a result is told to have been lost.
What a client cannot put into a conversation (the work of MCP tools) is told in words.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from .transcript_items import TranscriptItem

__all__ = ["LOST_RESULT", "UNHEARD_TURN", "Seed", "message", "seeds_of"]

LOST_RESULT: Final = '{"error":"the connection was lost before this was done"}'
UNHEARD_TURN: Final = "(The caller spoke, but their words were not understood.)"
_LEFT_OUT: Final = "(What was said before this is left out.)"
_MOST_OF_A_TOOL: Final = 1_000  # characters of its result

Seed: TypeAlias = tuple[TranscriptItem | None, dict[str, Any]]


def seeds_of(
    items: Iterable[TranscriptItem], *, max_items: int, max_chars: int, is_short: bool
) -> list[Seed]:
    """Return the items to create anew, oldest first, each with the one it stands for.

    Args:
        items: The transcript, newest first.
        max_items: The most items to return, a remark on what was left out aside.
        max_chars: The most characters in all of them; the newest is always whole.
        is_short: Whether the transcript itself had to drop its oldest items.

    """
    kept: list[list[Seed]] = []
    results: dict[str, TranscriptItem] = {}
    count = characters = 0
    for item in items:
        if item.type == "function_call_output":
            results.setdefault(item.call_id, item)
            continue
        group = _seeds_for(item, results)
        size = sum(len(str(seed)) for _, seed in group)
        if not group:
            continue
        if kept and (count + len(group) > max_items or characters + size > max_chars):
            is_short = True
            break
        kept.append(group)
        count, characters = count + len(group), characters + size
    seeds = [seed for group in reversed(kept) for seed in group]
    return [(None, message("system", _LEFT_OUT)), *seeds] if is_short and seeds else seeds


def _seeds_for(item: TranscriptItem, results: dict[str, TranscriptItem]) -> list[Seed]:
    if item.is_deleted or item.is_silence:
        return []
    match item.type:
        case "message" if item.role == "user":
            text = item.text or ("" if item.is_open else UNHEARD_TURN)
            return [(item, message("user", text))] if text else []
        case "message" if item.role == "assistant":
            text = item.heard if item.is_spoken else item.text
            return [(item, message("assistant", text))] if text else []
        case "message":
            return [(item, message("system", item.text))] if item.text else []
        case "function_call" if item.call_id and item.name:
            return _pair(item, results.pop(item.call_id, None))
        case "mcp_call" if item.name:
            result = item.output or "nothing"
            told = (
                f"(The tool {item.name} was used with {item.arguments or '{}'}; it gave: {result}"
            )
            return [(item, message("system", told[:_MOST_OF_A_TOOL] + ")"))]
        case _:
            return []


def _pair(call: TranscriptItem, result: TranscriptItem | None) -> list[Seed]:
    said = {"name": call.name, "call_id": call.call_id, "arguments": call.arguments or "{}"}
    output = result.output if result is not None and result.output else LOST_RESULT
    answer = {"type": "function_call_output", "call_id": call.call_id, "output": output}
    return [(call, {"type": "function_call", **said}), (result, answer)]


def message(role: str, text: str) -> dict[str, Any]:
    """Return a message as an item to create."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
