"""Junk for a SIP port of loopback: noise, scanners and calls from sources without number.

Each datagram leaves with another source address of 127.0.0.0/8 than 127.0.0.1, as forged ones
would: a tenth of them from one and the same.  It prints a line once it runs, stops after
``--seconds`` at the latest or when its standard input closes, and prints how many it sent.

    python -m rig.flood --port 5060 --rate 20000 --seconds 60
"""

import argparse
import json
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Final

IP_PKTINFO: Final = 8  # of <linux/in.h>; struct in_pktinfo says by which address to send
STEP: Final = 0.001
LOUD: Final = bytes([127, 66, 66, 66])
REQUEST: Final = """{method} sip:{user}@127.0.0.1:{port} SIP/2.0
Via: SIP/2.0/UDP 127.9.9.9:5060;branch=z9hG4bK{number:08x};rport
From: <sip:{user}@127.9.9.9>;tag={number:08x}
To: <sip:{user}@127.0.0.1>
Call-ID: {number:08x}
CSeq: 1 {method}
Contact: <sip:{user}@127.9.9.9:5060>
Max-Forwards: 70
User-Agent: {agent}
Content-Length: 0

"""


def junk(port: int, chance: random.Random) -> Iterator[bytes]:
    """Yield datagrams without end: a quarter each of noise, calls, probes and scanners."""
    number = 0
    while True:
        number += 1
        fields = {"port": port, "number": number, "user": chance.randrange(100, 10_000)}
        yield chance.randbytes(chance.randrange(20, 600))
        for method, agent in (("INVITE", "phone"), ("OPTIONS", "phone"), ("REGISTER", "sipcli/1")):
            text = REQUEST.format(method=method, agent=agent, **fields)
            yield text.replace("\n", "\r\n").encode()


def source(chance: random.Random) -> bytes:
    """Return an address of loopback that no trunk has."""
    if chance.random() < 0.1:
        return LOUD
    return bytes([127, chance.randrange(1, 256), chance.randrange(256), chance.randrange(1, 255)])


def main() -> None:
    """Flood until told to stop, then tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0: a port that nobody reads")
    parser.add_argument("--rate", type=int, default=20_000, help="datagrams a second")
    parser.add_argument("--seconds", type=float, default=120.0)
    options = parser.parse_args()
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.bind(("127.0.0.1", 0))
    target = ("127.0.0.1", options.port or sink.getsockname()[1])
    chance = random.Random(1)
    made = junk(options.port, chance)
    ready = [(next(made), source(chance)) for _ in range(8192)]
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    print(json.dumps({"flooding": True}), flush=True)
    started, sent = time.monotonic(), 0
    while (past := time.monotonic() - started) < options.seconds:
        while sent < past * options.rate:
            data, host = ready[sent % len(ready)]
            where = struct.pack("@i4s4s", 0, host, b"\0" * 4)
            out.sendmsg([data], [(socket.IPPROTO_IP, IP_PKTINFO, where)], 0, target)
            sent += 1
        if select.select([sys.stdin], [], [], STEP)[0]:
            break
    print(json.dumps({"sent": sent, "seconds": time.monotonic() - started}), flush=True)


if __name__ == "__main__":
    main()
