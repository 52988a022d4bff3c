"""The playout ring and ledger: what waits to be heard, and what of each item has been.

The service speaks faster than real time, so its audio waits here as ready frames of
20 ms.  Frames hang on segments, one per content part, in the order they came.  Every
frame taken is a frame the caller was sent: the count on its segment *is* the ledger,
and what a truncation tells the service is read from it.

Sound that the service plays itself comes beside that, live, and stands in no ledger.  What
is queued here goes before it: a prompt is heard to its end, and live sound meanwhile is
not.  A repeated prompt stands in for silence alone: it is over with the first live frame
that has sound in it.  Whoever else is on the call is mixed with all of that: the other leg with
all but the prompts, a supervisor with them too.

A ring is filled and emptied by the media thread alone.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from .events import (
    Heard,
    LaneEvent,
    Mark,
    PlayoutFlushed,
    PlayoutStarted,
    PlayoutStopped,
    PromptStopped,
)

__all__ = ["FRAME_MS", "MAX_FRAMES", "LiveSource", "Playout"]

FRAME_MS: Final = 20
MAX_FRAMES: Final = 15_000
"""Frames a ring holds at most: five minutes.  What comes on top is dropped and counted."""


class LiveSource(Protocol):
    """Live frames, one a tick."""

    gives_way: bool  # to prompts
    masked: int  # frames with sound that were not heard for a prompt

    def take(self) -> tuple[bytes | None, bool]:
        """Return this tick's frame, if there is one, and whether there is sound in it."""
        ...

    def mix(self, one: bytes, other: bytes) -> bytes:
        """Return a frame in which two are heard at once."""
        ...

    def clear(self) -> None:
        """Forget what waits."""
        ...


class _Segment:
    """Frames of one content part, or of one prompt (``mark`` is ``None``)."""

    __slots__ = ("frames", "mark", "prompt_id", "received_ms", "repeats", "sent", "sent_at")

    def __init__(self, mark: Mark | None, prompt_id: str = "") -> None:
        self.mark = mark
        self.prompt_id = prompt_id
        self.frames: deque[bytes] = deque()
        self.repeats: Sequence[bytes] = ()
        self.received_ms = 0.0
        self.sent = 0  # frames
        self.sent_at = 0.0  # the last of them

    @property
    def response_id(self) -> str | None:
        return self.mark.response_id if self.mark else None

    def heard(self, now: float, way_ms: float) -> Heard:
        """Say what was heard of it where a frame is ``way_ms`` on its way to the ear."""
        mark = self.mark
        assert mark is not None
        # The last frame of a part is filled up with silence: nobody can hear more than came in.
        received = int(self.received_ms)
        on_its_way = max(0, round(way_ms - (now - self.sent_at) * 1000))
        sent = max(0, min(self.sent * FRAME_MS, received) - on_its_way)
        return Heard(*mark, sent_ms=sent, received_ms=received)


class Playout:
    """One lane's ring.  Fill with :meth:`append`, empty with :meth:`take` once a tick."""

    __slots__ = (
        "_current",
        "_finished",
        "_played",
        "_started",
        "_waiting",
        "beside",
        "dropped",
        "events",
        "frame_count",
        "is_agent_muted",
        "is_paused",
        "live",
        "underruns",
    )

    def __init__(self) -> None:
        self.events: list[LaneEvent] = []
        self.frame_count = 0
        self.dropped = 0  # frames that found the ring full
        self.underruns = 0  # ticks in mid-response that found it empty
        self.live: LiveSource | None = None  # sound that the service plays itself
        self.beside: tuple[LiveSource, ...] = ()  # sound of others on the call
        self.is_paused = False  # everything waits but those others
        self.is_agent_muted = False  # the service's sound has its time, and is not heard
        self._current: _Segment | None = None
        self._waiting: deque[_Segment] = deque()
        self._played: list[_Segment] = []  # earlier parts of the response being played
        self._started: str | None = None  # the response being played
        self._finished: set[str] = set()  # responses that will get no more audio

    def append(self, frames: Sequence[bytes], mark: Mark, received_ms: float) -> None:
        """Queue ready frames; ``received_ms`` is how much service audio they stand for.

        A repeated prompt gives way at once: nobody waits for its round to end.
        """
        self._yield_to_sound()
        segment = self._waiting[-1] if self._waiting else self._current
        if segment is None or segment.mark != mark:
            segment = _Segment(mark)
            self._waiting.append(segment)
        segment.received_ms += received_ms
        self._extend(segment, frames)

    def append_prompt(
        self, frames: Sequence[bytes], prompt_id: str, *, is_repeated: bool = False
    ) -> None:
        """Queue a prompt; a repeated one plays until something is queued behind it."""
        self._yield_to_sound()
        segment = _Segment(None, prompt_id)
        segment.repeats = frames if is_repeated else ()
        self._waiting.append(segment)
        self._extend(segment, frames)

    def finish(self, response_id: str) -> None:
        """Say that no more audio of this response will come."""
        if any(segment.response_id == response_id for segment in self._segments()):
            self._finished.add(response_id)

    def take(self, now: float) -> bytes | None:
        """Return the frame to send at this tick, or ``None`` for silence."""
        if self.live is None and not self.beside and not self.is_paused | self.is_agent_muted:
            return self._next(now)
        return self.join(self.take_agent(now))

    def take_agent(self, now: float) -> bytes | None:
        """Return what this tick brings of the agent and of prompts: half of :meth:`take`."""
        return None if self.is_paused else self._next_or_live(now)

    def join(self, frame: bytes | None) -> bytes | None:
        """Let the others be heard beside that: its other half."""
        for source in self.beside:
            frame = self._mix(source, frame)
        return frame

    def _next(self, now: float) -> bytes | None:
        segment = self._current
        if segment is None or not segment.frames:
            segment = self._turn(now)
            if segment is None:
                return None
        segment.sent += 1
        segment.sent_at = now
        self.frame_count -= 1
        return segment.frames.popleft()

    def _next_or_live(self, now: float) -> bytes | None:
        """Return what is queued, or else the service's live frame; neither if it is muted."""
        live, is_muted = self.live, self.is_agent_muted
        frame, is_audible = (None, False) if live is None else live.take()
        if is_audible and not is_muted:
            self._yield_to_sound()
        queued = self._next(now)
        if queued is None:
            return None if is_muted else frame
        if is_muted and not self._is_prompting:
            return None
        if live is not None and not is_muted:
            live.masked += is_audible
        return queued

    def _mix(self, source: LiveSource, frame: bytes | None) -> bytes | None:
        """Let somebody be heard beside a frame, unless they give way to the prompt it is of."""
        other, is_audible = source.take()
        if frame is not None and self._is_prompting and source.gives_way:
            source.masked += is_audible
            return frame
        if other is None or frame is None:
            return other if frame is None else frame
        return source.mix(frame, other)

    @property
    def _is_prompting(self) -> bool:
        """Whether a prompt is being played."""
        return self._current is not None and self._current.mark is None

    def _yield_to_sound(self) -> None:
        """Let a repeated prompt be over."""
        for segment in self._segments():
            if segment.repeats:
                self.frame_count -= len(segment.frames)
                segment.frames.clear()
                segment.repeats = ()

    def flush(self, now: float, way_ms: float = 0.0) -> None:
        """Empty the ring and tell, per content part, what had been heard.

        ``way_ms`` is how long a frame is on its way to the ear.  A pause is over.
        """
        self.is_paused = False
        if self.live is not None:
            self.live.clear()
        items = []
        for segment in self._segments():
            if segment.mark is not None:
                items.append(segment.heard(now, way_ms))
            else:
                self.events.append(PromptStopped(segment.prompt_id, False, now))
        self.events.append(PlayoutFlushed(self._started, tuple(items), now))
        self._current = self._started = None
        self._waiting.clear()
        self._played.clear()
        self._finished.clear()
        self.frame_count = 0

    def convert(self, change: Callable[[Sequence[bytes]], Sequence[bytes]]) -> None:
        """Rewrite every waiting frame, one for one: the lane's codec is another now."""
        for segment in self._segments():
            segment.frames = deque(change(segment.frames))
            segment.repeats = change(segment.repeats) if segment.repeats else ()
        self.frame_count = sum(len(segment.frames) for segment in self._segments())

    def _segments(self) -> list[_Segment]:
        current = (self._current,) if self._current else ()
        return [*self._played, *current, *self._waiting]

    def _extend(self, segment: _Segment, frames: Sequence[bytes]) -> None:
        room = MAX_FRAMES - self.frame_count
        if len(frames) > room:
            self.dropped += len(frames) - room
            frames = frames[:room]
        segment.frames.extend(frames)
        self.frame_count += len(frames)

    def _turn(self, now: float) -> _Segment | None:
        """Go on to the next segment that has a frame; close those that are over."""
        while True:
            segment = self._current
            if segment is not None:
                if segment.repeats and not self._waiting:
                    self._extend(segment, segment.repeats)
                    return segment
                if not (self._waiting or self._is_over(segment)):
                    self.underruns += 1
                    return None
                self._leave(segment, now)
            self._stop_if_finished(now)
            waiting = self._waiting
            if not waiting:
                return None
            segment = waiting[0]
            if not (segment.frames or len(waiting) > 1 or self._is_over(segment)):
                return None  # less than a frame has come so far
            self._current = waiting.popleft()
            if segment.frames:
                self._start(segment.response_id, now)
                return segment

    def _is_over(self, segment: _Segment) -> bool:
        return segment.mark is None or segment.mark.response_id in self._finished

    def _leave(self, segment: _Segment, now: float) -> None:
        self._current = None
        if segment.mark is not None:
            self._played.append(segment)
        else:
            self.events.append(PromptStopped(segment.prompt_id, True, now))

    def _start(self, response_id: str | None, now: float) -> None:
        if response_id is None or response_id == self._started:
            return
        self._stop(now)  # one response at a time: the next one's first frame ends the last
        self._started = response_id
        self._played = [part for part in self._played if part.response_id == response_id]
        self.events.append(PlayoutStarted(response_id, now))

    def _stop_if_finished(self, now: float) -> None:
        if not self._played or (last := self._played[-1].response_id) not in self._finished:
            return
        if not any(segment.response_id == last for segment in self._waiting):
            self._stop(now)
            self._played.clear()

    def _stop(self, now: float) -> None:
        if self._started is not None:
            self._finished.discard(self._started)
            self.events.append(PlayoutStopped(self._started, now))
            self._started = None
