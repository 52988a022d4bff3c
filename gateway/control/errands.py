"""Slow things done outside the call: webhooks, and functions of the writer's own."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from .actions import PostWebhook, Request, RunErrand
from .context import Context
from .events import ErrandDone, Event
from .sealed import Sealed

__all__ = ["Errands"]

_MOST: Final = 32  # under way in one call
_GRACE: Final = 5.0  # seconds beyond an errand's own patience until it is given up


class Errands:
    """The errands under way; each is over once, in time, whatever becomes of it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._count = 0
        self._due: dict[str, float] = {}  # when each is given up

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        return min(self._due.values(), default=None)

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in the end of an errand."""
        if isinstance(event, ErrandDone):
            self._due.pop(event.errand_id, None)
            if event.problem:
                self._context.log(f"{event.errand_id}: {event.problem}")
        return ()

    def wake(self) -> Sequence[Request]:
        """Give up those of which nothing was heard."""
        for errand_id, due in tuple(self._due.items()):
            if self._context.now >= due:
                del self._due[errand_id]
                self._context.derive(ErrandDone(errand_id, 0, problem="it took too long"))
        return ()

    def post(self, request: PostWebhook) -> Sequence[Request]:
        """Tell a webhook how the call stands."""
        hook = self._context.settings.webhooks.get(request.name)
        if hook is None:
            self._context.log(f"there is no webhook {request.name!r}")
            return ()
        self._run("webhook", request.name, {}, hook.patience)
        return ()

    def run_tool(self, name: str, call_id: str, arguments: Mapping[str, Any]) -> str:
        """Begin a tool; returns the errand that ends with its result."""
        tool = self._context.settings.tools[name]
        told = {"call_id": call_id, "arguments": dict(arguments)}
        return self._run("tool", name, told, tool.patience)

    def _run(
        self, kind: Literal["webhook", "tool"], name: str, told: Mapping[str, Any], seconds: float
    ) -> str:
        context = self._context
        self._count += 1
        errand_id = f"{kind}-{name}-{self._count}"
        if len(self._due) >= _MOST:
            context.derive(ErrandDone(errand_id, 0, problem="too much is under way already"))
            return errand_id
        call = {
            "id": context.call_id,
            "trunk": context.trunk,
            "caller": context.caller,
            "called": context.called,
            "variables": context.variables.shown(),
        }
        self._due[errand_id] = context.now + seconds + _GRACE
        payload = {kind: name, **told, "call": call}
        sealed = context.variables.sealed() if kind == "webhook" else Sealed()
        context.act(RunErrand(errand_id, kind, name, payload, sealed))
        return errand_id
