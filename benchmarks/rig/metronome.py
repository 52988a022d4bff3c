"""The reference for everything measured in time: a bare loop that sends a datagram every 20 ms.

An echo, a process of its own, notes when each arrived and sends it back.  Running beside a load,
the two show what the machine itself does to a beat, and to a question and its answer.  It prints
a line once it runs, goes on until its standard input closes, then prints as one JSON line when
each datagram arrived at the echo (seconds on CLOCK_MONOTONIC; ``null``: never) and how long its
round trip took (seconds).

    python -m rig.metronome
"""

import json
import multiprocessing
import os
import select
import struct
import sys
import time

from .stamps import Stamped

BEAT = 0.020
SIZE = 172  # bytes, as a packet of G.711 has


def echo(stamped: Stamped, parent: int) -> None:
    """Send back what comes, with the time it came, as long as the parent lives."""
    while os.getppid() == parent:
        if select.select([stamped.socket], [], [], 1.0)[0]:
            data, at, sender = stamped.receive()
            stamped.socket.sendto(data[:8] + struct.pack("d", at) + data[16:], sender)


def listen(
    stamped: Stamped, echoes: int, until: float, beats: dict[int, tuple[float, float]]
) -> bool:
    """Take what the port ``echoes`` sends until the time comes; return whether to go on."""
    while (left := until - time.monotonic()) > 0:
        ready = select.select([stamped.socket, sys.stdin], [], [], left)[0]
        if stamped.socket in ready:
            data, _, (_, port) = stamped.receive()
            if port == echoes:  # a call of an earlier run may have had our port
                number, at = struct.unpack("qd", data[:16])
                beats[number] = at, time.monotonic()
        if sys.stdin in ready:
            return False
    return True


def main() -> None:
    """Beat until standard input closes, then tell."""
    far, near = Stamped(), Stamped()
    fork = multiprocessing.get_context("fork")
    fork.Process(target=echo, args=(far, os.getpid()), daemon=True).start()
    print(json.dumps({"beating": True}), flush=True)
    beats: dict[int, tuple[float, float]] = {}
    sent: list[float] = []
    start = time.monotonic() + BEAT
    while listen(near, far.port, start + len(sent) * BEAT, beats):
        packet = struct.pack("qd", len(sent), 0.0).ljust(SIZE, b"\0")
        sent.append(time.monotonic())
        near.socket.sendto(packet, ("127.0.0.1", far.port))
    arrivals = [beats[n][0] if n in beats else None for n in range(len(sent))]
    trips = [back - sent[n] for n, (_, back) in beats.items()]
    print(json.dumps({"arrivals": arrivals, "trips": trips}), flush=True)


if __name__ == "__main__":
    main()
