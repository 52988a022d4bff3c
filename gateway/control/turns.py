"""Who may speak next: the rule of one active response, kept from the client's side.

The service refuses a ``response.create`` while a response is active, and begins responses
by itself after a caller's turn and after an idle timeout.  What the call wants said is
therefore held until the floor is free.  Requests carry a token in the response's metadata,
so that the answer to ours is told from one the service began.
"""

from collections.abc import Callable, Sequence
from typing import Final

from ..realtime.commands import OutputAudioBufferClear, ResponseCancel
from ..realtime.events import (
    ErrorDetail,
    ErrorEvent,
    InputAudioBufferCommitted,
    InputAudioBufferSpeechStarted,
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
from .asks import SAY_EXACTLY, TOKEN, Ask, Asks, spoken
from .context import Context
from .events import Event
from .setbacks import Setbacks
from .speech import Speech
from .states import CallState
from .unfinished import unfinished

__all__ = ["SAY_EXACTLY", "Turns"]

_EXPECT_SECONDS: Final = 1.0  # how soon the service begins a response it owes
_CANCEL_SECONDS: Final = 2.0  # how soon a cancelled response is done
_MOST_DROPPED: Final = 64
_IS_ACTIVE: Final = "conversation_already_has_active_response"


class Turns:
    """The responses of one call: the active one, the one asked for, the ones dropped."""

    def __init__(
        self, context: Context, speech: Speech, on_failure: Callable[[ErrorDetail], None]
    ) -> None:
        self.active: str | None = None
        self.is_reserved = False  # somebody has the next word: what the service begins is cancelled
        self.waits_since: float | None = None  # for the service to begin or to go on
        self._context = context
        self._speech = speech
        self._asks = Asks()
        self._setbacks = Setbacks(context, self._asks, on_failure)
        self._dropped: dict[str, None] = {}
        self._expected_until: float | None = None
        self._cancelled_until: float | None = None

    @property
    def is_free(self) -> bool:
        """Whether the service would take a ``response.create`` now."""
        is_open = self.active is None and self._expected_until is None
        return is_open and self._asks.pending is None

    @property
    def is_pausing(self) -> bool:
        """Whether the caller waits for an answer that the service is not yet to be asked for."""
        ask = self._asks.pending
        return ask is not None and not ask.event_id and self._context.now < ask.not_before

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        times = [self._expected_until, self._cancelled_until]
        ask = self._asks.pending
        if ask is not None and self._may_send(ask):
            times.append(ask.not_before)
        return min((time for time in times if time is not None), default=None)

    def is_dropped(self, response_id: str) -> bool:
        """Tell whether what still comes of a response is to be thrown away."""
        return response_id in self._dropped

    @property
    def will_answer(self) -> bool:
        """Whether an answer is about to be asked for anyway."""
        return self._asks.will_answer

    @property
    def unsaid(self) -> Say | None:
        """The words that the service was asked for and has not yet spoken to their end."""
        ask = self._asks.pending or (None if self.active is None else self._asks.begun)
        return ask.request if ask is not None and isinstance(ask.request, Say) else None

    @property
    def is_resting(self) -> bool:
        """Whether nothing is under way between the call and the service."""
        return self.is_free and self.waits_since is None

    def ask(self, request: Say | Respond) -> None:
        """Have the service speak, as soon as the floor is free."""
        self._asks.put(request)
        self.pump()

    def interrupt(self, *, is_cancelled_by_service: bool = False) -> None:
        """Cut whatever is being said; keep an ask that is not yet a response."""
        is_audible = self._speech.is_audible
        is_sounding = any(self._speech.has_audio(one) for one in self._speech.responses)
        if self.active is not None and not self.is_dropped(self.active):
            if not is_cancelled_by_service:
                self._cancel(self.active)
            self._drop(self.active)
        elif is_sounding and not is_cancelled_by_service:
            self._silence()
        for response_id in self._speech.responses:
            self._drop(response_id)
        if is_audible:
            self._speech.clear()
            self._context.act(Stop())

    def withdraw(self) -> None:
        """Give up an ask the service has not yet begun to answer."""
        if self._asks.pending is not None and self._asks.pending.event_id:
            self._expected_until = self._context.now + _EXPECT_SECONDS  # it will begin all the same
            self.waits_since = None
        self._asks.pending = None

    def reset(self) -> None:
        """Forget a service that is gone, or that stopped answering."""
        self._asks.clear()
        self.active = self.waits_since = None
        self._expected_until = self._cancelled_until = None

    def suspend(self) -> bool:
        """Keep what the caller is owed for the next link; tells whether an answer was cut."""
        is_cut_short = self.active is None or self.is_dropped(self.active)
        active = None if is_cut_short else self.active
        asks = self._asks
        was_awaited = self.active is None and asks.pending is None and self.waits_since is not None
        rest = unfinished(
            self._context,
            self._speech,
            ask=asks.pending,
            begun=None if is_cut_short else asks.begun,
            active=active,
            was_awaited=was_awaited,
        )
        self.reset()
        self._dropped.clear()
        if rest.request is not None:
            asks.put_owed(rest.request)
        return rest.was_cut

    def resume(self, *, pause: float, is_answer_wanted: bool) -> None:
        """Ask the service that is back for what is owed, after ``pause`` where it is an answer."""
        if self._asks.pending is None and is_answer_wanted:
            self._asks.put_owed(Respond())
        if self._asks.pending is not None and self._asks.pending.is_owed:
            self._asks.pending.not_before = self._context.now + pause
        self.pump()

    def retry(self, reason: str) -> None:
        """Have what the service stays silent on asked for once more."""
        is_over = self.active is not None and self.is_dropped(self.active)
        ask = self._asks.pending or (None if is_over else self._asks.begun)
        self._context.log(f"asking again: {reason}")
        self._asks.doubt()
        if self.active is not None:
            self._cancel(self.active)
            self._drop(self.active)
        self.waits_since = None
        is_talk = self._context.state is CallState.TALKING and not self.is_reserved
        if ask is not None:
            self.ask(ask.request)
        elif is_talk and not is_over:
            self.ask(Respond())

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in a service event; returns what is to be said because of it."""
        match event:
            case ResponseOutputAudioDelta() | ResponseOutputAudioDone():
                self._hear_of(event.response_id)
            case OutputAudioBufferStarted():
                self._hear_of(event.response_id)
                self._speech.outlast(event.response_id)
            case OutputAudioBufferStopped():
                self._speech.hear(event.response_id)
            case OutputAudioBufferCleared():
                self._drop(event.response_id)
            case ResponseCreated():
                self._take_created(event.response)
            case ResponseDone():
                return self._take_done(event.response)
            case ErrorEvent():
                self._take_error(event.error)
            case InputAudioBufferSpeechStarted():
                self._asks.forgive()
            case InputAudioBufferCommitted():
                self._expect()
            case InputAudioBufferTimeoutTriggered(origin="service"):
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
            self._cancelled_until = self.active = self._asks.begun = self.waits_since = None
        self.pump()
        return ()

    def pump(self) -> None:
        """Send what was asked for if the service would take it now."""
        ask = self._asks.pending
        if ask is None or not self._may_send(ask) or self._context.now < ask.not_before:
            return
        if self.waits_since is None:  # else it was refused before, and goes on waiting
            self.waits_since = self._context.now
        ask.event_id = self._context.send(spoken(ask))

    def _may_send(self, ask: Ask) -> bool:
        """Tell whether only time stands between an ask and the service."""
        is_open = self.active is None and self._expected_until is None
        return is_open and not ask.event_id and self._context.is_service_ready

    def _hear_of(self, response_id: str) -> None:
        if not self.is_dropped(response_id):
            self._speech.add_audio(response_id)

    def _expect(self) -> None:
        """The service owes a response, unless it was told not to begin any."""
        is_ours = self._context.may_take_back  # then we ask for every answer
        if self._context.settings.is_answered_by_itself and not is_ours:
            self._asks.forgive()
            if self.active is None:
                self._expected_until = self._context.now + _EXPECT_SECONDS
                self.waits_since = None if self.is_reserved else self._context.now

    def _take_created(self, response: ResponseInfo) -> None:
        response_id = response.id or ""
        token = (response.metadata or {}).get(TOKEN)
        self._expected_until = None
        self._asks.forgive()
        self.active, self.waits_since = response_id, self._context.now
        if self._asks.take(token):
            self._speech.begin(response_id)
        elif self._asks.pending is not None or self.is_reserved:
            self._cancel(response_id)
            self._drop(response_id)
        else:
            self._speech.begin(response_id)

    def _take_done(self, response: ResponseInfo) -> Sequence[Request]:
        """Free the floor, and go on by the response's status."""
        response_id = response.id or self.active or ""
        begun = self._asks.begun
        if response_id == self.active:
            self.active = self._cancelled_until = self.waits_since = None
            self._asks.begun = None
            if self._asks.pending is not None and self._asks.pending.event_id:
                self.waits_since = self._context.now  # this was the answer to something else
        self._speech.finish(response_id)
        follow_up: Sequence[Request] = ()
        is_dropped = self.is_dropped(response_id)
        match response.status:
            case "completed":
                self._setbacks.forget()
            case "failed" if not is_dropped:
                details = response.status_details
                error = details.error if isinstance(details, StatusDetails) else None
                self.waits_since = None
                self._setbacks.fail(begun.request if begun else Respond(), error or ErrorDetail())
            case "incomplete" if not is_dropped:
                is_reserved = self.is_reserved
                follow_up = self._setbacks.round_off(response, begun, is_reserved=is_reserved)
            case "cancelled":
                self._refuse_late(response_id)
            case _:
                pass
        self.pump()
        return follow_up

    def _take_error(self, error: ErrorDetail) -> None:
        ask = self._asks.find(error.event_id)
        if ask is None:
            return
        if error.code == _IS_ACTIVE or (error.message or "").startswith("Conversation already"):
            self._refuse(ask)
        elif self._context.classify(error) == "retry":
            self._asks.pending = self.waits_since = None
            self._setbacks.fail(ask.request, error)
        elif ask is self._asks.pending:
            self._asks.pending = self.waits_since = None
            self._context.log(f"the service will not speak: {error.message}")

    def _refuse(self, ask: Ask) -> None:
        """Another response was there first: ours waits until that one is gone."""
        was_begun = self._asks.begun is ask
        self._asks.pending = Ask(ask.request, ask.token)
        if self.active is None:
            self._expected_until = self._context.now + _EXPECT_SECONDS
        elif was_begun:  # it was taken for the answer to ours
            self._asks.begun = None
            self._cancel(self.active)
            self._drop(self.active)

    def _cancel(self, response_id: str) -> None:
        self._context.send(ResponseCancel(response_id=response_id or None))
        self._silence()
        self._cancelled_until = self._context.now + _CANCEL_SECONDS

    def _silence(self) -> None:
        """Have a service that plays its speech itself stop it."""
        if not self._context.owns_playout and self._context.is_service_ready:
            self._context.send(OutputAudioBufferClear())

    def _drop(self, response_id: str) -> None:
        self._speech.forget(response_id)
        self._refuse_late(response_id)

    def _refuse_late(self, response_id: str) -> None:
        """Have nothing more of a response played."""
        self._dropped[response_id] = None
        if len(self._dropped) > _MOST_DROPPED:
            del self._dropped[next(iter(self._dropped))]
