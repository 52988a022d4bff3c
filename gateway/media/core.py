"""The engine without thread, clock or sockets: give it time, and a tick happens.

Lanes are spread over four groups whose ticks are 5 ms apart.  A tick carries out the orders
that came, sends its group's packets first, because those are due, and reads every socket.
What came is handed on in passes, over as many groups at once as make a good batch: a pass
costs nearly the same for one lane as for a hundred.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from .arrays import LaneArrays, Rows
from .downlink import Downlink
from .events import LaneEvent
from .group import Group
from .listener import Listener
from .outbox import Outbox, Parcel
from .receiver import Poller, Receiver
from .reference import Reference
from .seat import Seat
from .uplink import Source, Uplink

__all__ = ["GROUPS", "MediaCore"]

GROUPS: Final = 4
_BATCH: Final = 200
"""Lanes of a pass; up to so many, fewer passes over more groups are made."""
_MOST_ORDERS: Final = 4096
"""Orders that may wait before sound is refused: seconds of it, so the ticks have stopped."""
_UPKEEP: Final = 25
"""Ticks of a group between two looks at what is due now and then."""


class MediaCore:
    """All lanes and what a tick does with them.

    Only :meth:`submit` may be called from another thread than the one that ticks.
    """

    def __init__(
        self, capacity: int, poller: Poller, media_timeout: float, hold_timeout: float
    ) -> None:
        self.arrays = LaneArrays(capacity)
        self.outbox = Outbox()
        self.receiver = Receiver(self.arrays, poller)
        self.groups = [Group() for _ in range(GROUPS)]
        self.ticks = 0
        self.dropped_orders = 0  # sound that came while too much waited
        self._timeouts = media_timeout, hold_timeout
        self._orders: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._seats: list[Seat | None] = [None] * capacity
        self._passes: list[tuple[Rows, list[Source]] | None] = [None] * GROUPS
        self.listener = Listener(self.arrays, self._tell)
        self._downlink = Downlink(self.arrays, self.outbox, self.listener.guard)
        self._uplink = Uplink(self.arrays, self.outbox, self.listener, self._hear_tone)

    @property
    def is_idle(self) -> bool:
        """Whether there is no lane, and nothing to do."""
        is_told = not self._orders and not self.outbox.is_waiting
        return is_told and not any(group.seats for group in self.groups)

    def submit(self, order: Callable[..., None], *args: Any) -> None:
        """Have ``order(now, *args)`` called at the start of the next tick, of whatever group."""
        self._orders.append((order, args))

    def submit_sound(self, order: Callable[..., None], *args: Any) -> None:
        """As :meth:`submit`, for what may be dropped, and counted, if nobody takes it.

        Sound is what could pile up without end.  Other orders are few, and without one of
        them a lane would stay wrong.
        """
        if len(self._orders) < _MOST_ORDERS:
            self._orders.append((order, args))
        else:
            self.dropped_orders += 1

    def sit(self, now: float, seat: Seat) -> None:
        """Begin to serve a lane."""
        self._uplink.reset(seat.row)
        self.listener.sit(seat.row, seat.options)
        self.guard(now, seat, True)
        self._seats[seat.row] = seat
        seat.group.seats.append(seat)
        seat.sit(now, self.receiver)

    def guard(self, now: float, seat: Seat, is_on: bool) -> None:
        """Guard a lane against its echo as it was opened to be, or leave its sound alone."""
        del now
        kind = seat.options.echo_guard if is_on else "off"
        self.listener.guard_row(seat.row, kind)
        is_guarded = kind != "off"
        seat.outlet.reference = Reference(self.listener.guard, seat.row) if is_guarded else None
        seat.group.is_stale = True

    def stand(self, now: float, seat: Seat, done: Callable[[Seat], None]) -> None:
        """Stop serving a lane; then ``done(seat)`` is called on the loop."""
        self.receiver.receive(now)
        self.receiver.take()
        self._uplink.finish(seat.row, seat.source)
        seat.stand(now, self.receiver)
        seat.group.seats.remove(seat)
        seat.group.waking.discard(seat)
        seat.group.is_stale = True
        self._seats[seat.row] = None
        self.outbox.parcel.append((done, seat))

    def tick(self, number: int, now: float) -> Parcel:
        """Run the tick of group ``number``; return what the loop is to be told."""
        self.ticks += 1
        orders = self._orders
        while orders:
            order, args = orders.popleft()
            order(now, *args)
        group = self.groups[number]
        if group.is_stale:
            group.sort()
            self._plan_passes()
        if group.plain:
            self._downlink.tick_plain(group.plain_rows, group.plain, now)
            if group.guarded:
                self._downlink.show(group.guarded_rows, group.guarded)
        if group.special:
            self._downlink.tick_special(group.special, now)
            group.is_stale = any(outlet.may_be_plain for outlet in group.special)
        for outlet in group.taped:
            outlet.let_pass()
        self.receiver.receive(now)
        for other in self.groups:
            if other.waking:
                _wake(other, now)
        if (batch := self._passes[number]) is not None:
            self.receiver.take()
            self._uplink.tick(*batch, now)
        if self.ticks // GROUPS % _UPKEEP == 0:
            for seat in group.seats:
                if seat.is_active:
                    seat.keep_up(now, *self._timeouts)
        return self.outbox.take(now)

    def skip(self, rounds: int) -> None:
        """Let the senders' clocks pass over so many ticks of each group that never happened.

        The listener then sees a gap in time, and not a delay that lasts for the rest of the call.
        """
        for group in self.groups:
            for seat in group.seats:
                seat.outlet.skip(rounds)
            group.is_stale = True

    def _plan_passes(self) -> None:
        """Say after which groups' ticks a pass is made, and over which lanes."""
        lanes = sum(len(group.rows) for group in self.groups)
        span = next((span for span in (GROUPS, 2) if lanes * span <= _BATCH * GROUPS), 1)
        self._passes = [None] * GROUPS
        for last in range(span - 1, GROUPS, span):
            groups = self.groups[last + 1 - span : last + 1]
            rows = np.concatenate([group.rows for group in groups])
            if len(rows):
                sources = [source for group in groups for source in group.sources]
                self._passes[last] = rows, sources

    def _hear_tone(self, row: int, key: str, is_down: bool, duration_ms: int, now: float) -> None:
        seat = self._seats[row]
        if seat is not None:
            seat.hear_tone(key, is_down, duration_ms, now)

    def _tell(self, row: int, event: LaneEvent) -> None:
        seat = self._seats[row]
        if seat is not None:
            seat.tell(event)


def _wake(group: Group, now: float) -> None:
    for seat in tuple(group.waking):
        seat.intake.wake(now)
        if not seat.intake.is_waiting:
            group.waking.discard(seat)
