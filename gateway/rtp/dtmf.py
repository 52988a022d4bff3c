"""Keys as telephone events (RFC 4733): sent beside the sound, one packet every 20 ms.

An event is its source, its timestamp and its code: all packets with the same
three belong to one press, whatever their number, order or loss.  Its duration
grows from packet to packet; the end is sent three times.  A press longer than
0xFFFF clock units goes on in a new segment, whose timestamp follows on.
"""

import struct
from collections import deque
from dataclasses import dataclass
from typing import Final, TypeAlias

from .packet import RtpPacket, timestamp_delta

__all__ = ["KEYS", "EventPayload", "EventReceiver", "EventSender", "KeyDown", "KeyEvent", "KeyUp"]

KEYS: Final[dict[str, int]] = {key: code for code, key in enumerate("0123456789*#ABCD")} | {
    "flash": 16
}
_NAMES: Final = tuple(KEYS)

END_TIMEOUT: Final = 0.120
"""A press whose packets stop is over after this many seconds, all its ends being lost."""

_PAYLOAD: Final = struct.Struct("!BBH")
_END: Final = 0x80
_LONGEST: Final = 0xFFFF
_ENDS: Final = 3
_REMEMBERED: Final = 8


@dataclass(slots=True)
class EventPayload:
    """What one packet of a key we send must carry."""

    timestamp: int
    marker: bool
    payload: bytes


@dataclass(slots=True)
class KeyDown:
    """A key was pressed."""

    key: str


@dataclass(slots=True)
class KeyUp:
    """A key was let go, ``duration_ms`` after it went down by the sender's clock."""

    key: str
    duration_ms: int


KeyEvent: TypeAlias = KeyDown | KeyUp


class EventSender:
    """One key at a time, turned into a payload for each tick.

    ``clock`` is in Hz, ``volume`` in -dBm0.
    """

    __slots__ = (
        "_code",
        "_duration",
        "_ends",
        "_is_first",
        "_start",
        "_step",
        "_total",
        "clock",
        "volume",
    )

    def __init__(self, clock: int = 8000, *, tick_ms: int = 20, volume: int = 10) -> None:
        self.clock = clock
        self.volume = volume
        self._step = clock * tick_ms // 1000
        self._code = 0
        self._is_first = False
        # In clock units, all three: where the segment starts, and of the press
        # from there on what has been sent and what it will come to.
        self._start = 0
        self._duration = 0
        self._total = 0
        self._ends = 0

    @property
    def is_busy(self) -> bool:
        """Whether packets of the last key are still to be sent."""
        return self._ends > 0

    def start(self, key: str, duration_ms: int, timestamp: int) -> None:
        """Begin a press at an RTP timestamp, in place of any that is not over.

        Raises:
            KeyError: There is no such key.

        """
        self._code = KEYS[key if key in KEYS else key.upper()]
        self._is_first = True
        self._start = timestamp & 0xFFFFFFFF
        self._duration = 0
        self._total = max(self._step, self.clock * duration_ms // 1000)
        self._ends = _ENDS

    def cut(self) -> list[EventPayload]:
        """End the press at the length it has; return the ends that are still to be sent."""
        self._total = self._duration
        return list(iter(self.tick, None))

    def tick(self) -> EventPayload | None:
        """Return this tick's packet, or ``None`` when no key is being sent."""
        if not self._ends:
            return None
        self._duration = min(self._duration + self._step, self._total)
        if self._duration > _LONGEST:  # a new segment; the old one gets no end
            self._start = (self._start + _LONGEST) & 0xFFFFFFFF
            self._duration -= _LONGEST
            self._total -= _LONGEST
        flags = self.volume
        if self._duration == self._total:
            flags |= _END
            self._ends -= 1
        marker, self._is_first = self._is_first, False
        payload = _PAYLOAD.pack(self._code, flags, self._duration)
        return EventPayload(self._start, marker, payload)


@dataclass(slots=True)
class _Press:
    """The key that is down now."""

    ssrc: int
    timestamp: int
    code: int
    clock: int
    before: int = 0  # duration of the segments before this one, in clock units
    duration: int = 0  # of this segment

    @property
    def identity(self) -> tuple[int, int, int]:
        return self.ssrc, self.timestamp, self.code


class EventReceiver:
    """Telephone events of one call, turned into each press once: one down, one up.

    A press begins with whichever of its packets comes first, and ends with its
    first end packet, with the next press, or when its packets have stopped for
    :data:`END_TIMEOUT`.  Copies and stragglers of a press that is over are nothing
    new.  ``clock`` is that of the packets to come, in Hz; it may change in mid-press.
    """

    __slots__ = ("_over", "_press", "clock", "deadline", "malformed", "unknown")

    def __init__(self, clock: int = 8000) -> None:
        self.clock = clock
        self.deadline: float | None = None  # when wake() must next be called
        self.malformed = 0  # packets too short for an event
        self.unknown = 0  # packets of events that are not keys
        self._press: _Press | None = None
        self._over: deque[tuple[int, int, int]] = deque(maxlen=_REMEMBERED)

    def receive(self, packet: RtpPacket, now: float) -> list[KeyEvent]:
        """Take in a packet of the telephone-event payload type, in whatever order."""
        if len(packet.payload) < _PAYLOAD.size:
            self.malformed += 1
            return []
        code, flags, duration = _PAYLOAD.unpack_from(packet.payload)
        if code >= len(_NAMES):
            self.unknown += 1
            return []
        events = self.wake(now)
        identity = (packet.ssrc, packet.timestamp, code)
        if identity in self._over or self._is_late(packet):
            return events
        press = self._press
        if press is None or (press.identity != identity and not self._goes_on(press, identity)):
            events += self._let_go()
            self._press = press = _Press(*identity, self.clock)
            events.append(KeyDown(_NAMES[code]))
        press.duration = max(press.duration, duration * press.clock // self.clock)
        self.deadline = now + END_TIMEOUT
        if flags & _END:
            events += self._let_go()
        return events

    def wake(self, now: float) -> list[KeyEvent]:
        """End the press whose packets have stopped coming."""
        if self.deadline is None or now < self.deadline:
            return []
        return self._let_go()

    def _is_late(self, packet: RtpPacket) -> bool:
        """Say whether a packet is of an event before the one going on."""
        press = self._press
        if press is None or (press.ssrc, press.clock) != (packet.ssrc, self.clock):
            return False
        return timestamp_delta(packet.timestamp, press.timestamp) < 0

    def _goes_on(self, press: _Press, identity: tuple[int, int, int]) -> bool:
        """Enter the next segment of a long press, if that is what this packet is of.

        It starts where a full segment ends (RFC 4733 section 2.5.1.3), and what was
        last heard of the old one is no further back than a press may pause.
        """
        ssrc, timestamp, code = identity
        step = timestamp_delta(timestamp, press.timestamp)
        unheard = step - press.duration
        if (ssrc, code) != (press.ssrc, press.code) or not 0xF000 <= step <= _LONGEST + 1:
            return False
        if unheard > END_TIMEOUT * press.clock:
            return False
        self._over.append(press.identity)
        press.timestamp = timestamp
        press.before += step
        press.duration = 0
        return True

    def _let_go(self) -> list[KeyEvent]:
        press, self._press = self._press, None
        self.deadline = None
        if press is None:
            return []
        self._over.append(press.identity)
        units = press.before + press.duration
        return [KeyUp(_NAMES[press.code], units * 1000 // press.clock)]
