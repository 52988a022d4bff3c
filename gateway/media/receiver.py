"""Receiving for all lanes: one epoll, one read per ready socket, one pass over what is due.

Sockets are read every 5 ms, so that arrivals are known as exactly as that.  What was read stays
in its lane's row until :meth:`Receiver.take`, or until the lane's next packet: a datagram that is
exactly the one its lane waits for then costs its share of a few numpy calls.  Any other goes to
its lane's intake.
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

import numpy as np

from .arrays import FRAME, HEADER, PACKET, SLOTS, LaneArrays
from .direct import Order, order_for, read
from .laws import BOTH_LAWS
from .ports import Address, Link, Port

__all__ = ["Inlet", "Poller", "Receiver"]

Handler: TypeAlias = Callable[[bytes, Address, float], None]

_PASSES: Final = 8
"""Datagrams read from one socket at a time; the rest waits in the kernel for 5 ms."""
_LINKS: Final = 6
"""Sockets linked in 5 ms: each takes ten system calls, and many calls may begin at one moment."""


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

    ``source`` is whose datagrams may be taken in bulk; those that turn out to be none of the
    due ones go to ``rest``.  ``handle`` takes everybody else's as they came, and is ``None``
    while the port only drains.  A link's ``order`` or ``read`` is set: all its datagrams are
    the source's.  ``open`` decrypts a datagram of the source in the buffer, and returns its
    size then, or -1.
    """

    __slots__ = (
        "buffer",
        "handle",
        "is_pending",
        "open",
        "order",
        "read",
        "read_from",
        "rest",
        "row",
        "source",
    )

    def __init__(self, port: Port, row: int, buffer: memoryview, handle: Handler | None) -> None:
        self.open: Callable[[int], int] | None = None
        self.order: Order | None = None
        self.read: Callable[[memoryview], int] | None = None
        self.read_from = port.recvfrom_into
        self.row = row
        self.buffer = buffer
        self.handle = self.rest = handle
        self.source: Address | None = None
        self.is_pending = False  # the buffer holds a packet that was not taken yet


class Receiver:
    """Reads every socket that has something to read."""

    def __init__(self, arrays: LaneArrays, poller: Poller) -> None:
        self.drained = 0  # what came for lanes that are closed
        self.errors = 0
        self._arrays = arrays
        self._poller = poller
        self._inlets: dict[int, Inlet] = {}
        self._scratch = memoryview(bytearray(PACKET))
        self._pending: list[Inlet] = []
        self._sizes: list[int] = []
        self._arrivals: list[float] = []
        self._links_left = _LINKS
        self._now = 0.0  # when the pending ones without an arrival came

    def add(self, port: Port, row: int, handle: Handler, rest: Handler | None = None) -> Inlet:
        """Watch a port for a lane; with ``rest`` its packets may be taken in bulk."""
        buffer = self._scratch if rest is None else memoryview(self._arrays.received[row])
        inlet = Inlet(port, row, buffer, handle)
        inlet.rest = rest
        if port.fileno() not in self._inlets:
            self._poller.register(port.fileno(), 1)  # EPOLLIN
        self._inlets[port.fileno()] = inlet
        return inlet

    @property
    def may_link(self) -> bool:
        """Whether there is time for another link before the next tick."""
        return self._links_left > 0

    def link(self, link: Link, inlet: Inlet, peer: Address) -> Inlet:
        """Watch a second socket of an inlet's port, to take the peer's packets in bulk from."""
        self._links_left -= 1
        linked = Inlet(link, inlet.row, inlet.buffer, inlet.handle)
        linked.read = link.recv_into
        linked.order = order_for(link, linked.buffer)
        linked.source = peer
        linked.rest = inlet.rest
        inlet.buffer = self._scratch  # what strangers send must not lie over the peer's packet
        self._poller.register(link.fileno(), 1)
        self._inlets[link.fileno()] = linked
        return linked

    def unlink(self, link: Link, inlet: Inlet) -> None:
        """Watch a second socket no more; none of its packets may be pending."""
        self._poller.unregister(link.fileno())
        inlet.buffer = self._inlets.pop(link.fileno()).buffer

    def drain_only(self, port: Port) -> None:
        """Go on reading a port, and throw away what comes."""
        self._inlets[port.fileno()] = Inlet(port, 0, self._scratch, None)

    def receive(self, now: float) -> None:
        """Read what has arrived, without ever waiting."""
        inlets = self._inlets
        self._note_arrivals()
        self._now = now
        self._links_left = _LINKS
        for _ in range(_PASSES):
            ready = self._poller.poll(0)
            if not ready:
                return
            for fd, _event in ready:
                inlet = inlets.get(fd)
                if inlet is None:  # a link that was given up a moment ago
                    continue
                if inlet.is_pending:
                    self.take()
                if inlet.order is None:
                    size = self._read(inlet, now)
                elif (size := read(*inlet.order)) < 0:
                    self.errors += 1
                if size < 0:
                    continue
                if inlet.open is not None and (size := inlet.open(size)) < 0:
                    continue
                inlet.is_pending = True
                self._pending.append(inlet)
                self._sizes.append(size)

    def _read(self, inlet: Inlet, now: float) -> int:
        """Return the size of the source's next datagram, -1 where there is none to be taken."""
        try:
            if inlet.read is not None:
                return inlet.read(inlet.buffer)
            size, source = inlet.read_from(inlet.buffer)
        except OSError:
            self.errors += 1
            return -1
        if source == inlet.source:
            return size
        self._pass_on(inlet, size, source, now)
        return -1

    def _pass_on(self, inlet: Inlet, size: int, source: Address, now: float) -> None:
        if inlet.handle is None:
            self.drained += 1
        else:
            inlet.handle(bytes(inlet.buffer[:size]), source, now)

    def _note_arrivals(self) -> None:
        self._arrivals += [self._now] * (len(self._pending) - len(self._arrivals))

    def take(self) -> None:
        """Store the packets that were due, and hand on the others."""
        self._note_arrivals()
        taken, sizes, arrivals = self._pending, self._sizes, self._arrivals
        if not taken:
            return
        self._pending, self._sizes, self._arrivals = [], [], []
        for inlet in taken:
            inlet.is_pending = False
        arrays = self._arrays
        rows = np.array([inlet.row for inlet in taken])
        at = np.array(arrivals)
        due = arrays.due[rows]
        is_due = (arrays.received_words[rows, :3] == due).all(axis=1)
        is_due &= np.array(sizes) == arrays.due_size[rows]
        is_due &= arrays.tail[rows] - arrays.head[rows] < SLOTS
        if not is_due.all():
            for index in np.flatnonzero(~is_due).tolist():
                inlet = taken[index]
                if inlet.rest is not None and inlet.source is not None:
                    inlet.rest(bytes(inlet.buffer[: sizes[index]]), inlet.source, arrivals[index])
            rows, due, at = rows[is_due], due[is_due], at[is_due]
            if not len(rows):
                return
        # The next number wraps within its half of the word.
        first = due[:, 0]
        due[:, 0] = (first & 0xFFFF0000) | ((first + 1) & 0xFFFF)
        due[:, 1] += FRAME
        arrays.due[rows] = due
        arrays.bulk[rows] += 1
        change = np.abs((at - arrays.heard_at[rows]) * 8000 - FRAME)
        arrays.jitter[rows] += (change - arrays.jitter[rows]) / 16
        arrays.heard_at[rows] = at
        arrays.filled[rows] = 0

        codes = arrays.received[rows, HEADER : HEADER + FRAME] + arrays.law[rows, None]
        slots = arrays.tail[rows] % SLOTS
        arrays.frames[rows, slots] = BOTH_LAWS.take(codes)
        arrays.made_up[rows, slots] = False
        arrays.tail[rows] += 1
