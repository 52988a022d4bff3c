"""Wideband lanes are guarded too: judged by their narrow sound, silenced and late as a whole."""

import dataclasses
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.resample import StreamResampler, to_int16
from voicecodecs.tones import chord

from gateway.media.events import Mark, VoiceStarted
from gateway.media.formats import Coder, Format
from gateway.rtp.packet import RtpPacket
from gateway.sdp.codecs import Codec
from gateway.testing.echo import at_level, voices
from gateway.testing.media import MediaCall, MediaWorld

Pcm = NDArray[np.int16]

CODECS: Final = {"L16": Codec("L16", 16000, 1, 108), "G722": Codec("G722", 8000, 1, 9)}
DELAY: Final = 4  # frames from a telephone's ear to its mouth
TALKS: Final = 2.6  # seconds, where the caller does


class WidePhone:
    """A telephone of a wideband codec that gives back a fifth of what it hears."""

    def __init__(self, world: MediaWorld, call: MediaCall, codec: Codec) -> None:
        self._world = world
        self._phone = call.phone
        self._format = Format.of(codec)
        self._kind = codec.payload_type
        self._in: Coder | None = self._format.coder()
        self._out: Coder | None = self._format.coder()
        self._heard = [np.zeros(self._format.samples)] * DELAY
        self._read = 0
        call.phone.is_silent = True
        types = {codec.payload_type: codec}
        negotiated = call.phone.negotiated()
        call.lane.configure(dataclasses.replace(negotiated, codec=codec, receive_types=types))

    def run(self, mine: Pcm) -> None:
        """Say samples of 16 kHz, and the echo with them."""
        of, phone = self._format, self._phone
        for frame in mine[: len(mine) // of.samples * of.samples].reshape(-1, of.samples):
            for _, packet in phone.packets[self._read :]:
                pcm = self._in.decode(packet.payload) if self._in else of.unpack(packet.payload)
                self._heard.append(0.2 * pcm)
            self._read = len(phone.packets)
            echo = self._heard.pop(0) if self._heard else np.zeros(of.samples)
            pcm = to_int16(frame + echo)
            payload = self._out.encode(pcm) if self._out else of.pack(pcm)
            phone.send(RtpPacket(self._kind, phone.sequence, phone.timestamp, phone.ssrc, payload))
            phone.sequence = (phone.sequence + 1) & 0xFFFF
            phone.timestamp = (phone.timestamp + of.step) & 0xFFFF_FFFF
            self._world.run(0.02)


def wide(sound: NDArray[np.float64]) -> Pcm:
    return StreamResampler(8000, 16000).process(to_int16(sound))


def talk(name: str, guard: str, mine: Pcm) -> MediaCall:
    world = MediaWorld()
    call = world.call(voice="energy", echo_guard=guard)
    phone = WidePhone(world, call, CODECS[name])
    agent, _ = voices()
    said = StreamResampler(8000, 24000).process(to_int16(at_level(agent[0], -20.0)))
    call.lane.play(said.tobytes() * 2, Mark("r", "i"))
    noise = np.random.default_rng(5).standard_normal(5 * 16000) * 20
    noise[round(TALKS * 16000) :][: len(mine)] += mine
    phone.run(to_int16(noise))
    return call


@pytest.mark.parametrize("name", CODECS)
def test_an_echo_is_kept_from_the_service_in_wideband(name: str) -> None:
    nothing = np.zeros(0, np.int16)
    bare, guarded = talk(name, "off", nothing), talk(name, "cancel", nothing)
    assert any(isinstance(event, VoiceStarted) for event in bare.events)
    assert not any(isinstance(event, VoiceStarted) for event in guarded.events)
    loudness = [np.sqrt(np.mean(call.sound.astype(float) ** 2)) for call in (bare, guarded)]
    assert loudness[1] < loudness[0] / 8
    assert len(bare.sound) == len(guarded.sound)


@pytest.mark.parametrize("name", CODECS)
def test_a_voice_over_it_is_heard_in_wideband(name: str) -> None:
    mine = chord([(500, -24), (1300, -24), (5000, -16)], 600, 16000)
    _, caller = voices()
    words = wide(at_level(caller[-2], -18.0))[: len(mine)]
    call = talk(name, "gate", to_int16(words.astype(float) + mine))
    assert any(isinstance(event, VoiceStarted) for event in call.events)
    at = round((TALKS + 0.2) * 24000)
    spectrum = np.abs(np.fft.rfft(call.sound[at : at + 9600] * np.hanning(9600)))
    high = spectrum[round(5000 * 9600 / 24000) - 4 :][:8].max()
    assert high > 20 * np.median(spectrum[2400:])
