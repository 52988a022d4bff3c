"""Between a connection's packets and plain sound: coding, order, concealment, decoding.

Sound is bytes in one of the service's formats: ``audio/pcm`` (24 kHz, 16 bits little endian,
mono), ``audio/pcmu`` or ``audio/pcma`` (8 kHz).  G.711 that goes out as it came in is not
touched.  Sans-I/O: the owner says what came and when, and wakes a :class:`Decoder` at its
:attr:`~Decoder.deadline`.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw
from voicecodecs.plc import Concealer
from voicecodecs.resample import StreamResampler
from voicecodecs.wideband import Opus

from ..errors import RtcError
from ..rtp.order import GapHold, Lost
from ..rtp.packet import RtpPacket, sequence_delta

__all__ = ["AudioFormat", "Decoder", "Encoder"]

AudioFormat: TypeAlias = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]
Pcm: TypeAlias = NDArray[np.int16]

_RATES: Final = {"audio/pcm": 24_000, "audio/pcmu": 8000, "audio/pcma": 8000}
_LAWS: Final = {"audio/pcmu": "PCMU", "audio/pcma": "PCMA"}
_EXPAND: Final = {"PCMU": decode_ulaw, "PCMA": decode_alaw}
_COMPRESS: Final = {"PCMU": encode_ulaw, "PCMA": encode_alaw}

_SHORTEST_HOLD: Final = 0.010
_LONGEST_HOLD: Final = 0.040
"""Seconds a gap is kept open: what a listener waits for, so less than for a recogniser."""
_MOST_CONCEALED: Final = 3  # packets; concealment is silent after 60 ms anyhow
_RESTARTED: Final = 100  # packets back or 3000 ahead are another numbering (RFC 3550 A.1)
_DROPOUT: Final = 3000
_HISTORY: Final = 3  # packets a concealer needs to have heard


class Encoder:
    """Sound into payloads of 20 ms.

    Raises:
        RtcError: None of the negotiated codecs can carry it.

    """

    def __init__(self, audio_format: AudioFormat, codecs: Mapping[int, str]) -> None:
        self.payload_type, codec = _choose(audio_format, codecs)
        self._law = _LAWS.get(audio_format, "")
        self._codec = codec
        self._opus = Opus() if codec == "opus" else None
        rate, wire_rate = _RATES[audio_format], Opus.rate if self._opus else 8000
        self._resampler = StreamResampler(rate, wire_rate) if rate != wire_rate else None
        self.samples = 960 if self._opus else 160
        """RTP clock ticks of a payload."""
        self._frame = rate // 50 * (1 if self._law else 2)  # bytes
        self._rest = b""

    def encode(self, sound: bytes) -> list[bytes]:
        """Return the payloads that ``sound`` completes; what is over waits."""
        data = self._rest + sound if self._rest else sound
        size = self._frame
        whole = len(data) - len(data) % size
        self._rest = data[whole:]
        payloads = [self._code(data[start : start + size]) for start in range(0, whole, size)]
        return [payload for payload in payloads if payload]  # a coder may look ahead

    def _code(self, frame: bytes) -> bytes:
        if self._law == self._codec:
            return frame
        pcm = _EXPAND[self._law](frame) if self._law else np.frombuffer(frame, "<i2")
        if self._resampler is not None:
            pcm = self._resampler.process(pcm)
        if self._opus is not None:
            return self._opus.encode(pcm)
        return _COMPRESS[self._codec](pcm).tobytes()


def _choose(audio_format: AudioFormat, codecs: Mapping[int, str]) -> tuple[int, str]:
    """Return the payload type and codec that change the sound least."""
    law = _LAWS.get(audio_format)
    order = (law, "PCMU", "PCMA", "opus") if law else ("opus", "PCMU", "PCMA")
    for wanted in order:
        for payload_type, codec in codecs.items():
            if codec == wanted:
                return payload_type, codec
    raise RtcError("no codec was negotiated that can carry the sound")


class Decoder:
    """Packets, in any order, into one stream of sound."""

    def __init__(self, audio_format: AudioFormat, codecs: Mapping[int, str]) -> None:
        self.order = GapHold(_SHORTEST_HOLD, _LONGEST_HOLD)
        self.concealed = 0  # packets
        self._law = _LAWS.get(audio_format, "")
        self._rate = _RATES[audio_format]
        self._codecs = codecs
        self._codec = ""
        self._wire_rate = 0
        self._opus: Opus | None = None
        self._resampler: StreamResampler | None = None
        self._recent: deque[Pcm] = deque(maxlen=_HISTORY)
        self._concealer: Concealer | None = None
        self._packet_samples = 0
        self._last: RtpPacket | None = None

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must be called, ``None`` for never."""
        return self.order.deadline

    def receive(self, packet: RtpPacket, now: float) -> bytes:
        """Take in a packet; return the sound that it lets go on."""
        last = self._last
        if last is not None and not self._follows(packet, last):
            self.order.reset()
        self._last = packet
        self.order.push(packet, now)
        return self.wake(now)

    def wake(self, now: float) -> bytes:
        """Give up gaps that stayed open too long; return the sound that goes on."""
        items = self.order.pop(now)
        pieces = []
        for item, following in zip(items, [*items[1:], None], strict=False):
            if isinstance(item, Lost):
                after = following if isinstance(following, RtpPacket) else None
                pieces.append(self._stand_in(item.count, after))
            else:
                pieces.append(self._play(item))
        return b"".join(pieces)

    @staticmethod
    def _follows(packet: RtpPacket, last: RtpPacket) -> bool:
        ahead = sequence_delta(packet.sequence, last.sequence)
        return packet.ssrc == last.ssrc and -_RESTARTED < ahead < _DROPOUT

    def _play(self, packet: RtpPacket) -> bytes:
        codec = self._codecs.get(packet.payload_type, "")
        if not codec:
            return b""
        if codec != self._codec:
            self._change(codec)
        if codec == self._law and self._concealer is None:
            self._keep(_EXPAND[codec](packet.payload))
            return packet.payload
        pcm = self._opus.decode(packet.payload) if self._opus else _EXPAND[codec](packet.payload)
        self._keep(pcm)
        if self._concealer is not None:
            pcm = self._concealer.good(pcm)
            self._concealer = None
        return self._pack(pcm)

    def _change(self, codec: str) -> None:
        self._codec = codec
        self._opus = Opus() if codec == "opus" else None
        wire_rate = Opus.rate if self._opus else 8000
        if wire_rate != self._wire_rate:
            self._wire_rate = wire_rate
            is_same = wire_rate == self._rate
            self._resampler = None if is_same else StreamResampler(wire_rate, self._rate)
            self._recent.clear()
            self._concealer = None

    def _keep(self, pcm: Pcm) -> None:
        self._packet_samples = len(pcm) or self._packet_samples
        self._recent.append(pcm)

    def _stand_in(self, packets: int, following: RtpPacket | None) -> bytes:
        """Return something in the place of packets that will not come."""
        if not self._recent or packets > _MOST_CONCEALED:
            return b""
        self.concealed += packets
        missing = packets * self._packet_samples
        if self._opus is not None:
            is_opus = following is not None and self._codecs.get(following.payload_type) == "opus"
            copy = following.payload if following is not None and is_opus else None
            if (pcm := self._opus.stand_in(missing, copy)) is not None:
                return self._pack(pcm)
        if self._concealer is None:
            self._concealer = Concealer(self._wire_rate)
            for pcm in self._recent:
                self._concealer.good(pcm)
        return self._pack(self._concealer.lost(missing))

    def _pack(self, pcm: Pcm) -> bytes:
        if self._resampler is not None:
            pcm = self._resampler.process(pcm)
        return _COMPRESS[self._law](pcm).tobytes() if self._law else pcm.astype("<i2").tobytes()
