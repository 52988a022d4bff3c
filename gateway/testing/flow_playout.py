"""What the caller of a :class:`~gateway.testing.Flow` hears, in virtual time."""

from collections.abc import Callable
from dataclasses import dataclass

from ..control.events import (
    Event,
    Heard,
    PlayoutFlushed,
    PlayoutStarted,
    PlayoutStopped,
    PromptStopped,
)
from ..realtime.events import ResponseOutputAudioDelta
from .scripted_service import BYTES_PER_MS

__all__ = ["FlowPlayout"]

_TICK = 0.02


@dataclass(slots=True)
class _Part:
    """One content part: when it starts, and how much of it there is."""

    response_id: str
    item_id: str
    content_index: int
    starts: float
    received_ms: int = 0

    @property
    def ends(self) -> float:
        return self.starts + self.received_ms / 1000

    def heard(self, now: float) -> Heard:
        sent_ms = min(max(0, round((now - self.starts) * 1000)), self.received_ms)
        return Heard(self.response_id, self.item_id, self.content_index, sent_ms, self.received_ms)


@dataclass(slots=True, eq=False)
class _Prompt:
    name: str


class FlowPlayout:
    """Plays speech and prompts to a caller who is not there, and tells how far they came.

    Speech is played part after part; a prompt from the moment it is asked for.
    """

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], None],
        tell: Callable[[Event], None],
        clock: Callable[[], float],
    ) -> None:
        self._later = later
        self._tell = tell
        self._clock = clock
        self._coming = ""  # the response whose audio is not all here
        self._comfort = ""  # the prompt that repeats
        self._parts: list[_Part] = []
        self._prompts: list[_Prompt] = []
        self._paused_at: float | None = None

    def ends_at(self, response_id: str) -> float:
        """Return when the last audio of a response goes out."""
        return max(part.ends for part in self._parts if part.response_id == response_id)

    def speak(self, delta: ResponseOutputAudioDelta) -> None:
        """Queue a piece of the service's speech."""
        self._end_comfort()
        self._coming = delta.response_id
        place = (delta.response_id, delta.item_id, delta.content_index)
        part = self._parts[-1] if self._parts else None
        if part is None or (part.response_id, part.item_id, part.content_index) != place:
            starts = max(self._clock() + _TICK, part.ends if part else 0.0)
            part = _Part(*place, starts)
            self._parts.append(part)
            started = PlayoutStarted(delta.response_id)
            self._later(starts - self._clock(), lambda: self._if_there(part, started))
        part.received_ms += len(delta.delta) // BYTES_PER_MS

    def finish(self, response_id: str = "") -> None:
        """No more comes of a response; without a name, of the one that was coming."""
        response_id = response_id or self._coming
        if response_id == self._coming:
            self._coming = ""
        parts = [part for part in self._parts if part.response_id == response_id]
        if parts:
            self._when_heard(parts[-1], PlayoutStopped(response_id))

    def prompt(self, name: str, seconds: float, *, is_repeated: bool) -> None:
        """Play a prompt."""
        if is_repeated:
            self._comfort = name
            return
        self._end_comfort()
        prompt = _Prompt(name)
        self._prompts.append(prompt)
        self._later(seconds, lambda: self._end_prompt(prompt, is_complete=True))

    def pause(self) -> None:
        """Let everything wait."""
        self._paused_at = self._clock()

    def play_on(self) -> None:
        """What was paused is heard later by so much."""
        if self._paused_at is not None:
            for part in self._parts:
                if part.ends > self._paused_at:
                    part.starts += self._clock() - self._paused_at
            self._paused_at = None

    def stop(self) -> None:
        """Be silent at the next tick, and tell what was heard."""
        prompts = tuple(self._prompts)  # those that are asked for from now on are played
        self._later(_TICK, lambda: self._flush(prompts))

    def _flush(self, prompts: tuple[_Prompt, ...]) -> None:
        now = self._clock()
        self._end_comfort()
        for prompt in prompts:
            self._end_prompt(prompt, is_complete=False)
        self.play_on()
        left = [part for part in self._parts if part.ends > now]
        self._parts = [part for part in self._parts if part not in left]
        heard = tuple(part.heard(now) for part in left)
        self._tell(PlayoutFlushed(left[0].response_id if left else None, heard))

    def _end_comfort(self) -> None:
        """A sound that repeats gives way to whatever is queued behind it."""
        if self._comfort:
            stopped, self._comfort = PromptStopped(self._comfort, is_complete=False), ""
            self._later(_TICK, lambda: self._tell(stopped))

    def _end_prompt(self, prompt: _Prompt, *, is_complete: bool) -> None:
        if prompt in self._prompts:
            self._prompts.remove(prompt)
            self._tell(PromptStopped(prompt.name, is_complete))

    def _when_heard(self, part: _Part, event: Event) -> None:
        """Tell of the end of a part once it was heard, however often it was paused before."""
        left = part.ends - self._clock()
        if self._paused_at is not None or left > 0:
            self._later(max(left, _TICK), lambda: self._when_heard(part, event))
        else:
            self._if_there(part, event)

    def _if_there(self, part: _Part, event: Event) -> None:
        if any(part is other for other in self._parts):
            self._tell(event)
