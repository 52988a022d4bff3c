"""The lanes' state as arrays, one row a lane, so that one numpy call serves a whole group.

Everything is sized for the most lanes there may ever be.  Memory that was never touched costs
nothing, so rows in use are what is paid for.
"""

import enum
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["FRAME", "HEADER", "PACKET", "SLOTS", "LaneArrays", "Output", "Rows"]

Rows: TypeAlias = NDArray[np.intp]

FRAME: Final = 160
"""Samples of a 20 ms frame at 8 kHz."""
SLOTS: Final = 32
"""Frames of a lane that may wait for the uplink's next beat; more are dropped and counted."""
HEADER: Final = 12
"""Bytes of a plain RTP header."""
PACKET: Final = 1500
"""The longest datagram that is read or sent."""


class Output(enum.IntEnum):
    """What a lane's uplink makes."""

    NONE = 0
    PCM24 = 1
    PCMU = 2
    PCMA = 3


class LaneArrays:
    """Struct of arrays over ``capacity`` lanes.

    Receiving: a row's next packet is *due* when its first three words are ``due`` and its size
    is ``due_size`` (0 while the row must be looked at packet by packet).
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        # Reception
        self.received = np.zeros((capacity, PACKET), np.uint8)
        self.received_words = self.received.view(">u4")
        self.due = np.zeros((capacity, 3), np.uint32)
        self.due_size = np.zeros(capacity, np.int32)
        self.law = np.zeros(capacity, np.uint16)  # offset into the table of both laws
        self.bulk = np.zeros(capacity, np.int64)  # packets taken since the stream was last told
        self.jitter = np.zeros(capacity)  # in clock units, RFC 3550 A.8
        self.heard_at = np.zeros(capacity)
        # Decoded frames at 8 kHz, on their way to the service
        self.frames = np.zeros((capacity, SLOTS, FRAME), np.int16)
        self.made_up = np.zeros((capacity, SLOTS), np.bool_)  # concealed, not received
        self.head = np.zeros(capacity, np.int64)
        self.tail = np.zeros(capacity, np.int64)
        self.starved = np.zeros(capacity, np.int32)  # ticks without a frame
        self.patience = np.zeros(capacity, np.int32)  # of those, before silence is put in
        self.filled = np.zeros(capacity, np.int32)  # silent frames put in since the last real one
        self.is_muted = np.zeros(capacity, np.bool_)
        self.is_away = np.zeros(capacity, np.bool_)  # a key is down, or the caller is held
        self.is_concealed = np.zeros(capacity, np.bool_)  # from the recording as well
        self.is_taped = np.zeros(capacity, np.bool_)
        self.is_wide = np.zeros(capacity, np.bool_)  # its codec goes a way of its own
        self.detects = np.zeros(capacity, np.bool_)  # in-band keys
        self.wants = np.zeros(capacity, np.int8)  # what is to be heard beside keys
        self.output = np.zeros(capacity, np.int8)
        # Sending
        self.sending = np.zeros((capacity, PACKET), np.uint8)
        self.sending_sequence = self.sending.view(">u2")[:, 1]
        self.sending_timestamp = self.sending.view(">u4")[:, 1]
        self.sequence = np.zeros(capacity, np.uint16)
        self.timestamp = np.zeros(capacity, np.uint32)
        self.step = np.zeros(capacity, np.uint32)  # clock units a tick
        self.sending_law = np.zeros(capacity, np.uint16)  # as ``law``
        self.payload_size = np.zeros(capacity, np.int64)
        self.sent = np.zeros(capacity, np.int64)
        self.octets = np.zeros(capacity, np.int64)

    def clear(self, row: int) -> None:
        """Make a row ready for another lane."""
        self.due_size[row] = 0
        for array in (
            self.bulk,
            self.jitter,
            self.heard_at,
            self.made_up,
            self.head,
            self.tail,
            self.starved,
            self.patience,
            self.filled,
            self.is_muted,
            self.is_away,
            self.is_concealed,
            self.is_taped,
            self.is_wide,
            self.detects,
            self.wants,
            self.output,
            self.sent,
            self.octets,
        ):
            array[row] = 0

    def push(self, row: int, frame: NDArray[np.int16], is_made_up: bool) -> bool:
        """Store a decoded frame, shape ``(160,)``; ``False`` when the row is full."""
        tail = int(self.tail[row])
        if tail - int(self.head[row]) >= SLOTS:
            return False
        self.frames[row, tail % SLOTS] = frame
        self.made_up[row, tail % SLOTS] = is_made_up
        self.tail[row] = tail + 1
        return True

    def waiting(self, row: int) -> NDArray[np.int16]:
        """Return the frames that were not handed on yet, oldest first, shape ``(n, 160)``."""
        slots = np.arange(int(self.head[row]), int(self.tail[row])) % SLOTS
        frames: NDArray[np.int16] = self.frames[row, slots]
        return frames

    def history(self, row: int, frames: int) -> NDArray[np.int16]:
        """Return the last frames stored, oldest first, shape ``(n,)``."""
        tail = int(self.tail[row])
        last = np.arange(max(0, tail - frames), tail) % SLOTS
        past: NDArray[np.int16] = self.frames[row, last].reshape(-1)
        return past
