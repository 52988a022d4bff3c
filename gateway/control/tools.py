"""Functions the model may call: requests, not orders, checked against what is allowed.

A model can be talked into anything; where a call may go is decided by the configuration.
Every function call gets exactly one result, and one ``response.create`` follows them all.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..realtime.commands import function_output
from ..realtime.events import (
    Item,
    ResponseDone,
    ResponseFunctionCallArgumentsDone,
    ResponseInfo,
    ResponseOutputItemDone,
)
from .actions import HangUp, Request, Respond, Say, Transfer
from .context import Context
from .events import Event, LinkReady
from .settings import ControlSettings
from .speech import Speech
from .states import CallState
from .transfer import TransferDesk

__all__ = ["Tools", "tool_definitions"]

_MOST_CALLS = 256
_OK: Final = '{"status":"ok"}'


@dataclass(slots=True)
class _Call:
    name: str
    arguments: str


def tool_definitions(settings: ControlSettings) -> list[dict[str, Any]]:
    """Return the functions offered to the model: those switched on that can do something."""
    offered: list[dict[str, Any]] = []
    if "transfer_call" in settings.call.tools and settings.targets:
        target = {"type": "string", "enum": sorted(settings.targets)}
        offered.append(
            _definition(
                "transfer_call",
                "Transfer the caller to somebody else. Say so before calling this.",
                {"target": target},
            )
        )
    if "hang_up" in settings.call.tools:
        offered.append(
            _definition(
                "hang_up",
                "End the call when the caller wants nothing more. Say goodbye before calling this.",
                {},
            )
        )
    return offered


def _definition(name: str, description: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": {
            "type": "object",
            "properties": dict(properties),
            "required": list(properties),
            "additionalProperties": False,
        },
    }


class Tools:
    """Gathers the function calls of a response and carries them out when it is complete."""

    def __init__(self, context: Context, speech: Speech, transfer: TransferDesk) -> None:
        self._context = context
        self._speech = speech
        self._transfer = transfer
        self._calls: dict[str, _Call] = {}  # of the response under way, by call_id
        self._answered: dict[str, None] = {}

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in a piece of a response; returns what follows once it is complete."""
        match event:
            case ResponseFunctionCallArgumentsDone():
                self._note(event.call_id, event.name, event.arguments)
            case ResponseOutputItemDone():
                self._note_item(event.item)
            case ResponseDone():
                return self._finish(event.response)
            case LinkReady():
                self._calls.clear()  # of a response nobody will finish
            case _:
                pass
        return ()

    def _note_item(self, item: Item) -> None:
        if item.type == "function_call" and item.call_id:
            self._note(item.call_id, item.name or "", item.arguments or "")

    def _note(self, call_id: str, name: str, arguments: str) -> None:
        known = self._calls.setdefault(call_id, _Call(name, arguments))
        known.name = known.name or name
        if len(self._calls) > _MOST_CALLS:
            del self._calls[next(iter(self._calls))]

    def _finish(self, response: ResponseInfo) -> Sequence[Request]:
        for item in response.output or ():
            self._note_item(item)
        calls, self._calls = self._calls, {}
        if response.status != "completed":
            if calls:
                self._context.log(f"function calls of a {response.status} response are not run")
            return ()
        new = {call_id: call for call_id, call in calls.items() if call_id not in self._answered}
        self._remember(new)
        if not new:
            return ()
        return self._run(new, is_spoken=self._speech.has_audio(response.id or ""))

    def _remember(self, calls: Mapping[str, _Call]) -> None:
        self._answered |= dict.fromkeys(calls)
        while len(self._answered) > _MOST_CALLS:
            del self._answered[next(iter(self._answered))]

    def _run(self, calls: Mapping[str, _Call], *, is_spoken: bool) -> Sequence[Request]:
        ending: tuple[Request, ...] | None = None
        for call_id, call in calls.items():
            result, request = self._judge(call)
            if isinstance(request, Transfer) and ending is None:
                self._transfer.call_id = call_id  # its result is the outcome
                ending = (request,)
                continue
            if isinstance(request, HangUp) and ending is None:
                goodbye = () if is_spoken else (Say(self._context.settings.call.goodbye),)
                ending = (*goodbye, request)
            self._context.send(function_output(call_id, result))
        return (Respond(),) if ending is None else ending

    def _judge(self, call: _Call) -> tuple[str, Request | None]:
        """Return the result to give, and what to do where it is allowed."""
        settings = self._context.settings
        if call.name not in settings.call.tools:
            return self._refuse(f"there is no function {call.name!r}")
        if self._context.state is not CallState.TALKING:
            return self._refuse("the call is already being ended or transferred")
        if call.name == "hang_up":
            return _OK, HangUp("agent")
        target = _argument(call.arguments, "target")
        if target not in settings.targets:
            allowed = ", ".join(sorted(settings.targets)) or "none"
            return self._refuse(f"{target!r} is not an allowed target; allowed: {allowed}")
        return _OK, Transfer(target)

    def _refuse(self, reason: str) -> tuple[str, None]:
        self._context.log(f"function call refused: {reason}")
        return json.dumps({"error": reason}), None


def _argument(arguments: str, name: str) -> str:
    """Read one text argument out of what a model wrote; empty where there is none."""
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return ""
    return str(value.get(name, "")) if isinstance(value, dict) else ""
