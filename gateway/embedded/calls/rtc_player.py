"""Plays a session's speech to a WebRTC peer, 20 ms at a time, and says what was really sent."""

import asyncio
from collections.abc import Callable
from typing import Final

from ...clock import Clock
from ...media.events import Mark, PlayoutFlushed, PlayoutStarted, PlayoutStopped
from ...media.formats import split
from ...media.playout import Playout
from ..protocol.sounds import Finish, Flush, Play, Played, Sound

__all__ = ["Beat", "Player"]

_BYTES_PER_MS: Final = 48  # PCM of 16 bits at 24 kHz
_FRAME: Final = 20 * _BYTES_PER_MS
_SECONDS: Final = 0.020
_LATEST: Final = 0.040  # behind this, beats are skipped and not caught up with


class Player:
    """The ring of one call.  Fill it with :meth:`take`, call :meth:`beat` every 20 ms."""

    def __init__(self) -> None:
        self._ring = Playout()
        self._mark: Mark | None = None  # of what does not yet fill a frame
        self._rest = b""

    def take(self, sounds: list[Sound], now: float) -> None:
        """Queue speech, or cut it; what comes of it is told by :meth:`played`."""
        for sound in sounds:
            match sound:
                case Play(mark, pcm):
                    self._play(mark, pcm)
                case Finish(response_id):
                    self._fill()
                    self._ring.finish(response_id)
                case Flush():
                    self._mark, self._rest = None, b""
                    self._ring.flush(now)

    def beat(self, now: float) -> bytes | None:
        """Return 20 ms of PCM to send, or ``None`` where there is nothing to say."""
        return self._ring.take(now)

    def played(self) -> list[Played]:
        """Drain what became of the speech."""
        events, self._ring.events = self._ring.events, []
        kinds = (PlayoutStarted, PlayoutStopped, PlayoutFlushed)
        return [event for event in events if isinstance(event, kinds)]

    def _play(self, mark: Mark, pcm: bytes) -> None:
        if mark != self._mark:
            self._fill()
            self._mark = mark
        data = self._rest + pcm
        whole = len(data) - len(data) % _FRAME
        self._rest = data[whole:]
        self._ring.append(split(data[:whole], _FRAME), mark, len(pcm) / _BYTES_PER_MS)

    def _fill(self) -> None:
        """Queue what does not fill a frame, silence behind it."""
        mark, rest = self._mark, self._rest
        self._mark, self._rest = None, b""
        if mark is not None and rest:
            self._ring.append([rest.ljust(_FRAME, b"\0")], mark, 0.0)


class Beat:
    """Calls everybody who joined every 20 ms: one timer for all calls, none without any."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._members: dict[Callable[[float], None], None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def join(self, member: Callable[[float], None]) -> None:
        """Have ``member`` called with the time, every 20 ms; it must not raise."""
        self._members[member] = None
        if self._timer is None:
            self._due = self._clock()
            self._arm()

    def leave(self, member: Callable[[float], None]) -> None:
        """Leave ``member`` alone."""
        self._members.pop(member, None)
        if not self._members and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        now = self._clock()
        self._due += _SECONDS
        if self._due < now - _LATEST:
            self._due = now
        delay = max(0.0, self._due - now)
        self._timer = asyncio.get_running_loop().call_later(delay, self._beat)

    def _beat(self) -> None:
        now = self._clock()
        self._timer = None
        for member in tuple(self._members):
            member(now)
        if self._members and self._timer is None:
            self._arm()
