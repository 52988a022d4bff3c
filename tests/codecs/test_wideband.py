"""The codecs with memory: one frame in, one packet out, the same sound back."""

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.wideband import G722, L16, Opus

Pcm = NDArray[np.int16]


def sine(rate: int, frequency: float = 1004.0) -> Pcm:
    wave = 8000 * np.sin(2 * np.pi * frequency * np.arange(rate) / rate)
    pcm: Pcm = np.rint(wave).astype(np.int16)
    return pcm


def there_and_back(codec: G722 | Opus | L16, x: Pcm) -> tuple[list[bytes], Pcm]:
    packets = [codec.encode(frame) for frame in x.reshape(-1, codec.rate // 50)]
    return packets, np.concatenate([codec.decode(packet) for packet in packets])


def tone_to_noise(y: Pcm, rate: int, frequency: float = 1004.0) -> float:
    """Return how far the tone stands above everything else, whatever its delay."""
    angle = 2 * np.pi * frequency * np.arange(len(y)) / rate
    basis = np.stack([np.cos(angle), np.sin(angle)], 1)
    weights = np.linalg.lstsq(basis, y.astype(float))[0]
    noise = y - basis @ weights
    return float(10 * np.log10(weights @ weights / 2 / np.mean(noise**2)))


def test_g722_gives_one_packet_a_frame_and_a_clean_tone() -> None:
    codec = G722()
    packets, y = there_and_back(codec, sine(16000))
    assert (codec.rate, codec.clock) == (16000, 8000)
    assert {len(packet) for packet in packets} == {160}
    assert len(y) == 16000
    assert tone_to_noise(y[1600:], 16000) > 30


def test_opus_gives_one_packet_a_frame_and_a_clean_tone() -> None:
    codec = Opus()
    packets, y = there_and_back(codec, sine(24000))
    assert (codec.rate, codec.clock) == (24000, 48000)
    assert len(packets) == 50
    assert all(packets)
    assert len(y) == 24000
    assert tone_to_noise(y[12000:], 24000) > 15


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
def test_l16_changes_nothing(rate: int) -> None:
    codec = L16(rate)
    _, y = there_and_back(codec, sine(rate))
    assert codec.clock == rate
    assert np.array_equal(y, sine(rate))
    assert codec.encode(np.array([1, -2], np.int16)) == b"\x00\x01\xff\xfe"
    assert codec.decode(b"\x00\x01\xff").tolist() == [1]
    assert codec.decode(b"").tolist() == []


def test_streams_of_one_codec_do_not_disturb_each_other() -> None:
    alone, pair = G722(), (G722(), G722())
    x = sine(16000)[:3200].reshape(-1, 320)
    noise = np.random.default_rng(6).integers(-8000, 8000, x.shape).astype(np.int16)
    for frame, other in zip(x, noise, strict=True):
        wanted = alone.encode(frame)
        pair[1].encode(other)
        assert pair[0].encode(frame) == wanted


def test_garbage_becomes_silence_of_the_usual_length_and_is_counted() -> None:
    codec = Opus()
    packets, _ = there_and_back(codec, sine(24000)[:4800])
    assert len(codec.decode(b"\xff\xff\x00")) == 480
    assert codec.undecodable == 1
    assert len(codec.decode(packets[-1])) == 480
    assert len(codec.decode(b"")) == 0
    assert len(G722().decode(b"")) == 0


def test_opus_packets_of_other_durations_are_decoded() -> None:
    codec = Opus()
    packet = codec.encode(sine(24000)[:480])
    code_and_frame = bytes([packet[0] | 1]) + packet[1:] * 2  # two equal frames, RFC 6716 3.2.3
    assert len(codec.decode(code_and_frame)) == 960
