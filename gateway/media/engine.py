"""The media engine as its callers see it: open a lane, say what to play, hear what comes.

A :class:`Lane` belongs to the event loop.  What it is asked to do it hands to the media
thread, which does it at its next tick, in the order asked.  What happens there comes back
through ``on_event`` and ``on_audio``, on the loop.
"""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Final

from ..clock import Clock, Ids, RandomIds, monotonic
from ..errors import CapacityError
from ..sdp.negotiate import Negotiated
from .core import GROUPS, MediaCore
from .direct import DirectPoll
from .events import LaneEvent, Mark
from .formats import PCMU, Format
from .keys import check_digits
from .live import are_audible
from .outbox import Parcel
from .ports import PortPool
from .prompts import Prompt
from .receiver import Poller
from .recorder import Recorder
from .seat import Seat
from .stats import EngineStats, LaneStats
from .thread import MediaThread
from .transcode import BYTES_PER_MS, ServiceAudio, Transcoder

__all__ = ["Lane", "MediaEngine"]

_MOST_LANES: Final = 2048


class MediaEngine:
    """Opens lanes and, once started, runs them.

    Args:
        ports: where lanes get their ports.
        media_timeout: seconds without a packet after which a lane says so.
        lanes: the most there may be at once; as many as there are ports, if not given.
        poller: tells which ports have something to read; the system's if not given.
        clock: tells monotonic seconds.
        ids: where stream identifiers come from.

    """

    def __init__(
        self,
        ports: PortPool,
        *,
        media_timeout: float = 30.0,
        lanes: int | None = None,
        poller: Poller | None = None,
        clock: Clock = monotonic,
        ids: Ids | None = None,
    ) -> None:
        capacity = min(lanes or _MOST_LANES, ports.capacity)
        self._epoll = DirectPoll() if poller is None else None
        watcher: Poller | None = poller or self._epoll
        assert watcher is not None
        self.core = MediaCore(capacity, watcher, media_timeout=media_timeout)
        self.ports = ports
        self.recorder = Recorder()
        self._clock = clock
        self._ids = ids or RandomIds()
        self._thread: MediaThread | None = None
        self._free_rows = list(reversed(range(capacity)))
        self._loads = [0] * GROUPS  # lanes of each group
        self._lanes: set[Lane] = set()
        self._seats: set[Seat] = set()  # in use, or on their way back

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Start the media thread; callbacks come on ``loop``, the running one if not given."""
        self._thread = MediaThread(self.core, loop or asyncio.get_running_loop())
        self._thread.start()

    def close(self) -> None:
        """Close every lane, end the thread and give all ports back."""
        for lane in tuple(self._lanes):
            lane.close()
        if self._thread is not None:
            self._thread.stop()
            self._thread = None
        self.tick(0, self._clock())
        self.recorder.close()
        self.tick(1, self._clock())
        for seat in tuple(self._seats):  # whose end was on its way to the loop
            self._left(seat)
        self.ports.close()
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = None

    def tick(self, group: int, now: float) -> None:
        """Run one tick here and now, callbacks included: for an engine that was not started."""
        deliver(self.core.tick(group, now))

    def open(
        self,
        on_event: Callable[[LaneEvent], None],
        on_audio: Callable[[bytes], None],
        *,
        uplink: ServiceAudio | None = "pcm24",
        downlink: ServiceAudio | None = None,
        detect_inband: bool = True,
    ) -> "Lane":
        """Open a lane; it is silent until it is configured.

        Args:
            on_event: called on the loop with what happens to the lane.
            on_audio: called on the loop with the caller's sound, 20 ms at a time.
            uplink: the format of that sound, ``None`` for none.
            downlink: the format of what is given to :meth:`Lane.play`, as ``uplink`` if not given.
            detect_inband: hear keys in the sound too, until the first telephone event comes.

        Raises:
            CapacityError: There is no port pair or no lane left.

        """
        if not self._free_rows:
            raise CapacityError(f"all {self.core.arrays.capacity} lanes are in use")
        pair = self.ports.take(self._clock())
        group = self._loads.index(min(self._loads))
        self._loads[group] += 1
        seat = Seat(
            self.core.arrays,
            self.core.outbox,
            self._free_rows.pop(),
            pair,
            self._ids,
            self.core.groups[group],
            on_event=on_event,
            on_audio=on_audio,
            uplink=uplink,
            detects=detect_inband,
        )
        self._seats.add(seat)
        lane = Lane(self, seat, downlink or uplink or "pcm24")
        self._lanes.add(lane)
        self.submit(self.core.sit, seat)
        return lane

    def stats(self) -> EngineStats:
        """Return the figures so far; the greatest lateness is that since the last call."""
        if self._thread is None:
            stats = EngineStats(ticks=self.core.ticks)
        else:
            stats = dataclasses.replace(self._thread.stats)
            self._thread.stats.lateness_max = 0.0
        stats.lanes, stats.dropped_orders = len(self._lanes), self.core.dropped_orders
        return stats

    def submit(self, order: Callable[..., None], *args: object) -> None:
        """Have something done at the next tick."""
        self.core.submit(order, *args)
        self._wake()

    def submit_sound(self, order: Callable[..., None], *args: object) -> None:
        """Have sound queued at the next tick, unless no tick has come for too long."""
        self.core.submit_sound(order, *args)
        self._wake()

    def _wake(self) -> None:
        if self._thread is not None:
            self._thread.wake()

    def leave(self, lane: "Lane", seat: Seat) -> None:
        """Take a lane's row and ports back, once the media thread has let go of them."""
        self._lanes.discard(lane)
        self.submit(self.core.stand, seat, self._left)

    def _left(self, seat: Seat) -> None:
        if seat not in self._seats:
            return
        self._seats.discard(seat)
        self._loads[self.core.groups.index(seat.group)] -= 1
        self._free_rows.append(seat.row)
        self.ports.release(seat.pair, self._clock())


def deliver(parcel: Parcel) -> None:
    """Make the calls of a parcel."""
    for call, what in parcel:
        call(what)


class Lane:
    """One call's sound, both ways."""

    def __init__(self, engine: MediaEngine, seat: Seat, downlink: ServiceAudio) -> None:
        self.host = seat.pair.host
        self.port = seat.pair.number
        self.ssrc = seat.outlet.ssrc
        self._engine = engine
        self._seat = seat
        self._downlink = downlink
        self._bytes_per_ms = BYTES_PER_MS[downlink]
        self._format: Format = PCMU
        self._transcoder = Transcoder(downlink, PCMU)
        self._live: Transcoder | None = None  # of what is streamed
        self._mark: Mark | None = None  # of what was last given to play
        self._is_open = True

    def configure(self, negotiated: Negotiated) -> None:
        """Send and receive as negotiated; again after every exchange of descriptions."""
        self._order(self._seat.configure, negotiated)
        wanted = Format.of(negotiated.codec)
        if wanted != self._format:
            self._settle()
            self._format = wanted
            self._transcoder = Transcoder(self._downlink, wanted)
            self._live = None

    def play(self, audio: bytes, mark: Mark) -> None:
        """Queue the service's audio behind what waits; its first frame goes at the next tick."""
        if self._mark is not None and self._mark.response_id != mark.response_id:
            self._settle()
        self._mark = mark
        frames = self._transcoder.push(audio)
        received_ms = len(audio) / self._bytes_per_ms
        if self._is_open:
            append = self._seat.append
            self._engine.submit_sound(append, frames, self._format, mark, received_ms)

    def stream(self, audio: bytes) -> None:
        """Let the caller hear live audio of the service at once, less than 60 ms of it waiting.

        A prompt goes before it; a repeated prompt only before silence.
        """
        if self._live is None:
            self._live = Transcoder(self._downlink, self._format)
        frames = self._live.push(audio)
        if frames and self._is_open:
            audible = are_audible(frames, self._format)
            self._engine.submit_sound(self._seat.stream, frames, self._format, audible)

    def finish(self, response_id: str) -> None:
        """Say that no more audio of a response will come, so that its end can be told."""
        if self._mark is not None and self._mark.response_id == response_id:
            self._settle()
        self._order(self._seat.finish, response_id)

    def play_prompt(self, samples: Prompt, prompt_id: str, *, repeat: bool = False) -> None:
        """Queue a prompt; a repeated one plays until something is queued behind it."""
        frames = samples.frames(self._format)
        self._order(self._seat.append_prompt, frames, self._format, prompt_id, repeat)

    def flush(self) -> None:
        """Let nothing that was queued be heard any more; told by a ``PlayoutFlushed``."""
        self._transcoder.reset()
        if self._live is not None:
            self._live.reset()
        self._mark = None
        self._order(self._seat.flush)

    def hold(self, is_held: bool) -> None:
        """Put silence in the place of both directions, and keep what is queued, or stop that."""
        self._order(self._seat.hold, is_held)

    def send_digits(self, digits: str, *, duration_ms: int = 100, gap_ms: int = 100) -> None:
        """Press keys at the other side.

        Raises:
            ValueError: One of them is on no telephone.

        """
        self._order(self._seat.press, check_digits(digits), duration_ms, gap_ms)

    def record(self, path: str, *, rate: int | None = None) -> None:
        """Record both directions into a stereo WAV, at the codec's rate if none is given."""
        self._order(self._seat.record, self._engine.recorder, path, rate)

    def stop_recording(self) -> None:
        """End the recording; a ``RecordingStopped`` tells when the file is complete."""
        self._order(self._seat.stop_recording)

    def stats(self) -> LaneStats:
        """Return the figures so far."""
        return self._seat.stats()

    def close(self) -> None:
        """End the lane and give its ports back; closing twice does nothing."""
        if self._is_open:
            self._is_open = False
            self._engine.leave(self, self._seat)

    def _settle(self) -> None:
        """Queue what of the last response does not fill a frame."""
        if self._mark is not None:
            frames = self._transcoder.finish()
            self._order(self._seat.append, frames, self._format, self._mark, 0.0)
            self._mark = None

    def _order(self, order: Callable[..., None], *args: object) -> None:
        if self._is_open:
            self._engine.submit(order, *args)
