"""Receiving, one packet at a time: everything that is not the one packet that was due.

An intake takes a lane's datagrams from latch to 20 ms frames: source, numbering, order, keys,
decoding, concealment.  When the stream runs undisturbed it says which packet is due next, and
the receiver then takes those in bulk, without it.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.plc import Concealer
from voicecodecs.resample import StreamResampler

from ..rtp.dtmf import EventReceiver, KeyDown, KeyEvent
from ..rtp.latch import Proof, SymmetricLatch
from ..rtp.order import GapHold, Lost
from ..rtp.packet import RtpPacket
from ..rtp.receive import Arrival, Reception
from ..sdp.codecs import NOISE
from ..sdp.negotiate import Codec, Negotiated
from .arrays import FRAME, HEADER, LaneArrays
from .formats import Coder, Format
from .laws import LAW_OFFSET
from .ports import Address

__all__ = ["PATIENCE", "Intake", "aim_of"]

Pcm: TypeAlias = NDArray[np.int16]
KeyHandler: TypeAlias = Callable[[KeyEvent, float], None]

PATIENCE: Final = 5
"""Ticks nothing may arrive before silence goes to the service: longer than a gap is held."""

_MOST_CONCEALED: Final = 10
"""Packets; a longer gap is a sender that paused, whose silence is put in already."""
_LATELY: Final = 3000
"""Packets of our own that may still come back to us: a minute of them."""
_HISTORY: Final = 3
"""Frames of the past that a concealer is shown."""
_MOST_SURPLUS: Final = 2
"""Late frames left out; a sender whose clock stood still while a key was down owes none."""
_VERSION: Final = 2 << 30


class _Aim(NamedTuple):
    remote: Address | None
    host: str  # of the signalling
    is_proved: bool


def aim_of(negotiated: Negotiated) -> _Aim:
    """Return where the other side says it is, as far as that is not left to proof."""
    if negotiated.ice is not None:
        return _Aim(None, "", True)
    return _Aim(negotiated.remote, negotiated.peer_host, False)


class Intake:
    """One lane's reception.  ``on_key`` is called with each key's down and up.

    ``own_ssrc`` is that of what the lane sends.
    """

    def __init__(self, arrays: LaneArrays, row: int, own_ssrc: int, on_key: KeyHandler) -> None:
        self.latch = SymmetricLatch()
        self.reception = Reception()
        self.order = GapHold()
        self.format: Format | None = None  # of the last packet decoded
        self.pieces: list[Pcm] = []  # frames of a wideband lane, in step with its row's
        self.malformed = 0
        self.wrong_type = 0
        self.looped = 0
        self.concealed = 0  # frames made up for lost ones
        self.overruns = 0  # frames that found the row full
        self.is_key_down = False
        self.has_events = False  # keys come as events: their tones tell nothing of them
        self._arrays = arrays
        self._row = row
        self._own_ssrc = own_ssrc
        self._on_key = on_key
        self._aim: _Aim | None = None
        self._types: dict[int, Codec] = {}
        self._event_clocks: dict[int, int] = {}  # of each payload number that may bring keys
        self._events = EventReceiver()  # one for all: a press goes on under another number
        self._coder: Coder | None = None
        self._payload_type = -1  # the one decoded last
        self._rest: Pcm = np.zeros(0, np.int16)  # less than a frame
        self._to_narrow: StreamResampler | None = None
        self._recent: list[Pcm] = []  # wideband frames, for the concealer
        self._concealer: Concealer | None = None
        self._ends_at = 0  # timestamp behind the last sound
        self._follows_key = False  # silence has not waited since then
        self._packet_samples = FRAME
        self._idle_patience = PATIENCE
        self._is_held = False
        self._is_muted = False
        self._is_concealed = False

    def configure(self, negotiated: Negotiated) -> None:
        """Take over what was negotiated, first or again."""
        self.settle()
        self._look_for(negotiated)
        self._types = negotiated.receive_types
        self._event_clocks = negotiated.dtmf_receive_types
        self.reception.clock = negotiated.codec.rate
        self._payload_type = -1
        self._idle_patience = PATIENCE if negotiated.receives else 0
        self._mute()

    def _look_for(self, negotiated: Negotiated) -> None:
        """Look for the other side where it says it is now.

        Where nothing has moved the source stays, known or found out: behind a NAT it could not
        be found again while the other side is on hold and silent.  Nothing is moved by a hold
        that names no address; a call that begins so waits for the exchange that does.
        """
        aim = aim_of(negotiated)
        if aim.remote is None and negotiated.is_held and not aim.is_proved:
            if self._aim is None:
                self.latch.rearm(None, aim.host, awaits_proof=True)
        elif aim != self._aim:
            self._aim = aim
            self.latch.rearm(aim.remote, aim.host, awaits_proof=aim.is_proved)

    def is_closed_to(self, source: Address, now: float) -> bool:
        """Say whether not even a packet with the other side's key would be taken from there."""
        return self.latch.is_closed_to(source, now, float(self._arrays.heard_at[self._row]))

    def hold(self, is_held: bool) -> None:
        """Let the service hear silence, whatever comes, or stop that."""
        self._is_held = is_held
        self._mute()

    def mute(self, is_muted: bool) -> None:
        """Let the service hear silence in the place of the sound that comes, or stop that."""
        self._is_muted = is_muted
        self._mute()

    def conceal(self, is_concealed: bool) -> None:
        """As :meth:`mute`, for the recording too."""
        self._is_concealed = is_concealed
        self._arrays.is_concealed[self._row] = is_concealed
        self._mute()

    def receive(
        self, data: bytes, source: Address, now: float, *, proof: Proof = Proof.NONE
    ) -> None:
        """Take in a datagram that is not, or may not be, the one that was due."""
        self.settle()
        packet = RtpPacket.read(data)
        if packet is None:
            self.malformed += 1
            return
        if packet.ssrc == self._own_ssrc and self._was_sent(packet.sequence):
            self.looped += 1
            self._arrays.heard_at[self._row] = now  # the way is open, if only there and back
            return
        clock = self._event_clocks.get(packet.payload_type)
        if clock is None and packet.payload_type not in self._types:
            self.wrong_type += 1
            return
        heard_at = float(self._arrays.heard_at[self._row])
        if not self.latch.accept(source, packet.ssrc, now, proof, heard_at):
            return
        arrival = self.reception.receive(packet, now, is_event=clock is not None)
        if clock is not None:
            self._events.clock = clock
            self._hear_keys(self._events.receive(packet, now), now)
        if arrival is Arrival.FOREIGN:
            return
        if arrival is Arrival.RESTARTED:
            self.order.reset()
            self._rest = self._rest[:0]
        self._arrays.heard_at[self._row] = now
        self.order.push(packet, now)
        self._forward(now)

    def _was_sent(self, sequence: int) -> bool:
        """Say whether a number is one of those we used lately.

        By that our own packets are told from those of somebody who took our SSRC by chance, and
        who is heard like anybody else: with two in a call the ways are not confused by it.
        """
        return (int(self._arrays.sequence[self._row]) - sequence) & 0xFFFF < _LATELY

    def add_silence(self) -> None:
        """Keep a wideband lane's frames in step with a silent one that was put into its row."""
        assert self.format is not None
        self.pieces.append(np.zeros(self.format.samples, np.int16))

    @property
    def is_waiting(self) -> bool:
        """Whether :meth:`wake` must be called at the next ticks."""
        return self.is_key_down or self.order.deadline is not None

    def wake(self, now: float) -> None:
        """Give up gaps that stayed open, and let go of keys whose packets stopped."""
        self._hear_keys(self._events.wake(now), now)
        if self.order.deadline is not None and now >= self.order.deadline:
            self._forward(now)

    def settle(self) -> None:
        """Make statistics and order cover what was taken in bulk, and end the bulk for now."""
        arrays, row = self._arrays, self._row
        arrays.due_size[row] = 0
        count = int(arrays.bulk[row])
        if not count:
            return
        arrays.bulk[row] = 0
        next_sequence = int(arrays.due[row, 0]) & 0xFFFF
        last_timestamp = (int(arrays.due[row, 1]) - FRAME) & 0xFFFFFFFF
        self._ends_at = int(arrays.due[row, 1])
        self.order.advance(next_sequence, count)
        self.reception.advance(
            (next_sequence - 1) & 0xFFFF,
            last_timestamp,
            float(arrays.heard_at[row]),
            count,
            float(arrays.jitter[row]),
        )

    def _hear_keys(self, keys: list[KeyEvent], now: float) -> None:
        for key in keys:
            self.is_key_down = isinstance(key, KeyDown)
            self._follows_key = True
            self.has_events = True
            self._mute()
            self._on_key(key, now)

    def _mute(self) -> None:
        # The tone that some senders let through beside the event is not for the service.
        is_away = self.is_key_down or self._is_held
        self._arrays.is_away[self._row] = is_away
        self._arrays.is_muted[self._row] = is_away or self._is_muted or self._is_concealed
        self._arrays.patience[self._row] = 0 if is_away else self._idle_patience

    def _forward(self, now: float) -> None:
        """Decode what is in order now, and say what is due next if nothing is held."""
        last: RtpPacket | None = None
        items = self.order.pop(now)
        for at, item in enumerate(items):
            if isinstance(item, Lost):
                self._conceal(item.count, items[at + 1] if at + 1 < len(items) else None)
                last = None
            elif (codec := self._types.get(item.payload_type)) is None:
                last = None  # a key: its place in the numbering is all that counts here
            elif codec.name.upper() == NOISE:
                last = None
                self._arrays.patience[self._row] = 0  # the sender is silent until it says more
            else:
                last = item
                if not (self.is_key_down or self._is_held):
                    self._arrays.patience[self._row] = self._idle_patience
                self._decode(item, codec)
        if last is not None and self.order.deadline is None:
            self._expect(last)

    def _expect(self, last: RtpPacket) -> None:
        """Let the receiver take the packets that follow ``last`` in bulk, where it can."""
        format_ = self.format
        is_plain = format_ is not None and format_.law and len(last.payload) == FRAME
        if not (is_plain and self.latch.is_locked and self.reception.ssrc == last.ssrc):
            return
        if len(self._rest) or self._concealer is not None or self.is_key_down:
            return
        assert format_ is not None
        arrays, row = self._arrays, self._row
        sequence = (last.sequence + 1) & 0xFFFF
        arrays.due[row, 0] = _VERSION | last.payload_type << 16 | sequence
        arrays.due[row, 1] = (last.timestamp + FRAME) & 0xFFFFFFFF
        arrays.due[row, 2] = last.ssrc
        arrays.law[row] = LAW_OFFSET[format_.law]
        arrays.jitter[row] = self.reception.jitter_units
        arrays.due_size[row] = HEADER + FRAME

    def _decode(self, packet: RtpPacket, codec: Codec) -> None:
        if packet.payload_type != self._payload_type:
            self._change(packet.payload_type, codec)
        assert self.format is not None
        if self._coder is not None:
            pcm = self._coder.decode(packet.payload)
        else:
            pcm = self.format.unpack(packet.payload)
        self._packet_samples = len(pcm) or self._packet_samples
        if self._concealer is not None:
            pcm = self._concealer.good(pcm)
            self._concealer = None
        if self._follows_key:
            pcm = pcm[self._surplus(packet) * self.format.samples :]
            self._follows_key = self.is_key_down
        frames = self._packet_samples // self.format.samples
        self._ends_at = (packet.timestamp + frames * self.format.step) & 0xFFFFFFFF
        self._deliver(pcm, is_made_up=False)
        self._arrays.filled[self._row] = 0

    def _surplus(self, packet: RtpPacket) -> int:
        """Return in how many frames' place silence went on because they were late.

        While a key is down silence does not wait.  Sound that comes all the same, or follows,
        would set the service's clock ahead by what was put in for it.
        """
        assert self.format is not None
        passed = (packet.timestamp - self._ends_at) & 0xFFFFFFFF
        passed = 0 if passed > 0x7FFFFFFF else passed // self.format.step
        filled = int(self._arrays.filled[self._row])
        return min(max(filled - passed, 0), _MOST_SURPLUS)

    def _change(self, payload_type: int, codec: Codec) -> None:
        """Begin to decode another payload type."""
        new = Format.of(codec)
        if self.format is None or new.rate != self.format.rate:
            self._rest = self._rest[:0]
            self._concealer = None
            self.pieces.clear()
            self._recent.clear()
            self._to_narrow = StreamResampler(new.rate, 8000) if new.rate != 8000 else None
            self._arrays.head[self._row] = self._arrays.tail[self._row]
            self._arrays.is_wide[self._row] = self._to_narrow is not None
        self._coder = new.coder()
        self.format = new
        self._payload_type = payload_type

    def _conceal(self, packets: int, following: RtpPacket | Lost | None) -> None:
        """Put something in the place of packets that will not come, before the one that did."""
        if self.format is None or packets > _MOST_CONCEALED:
            return
        filled = int(self._arrays.filled[self._row]) * self.format.samples
        missing = packets * self._packet_samples - filled
        if missing <= 0:
            return
        pcm = self._stand_in(missing, following)
        self.concealed += max(1, missing // self.format.samples)
        self._deliver(pcm, is_made_up=True)

    def _stand_in(self, missing: int, following: RtpPacket | Lost | None) -> Pcm:
        """Let the codec itself go on, or else the concealer with what was heard last."""
        assert self.format is not None
        if self._coder is not None:
            copy = None
            if isinstance(following, RtpPacket) and following.payload_type == self._payload_type:
                copy = following.payload
            if (pcm := self._coder.stand_in(missing, copy)) is not None:
                return pcm
        if self._concealer is None:
            self._concealer = Concealer(self.format.rate)
            for frame in self._past():
                self._concealer.good(frame)
        return self._concealer.lost(missing)

    def _past(self) -> list[Pcm]:
        if self._to_narrow is not None:
            return self._recent
        past = self._arrays.history(self._row, _HISTORY)
        return list(past.reshape(-1, FRAME))

    def _deliver(self, pcm: Pcm, *, is_made_up: bool) -> None:
        """Cut what was decoded into frames and queue them for the uplink."""
        assert self.format is not None
        if len(self._rest):
            pcm = np.concatenate([self._rest, pcm])
        size = self.format.samples
        whole = len(pcm) - len(pcm) % size
        self._rest = pcm[whole:].copy()
        for start in range(0, whole, size):
            frame = pcm[start : start + size]
            narrow = frame if self._to_narrow is None else self._to_narrow.process(frame)
            if not self._arrays.push(self._row, narrow, is_made_up):
                self.overruns += 1
            elif self._to_narrow is not None:
                self.pieces.append(frame)
                self._recent = [*self._recent[-_HISTORY + 1 :], frame]
