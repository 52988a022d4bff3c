"""Plays whole calls through the real controller and a configuration, in virtual time.

Example:
    ::

        flow = Flow.of("gateway.toml")
        flow.start()
        flow.hear("For sales, press 1")
        flow.press("1")
        flow.hear("You have reached sales")

"""

import heapq
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from ..config import Settings, load
from ..control.actions import (
    Action,
    Answer,
    Connect,
    Disconnect,
    HangUp,
    Mute,
    PausePlayout,
    Play,
    Redirect,
    Reject,
    Request,
    ResumePlayout,
    SendCommand,
    Stop,
    Supervise,
)
from ..control.controller import Controller
from ..control.events import (
    AudioFormat,
    CallStarted,
    Event,
    KeyPressed,
    KeySource,
    LegAnswered,
    LegEnded,
    LinkLost,
    LinkReady,
    PlayoutStarted,
    Transport,
)
from ..control.settings import ControlSettings
from ..control.timeline import Timeline
from ..realtime.commands import ClientEvent, ResponseCreate
from ..realtime.events import (
    OutputAudioBufferStarted,
    ResponseDone,
    ResponseOutputAudioDelta,
    ServerEvent,
)
from ..realtime.faults import classify
from .flow_playout import FlowPlayout
from .scripted_service import EPOCH, FunctionCall, Reply, ScriptedService, word_for_word

__all__ = ["Flow"]

_TICK = 0.02
_MOST_AT_ONCE = 10_000  # things that happen at one moment; more will never end
A = TypeVar("A", bound=Action)
C = TypeVar("C", bound=ClientEvent)


class Flow:
    """A call with a scripted service and a phone that answers, plays and hangs up as told.

    Attributes:
        now: Virtual seconds since the test began.
        actions: Everything the controller had done, with times.
        heard: What the caller heard, in order: the words of each answer, "…" where nobody wrote
            them, and the names of prompts and tones.
        service: The scripted service; :meth:`agent_says` and :meth:`agent_calls` fill what it
            does, and more can be said in ``service.replies``.
        playout: What plays to the caller.
        prompt_seconds: How long a prompt from a file lasts.
        links_after: How long the service takes to be reached.
        away_until: Until then the service cannot be reached.
        ended: How the call ended; ``None`` while it lasts.
        transport: How the call is attached to the service; ``sip`` is a hosted call.
        called: The number that is called.
        caller: Who calls.
        trunk: The neighbour that the call comes from.
        unix_time: When it is called, for rules that go by the time of day.
        can_refer: The caller can be sent elsewhere, which one at a browser cannot.

    """

    def __init__(
        self,
        settings: Settings | None = None,
        transport: Transport = "websocket",
        *,
        called: str = "sip:agent@test",
        caller: str = "sip:caller@test",
        trunk: str = "",
        unix_time: float = EPOCH,
        can_refer: bool = True,
    ) -> None:
        self.transport = transport
        self.called = called
        self.caller = caller
        self.trunk = trunk
        self.unix_time = unix_time
        self.can_refer = can_refer
        self.settings = ControlSettings.of(settings or Settings())
        self.controller = Controller(self.settings, classify)
        self.service = ScriptedService(self.later, self.emit, lambda: self.now, transport)
        self.playout = FlowPlayout(self.later, self.post, lambda: self.now)
        self.now = 0.0
        self.actions: list[tuple[float, Action]] = []
        self.heard: list[str] = []
        self.prompt_seconds = 2.0
        self.links_after = 0.05
        self.away_until = 0.0
        self.ended: LegEnded | None = None
        self._is_linked = False
        self._is_caller_muted = False
        self._instead: set[str] = set()  # who has the agent's place
        self._attempts = 0
        self._at_once = 0  # steps since time last passed
        self._listened = 0  # how much of what was heard a test has asked for
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    @classmethod
    def of(
        cls, path: str | Path, environment: Mapping[str, str] | None = None, **call: Any
    ) -> Self:
        """Return a call to the line that a configuration describes.

        Args:
            path: A ``gateway.toml``.
            environment: The variables it is read under; none of this process's own.
            call: What is known of the call: see ``Flow``.

        Raises:
            ConfigError: The configuration is wrong; says where, and how to mend it.

        """
        return cls(load(path, environment), **call)

    # The caller's side

    def start(self, *, links_after: float = 0.05) -> None:
        """Have the call come in, and the service connect a moment later."""
        self.links_after = links_after
        self.post(
            CallStarted(
                "call",
                self.caller,
                self.called,
                is_hosted=self.transport == "sip",
                can_refer=self.can_refer,
                trunk=self.trunk,
                unix_time=self.unix_time,
            )
        )

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        while (due := self._next_due()) is not None and due <= end:
            self._step(due)
        self.now = end

    def hear(self, words: str, *, within: float = 30.0) -> None:
        """Let time pass until the caller begins to hear ``words``, or a prompt of this name.

        What was heard before the last ``hear`` came true does not count.

        Raises:
            AssertionError: It was not heard in so many seconds; says what was.

        """
        end = self.now + within
        while not any(words in text for text in self.heard[self._listened :]):
            due = self._next_due()
            if due is None or due > end:
                heard = ", ".join(f'"{text}"' for text in self.heard[self._listened :])
                raise AssertionError(f'"{words}" was not heard, but {heard or "nothing"}')
            self._step(due)
        place = next(
            n for n, text in enumerate(self.heard) if n >= self._listened and words in text
        )
        self._listened = place + 1

    def press(self, keys: str, source: KeySource = "rfc4733") -> None:
        """Press keys."""
        for key in keys:
            self.post(KeyPressed(key, source))

    def say(self, words: str = "", seconds: float = 1.0) -> None:
        """Speak for so long; the service writes ``words`` down, if it hears the caller at all."""
        if not self._is_caller_muted and not self._instead:
            self.service.hear_caller(seconds, words)

    def hang_up(self) -> None:
        """End the call as the caller."""
        self.post(LegEnded("caller"))

    # The service's side

    def agent_says(self, words: str, seconds: float = 1.0) -> None:
        """Have the model's next own answer be these words."""
        self.service.replies.append(Reply(round(seconds * 1000), text=words))

    def agent_calls(self, function: str, **arguments: Any) -> None:
        """Have the model call a function in its next own answer, and say nothing."""
        call_id = f"call-{len(self.service.replies) + len(self.heard)}-{self.now:g}"
        call = FunctionCall(function, msgspec.json.encode(arguments).decode(), call_id)
        self.service.replies.append(Reply(0, (call,)))

    def lose_service(
        self, reason: str = "closed", *, seconds: float = 0.0, is_retryable: bool = True
    ) -> None:
        """Cut the connection to the service, which cannot be reached again for so long."""
        self.away_until = self.now + seconds
        self._part()
        self.post(LinkLost(reason, is_retryable))

    # Anybody's

    def post(self, event: Event) -> None:
        """Have something happen to the call now."""
        if isinstance(event, LegEnded):
            self.ended = event
        if isinstance(event, PlayoutStarted):
            self.heard.append(self.service.words.get(event.response_id) or "…")
        self._perform(self.controller.handle(event, self.now))

    def ask(self, *requests: Request, by: str = "") -> None:
        """Have somebody outside ask for this, at once."""
        self._perform(self.controller.request(requests, self.now, by))

    def later(self, delay: float, do: Callable[[], None]) -> None:
        """Do something after ``delay`` seconds of virtual time."""
        heapq.heappush(self._queue, (self.now + delay, next(self._order), do))

    # What came of it

    @property
    def place(self) -> str:
        """The menu or collection that is open; empty for none."""
        return self.controller.place

    def variable(self, name: str) -> str:
        """Return a variable of the call, as it may be shown."""
        return self.controller.variables.get(name)

    @property
    def timeline(self) -> Timeline:
        """Every event and action, as a call's record has them."""
        return self.controller.timeline

    @property
    def said(self) -> list[str]:
        """The texts that the service was asked to say word for word."""
        return [text for command in self.sent(ResponseCreate) if (text := word_for_word(command))]

    @property
    def played(self) -> list[str]:
        """The prompts and tones that were played, by name."""
        return [action.prompt for action in self.did(Play)]

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
        return self.playout.ends_at(response_id)

    # How it is done

    def emit(self, event: ServerEvent) -> None:
        """Deliver a service event as a call does: to the controller, its audio to the playout."""
        if not self._is_linked:
            return
        if isinstance(event, OutputAudioBufferStarted):
            self.heard.append(self.service.words.get(event.response_id) or "…")
        self.post(event)
        if isinstance(event, ResponseOutputAudioDelta):
            if not self.controller.is_dropped(event.response_id):
                self.playout.speak(event)
        elif isinstance(event, ResponseDone):
            self.playout.finish(event.response.id or "")

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
        self.playout.finish()

    def _step(self, due: float) -> None:
        """Let time pass until ``due``, and what is due happen.

        Raises:
            AssertionError: Time does not pass: what is due stays due.

        """
        self._at_once = self._at_once + 1 if due <= self.now else 0
        if self._at_once > _MOST_AT_ONCE:
            raise AssertionError(f"at {self.now:.3f} s something is due again and again")
        self.now = max(self.now, due)
        if self._queue and self._queue[0][0] <= self.now:
            heapq.heappop(self._queue)[2]()
        else:
            self._perform(self.controller.wake(self.now))

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
                    self.playout.pause()
                case ResumePlayout():
                    self.playout.play_on()
                case Stop():
                    self.playout.stop()
                case Play(prompt, is_repeated):
                    self.heard.append(prompt)
                    self.playout.prompt(prompt, self.prompt_seconds, is_repeated=is_repeated)
                case Mute(who):
                    self._is_caller_muted = who in ("caller", "both")
                case Supervise(mode, supervisor):
                    self._instead.discard(supervisor)
                    if mode == "takeover":
                        self._instead.add(supervisor)
                case HangUp() | Reject() | Redirect():
                    self.later(_TICK, lambda: self.post(LegEnded("gateway")))
                case _:
                    pass
