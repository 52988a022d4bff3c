"""Functions the model may call: requests, not orders, checked against what is allowed.

A model can be talked into anything; where a call may go is decided by the configuration.
Every function call gets exactly one result, and one ``response.create`` follows them all:
at once, or when the slowest of them is done.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ..realtime.commands import function_output
from ..realtime.events import (
    Item,
    ResponseDone,
    ResponseFunctionCallArgumentsDone,
    ResponseInfo,
    ResponseOutputItemDone,
)
from .actions import (
    Collect,
    HangUp,
    Hold,
    OpenMenu,
    Request,
    Respond,
    Resume,
    SendDtmf,
    SetVariables,
    Transfer,
)
from .comfort import Comfort
from .context import Context
from .errands import Errands
from .events import ErrandDone, Event, LinkReady, MenuClosed
from .lint import GIVEN_VARIABLES
from .settings import ControlSettings
from .speech import Speech
from .states import CallState
from .tool_arguments import read_arguments
from .tool_limits import ToolLimits
from .tool_offers import tool_definitions
from .transfer import TransferDesk

__all__ = ["Tools"]

_MOST_CALLS: Final = 256
_OK: Final = '{"status":"ok"}'


@dataclass(slots=True)
class _Call:
    name: str
    arguments: str


@dataclass(slots=True)
class _Batch:
    """The function calls of one response: those still without a result, and what comes last."""

    waiting: set[str] = field(default_factory=set)
    is_answer_due: bool = False


class Tools:
    """Gathers the function calls of a response and carries them out when it is complete."""

    def __init__(
        self,
        context: Context,
        speech: Speech,
        transfer: TransferDesk,
        errands: Errands,
        comfort: Comfort,
    ) -> None:
        self._context = context
        self._speech = speech
        self._transfer = transfer
        self._errands = errands
        self._comfort = comfort
        self._limits = ToolLimits(context)
        self._calls: dict[str, _Call] = {}  # of the response under way, by call_id
        self._answered: dict[str, None] = {}
        self._batches: dict[str, _Batch] = {}  # by the call_ids that wait
        self._running: dict[str, str] = {}  # call_ids by errand
        self._collecting: dict[str, str] = {}  # call_ids by collection
        self._known: tuple[ControlSettings, dict[str, Mapping[str, Any]]] | None = None

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in a piece of a response, or the end of something slow; returns what follows."""
        match event:
            case ResponseFunctionCallArgumentsDone():
                self._note(event.call_id, event.name, event.arguments)
            case ResponseOutputItemDone():
                self._note_item(event.item)
            case ResponseDone():
                return self._finish(event.response)
            case ErrandDone() if event.errand_id in self._running:
                call_id = self._running.pop(event.errand_id)
                self._comfort.end(call_id)
                return self._give(call_id, _outcome(event))
            case MenuClosed() if event.name in self._collecting:
                return self._give_digits(event)
            case LinkReady(transport=transport):
                self._calls.clear()  # of a response nobody will finish
                if transport != "sip":
                    self._forget()
            case _:
                pass
        return ()

    def settle(self, places: Sequence[str]) -> Sequence[Request]:
        """Answer for a collection that something else was done in place of."""
        for place in self._collecting:
            if place not in places:
                return self._give_digits(MenuClosed(place, "closed"))
        return ()

    def _forget(self) -> None:
        """Nothing waits for a result in a conversation that is new."""
        for call_id in self._running.values():
            self._comfort.end(call_id)
        self._running.clear()
        self._collecting.clear()
        self._batches.clear()
        self._context.awaited_places.clear()

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
        """Carry the calls of one response out; the last that ends the talk is done last."""
        batch = _Batch()
        requests: list[Request] = []
        ending: tuple[Request, ...] = ()
        for call_id, call in calls.items():
            arguments, problem = self._judge(call)
            if problem:
                self._context.log(f"function call refused: {problem}")
                self._send(call_id, json.dumps({"error": problem}))
                batch.is_answer_due = True
                continue
            asked = self._begin(call_id, call.name, arguments, batch)
            if asked is None:
                continue
            if isinstance(asked, Transfer | HangUp) and not ending:
                ending = self._end(call_id, asked, is_spoken=is_spoken)
            elif isinstance(asked, Transfer | HangUp):
                self._send(call_id, json.dumps({"error": "the call is already being ended"}))
            else:
                requests.append(asked)
        if ending:
            return (*requests, *ending)
        return (*requests, *self._answer(batch))

    def _begin(
        self, call_id: str, name: str, arguments: Mapping[str, Any], batch: _Batch
    ) -> Request | None:
        """Return what a built-in function asks for, its result given; or start what takes long."""
        if name in self._context.settings.tools:
            self._context.tool_cost += self._context.settings.tools[name].cost
            self._wait(call_id, batch)
            self._comfort.begin(call_id)
            self._running[self._errands.run_tool(name, call_id, arguments)] = call_id
            return None
        match name:
            case "transfer_call":
                return Transfer(str(arguments["target"]))
            case "hang_up":
                return HangUp("agent")
            case "collect_digits":
                place = str(arguments["name"])
                self._wait(call_id, batch)
                self._collecting[place] = call_id
                self._context.awaited_places.add(place)
                return Collect(place)
        self._send(call_id, _OK)
        batch.is_answer_due = batch.is_answer_due or name != "open_menu"
        return _request(name, arguments)

    def _end(
        self, call_id: str, request: Transfer | HangUp, *, is_spoken: bool
    ) -> tuple[Request, ...]:
        if isinstance(request, Transfer):
            self._transfer.call_id = call_id  # its result is the outcome
            return (request,)
        self._send(call_id, _OK)
        goodbye = () if is_spoken else (self._context.settings.goodbye,)
        return (*goodbye, request)

    def _judge(self, call: _Call) -> tuple[dict[str, Any], str]:
        """Return the arguments, and why the function is not run; it is, where that is empty."""
        settings = self._context.settings
        schema = self._schemas().get(call.name)
        if schema is None:
            return {}, f"there is no function {call.name!r}"
        if self._context.state is not CallState.TALKING:
            return {}, "the call is already being ended or transferred"
        arguments, problem = read_arguments(call.arguments, schema)
        if problem and call.name == "transfer_call":
            allowed = ", ".join(sorted(settings.targets))
            problem = f"not an allowed target ({problem}); allowed: {allowed}"
        elif call.name == "set_variable" and not problem:
            problem = self._objection_to(str(arguments["name"]))
        elif call.name == "collect_digits" and not problem:
            is_busy = bool(self._collecting)
            problem = "another number is being entered already" if is_busy else ""
        return arguments, problem or self._limits.objection(call.name)

    def _objection_to(self, variable: str) -> str:
        """Say why the model may not set a variable, or return nothing."""
        is_given = variable in GIVEN_VARIABLES and variable != "language"
        is_sealed = variable in self._context.variables.sealed().reveal()
        return f"{variable} is not yours to set" if is_given or is_sealed else ""

    def _schemas(self) -> dict[str, Mapping[str, Any]]:
        """Return the schemas of the functions offered now, by name."""
        settings = self._context.settings
        if self._known is None or self._known[0] is not settings:
            offered = {one["name"]: one["parameters"] for one in tool_definitions(settings)}
            self._known = (settings, offered)
        return self._known[1]

    # Results

    def _wait(self, call_id: str, batch: _Batch) -> None:
        batch.waiting.add(call_id)
        batch.is_answer_due = True
        self._batches[call_id] = batch

    def _give_digits(self, event: MenuClosed) -> Sequence[Request]:
        """Tell the model what was entered, where it asked for it."""
        call_id = self._collecting.pop(event.name)
        self._context.awaited_places.discard(event.name)
        batch = self._batches[call_id]
        plan = self._context.settings.collects.get(event.name)
        if event.outcome != "collected":
            if plan is not None and plan.failed:
                batch.is_answer_due = False  # what was to happen then is under way
            return self._give(call_id, json.dumps({"error": "the caller entered no number"}))
        if plan is not None and plan.then:
            batch.is_answer_due = False
        is_told = plan is None or plan.to == "model"
        told = {"status": "ok"} | ({"digits": event.keys} if is_told else {})
        return self._give(call_id, json.dumps(told, ensure_ascii=False), is_keys=True)

    def _give(self, call_id: str, output: str, *, is_keys: bool = False) -> Sequence[Request]:
        """Give a result that took its time; the last of its batch is followed by an answer."""
        batch = self._batches.pop(call_id, None)
        self._send(call_id, output, is_keys=is_keys)
        if batch is None:
            return ()
        batch.waiting.discard(call_id)
        return self._answer(batch)

    def _answer(self, batch: _Batch) -> Sequence[Request]:
        is_talk = self._context.state is CallState.TALKING
        return (Respond(),) if batch.is_answer_due and not batch.waiting and is_talk else ()

    def _send(self, call_id: str, output: str, *, is_keys: bool = False) -> None:
        if self._context.is_linked:
            event_id = self._context.send(function_output(call_id, output))
            if is_keys:
                self._context.key_commands.add(event_id)


def _request(name: str, arguments: Mapping[str, Any]) -> Request:
    match name:
        case "send_dtmf":
            return SendDtmf(str(arguments["digits"]))
        case "hold_call":
            return Hold()
        case "resume_call":
            return Resume()
        case "open_menu":
            return OpenMenu(str(arguments["menu"]))
        case _:
            return SetVariables({str(arguments["name"]): str(arguments["value"])})


def _outcome(done: ErrandDone) -> str:
    """Return what an errand brought, as the model is told."""
    if done.problem:
        return json.dumps({"error": done.problem})
    try:
        json.loads(done.body)
    except (ValueError, RecursionError):
        return json.dumps({"result": done.body}, ensure_ascii=False)
    return done.body
