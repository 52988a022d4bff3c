"""The output buffer of a scripted service that plays its speech itself (WebRTC, hosted SIP)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..realtime.events import (
    ConversationItemTruncated,
    OutputAudioBufferCleared,
    OutputAudioBufferStarted,
    OutputAudioBufferStopped,
    ServerEvent,
)

__all__ = ["ServicePlayout"]

_LEAD: Final = 0.02  # seconds from the first audio to the caller's ear


@dataclass(slots=True, eq=False)
class _Part:
    """One item's speech in the buffer."""

    response_id: str
    item_id: str
    starts: float
    ends: float
    is_done: bool = False


class ServicePlayout:
    """Plays one response after the other in real time, and truncates what is cut."""

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], None],
        emit: Callable[[ServerEvent], None],
        clock: Callable[[], float],
    ) -> None:
        self._later = later
        self._emit = emit
        self._clock = clock
        self._parts: list[_Part] = []

    def play(self, response_id: str, item_id: str, seconds: float) -> None:
        """Queue one item's speech."""
        now = self._clock()
        starts = max(now + _LEAD, self._parts[-1].ends if self._parts else 0.0)
        part = _Part(response_id, item_id, starts, starts + seconds)
        self._parts.append(part)
        started = OutputAudioBufferStarted(response_id=response_id)
        self._later(starts - now, lambda: self._if_there(part, started))
        self._later(part.ends - now, lambda: self._stop(part))

    def finish(self, response_id: str) -> None:
        """No more comes of this response: ``response.done`` goes before the end of its sound."""
        for part in self._parts:
            if part.response_id == response_id:
                part.is_done = True
                if part.ends <= self._clock():
                    self._stop(part)
                return

    def clear(self) -> None:
        """Cut everything; each item cut in the middle is truncated to what was heard."""
        now, parts, self._parts = self._clock(), self._parts, []
        for part in parts:
            self._emit(OutputAudioBufferCleared(response_id=part.response_id))
            heard_ms = max(0, round((now - part.starts) * 1000))
            self._emit(
                ConversationItemTruncated(
                    item_id=part.item_id, content_index=0, audio_end_ms=heard_ms
                )
            )

    def forget(self) -> None:
        """Fall silent without a word: the connection is gone."""
        self._parts.clear()

    def _stop(self, part: _Part) -> None:
        if part.is_done and part in self._parts:
            self._parts.remove(part)
            self._emit(OutputAudioBufferStopped(response_id=part.response_id))

    def _if_there(self, part: _Part, event: ServerEvent) -> None:
        if part in self._parts:
            self._emit(event)
