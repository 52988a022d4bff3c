"""Sending to one caller: where to, as what, and everything that is not a plain packet."""

from collections.abc import Callable
from typing import Final

from ..rtp.dtmf import EventPayload
from ..rtp.packet import pack_header
from ..sdp.negotiate import Negotiated
from .arrays import HEADER, LaneArrays
from .cipher import Cipher
from .direct import Order, order_for, write
from .events import LaneEvent
from .formats import PCMU, Coder, Format
from .keys import KeyQueue
from .laws import LAW_OFFSET
from .playout import Playout
from .ports import Address, Link, Port
from .reference import Reference
from .tape import Tape

__all__ = ["Outlet"]

_MARKER: Final = 0x80


class Outlet:
    """One lane's sending side.

    It *is plain* while each tick is one packet of one ring frame; then the downlink writes
    its header together with all others, and this object only lends its parts.
    """

    def __init__(
        self,
        arrays: LaneArrays,
        row: int,
        port: Port,
        ssrc: int,
        on_event: Callable[[LaneEvent], None],
    ) -> None:
        self.playout = Playout()
        self.take: Callable[[float], bytes | None] = self.playout.take  # the frame of a tick
        self.remote: Address | None = None
        self.send: Callable[[memoryview | bytes], int] = len
        self.order: Order | None = None  # sends the packet of a tick, where that can be direct
        self.on_event = on_event
        self.format: Format = PCMU
        self.silence = PCMU.silence
        self.is_quiet = False  # the packet holds silence already
        self.is_plain = False
        self.is_allowed = False  # by the negotiated direction
        self.is_held = False
        self.lacks_keys = False  # to encrypt, as it must
        self.cipher: Cipher | None = None
        self.tape: Tape | None = None
        self.reference: Reference | None = None  # for the echo guard, where there is one
        self.errors = 0
        self.ssrc = ssrc
        self._arrays = arrays
        self._row = row
        self._port = port
        self._link: Link | None = None
        self._needs_marker = True
        self._coder: Coder | None = None
        self._keys = KeyQueue()
        self._key_type = 0
        self._gathered = b""
        self._packet_size = 0  # bytes of payload in a packet; 0 for what a tick makes
        self._payload_type = 0
        self.packet = memoryview(b"")
        self.payload = memoryview(bytearray())
        self._begin_packets()

    def configure(self, negotiated: Negotiated, target: Format) -> None:
        """Send as negotiated from now on, the keys that wait too."""
        self._change_keys(negotiated, target)
        self._coder = target.coder()
        self.format = target
        self.silence = target.silence
        self._gathered = b""
        if self.tape is not None:
            self.tape.change(target)
        self._payload_type = negotiated.codec.payload_type
        self._packet_size = 0
        if negotiated.ptime != 20 and target.name.lower() != "opus":
            per_tick = target.size if target.is_coded else target.size // 4
            self._packet_size = per_tick * negotiated.ptime // 20
        self.is_allowed = negotiated.sends
        self._needs_marker = True
        self._begin_packets()

    def _change_keys(self, negotiated: Negotiated, target: Format) -> None:
        """Let a press go on as negotiated, or else end it as was agreed until now."""
        number = negotiated.dtmf_send_type
        clock = None if number is None else negotiated.dtmf_send_clock
        is_reached = negotiated.remote is not None or negotiated.ice is not None
        has_keys = not negotiated.is_secure or negotiated.srtp is not None or bool(self.cipher)
        goes_on = negotiated.sends and is_reached and has_keys
        for end in self._keys.change(clock, target, is_interrupted=not goes_on):
            if self.is_sending:
                self._send_key(end)
        if number is not None:
            self._key_type = number

    def aim(self, remote: Address | None, link: Link | None = None) -> None:
        """Send to ``remote``, through a socket that is linked to it if there is one."""
        self.remote = remote
        self._link = link
        self.order = None
        if link is not None:
            self.send = link.send
            self._prepare()
        elif remote is not None:
            sendto = self._port.sendto
            self.send = lambda data: sendto(data, remote)

    def _begin_packets(self) -> None:
        """Lay out the row's packet for the present format."""
        arrays, row = self._arrays, self._row
        header = pack_header(self._payload_type, 0, 0, self.ssrc)
        packet = memoryview(arrays.sending[row])
        packet[:HEADER] = header
        size = self.format.size
        self.packet = packet[: HEADER + size]
        self.payload = packet[HEADER : HEADER + size]
        self._prepare()
        self.is_quiet = False
        self.is_plain = False
        arrays.step[row] = self.format.step
        arrays.payload_size[row] = size
        if self.format.law:
            arrays.sending_law[row] = LAW_OFFSET[self.format.law]

    def _prepare(self) -> None:
        """Make the order that sends the packet of a tick, from where it then lies."""
        packet = self.packet if self.cipher is None else self.cipher.place_of(self.packet)
        self.order = order_for(self._link, packet)

    def tap(self, hear: Callable[[bytes, Format], None] | None) -> None:
        """Have somebody hear of the agent what is played, as it goes out; ``None``: nobody."""
        playout = self.playout
        if hear is None:
            self.take = playout.take
            return

        def take(now: float) -> bytes | None:
            frame = playout.take_agent(now)
            hear(self.silence if frame is None else frame, self.format)
            return playout.join(frame)

        self.take = take

    def encrypt(self, cipher: Cipher | None) -> None:
        """Encrypt what is sent from now on, or send it as it is."""
        self.cipher = cipher
        self._prepare()

    @property
    def is_sending(self) -> bool:
        """Whether packets go out at all."""
        return self.is_allowed and self.remote is not None and not self.lacks_keys

    @property
    def may_be_plain(self) -> bool:
        """Whether every tick is one packet of one ring frame now."""
        return (
            self.format.is_coded
            and not self._packet_size
            and (self.reference is None or bool(self.format.law))
            and not self._needs_marker
            and not self.is_held
            and not self._keys.is_busy
        )

    def send_packet(self) -> None:
        """Send the packet of a tick by the socket's own method."""
        try:
            self.send(self.packet)
        except OSError:
            self.errors += 1

    def send_sealed(self, cipher: Cipher) -> None:
        """Encrypt the packet of a tick and send it."""
        sealed = cipher.seal(self.packet)
        try:
            if not sealed:
                self.errors += 1
            elif self.order is None:
                self.send(sealed)
            elif write(*self.order) < 0:
                self.errors += 1
        except OSError:
            self.errors += 1

    def resume(self) -> None:
        """Mark the next packet as the first of a spurt, after a pause."""
        self._needs_marker = True
        self.is_plain = False

    def skip(self, ticks: int) -> None:
        """Pass over the time of so many ticks; the next packet is the first of a spurt."""
        arrays, row = self._arrays, self._row
        passed = ticks * int(arrays.step[row])
        arrays.timestamp[row] = (int(arrays.timestamp[row]) + passed) & 0xFFFFFFFF
        if self.tape is not None:
            self.tape.skip(ticks)
        self.resume()

    def let_pass(self) -> None:
        """Let a tick pass at which nothing is sent, because nothing may be."""
        if self.tape is not None:
            self.tape.say(self.silence)

    def press(self, digits: str, duration_ms: int, gap_ms: int) -> None:
        """Send keys, as events if the peer takes them, else as tones."""
        self._keys.add(digits, duration_ms, gap_ms)
        self.is_plain = False

    def tick(self, now: float) -> None:
        """Send what is due at this tick, packet by packet."""
        arrays, row = self._arrays, self._row
        step = int(arrays.step[row])
        timestamp = (int(arrays.timestamp[row]) + step) & 0xFFFFFFFF
        event = self._keys.tick(timestamp)
        if event is not None:
            arrays.timestamp[row] = timestamp
            self._gathered = b""
            self._needs_marker = True
            if self.reference is not None:
                self.reference.say(self.silence, self.format, is_quiet=True)
            if self.tape is not None:
                self.tape.say(self.silence)
            self._send_key(event)
            return
        payload = self._next_payload(now)
        if not self._packet_size:
            arrays.timestamp[row] = timestamp
            if payload:  # a coder may look ahead before its first packet
                self._send(payload, timestamp)
            return
        self._gathered += payload
        size = self._packet_size
        while len(self._gathered) >= size:
            # The clock counts what was sent, so it stands at the end of the packet before.
            timestamp = (int(arrays.timestamp[row]) + step * size // len(payload)) & 0xFFFFFFFF
            arrays.timestamp[row] = timestamp
            self._send(self._gathered[:size], timestamp)
            self._gathered = self._gathered[size:]

    def _next_payload(self, now: float) -> bytes:
        frame = self._keys.tone()
        if frame is None and not self.is_held:
            frame = self.take(now)
        is_quiet = frame is None
        frame = self.silence if frame is None else frame
        if self.reference is not None:
            self.reference.say(frame, self.format, is_quiet=is_quiet)
        if self.tape is not None:
            self.tape.say(frame)
        if self._coder is None:
            return frame
        return self._coder.encode(self.format.unpack(frame))

    def _send(self, payload: bytes, timestamp: int) -> None:
        marker, self._needs_marker = self._needs_marker, False
        self._put(self._payload_type, timestamp, payload, marker=marker)

    def _send_key(self, event: EventPayload) -> None:
        self._put(self._key_type, event.timestamp, event.payload, marker=event.marker)

    def _put(self, payload_type: int, timestamp: int, payload: bytes, *, marker: bool) -> None:
        arrays, row = self._arrays, self._row
        sequence = (int(arrays.sequence[row]) + 1) & 0xFFFF
        arrays.sequence[row] = sequence
        arrays.sent[row] += 1
        arrays.octets[row] += len(payload)
        header = pack_header(payload_type, sequence, timestamp, self.ssrc, marker)
        packet: memoryview | bytes = header + payload
        if self.cipher is not None:
            packet = self.cipher.seal(packet)
            if not packet:
                self.errors += 1
                return
        try:
            self.send(packet)
        except OSError:
            self.errors += 1
