"""Plays whole calls through the real controller in virtual time, in a few lines each.

Example:
    ::

        flow = Flow(Settings(targets={"operator": "sip:operator@pbx.example"}))
        flow.start()
        flow.run(3)
        flow.press("5")
        flow.run(1)
        assert "[DTMF 5]" in flow.service.texts()

"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ..config import Settings
from ..control.actions import (
    Action,
    Answer,
    Connect,
    Disconnect,
    HangUp,
    PausePlayout,
    Play,
    Reject,
    Request,
    ResumePlayout,
    SendCommand,
    Stop,
)
from ..control.controller import Controller
from ..control.events import (
    AudioFormat,
    CallStarted,
    Event,
    Heard,
    KeyPressed,
    KeySource,
    LegAnswered,
    LegEnded,
    LinkLost,
    LinkReady,
    PlayoutFlushed,
    PlayoutStarted,
    PlayoutStopped,
    PromptStopped,
    Transport,
)
from ..control.settings import ControlSettings
from ..control.turns import SAY_EXACTLY
from ..realtime.commands import ClientEvent, ResponseCreate
from ..realtime.events import ResponseDone, ResponseOutputAudioDelta, ServerEvent
from ..realtime.faults import classify
from .scripted_service import BYTES_PER_MS, EPOCH, ScriptedService

__all__ = ["Flow"]

_TICK = 0.02
A = TypeVar("A", bound=Action)
C = TypeVar("C", bound=ClientEvent)


@dataclass(slots=True)
class _Playing:
    """One content part in the playout: when it starts, and how much of it there is."""

    response_id: str
    item_id: str
    content_index: int
    starts: float
    received_ms: int = 0

    @property
    def ends(self) -> float:
        return self.starts + self.received_ms / 1000


class Flow:
    """A call with a scripted service and a phone that answers, plays and hangs up as told.

    Attributes:
        now: Virtual seconds.
        actions: Everything the controller had done, with times.
        service: The scripted service; fill ``service.replies`` to choose what it says.
        prompt_seconds: How long a prompt from a file lasts.
        links_after: How long the service takes to be reached.
        away_until: Until then the service cannot be reached.
        transport: How the call is attached to the service; ``sip`` is a hosted call.
        called: The number that is called.
        trunk: The neighbour that the call comes from.

    """

    def __init__(
        self,
        settings: Settings | None = None,
        transport: Transport = "websocket",
        *,
        called: str = "sip:agent@test",
        trunk: str = "",
    ) -> None:
        self.transport = transport
        self.called = called
        self.trunk = trunk
        self.settings = ControlSettings.of(settings or Settings())
        self.controller = Controller(self.settings, classify)
        self.service = ScriptedService(self.later, self.emit, lambda: self.now, transport)
        self.now = 0.0
        self.actions: list[tuple[float, Action]] = []
        self.prompt_seconds = 2.0
        self.links_after = 0.05
        self.away_until = 0.0
        self.ended: LegEnded | None = None
        self._is_linked = False
        self._attempts = 0
        self._coming = ""  # the response whose audio is not all here
        self._comfort = ""  # the prompt that repeats
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._parts: list[_Playing] = []
        self._paused_at: float | None = None

    # The test's side

    def start(self, *, links_after: float = 0.05) -> None:
        """Have the call come in, and the service connect a moment later."""
        self.links_after = links_after
        is_hosted = self.transport == "sip"
        self.post(
            CallStarted(
                "call",
                "sip:caller@test",
                self.called,
                is_hosted=is_hosted,
                trunk=self.trunk,
                unix_time=EPOCH,
            )
        )

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        while (due := self._next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            if self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()
            else:
                self._perform(self.controller.wake(self.now))
        self.now = end

    def post(self, event: Event) -> None:
        """Have something happen to the call now."""
        if isinstance(event, LegEnded):
            self.ended = event
        self._perform(self.controller.handle(event, self.now))

    def ask(self, request: Request) -> None:
        """Have somebody outside ask for something."""
        self._perform(self.controller.request(request, self.now))

    def press(self, keys: str, source: KeySource = "rfc4733") -> None:
        """Press keys."""
        for key in keys:
            self.post(KeyPressed(key, source))

    def lose_service(
        self, reason: str = "closed", *, seconds: float = 0.0, is_retryable: bool = True
    ) -> None:
        """Cut the connection to the service, which cannot be reached again for so long."""
        self.away_until = self.now + seconds
        self._part()
        self.post(LinkLost(reason, is_retryable))

    @property
    def place(self) -> str:
        """The menu or collection that is open; empty for none."""
        return self.controller.place

    def variable(self, name: str) -> str:
        """Return a variable of the call, as it may be shown."""
        return self.controller.variables.get(name)

    @property
    def said(self) -> list[str]:
        """The texts that the service was asked to say word for word."""
        before, after = SAY_EXACTLY.split("{}")
        asked = [(c.response or {}).get("instructions", "") for c in self.sent(ResponseCreate)]
        return [text[len(before) : -len(after)] for text in asked if text.startswith(before)]

    def did(self, kind: type[A]) -> list[A]:
        """Return the actions of one kind, in order."""
        return [action for _, action in self.actions if isinstance(action, kind)]

    def when(self, kind: type[Action]) -> float:
        """Return the time of the first action of one kind."""
        return next(at for at, action in self.actions if isinstance(action, kind))

    def sent(self, kind: type[C]) -> list[C]:
        """Return the commands of one kind, in order."""
        return [command for command in self.service.received if isinstance(command, kind)]

    def heard_until(self, response_id: str) -> float:
        """Return when the last audio of a response goes out."""
        return max(part.ends for part in self._parts if part.response_id == response_id)

    # The service's and the phone's side

    def later(self, delay: float, do: Callable[[], None]) -> None:
        """Do something after ``delay`` seconds of virtual time."""
        heapq.heappush(self._queue, (self.now + delay, next(self._order), do))

    def emit(self, event: ServerEvent) -> None:
        """Deliver a service event as a call does: to the controller, its audio to the playout."""
        if not self._is_linked:
            return
        self.post(event)
        if isinstance(event, ResponseOutputAudioDelta):
            if not self.controller.is_dropped(event.response_id):
                self._play(event)
        elif isinstance(event, ResponseDone):
            self._finish(event.response.id or "")

    def _link(self, attempt: int) -> None:
        if attempt != self._attempts or self.ended is not None:
            return
        if self.now < self.away_until:
            self.post(LinkLost("refused"))
            return
        self._is_linked = True
        audio_format: AudioFormat = "audio/pcm" if self.transport == "websocket" else ""
        self.service.attach()
        self.post(LinkReady(audio_format, self.transport, EPOCH + self.now))

    def _part(self) -> None:
        """The link is gone: what came over it plays on, and no more comes."""
        if self._is_linked:
            self._is_linked = False
            self.service.detach()
        self._finish(self._coming)

    def _next_due(self) -> float | None:
        times = [self._queue[0][0]] if self._queue else []
        if (deadline := self.controller.deadline) is not None:
            times.append(deadline)
        return min(times, default=None)

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            self.actions.append((self.now, action))
            match action:
                case SendCommand():
                    if self._is_linked:
                        self.service.receive(action.command)
                case Connect():
                    self._part()
                    self._attempts += 1
                    self.later(self.links_after, lambda n=self._attempts: self._link(n))  # type: ignore[misc]
                case Disconnect():
                    self._part()
                    self._attempts += 1  # the one under way comes to nothing
                case Answer():
                    self.later(_TICK, lambda: self.post(LegAnswered()))
                case PausePlayout():
                    self._paused_at = self.now
                case ResumePlayout():
                    self._play_on()
                case Stop():
                    self.later(_TICK, self._flush)
                case Play(prompt, is_repeated=True):
                    self._comfort = prompt
                case Play():
                    self._end_comfort()
                    stopped = PromptStopped(action.prompt)
                    self.later(self.prompt_seconds, lambda event=stopped: self.post(event))  # type: ignore[misc]
                case HangUp() | Reject():
                    self.later(_TICK, lambda: self.post(LegEnded("gateway")))
                case _:
                    pass

    def _end_comfort(self) -> None:
        """A sound that repeats gives way to whatever is queued behind it."""
        if self._comfort:
            stopped, self._comfort = PromptStopped(self._comfort, is_complete=False), ""
            self.later(_TICK, lambda: self.post(stopped))

    def _play(self, delta: ResponseOutputAudioDelta) -> None:
        self._end_comfort()
        self._coming = delta.response_id
        place = (delta.response_id, delta.item_id, delta.content_index)
        part = self._parts[-1] if self._parts else None
        if part is None or (part.response_id, part.item_id, part.content_index) != place:
            starts = max(self.now + _TICK, part.ends if part else 0.0)
            part = _Playing(*place, starts)
            self._parts.append(part)
            started = PlayoutStarted(delta.response_id)
            self.later(starts - self.now, lambda: self._if_playing(part, started))
        part.received_ms += len(delta.delta) // BYTES_PER_MS

    def _finish(self, response_id: str) -> None:
        if response_id == self._coming:
            self._coming = ""
        parts = [part for part in self._parts if part.response_id == response_id]
        if parts:
            stopped = PlayoutStopped(response_id)
            self._when_heard(parts[-1], stopped)

    def _when_heard(self, part: _Playing, event: Event) -> None:
        """Tell of the end of a part once it was heard, however often it was paused before."""
        left = part.ends - self.now
        if self._paused_at is not None or left > 0:
            self.later(max(left, _TICK), lambda: self._when_heard(part, event))
        else:
            self._if_playing(part, event)

    def _play_on(self) -> None:
        """What was paused is heard later by so much."""
        if self._paused_at is not None:
            for part in self._parts:
                if part.ends > self._paused_at:
                    part.starts += self.now - self._paused_at
            self._paused_at = None

    def _if_playing(self, part: _Playing, event: Event) -> None:
        if any(part is other for other in self._parts):
            self.post(event)

    def _flush(self) -> None:
        self._end_comfort()
        self._play_on()
        left = [part for part in self._parts if part.ends > self.now]
        self._parts = [part for part in self._parts if part not in left]
        heard = tuple(
            Heard(
                part.response_id,
                part.item_id,
                part.content_index,
                min(max(0, round((self.now - part.starts) * 1000)), part.received_ms),
                part.received_ms,
            )
            for part in left
        )
        self.post(PlayoutFlushed(left[0].response_id if left else None, heard))
