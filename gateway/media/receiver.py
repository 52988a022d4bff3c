"""Receiving for all lanes: one epoll, one read per ready socket, one pass over what is due.

A datagram that is exactly the packet its lane waits for costs a read and its share of a few
numpy calls.  Any other goes to its lane's intake.
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.g711 import decode_alaw, decode_ulaw

from .arrays import FRAME, HEADER, PACKET, SLOTS, LaneArrays
from .ports import Address, Port

__all__ = ["Inlet", "Poller", "Receiver"]

Handler: TypeAlias = Callable[[bytes, Address, float], None]

_PASSES: Final = 8
"""Datagrams read from one socket at a time; the rest waits in the kernel for 5 ms."""

_BOTH_LAWS: Final[NDArray[np.int16]] = np.concatenate(
    [decode_ulaw(bytes(range(256))), decode_alaw(bytes(range(256)))]
)


class Poller(Protocol):
    """What the receiver needs of ``select.epoll``."""

    def register(self, fd: int, eventmask: int, /) -> None:
        """Watch a socket."""
        ...

    def unregister(self, fd: int, /) -> None:
        """Watch a socket no more."""
        ...

    def poll(self, timeout: float, /) -> list[tuple[int, int]]:
        """Return the sockets that have something to read."""
        ...


class Inlet:
    """One socket as the receiver sees it.

    ``source`` is whose datagrams may be taken in bulk; ``handle`` takes all others, and is
    ``None`` while the port only drains.
    """

    __slots__ = ("buffer", "handle", "read", "row", "source")

    def __init__(self, port: Port, row: int, buffer: memoryview, handle: Handler | None) -> None:
        self.read = port.recvfrom_into
        self.row = row
        self.buffer = buffer
        self.handle = handle
        self.source: Address | None = None


class Receiver:
    """Reads every socket that has something to read."""

    def __init__(self, arrays: LaneArrays, poller: Poller) -> None:
        self.datagrams = 0
        self.drained = 0  # what came for lanes that are closed
        self.errors = 0
        self._arrays = arrays
        self._poller = poller
        self._inlets: dict[int, Inlet] = {}
        self._scratch = memoryview(bytearray(PACKET))

    def add(self, port: Port, row: int, handle: Handler, *, is_bulk: bool = False) -> Inlet:
        """Watch a port for a lane; with ``is_bulk`` its packets may be taken in bulk."""
        buffer = memoryview(self._arrays.received[row]) if is_bulk else self._scratch
        inlet = Inlet(port, row, buffer, handle)
        if port.fileno() not in self._inlets:
            self._poller.register(port.fileno(), 1)  # EPOLLIN
        self._inlets[port.fileno()] = inlet
        return inlet

    def drain_only(self, port: Port) -> None:
        """Go on reading a port, and throw away what comes."""
        self._inlets[port.fileno()] = Inlet(port, 0, self._scratch, None)

    def receive(self, now: float) -> None:
        """Read what has arrived, without ever waiting."""
        inlets = self._inlets
        for _ in range(_PASSES):
            ready = self._poller.poll(0)
            if not ready:
                return
            taken: list[Inlet] = []
            sizes: list[int] = []
            for fd, _event in ready:
                inlet = inlets[fd]
                try:
                    size, source = inlet.read(inlet.buffer)
                except OSError:
                    self.errors += 1
                    continue
                if source == inlet.source:
                    taken.append(inlet)
                    sizes.append(size)
                elif inlet.handle is None:
                    self.drained += 1
                else:
                    inlet.handle(bytes(inlet.buffer[:size]), source, now)
            self.datagrams += len(ready)
            if taken:
                self._take(taken, sizes, now)

    def _take(self, taken: list[Inlet], sizes: list[int], now: float) -> None:
        """Store the packets that were due, and hand on the others."""
        arrays = self._arrays
        rows = np.array([inlet.row for inlet in taken])
        size = np.array(sizes)
        due = arrays.due[rows]
        is_due = (arrays.received_words[rows, :3] == due).all(axis=1)
        is_due &= size == arrays.due_size[rows]
        is_due &= arrays.tail[rows] - arrays.head[rows] < SLOTS
        if not is_due.all():
            self._hand_on(taken, sizes, np.flatnonzero(~is_due), now)
            rows, due = rows[is_due], due[is_due]
            if not len(rows):
                return
        # The next number wraps within its half of the word.
        first = due[:, 0]
        due[:, 0] = (first & 0xFFFF0000) | ((first + 1) & 0xFFFF)
        due[:, 1] += FRAME
        arrays.due[rows] = due
        arrays.bulk[rows] += 1
        change = np.abs((now - arrays.heard_at[rows]) * 8000 - FRAME)
        arrays.jitter[rows] += (change - arrays.jitter[rows]) / 16
        arrays.heard_at[rows] = now
        arrays.filled[rows] = 0

        codes = arrays.received[rows, HEADER : HEADER + FRAME] + arrays.law[rows, None]
        slots = arrays.tail[rows] % SLOTS
        arrays.frames[rows, slots] = _BOTH_LAWS.take(codes)
        arrays.made_up[rows, slots] = False
        arrays.tail[rows] += 1

    def _hand_on(
        self, taken: list[Inlet], sizes: list[int], others: NDArray[np.intp], now: float
    ) -> None:
        for index in others.tolist():
            inlet = taken[index]
            if inlet.handle is not None and inlet.source is not None:
                inlet.handle(bytes(inlet.buffer[: sizes[index]]), inlet.source, now)
