"""From the service to the callers: one packet a lane at every tick of its group."""

from collections.abc import Sequence

import numpy as np

from .arrays import FRAME, HEADER, LaneArrays, Rows
from .direct import write
from .guard import EchoGuard
from .laws import BOTH_LAWS
from .outbox import Outbox
from .outlet import Outlet

__all__ = ["Downlink"]


class Downlink:
    """Sends a group's packets: headers in bulk, then one system call each."""

    def __init__(self, arrays: LaneArrays, outbox: Outbox, guard: EchoGuard) -> None:
        self._arrays = arrays
        self._outbox = outbox
        self._guard = guard

    def tick_plain(self, rows: Rows, outlets: Sequence[Outlet], now: float) -> None:
        """Send one ring frame of each outlet; ``outlets[i]`` is the lane of ``rows[i]``."""
        arrays = self._arrays
        sequence = arrays.sequence[rows] + 1
        timestamp = arrays.timestamp[rows] + arrays.step[rows]
        arrays.sequence[rows] = arrays.sending_sequence[rows] = sequence
        arrays.timestamp[rows] = arrays.sending_timestamp[rows] = timestamp
        arrays.sent[rows] += 1
        arrays.octets[rows] += arrays.payload_size[rows]
        for outlet in outlets:
            playout = outlet.playout
            frame = outlet.take(now)
            if frame is not None:
                outlet.payload[:] = frame
                outlet.is_quiet = False
            elif not outlet.is_quiet:
                outlet.payload[:] = outlet.silence
                outlet.is_quiet = True
            if outlet.cipher is not None:
                outlet.send_sealed(outlet.cipher)
            elif outlet.order is None:
                outlet.send_packet()
            elif write(*outlet.order) < 0:
                outlet.errors += 1
            if outlet.tape is not None:
                outlet.tape.say(outlet.silence if frame is None else frame)
            if playout.events:
                self.tell(outlet)

    def show(self, rows: Rows, outlets: Sequence[Outlet]) -> None:
        """Show the echo guard what was just sent of some plain outlets."""
        is_quiet = np.array([outlet.is_quiet for outlet in outlets])
        if len(lines := self._guard.follow(rows, is_quiet)):
            rows = rows[lines]
            codes = self._arrays.sending[rows, HEADER : HEADER + FRAME]
            sent = BOTH_LAWS.take(codes + self._arrays.sending_law[rows, None])
            self._guard.say(sent, rows)

    def tick_special(self, outlets: Sequence[Outlet], now: float) -> None:
        """Send what is due of outlets whose packets are not all alike."""
        for outlet in outlets:
            outlet.tick(now)
            if outlet.playout.events:
                self.tell(outlet)

    def tell(self, outlet: Outlet) -> None:
        """Pass on what the ring has to say."""
        events = outlet.playout.events
        self._outbox.parcel.extend((outlet.on_event, event) for event in events)
        events.clear()
