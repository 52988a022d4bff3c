"""Callers that cost little: SIP by template, PCMU at 50 packets a second, the kernel's timestamps.

Calls ``--calls`` times, talks for ``--seconds``, hangs up, and writes what arrived to ``--out``
(a numpy archive): for every packet its call, its arrival on CLOCK_MONOTONIC, its RTP timestamp
and how many of its samples are not silence.

    python -m rig.callers --port 5060 --calls 50 --seconds 10 --out arrivals.npz
"""

import argparse
import base64
import json
import re
import select
import socket
import struct
import time

import numpy as np

from gateway.media.cipher import Cipher
from gateway.sdp.crypto import SUITES, SrtpKeys

from .stamps import Stamped

SILENT = b"\xff\x7f"  # the two zeros of mu-law

INVITE = """INVITE sip:{user}@127.0.0.1:{port} SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:{sip};branch=z9hG4bK{n}-{run};rport
From: <sip:load{n}@127.0.0.1:{sip}>;tag=f{n}
To: <sip:{user}@127.0.0.1:{port}>
Call-ID: {run}-{n}@127.0.0.1
CSeq: 1 INVITE
Contact: <sip:load{n}@127.0.0.1:{sip}>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: {length}

{sdp}"""
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {rtp} RTP/{profile} 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)
CRYPTO = "a=crypto:1 {suite} inline:{key}\r\n"
LATER = """{method} {target} SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:{sip};branch=z9hG4bK{n}-{run}-{method};rport
From: <sip:load{n}@127.0.0.1:{sip}>;tag=f{n}
To: <sip:{user}@127.0.0.1:{port}>;tag={tag}
Call-ID: {run}-{n}@127.0.0.1
CSeq: {sequence} {method}
Max-Forwards: 70
Content-Length: 0

"""


class Caller:
    """One call: its RTP socket and what the answer said."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.rtp = Stamped()
        self.rtp.socket.setblocking(False)
        self.remote: tuple[str, int] | None = None
        self.tag = self.target = ""
        self.invited = self.answered = 0.0
        self.status = 0
        self.cipher: Cipher | None = None


class Load:
    """All callers, one SIP socket, one clock."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.run = f"{time.monotonic_ns():x}"
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sip.bind(("127.0.0.1", 0))
        self.sip.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self.callers = [Caller(n) for n in range(options.calls)]
        self.fill = {
            "run": self.run, "user": options.user, "port": options.port,
            "sip": self.sip.getsockname()[1],
        }  # fmt: skip
        self.calls: list[int] = []
        self.times: list[float] = []
        self.stamps: list[int] = []
        self.sounds: list[int] = []

    def send(self, text: str) -> None:
        """Send one SIP message."""
        head, _, body = text.partition("\n\n")
        wire = head.replace("\n", "\r\n") + "\r\n\r\n" + body
        self.sip.sendto(wire.encode(), ("127.0.0.1", self.options.port))

    def invite(self, caller: Caller) -> None:
        """Start one call."""
        sdp = SDP.format(rtp=caller.rtp.port, profile="SAVP" if self.options.srtp else "AVP")
        if self.options.srtp:
            key = base64.b64encode(self.key_of(caller)).decode()
            sdp += CRYPTO.format(suite=self.options.srtp, key=key)
        caller.invited = caller.invited or time.monotonic()
        self.send(INVITE.format(**self.fill, n=caller.number, sdp=sdp, length=len(sdp)))

    def key_of(self, caller: Caller) -> bytes:
        """Return the key that a caller sends under."""
        size = SUITES[self.options.srtp]
        return caller.number.to_bytes(2) * (size // 2)

    def answer(self) -> None:
        """Read one SIP message and do what it asks."""
        data, _ = self.sip.recvfrom(65535)
        text = data.decode(errors="replace")
        found = re.search(r"Call-ID: \w+-(\d+)@", text)
        status = re.match(r"SIP/2.0 (\d{3})", text)
        if found is None or status is None:
            return
        caller = self.callers[int(found[1])]
        if "INVITE" not in re.search(r"CSeq: (.*)", text)[1] or int(status[1]) < 200:  # type: ignore[index]
            return
        caller.status = int(status[1])
        caller.tag = re.search(r"\nTo:.*?;tag=([^;\r\s]+)", text)[1]  # type: ignore[index]
        if caller.status == 200:
            caller.answered = caller.answered or time.monotonic()
            caller.target = re.search(r"Contact: *<([^>]+)>", text)[1]  # type: ignore[index]
            caller.remote = ("127.0.0.1", int(re.search(r"m=audio (\d+)", text)[1]))  # type: ignore[index]
            if (inline := re.search(r"a=crypto:1 \S+ inline:(\S+)", text)) is not None:
                theirs = base64.b64decode(inline[1])
                ours = self.key_of(caller)
                keys = SrtpKeys(self.options.srtp, bytearray(ours), bytearray(theirs))
                caller.cipher = Cipher(keys)
        self.later(caller, "ACK", 1)

    def later(self, caller: Caller, method: str, sequence: int) -> None:
        """Send a request inside the call."""
        target = caller.target or f"sip:{self.options.user}@127.0.0.1:{self.options.port}"
        place = {"method": method, "sequence": sequence, "target": target, "tag": caller.tag}
        self.send(LATER.format(**self.fill, n=caller.number, **place))

    def open_all(self) -> None:
        """Call: ``--rate`` calls a second, or one after the other where the rate is 0."""
        rate = self.options.rate
        deadline = time.monotonic() + 20 + (len(self.callers) / rate if rate else len(self.callers))
        started, invited = time.monotonic(), 0
        while any(not c.status for c in self.callers) and time.monotonic() < deadline:
            while invited < len(self.callers) and (
                time.monotonic() - started >= invited / rate
                if rate
                else all(c.status for c in self.callers[:invited])
            ):
                self.invite(self.callers[invited])
                invited += 1
            if select.select([self.sip], [], [], 0.002)[0]:
                self.answer()

    def talk(self) -> None:
        """Send and receive RTP for ``--seconds``."""
        poll = select.epoll()
        sockets = {c.rtp.socket.fileno(): c for c in self.callers if c.remote}
        for number in sockets:
            poll.register(number, select.EPOLLIN)
        payload = bytes(0x20 + n % 61 for n in range(160))
        start, ticks = time.monotonic(), int(self.options.seconds * 50)
        live = list(sockets.values())
        for tick in range(ticks):
            head = struct.pack("!BBHI", 0x80, 0, tick & 0xFFFF, tick * 160)
            for index, caller in enumerate(live):
                if index % 4 == 0:
                    due = start + tick * 0.020 + 0.005 * (index * 4 // len(live)) / 4
                    self.drain(poll, sockets, due)
                packet: bytes | memoryview
                packet = head + struct.pack("!I", 0x1000 + caller.number) + payload
                if caller.cipher is not None:
                    packet = caller.cipher.seal(packet)
                caller.rtp.socket.sendto(packet, caller.remote)  # type: ignore[arg-type]
            self.drain(poll, sockets, start + (tick + 1) * 0.020)

    def drain(self, poll: select.epoll, sockets: dict[int, Caller], until: float) -> None:
        """Receive until the time comes."""
        while (left := until - time.monotonic()) > 0:
            for number, _ in poll.poll(left):
                self.take(sockets[number])

    def take(self, caller: Caller) -> None:
        """Note one packet."""
        data, at, _ = caller.rtp.receive()
        if data[1] & 0x7F != 0:
            return
        if caller.cipher is not None:
            data = caller.cipher.open_copy(data) or bytes(12)
        self.calls.append(caller.number)
        self.times.append(at)
        self.stamps.append(int.from_bytes(data[4:8]))
        self.sounds.append(len(data[12:].translate(None, SILENT)))

    def close_all(self) -> None:
        """Hang up."""
        for caller in self.callers:
            if caller.remote:
                self.later(caller, "BYE", 2)
                time.sleep(0.001)
        until = time.monotonic() + 1
        while (left := until - time.monotonic()) > 0 and select.select([self.sip], [], [], left)[0]:
            self.sip.recv(65535)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", default="demo")
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--rate", type=float, default=0.0, help="calls a second; 0: in turn")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--srtp", default="", help="the suite to encrypt with")
    parser.add_argument("--out", required=True)
    load = Load(parser.parse_args())
    load.open_all()
    print(json.dumps({"talking_from": time.monotonic()}), flush=True)
    load.talk()
    print(json.dumps({"talking_to": time.monotonic()}), flush=True)
    load.close_all()
    np.savez(
        load.options.out,
        call=np.array(load.calls, np.int32),
        time=np.array(load.times),
        stamp=np.array(load.stamps, np.uint32),
        sound=np.array(load.sounds, np.int32),
        setup=np.array([c.answered - c.invited for c in load.callers if c.answered]),
        status=np.array([c.status for c in load.callers]),
    )
