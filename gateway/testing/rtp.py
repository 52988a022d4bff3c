"""An in-memory UDP network and telephones on it, in virtual time.

Give the network's ``bind`` to a :class:`~gateway.media.ports.PortPool` and the network
itself to the media engine as its poller; then :meth:`MemoryNetwork.run` moves time.
"""

import random
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw

from ..media.cipher import Cipher
from ..rtp.packet import RtpPacket, timestamp_delta
from ..sdp.codecs import Codec
from ..sdp.crypto import SUITES, SrtpKeys
from ..sdp.negotiate import Direction, Negotiated
from .loss import Loss

__all__ = ["MemoryNetwork", "MemoryPort", "Phone", "Ticking"]

Address: TypeAlias = tuple[str, int]
Pcm: TypeAlias = NDArray[np.int16]

_BEAT = 0.005
_LAWS = {0: (encode_ulaw, decode_ulaw), 8: (encode_alaw, decode_alaw)}


class Ticking(Protocol):
    """What has a tick: a media engine."""

    def tick(self, group: int, now: float) -> None:
        """Run the tick of one group."""
        ...


class MemoryPort:
    """One end of the network, with the face of a non-blocking UDP socket."""

    def __init__(self, network: "MemoryNetwork", address: Address) -> None:
        self.address = address
        self.is_closed = False
        self._network = network
        self._queue: deque[tuple[float, bytes, Address]] = deque()

    def fileno(self) -> int:
        """Return the port's number, which is unique here."""
        return self.address[1]

    @property
    def is_ready(self) -> bool:
        """Whether a datagram has arrived."""
        return bool(self._queue) and self._queue[0][0] <= self._network.now

    def arrive(self, at: float, data: bytes, source: Address) -> None:
        """Let a datagram arrive at a time."""
        self._queue.append((at, data, source))
        if len(self._queue) > 1 and self._queue[-2][0] > at:
            self._queue = deque(sorted(self._queue, key=lambda item: item[0]))

    def recvfrom_into(self, buffer: memoryview, /) -> tuple[int, Address]:
        """Read one datagram, or raise ``BlockingIOError``."""
        if not self.is_ready:
            raise BlockingIOError
        _, data, source = self._queue.popleft()
        size = min(len(data), len(buffer))
        buffer[:size] = data[:size]
        return size, source

    def sendto(self, data: memoryview | bytes, address: Address, /) -> int:
        """Send one datagram."""
        self._network.carry(bytes(data), self.address, address)
        return len(data)

    def close(self) -> None:
        """Leave the network."""
        self.is_closed = True
        self._network.ports.pop(self.address, None)


class MemoryNetwork:
    """Carries datagrams between ports, and loses, delays and reorders them as told.

    Args:
        loss: part of the datagrams that are lost, 0 to 1.
        burst: how many in a row are lost on average, of those from one port to another.
        delay: returns how many seconds a datagram is under way.
        seed: makes every run the same.

    """

    def __init__(
        self,
        *,
        loss: float = 0.0,
        burst: float = 1.0,
        delay: Callable[[random.Random], float] = lambda _: 0.001,
        seed: int = 1,
    ) -> None:
        self.now = 0.0
        self.loss = loss
        self.burst = burst
        self.ports: dict[Address, MemoryPort] = {}
        self.carried = 0
        self.lost = 0
        self._delay = delay
        self._random = random.Random(seed)
        self._beat = 0
        self._ways: defaultdict[tuple[Address, Address], Loss] = defaultdict(Loss)
        self._watched: dict[int, MemoryPort] = {}

    def bind(self, host: str, number: int) -> MemoryPort:
        """Open a port."""
        address = (host, number)
        if address in self.ports:
            raise OSError(98, "address in use")
        self.ports[address] = MemoryPort(self, address)
        return self.ports[address]

    def carry(self, data: bytes, source: Address, target: Address) -> None:
        """Take a datagram towards its target."""
        self.carried += 1
        way = self._ways[source, target]
        way.share, way.burst = self.loss, self.burst
        if way.is_next_lost(self._random):
            self.lost += 1
        elif (port := self.ports.get(target)) is not None:
            port.arrive(self.now + self._delay(self._random), data, source)

    def register(self, fd: int, eventmask: int, /) -> None:
        """Watch a port, as ``select.epoll`` does."""
        del eventmask
        self._watched[fd] = next(p for p in self.ports.values() if p.fileno() == fd)

    def unregister(self, fd: int, /) -> None:
        """Watch a port no more."""
        del self._watched[fd]

    def poll(self, timeout: float, /) -> list[tuple[int, int]]:
        """Return the watched ports that have something to read."""
        del timeout
        return [(fd, 1) for fd, port in self._watched.items() if port.is_ready]

    def run(self, seconds: float, engine: Ticking, phones: Sequence["Phone"] = ()) -> None:
        """Let time pass: every 5 ms a tick of the engine, every 20 ms one of each phone."""
        for _ in range(round(seconds / _BEAT)):
            self.now = self._beat * _BEAT
            if self._beat % 4 == 0:
                for phone in phones:
                    phone.tick()
            engine.tick(self._beat % 4, self.now)
            self._beat += 1


class Phone:
    """A G.711 telephone: sends what it is given, 20 ms at a time, and keeps what it hears."""

    def __init__(
        self, network: MemoryNetwork, number: int, *, host: str = "192.0.2.1", payload_type: int = 0
    ) -> None:
        self.port = network.bind(host, number)
        self.payload_type = payload_type
        self.ssrc = number
        self.sequence = 65_500  # so that every test wraps
        self.timestamp = 0xFFFF_F000
        self.target: Address | None = None
        self.packets: list[tuple[float, RtpPacket]] = []
        self.is_silent = False
        self.cipher: Cipher | None = None
        self.keys: SrtpKeys | None = None  # as the other side has them
        self._network = network
        self._encode, self._decode = _LAWS[payload_type]
        self._to_say: Pcm = np.zeros(0, np.int16)
        self._buffer = memoryview(bytearray(2048))

    def change_law(self, payload_type: int) -> None:
        """Speak and understand µ-law (0) or A-law (8) from now on."""
        self.payload_type = payload_type
        self._encode, self._decode = _LAWS[payload_type]

    def encrypt(self, suite: str, number: int = 1) -> None:
        """Speak and understand this suite from now on, under keys made of a number."""
        local, remote = (bytes([number, side] * (SUITES[suite] // 2)) for side in (0, 1))
        self.keys = SrtpKeys(suite, bytearray(remote), bytearray(local))
        keys = SrtpKeys(suite, bytearray(local), bytearray(remote))
        if self.cipher is None:
            self.cipher = Cipher(keys)
        else:
            self.cipher.change(keys)

    def say(self, pcm: Pcm) -> None:
        """Queue samples at 8 kHz; silence follows them."""
        self._to_say = np.concatenate([self._to_say, pcm])

    def tick(self) -> None:
        """Read what came, and send a frame."""
        self.listen()
        if self.is_silent or self.target is None:
            return
        frame = self._to_say[:160]
        self._to_say = self._to_say[160:]
        payload = self._encode(np.pad(frame, (0, 160 - len(frame)))).tobytes()
        self.send(RtpPacket(self.payload_type, self.sequence, self.timestamp, self.ssrc, payload))
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + 160) & 0xFFFF_FFFF

    def send(self, packet: RtpPacket | bytes) -> None:
        """Send any datagram to the lane, encrypted where the telephone encrypts."""
        assert self.target is not None
        data = bytes(packet)
        self.port.sendto(data if self.cipher is None else self.cipher.seal(data), self.target)

    def listen(self) -> None:
        """Keep every packet that has arrived."""
        while self.port.is_ready:
            size, _ = self.port.recvfrom_into(self._buffer)
            data: bytes | None = bytes(self._buffer[:size])
            if data is not None and self.cipher is not None:
                data = self.cipher.open_copy(data)
            packet = RtpPacket.read(data) if data is not None else None
            if packet is not None:
                self.packets.append((self._network.now, packet))

    def heard(self) -> Pcm:
        """Return all that was heard, in the order of its timestamps, at 8 kHz."""
        sound = [p for _, p in self.packets if p.payload_type == self.payload_type]
        if not sound:
            return np.zeros(0, np.int16)
        first = sound[0].timestamp
        sound.sort(key=lambda packet: timestamp_delta(packet.timestamp, first))
        return self._decode(b"".join(p.payload for p in sound))

    def negotiated(self, *, direction: Direction = "sendrecv", ptime: int = 20) -> Negotiated:
        """Return what an exchange of descriptions with this telephone comes to."""
        codec = Codec("PCMA" if self.payload_type == 8 else "PCMU", 8000, 1, self.payload_type)
        host, number = self.port.address
        return Negotiated(
            remote=(host, number),
            remote_rtcp=(host, number + 1),
            codec=codec,
            receive_types={self.payload_type: codec},
            dtmf_send_type=101,
            dtmf_receive_types={101: 8000},
            ptime=ptime,
            direction=direction,
            is_secure=self.keys is not None,
            srtp=self.keys,
        )
