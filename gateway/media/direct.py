"""Datagrams in and out of linked sockets without letting the interpreter go.

Why: a socket's own methods give the interpreter away for the length of the call.  A busy event
loop takes it, and the media thread gets it back a tenth of a millisecond later: with a packet in
and one out for each lane, such waits are longer than the beat.  A datagram that does not block
takes the kernel a few microseconds, and for these the interpreter is better kept.

How: ``read`` and ``write`` of the C library through ctypes.  Turning numbers into C's costs more
than the call itself, so the arguments are made once, for one socket and one place in memory:
``write(*order) < 0`` sends.  Where there is no such library the sockets' methods do.
"""

import ctypes
import socket
from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np

__all__ = ["Order", "order_for", "read", "write"]

Order: TypeAlias = tuple[ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
"""Socket, place and bytes.  Good while both live: whoever closes the socket drops the order."""


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
