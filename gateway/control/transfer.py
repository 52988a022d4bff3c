"""Sending the caller elsewhere by REFER, and taking them back when nobody is there."""

import json
from collections.abc import Sequence

from ..realtime.commands import function_output
from .actions import HangUp, Refer, Request, Respond, SendText, Transfer
from .context import Context, Mode
from .events import Event, LinkReady, TransferEnded
from .states import CallState

__all__ = ["TransferDesk"]

_NO_ANSWER = 408


class TransferDesk:
    """The one transfer a call can have under way."""

    def __init__(self, context: Context) -> None:
        self.deadline: float | None = None
        self.call_id: str | None = None  # the function call that waits for the outcome
        self._context = context
        self._name = ""

    def start(self, request: Transfer) -> Sequence[Request]:
        """Send the caller to a configured target; returns what to do if that cannot be."""
        context = self._context
        target = context.settings.targets.get(request.target)
        self._name = request.target
        if target is None:
            return self._explain("is not a target this gateway may call")
        if not context.is_answered or not context.move(CallState.TRANSFERRING):
            return self._explain("is not possible now")
        self.deadline = context.now + context.settings.call.transfer_seconds
        context.act(Refer(target.uri))
        return ()

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in the outcome; returns what is to be done about it."""
        if isinstance(event, LinkReady) and event.transport != "sip":
            self.call_id = None  # of a conversation that is gone
        if not isinstance(event, TransferEnded):
            return ()
        if event.is_accepted:  # late or not, the caller is in other hands
            self._context.act(HangUp("transferred"))
            return ()
        if self._context.state is not CallState.TRANSFERRING:
            return ()
        return self._take_back(event.status)

    def wake(self) -> Sequence[Request]:
        """Give up a transfer of which nothing was heard."""
        if self.deadline is None or self._context.now < self.deadline:
            return ()
        return self._take_back(_NO_ANSWER)

    def _take_back(self, status: int) -> Sequence[Request]:
        self.deadline = None
        self._context.move(CallState.TALKING)
        return self._explain(f"failed with status {status}; the caller is still here")

    def _explain(self, outcome: str) -> Sequence[Request]:
        """Tell the model, as the result it waits for or as a remark."""
        context, call_id = self._context, self.call_id
        self.call_id = None
        text = f"The transfer to {self._name} {outcome}."
        context.log(text)
        if context.service is Mode.LOST:
            return ()  # the way out without a service goes on from here
        if call_id is None or context.is_service_coming:
            return (SendText(f"[{text}]"), Respond())
        context.send(function_output(call_id, json.dumps({"error": text})))
        return (Respond(),)
