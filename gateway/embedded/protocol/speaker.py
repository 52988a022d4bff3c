"""The service's side of a session: the agent, and the responses it gives."""

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...realtime.events import ErrorDetail, RateLimitsUpdated
from ..agents.agent import (
    Agent,
    AgentEvent,
    AgentStep,
    Interrupted,
    PlayTurn,
    ResponseRequested,
    read_user_text,
)
from ..agents.chat import Thought
from .checks import Refused
from .inbox import Approved, Inbox, News
from .listener import Listener
from .options import Options
from .rates import RateWindow
from .response import Response
from .room import Room
from .sounds import Played
from .utterance import Pace

__all__ = ["Speaker"]

Pcm: TypeAlias = NDArray[np.int16]

_MOST_OUT_OF_BAND: Final = 4


class Speaker:
    """At most one response at a time in the conversation, a few beside it."""

    def __init__(
        self,
        room: Room,
        listener: Listener,
        inbox: Inbox,
        make_agent: Callable[[], Agent],
        make_pace: Callable[[], Pace],
        rates: RateWindow,
    ) -> None:
        self.agent = make_agent()
        self.has_spoken = False
        self._room = room
        self._listener = listener
        self._inbox = inbox
        self._make_agent = make_agent
        self._make_pace = make_pace
        self._output = room.output
        self._rates = rates
        self._main: Response | None = None
        self._beside: list[Response] = []
        self._counted_ms = 0  # of the main response's audio, in `_heard_until`
        self._heard_until = 0.0  # when the caller has heard all that was sent

    @property
    def is_active(self) -> bool:
        """Whether a response to the conversation is under way."""
        return self._main is not None

    def may_be_interrupted(self, now: float) -> bool:
        """Whether the caller may speak now: nothing is heard, or the agent lets itself be cut."""
        is_heard = self.is_active or self._is_playing or now < self._heard_until
        return self.agent.barge_in or not is_heard

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        dues = [each.deadline for each in self._responses()]
        if self._main is None:
            dues.append(self.agent.deadline)
        return min((due for due in dues if due is not None), default=None)

    def respond(self, options: Options, now: float) -> None:
        """Begin a response.

        Raises:
            Refused: One is under way already, or too many are beside it.

        """
        if options.is_out_of_band:
            self._respond_beside(options, now)
            return
        if self._main is not None:
            told = (
                "Conversation already has an active response in progress:"
                f" {self._main.id}. Wait until the response is finished before creating a new one."
            )
            raise Refused("conversation_already_has_active_response", told)
        self._begin(options, now)
        self.settle(now)
        self.advance(now)

    def advance(self, now: float) -> None:
        """Tell the agent what is new once all of it is understood, and carry out its answer."""
        main = self._main
        if main is None or not main.is_waiting or not self._inbox.is_ready:
            return
        news: list[News] = self._inbox.drain()
        if main.options.said is not None:
            news = [read_user_text(text) for text in main.options.said]
        steps: list[AgentStep] = [each.call for each in news if isinstance(each, Approved)]
        events = [each for each in news if not isinstance(each, Approved)]
        if events or not steps:
            steps += self._ask(self.agent, events, main.options.instructions, now)
        if any(isinstance(step, PlayTurn) for step in steps):
            main.play(steps, now, self._listener.replay(), self._listener.last_words)
        else:
            main.play(steps, now)
        self.settle(now)

    def spoken(self, job: str, pcm: Pcm, now: float) -> None:
        """Take in a sentence's speech: int16, 24 kHz."""
        for each in self._responses():
            each.spoken(job, pcm, now)
        self.settle(now)

    def unspoken(self, job: str, problem: ErrorDetail, now: float) -> None:
        """Take in why a sentence has no speech."""
        for each in self._responses():
            each.unspoken(job, problem)
        self.settle(now)

    def thought(self, job: str, thought: Thought, now: float) -> bool:
        """Take in a piece of a chat model's answer; false where nobody waits for it any more."""
        is_wanted = any(each.thought(job, thought, now) for each in self._responses())
        self.settle(now)
        return is_wanted

    def unthought(self, job: str, problem: ErrorDetail, now: float) -> None:
        """Take in why a chat model does not answer."""
        for each in self._responses():
            each.unthought(job, problem)
        self.settle(now)

    def tool_returned(self, job: str, output: str | None, error: object, now: float) -> None:
        """Take in what an MCP tool gave, or the error it met."""
        for each in self._responses():
            each.tool_returned(job, output, error, now)
        self.settle(now)

    def cancel(self, response_id: str | None, now: float) -> None:
        """Stop a response at the client's wish.

        Raises:
            Refused: It is not under way.

        """
        for each in self._responses():
            if response_id == each.id or (response_id is None and each is self._main):
                each.cancel("client_cancelled")
                if each is self._main:
                    self.fall_silent(now)
                self.settle(now)
                return
        told = "Cancellation failed: no active response found"
        raise Refused("response_cancel_not_active", told)

    def interrupt(self, now: float) -> None:
        """Stop because the caller speaks."""
        self.fall_silent(now)
        if self._output is not None:
            self._output.clear()
        if self._main is not None:
            self._main.cancel("turn_detected")
            self.settle(now)
            self._listener.idle.disarm()

    def fall_silent(self, now: float) -> None:
        """Note that the caller hears no more of what was sent."""
        self._heard_until = min(self._heard_until, now)

    def played(self, event: Played, now: float) -> None:
        """Take in what the player did; the caller's silence counts from what was heard last."""
        assert self._output is not None
        was_playing = self._is_playing
        self._output.played(event)
        if was_playing and not (self._is_playing or self.is_active):
            self._listener.idle.arm(now)

    def wake(self, now: float, make_options: Callable[[], Options]) -> None:
        """Send what is due; let the agent speak up by itself."""
        for each in self._responses():
            each.wake(now)
        self.settle(now)
        due = self.agent.deadline
        if self._main is None and due is not None and now >= due:
            steps = self.agent.wake(now)
            if steps:
                self._begin(make_options(), now).play(steps, now)
                self.settle(now)

    def settle(self, now: float) -> None:
        """Count what was sent, and close the books on what is done."""
        self._beside = [each for each in self._beside if not each.is_done]
        main = self._main
        if main is None:
            return
        if new_ms := main.sent_ms - self._counted_ms:
            if self._output is None:
                self._heard_until = max(self._heard_until, now) + new_ms / 1000
            self._counted_ms = main.sent_ms
            self.has_spoken = True
        if main.is_done:
            self._main = None
            if main.is_begun and not main.is_complete:
                self.agent.handle(Interrupted(), now)
            limits = self._rates.count(main.usage["total_tokens"], now)
            self._room.outbox.emit(RateLimitsUpdated(rate_limits=limits))
            if not self._is_playing:
                self._listener.idle.arm(max(now, self._heard_until))

    def _begin(self, options: Options, now: float) -> Response:
        self._listener.idle.disarm()
        self._counted_ms = 0
        self._main = self._make_response(options, self.agent, now)
        return self._main

    def _make_response(self, options: Options, agent: Agent, now: float) -> Response:
        """Begin a response; it has failed already where the quota is used up."""
        response = Response(self._room, options, agent, self._make_pace())
        if wait := self._rates.wait(now):
            told = f"Rate limit reached. Please try again in {wait:.3f}s."
            code = "inference_rate_limit_exceeded"
            response.fail(ErrorDetail(type="invalid_request_error", code=code, message=told))
        return response

    @property
    def _is_playing(self) -> bool:
        return self._output is not None and self._output.is_busy

    def _respond_beside(self, options: Options, now: float) -> None:
        """Answer without touching the conversation: a fresh agent, which nobody hears of again."""
        if len(self._beside) >= _MOST_OUT_OF_BAND:
            told = f"At most {_MOST_OUT_OF_BAND} out-of-band responses may run at a time."
            raise Refused("rate_limit_exceeded", told)
        response = self._make_response(options, self._make_agent(), now)
        self._beside.append(response)
        events: list[AgentEvent] = [read_user_text(text) for text in options.said or ()]
        response.play(self._ask(response.agent, events, options.instructions, now), now)
        self.settle(now)

    @staticmethod
    def _ask(
        agent: Agent, events: list[AgentEvent], instructions: str | None, now: float
    ) -> list[AgentStep]:
        """Return the agent's answer to the last of the events that it answers."""
        if not events or instructions:
            events = [*events, ResponseRequested(instructions)]
        answers = [agent.handle(event, now) for event in events]
        return next((steps for steps in reversed(answers) if steps), [])

    def _responses(self) -> list[Response]:
        return [self._main, *self._beside] if self._main else list(self._beside)
