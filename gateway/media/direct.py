"""Datagrams in and out of linked sockets without letting the interpreter go.

Why: a socket's own methods give the interpreter away for the length of the call.  A busy event
loop takes it, and the media thread gets it back a tenth of a millisecond later: with a packet in
and one out for each lane, such waits are longer than the beat.  A datagram that does not block
takes the kernel a few microseconds, and for these the interpreter is better kept.

How: ``read``, ``write`` and ``epoll_wait`` of the C library through ctypes.  Turning numbers into
C's costs more than the call itself, so the arguments are made once, for one socket and one place
in memory: ``write(*order) < 0`` says that nothing was sent.  Where there is no such library the
sockets' own methods do.
"""

import ctypes
import platform
import select
import socket
from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np

__all__ = ["DirectPoll", "Order", "order_for", "read", "write"]

Order: TypeAlias = tuple[ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
"""Socket, place and bytes.  Good while both live: whoever closes the socket drops the order."""


_READY: Final = 1024
"""Sockets told of at a time; the others are told of next time."""

# struct epoll_event, epoll_ctl(2); packed on this one architecture.
_IS_PACKED: Final = platform.machine() in ("x86_64", "AMD64")
_EVENT: Final = np.dtype(
    {
        "names": ["events", "fd"],
        "formats": [np.uint32, np.int32],
        "offsets": [0, 4 if _IS_PACKED else 8],
        "itemsize": 12 if _IS_PACKED else 16,
    }
)


def _call(name: str) -> Callable[..., int] | None:
    try:
        function = getattr(ctypes.PyDLL(None), name)
    except (AttributeError, OSError, TypeError):  # no C library under that name
        return None
    function.restype = ctypes.c_ssize_t
    found: Callable[..., int] = function
    return found


def _missing(*_order: object) -> int:
    return -1


_READ: Final = _call("read")
_WRITE: Final = _call("write")
_EPOLL_WAIT: Final = _call("epoll_wait")

read: Final[Callable[..., int]] = _READ or _missing
"""``read(*order)`` takes one datagram and returns its size; negative where there is none."""
write: Final[Callable[..., int]] = _WRITE or _missing
"""``write(*order)`` sends one datagram and returns its size; negative where it cannot."""


def order_for(sock: object, place: memoryview) -> Order | None:
    """Return what :func:`read` or :func:`write` needs for one socket and one place.

    ``None`` where it must be done by the socket's own methods.
    """
    if _READ is None or _WRITE is None or not isinstance(sock, socket.socket):
        return None
    address = np.frombuffer(place, np.uint8).ctypes.data
    number = sock.fileno()
    return ctypes.c_int(number), ctypes.c_void_p(address), ctypes.c_size_t(len(place))


class DirectPoll:
    """``select.epoll``, asked without letting the interpreter go; it never waits."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.register = self._epoll.register
        self.unregister = self._epoll.unregister
        self.close = self._epoll.close
        self._events = np.zeros(_READY, _EVENT)
        self._order = (
            ctypes.c_int(self._epoll.fileno()),
            ctypes.c_void_p(self._events.ctypes.data),
            ctypes.c_int(_READY),
            ctypes.c_int(0),
        )

    def poll(self, timeout: float, /) -> list[tuple[int, int]]:
        """Return the sockets that have something to read, now; ``timeout`` must be 0."""
        if _EPOLL_WAIT is None:
            return self._epoll.poll(timeout)
        ready = self._events[: max(0, _EPOLL_WAIT(*self._order))]
        return list(zip(ready["fd"].tolist(), ready["events"].tolist(), strict=True))
