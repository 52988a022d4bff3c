"""Slow things done outside the call: webhooks, and functions of the writer's own."""

from collections.abc import Mapping, Sequence
from typing import Any

from .actions import PostWebhook, Request, RunErrand
from .context import Context
from .events import ErrandDone, Event

__all__ = ["Errands"]


class Errands:
    """The errands under way, each told once when it is over."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._count = 0

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in the end of an errand."""
        if isinstance(event, ErrandDone) and event.problem:
            self._context.log(f"errand {event.errand_id}: {event.problem}")
        return ()

    def post(self, request: PostWebhook) -> Sequence[Request]:
        """Tell a webhook how the call stands."""
        context = self._context
        payload: Mapping[str, Any] = {"variables": context.variables.shown()}
        sealed = context.variables.sealed()
        self._count += 1
        errand_id = f"errand-{self._count}"
        context.act(RunErrand(errand_id, "webhook", request.name, payload, sealed))
        return ()
