"""A media engine with telephones on an in-memory network, in virtual time."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..clock import CountedIds, Ids
from ..media.engine import Lane, MediaEngine
from ..media.events import LaneEvent
from ..media.options import LaneOptions
from ..media.ports import PortPool
from ..sdp.negotiate import Negotiated
from .rtp import MemoryNetwork, Phone

__all__ = ["MediaCall", "MediaWorld", "tone"]

Pcm: TypeAlias = NDArray[np.int16]


def tone(frequency: float, seconds: float, rate: int, amplitude: float = 8000.0) -> Pcm:
    """Return a sine at ``rate``, int16."""
    t = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * frequency * t)).astype(np.int16)


class MediaCall:
    """One lane, its telephone, and all that came back from the lane."""

    def __init__(self, lane: Lane, phone: Phone) -> None:
        self.lane = lane
        self.phone = phone
        self.events: list[LaneEvent] = []
        self.chunks: list[bytes] = []

    @property
    def sound(self) -> Pcm:
        """What the service was given, where that is 16-bit samples."""
        return np.frombuffer(b"".join(self.chunks), np.int16)


class MediaWorld:
    """An engine that ticks only when told to."""

    def __init__(
        self,
        network: MemoryNetwork | None = None,
        *,
        media_timeout: float = 30.0,
        hold_timeout: float = 1800.0,
        ports: str = "10000-10099",
        ids: Ids | None = None,
    ) -> None:
        self.network = network or MemoryNetwork()
        pool = PortPool(ports, "198.51.100.1", bind=self.network.bind, ids=CountedIds())
        self.engine = MediaEngine(
            pool,
            poller=self.network,
            clock=lambda: self.network.now,
            ids=ids or CountedIds(),
            media_timeout=media_timeout,
            hold_timeout=hold_timeout,
        )
        self.calls: list[MediaCall] = []

    def call(
        self,
        *,
        payload_type: int = 0,
        negotiated: Negotiated | None = None,
        phone: Phone | None = None,
        **options: Any,
    ) -> MediaCall:
        """Open a lane, with those options of :class:`LaneOptions`, and join it with a telephone."""
        events: list[LaneEvent] = []
        chunks: list[bytes] = []
        lane = self.engine.open(events.append, chunks.append, LaneOptions(**options))
        number = 20000 + 2 * len(self.calls)
        phone = phone or Phone(self.network, number, payload_type=payload_type)
        phone.target = (lane.host, lane.port)
        lane.configure(negotiated or phone.negotiated())
        call = MediaCall(lane, phone)
        call.events, call.chunks = events, chunks
        self.calls.append(call)
        return call

    def run(self, seconds: float) -> None:
        """Let time pass for the engine and every telephone."""
        self.network.run(seconds, self.engine, [call.phone for call in self.calls])
