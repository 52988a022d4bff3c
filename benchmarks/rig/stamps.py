"""When a datagram arrived, by the kernel's word, on the clock all processes share."""

import socket
import struct
import time

__all__ = ["Stamped"]

_SO_TIMESTAMPNS = 35


class Stamped:
    """A UDP socket on loopback that tells of each datagram when it arrived (CLOCK_MONOTONIC)."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.port: int = self.socket.getsockname()[1]
        self._offset = time.time_ns() - time.monotonic_ns()

    def receive(self) -> tuple[bytes, float, tuple[str, int]]:
        """Return a datagram, the moment it arrived (s), and its sender."""
        data, extra, _, sender = self.socket.recvmsg(2048, 64)
        seconds, nanos = struct.unpack("qq", extra[0][2])
        return data, (seconds * 1_000_000_000 + nanos - self._offset) / 1e9, sender
