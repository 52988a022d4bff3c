"""Who may speak next: the rule of one active response, kept from the client's side.

The service refuses a ``response.create`` while a response is active, and begins responses
by itself after a caller's turn and after an idle timeout.  What the call wants said is
therefore held until the floor is free.  Requests carry a token in the response's metadata,
so that the answer to ours is told from one the service began.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..realtime.commands import OutputAudioBufferClear, ResponseCancel, ResponseCreate
from ..realtime.events import (
    ErrorDetail,
    ErrorEvent,
    InputAudioBufferCommitted,
    InputAudioBufferTimeoutTriggered,
    OutputAudioBufferCleared,
    OutputAudioBufferStarted,
    OutputAudioBufferStopped,
    ResponseCreated,
    ResponseDone,
    ResponseInfo,
    ResponseOutputAudioDelta,
    ResponseOutputAudioDone,
    StatusDetails,
)
from .actions import Request, Respond, Say, Stop
from .context import Context
from .events import Event
from .speech import Speech

__all__ = ["SAY_EXACTLY", "Turns"]

# The form in which a service is asked to speak given words.
SAY_EXACTLY: Final = 'Say exactly the following words and nothing else: "{}"'
_TOKEN: Final = "gateway"
_EXPECT_SECONDS: Final = 1.0  # how soon the service begins a response it owes
_CANCEL_SECONDS: Final = 2.0  # how soon a cancelled response is done
_MOST_FAILURES: Final = 3
_MOST_DROPPED: Final = 64
_IS_ACTIVE: Final = "conversation_already_has_active_response"


@dataclass(slots=True)
class _Ask:
    """Speech the call wants; ``event_id`` is empty until it is sent."""

    request: Say | Respond
    token: str
    event_id: str = ""
    not_before: float = 0.0


class Turns:
    """The responses of one call: the active one, the one asked for, the ones dropped."""

    def __init__(self, context: Context, speech: Speech, on_failure: Callable[[str], None]) -> None:
        self.active: str | None = None
        self.is_reserved = False  # somebody has the next word: what the service begins is cancelled
        self._context = context
        self._speech = speech
        self._on_failure = on_failure
        self._ask: _Ask | None = None
        self._begun: _Ask | None = None  # what the active response answers
        self._dropped: dict[str, None] = {}
        self._expected_until: float | None = None
        self._cancelled_until: float | None = None
        self._is_echoed = False  # this service returns our metadata
        self._failures = 0
        self._tokens = 0

    @property
    def is_free(self) -> bool:
        """Whether the service would take a ``response.create`` now."""
        return self.active is None and self._ask is None and self._expected_until is None

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        times = [self._expected_until, self._cancelled_until]
        if self._ask is not None and self._may_send(self._ask):
            times.append(self._ask.not_before)
        return min((time for time in times if time is not None), default=None)

    def is_dropped(self, response_id: str) -> bool:
        """Tell whether what still comes of a response is to be thrown away."""
        return response_id in self._dropped

    def ask(self, request: Say | Respond) -> None:
        """Have the service speak, as soon as the floor is free."""
        self._tokens += 1
        self._ask = _Ask(request, str(self._tokens))
        self.pump()

    def interrupt(self, *, is_cancelled_by_service: bool = False) -> None:
        """Cut whatever is being said; keep an ask that is not yet a response."""
        is_audible = self._speech.is_audible
        if self.active is not None and not self.is_dropped(self.active):
            if not is_cancelled_by_service:
                self._cancel(self.active)
            self._drop(self.active)
        for response_id in self._speech.responses:
            self._drop(response_id)
        if is_audible:
            self._speech.clear()
            self._context.act(Stop())

    def withdraw(self) -> None:
        """Give up an ask the service has not yet begun to answer."""
        if self._ask is not None and self._ask.event_id:
            self._expected_until = self._context.now + _EXPECT_SECONDS  # it will begin all the same
        self._ask = None

    def reset(self) -> None:
        """Forget a service that is gone, or that stopped answering."""
        self.active = self._ask = self._begun = None
        self._expected_until = self._cancelled_until = None

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in a service event."""
        match event:
            case ResponseOutputAudioDelta() | ResponseOutputAudioDone():
                self._hear_of(event.response_id)
            case OutputAudioBufferStarted():
                self._hear_of(event.response_id)
            case OutputAudioBufferStopped():
                self._speech.hear(event.response_id)
            case OutputAudioBufferCleared():
                self._drop(event.response_id)
            case ResponseCreated():
                self._take_created(event.response)
            case ResponseDone():
                self._take_done(event.response)
            case ErrorEvent():
                self._take_error(event.error)
            case InputAudioBufferCommitted() | InputAudioBufferTimeoutTriggered():
                self._expect()
            case _:
                pass
        return ()

    def wake(self) -> Sequence[Request]:
        """Run whatever is due: an ask held back, a response that never came or never ended."""
        now = self._context.now
        if self._expected_until is not None and now >= self._expected_until:
            self._expected_until = None
        if self._cancelled_until is not None and now >= self._cancelled_until:
            self._cancelled_until = self.active = None
        self.pump()
        return ()

    def pump(self) -> None:
        """Send what was asked for if the service would take it now."""
        ask = self._ask
        if ask is None or not self._may_send(ask) or self._context.now < ask.not_before:
            return
        response = {"metadata": {_TOKEN: ask.token}} | _instructions(ask.request)
        ask.event_id = self._context.send(ResponseCreate(response=response))

    def _may_send(self, ask: _Ask) -> bool:
        """Tell whether only time stands between an ask and the service."""
        is_open = self.active is None and self._expected_until is None
        return is_open and not ask.event_id and self._context.is_service_ready

    def _hear_of(self, response_id: str) -> None:
        if not self.is_dropped(response_id):
            self._speech.add_audio(response_id)

    def _expect(self) -> None:
        """The service owes a response, unless it was told not to begin any."""
        turns = self._context.settings.turn_detection
        if self.active is None and turns.get("create_response", True):
            self._expected_until = self._context.now + _EXPECT_SECONDS

    def _take_created(self, response: ResponseInfo) -> None:
        response_id = response.id or ""
        token = (response.metadata or {}).get(_TOKEN)
        self._expected_until = None
        self.active, self._begun = response_id, None
        ask = self._ask
        if ask is not None and ask.event_id and token in self._tokens_of(ask):
            self._is_echoed = self._is_echoed or token is not None
            self._begun, self._ask = ask, None
            self._speech.begin(response_id)
        elif ask is not None or self.is_reserved:
            self._cancel(response_id)
            self._drop(response_id)
        else:
            self._speech.begin(response_id)

    def _tokens_of(self, ask: _Ask) -> tuple[str | None, ...]:
        """Return the tokens by which the answer to ``ask`` may be known."""
        return (ask.token,) if self._is_echoed else (ask.token, None)

    def _take_done(self, response: ResponseInfo) -> None:
        response_id = response.id or self.active or ""
        begun = self._begun
        if response_id == self.active:
            self.active = self._begun = self._cancelled_until = None
        self._speech.finish(response_id)
        if response.status == "completed":
            self._failures = 0
        elif response.status == "failed" and not self.is_dropped(response_id):
            details = response.status_details
            error = details.error if isinstance(details, StatusDetails) else None
            self._fail(begun.request if begun else Respond(), error or ErrorDetail())
        elif response.status == "incomplete":
            self._context.log(f"response {response_id} is incomplete: {response.reason}")
        self.pump()

    def _take_error(self, error: ErrorDetail) -> None:
        for ask in (self._ask, self._begun):
            if ask is None or not ask.event_id or ask.event_id != error.event_id:
                continue
            if error.code == _IS_ACTIVE or (error.message or "").startswith("Conversation already"):
                self._refuse(ask)
            elif self._context.classify(error) == "retry":
                self._ask = None
                self._fail(ask.request, error)
            elif ask is self._ask:
                self._ask = None
                self._context.log(f"the service will not speak: {error.message}")
            return

    def _refuse(self, ask: _Ask) -> None:
        """Another response was there first: ours waits until that one is gone."""
        self._ask = _Ask(ask.request, ask.token)
        if self.active is None:
            self._expected_until = self._context.now + _EXPECT_SECONDS
        elif self._begun is ask:  # it was taken for the answer to ours
            self._begun = None
            self._cancel(self.active)
            self._drop(self.active)

    def _fail(self, request: Say | Respond, error: ErrorDetail) -> None:
        reason = error.message or error.code or "the response failed"
        self._failures += 1
        if self._failures > _MOST_FAILURES or self._context.classify(error) == "terminal":
            self._on_failure(reason)
            return
        delay = 0.5 * 2**self._failures
        self._context.log(f"trying again in {delay:g} s: {reason}")
        self._tokens += 1
        self._ask = _Ask(request, str(self._tokens), not_before=self._context.now + delay)

    def _cancel(self, response_id: str) -> None:
        self._context.send(ResponseCancel(response_id=response_id or None))
        if not self._context.owns_playout:
            self._context.send(OutputAudioBufferClear())
        self._cancelled_until = self._context.now + _CANCEL_SECONDS

    def _drop(self, response_id: str) -> None:
        self._speech.forget(response_id)
        self._dropped[response_id] = None
        if len(self._dropped) > _MOST_DROPPED:
            del self._dropped[next(iter(self._dropped))]


def _instructions(request: Say | Respond) -> dict[str, object]:
    if isinstance(request, Say):
        return {"instructions": SAY_EXACTLY.format(request.text), "tool_choice": "none"}
    return {} if request.instructions is None else {"instructions": request.instructions}
