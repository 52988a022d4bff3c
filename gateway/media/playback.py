"""One lane's sound towards the caller, as its owner's orders bring it to the ring.

Every method is called on the media thread with the time first.
"""

from collections.abc import Callable, Sequence
from typing import Final

from .events import Mark
from .formats import Format, reframe
from .live import Live, LiveFrom
from .outlet import Outlet

__all__ = ["Playback"]

_LONGEST_TRIP: Final = 2.0
"""Seconds; a report that tells of a longer round trip is believed so far only."""


class Playback:
    """What a lane is to play.

    Args:
        outlet: sends it.
        round_trip: returns the seconds to the caller and back, if known and of interest.
        tell: passes on what the ring has to say.

    """

    def __init__(
        self, outlet: Outlet, round_trip: Callable[[], float | None], tell: Callable[[], None]
    ) -> None:
        self._outlet = outlet
        self._playout = outlet.playout
        self._round_trip = round_trip
        self._tell = tell
        self._live: dict[LiveFrom, Live] = {}

    @property
    def live(self) -> tuple[Live, ...]:
        """The live sources that there were so far."""
        return tuple(self._live.values())

    def change(self, old: Format, new: Format) -> None:
        """Rewrite what waits: the lane's codec is another from now on."""
        self._playout.convert(lambda frames: reframe(frames, old, new))
        for live in self._live.values():
            live.change(new)

    def append(
        self, now: float, frames: Sequence[bytes], of: Format, mark: Mark, received_ms: float
    ) -> None:
        """Queue the service's audio."""
        del now
        self._playout.append(self._fit(frames, of), mark, received_ms)

    def stream(
        self,
        now: float,
        frames: Sequence[bytes],
        of: Format,
        audible: Sequence[bool],
        source: LiveFrom,
    ) -> None:
        """Send live audio as soon as may be."""
        del now
        live = self._live.get(source)
        if live is None:
            gives_way = source != "supervisor"
            live = self._live[source] = Live(self._outlet.format, gives_way=gives_way)
            if source == "agent":
                self._playout.live = live
            else:
                self._playout.beside += (live,)
        live.push(self._fit(frames, of), audible)

    def append_prompt(
        self, now: float, frames: Sequence[bytes], of: Format, prompt_id: str, repeat: bool
    ) -> None:
        """Queue a prompt."""
        del now
        self._playout.append_prompt(self._fit(frames, of), prompt_id, is_repeated=repeat)

    def finish(self, now: float, response_id: str) -> None:
        """Expect no more of a response."""
        del now
        self._playout.finish(response_id)

    def flush(self, now: float) -> None:
        """Empty the ring."""
        round_trip = min(self._round_trip() or 0.0, _LONGEST_TRIP)
        self._playout.flush(now, round_trip * 1000 / 2)
        self._tell()

    def pause(self, now: float, is_paused: bool) -> None:
        """Keep what is queued, or play on."""
        del now
        self._playout.is_paused = is_paused

    def mute_agent(self, is_muted: bool) -> None:
        """Let the caller not hear the service, or hear it again."""
        self._playout.is_agent_muted = is_muted

    def _fit(self, frames: Sequence[bytes], of: Format) -> Sequence[bytes]:
        """Return the frames in the lane's own format, which may have changed meanwhile."""
        return frames if of == self._outlet.format else reframe(frames, of, self._outlet.format)
