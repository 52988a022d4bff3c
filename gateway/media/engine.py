"""The media engine as its callers see it: start it, and open lanes."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Final

from ..clock import Clock, Ids, RandomIds, monotonic
from ..errors import CapacityError
from ..rtp.dtls import Identity
from ..sdp.dtls import Fingerprint
from .core import GROUPS, MediaCore
from .direct import DirectPoll
from .events import LaneEvent
from .lane import Lane
from .options import LaneOptions
from .outbox import Parcel
from .ports import PortPool
from .receiver import Poller
from .recorder import Recorder
from .seat import Seat
from .stats import EngineStats
from .thread import MediaThread

__all__ = ["Lane", "MediaEngine"]

_MOST_LANES: Final = 2048


class MediaEngine:
    """Opens lanes and, once started, runs them.

    Args:
        ports: where lanes get their ports.
        media_timeout: seconds without a packet after which a lane says so,
        hold_timeout: and on hold, when none need come.
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
        hold_timeout: float = 1800.0,
        lanes: int | None = None,
        poller: Poller | None = None,
        clock: Clock = monotonic,
        ids: Ids | None = None,
    ) -> None:
        capacity = min(lanes or _MOST_LANES, ports.capacity)
        self._epoll = DirectPoll() if poller is None else None
        watcher: Poller | None = poller or self._epoll
        assert watcher is not None
        self.core = MediaCore(capacity, watcher, media_timeout, hold_timeout)
        self.ports = ports
        self.recorder = Recorder()
        self.clock = clock
        self.identity = Identity()
        self._ids = ids or RandomIds()
        self._thread: MediaThread | None = None
        self._free_rows = list(reversed(range(capacity)))
        self._loads = [0] * GROUPS  # lanes of each group
        self._lanes: set[Lane] = set()
        self._seats: dict[Seat, PortPool] = {}  # in use, or on their way back, and whose ports
        self._pools = {ports}

    @property
    def fingerprint(self) -> str:
        """What the certificate comes to that every handshake is made with."""
        return str(Fingerprint(*self.identity.digest))

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
        self.tick(0, self.clock())
        self.recorder.close()
        self.tick(1, self.clock())
        for seat in tuple(self._seats):  # whose end was on its way to the loop
            self._left(seat)
        for pool in self._pools:
            pool.close()
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
        options: LaneOptions | None = None,
        ports: PortPool | None = None,
    ) -> Lane:
        """Open a lane; it is silent until it is configured.

        Args:
            on_event: called on the loop with what happens to the lane.
            on_audio: called on the loop with the caller's sound, 20 ms at a time.
            options: how it treats its sound; as the defaults are, if not given.
            ports: where it gets its ports, if not where others do.

        Raises:
            CapacityError: There is no port pair or no lane left.
            ImportError: A package that the options need is missing.

        """
        options = options or LaneOptions()
        self.prepare(options)
        if not self._free_rows:
            raise CapacityError(f"all {self.core.arrays.capacity} lanes are in use")
        pool = ports or self.ports
        pair = pool.take(self.clock())
        self._pools.add(pool)
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
            options=options,
        )
        self._seats[seat] = pool
        lane = Lane(self, seat, options.played)
        self._lanes.add(lane)
        self.submit(self.core.sit, seat)
        return lane

    def prepare(self, options: LaneOptions) -> None:
        """Load beforehand what the first lane with such options would have to wait for.

        Raises:
            ImportError: A package that they need is missing.

        """
        self.core.listener.prepare(options)

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

    def leave(self, lane: Lane, seat: Seat) -> None:
        """Take a lane's row and ports back, once the media thread has let go of them."""
        self._lanes.discard(lane)
        self.submit(self.core.stand, seat, self._left)

    def _left(self, seat: Seat) -> None:
        pool = self._seats.pop(seat, None)
        if pool is None:
            return
        self._loads[self.core.groups.index(seat.group)] -= 1
        self._free_rows.append(seat.row)
        pool.release(seat.pair, self.clock())


def deliver(parcel: Parcel) -> None:
    """Make the calls of a parcel."""
    for call, what in parcel:
        call(what)
