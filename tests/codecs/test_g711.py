"""G.711 against FFmpeg's tables, every code and every sample."""

from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs import g711

LAWS = [
    pytest.param("pcm_mulaw", g711.decode_ulaw, g711.encode_ulaw, id="ulaw"),
    pytest.param("pcm_alaw", g711.decode_alaw, g711.encode_alaw, id="alaw"),
]
ALL_SAMPLES = np.arange(-32768, 32768).astype(np.int16)
ALL_CODES = np.arange(256, dtype=np.uint8)

Decode = Callable[[Any], NDArray[np.int16]]
Encode = Callable[[NDArray[np.int16]], NDArray[np.uint8]]


def ffmpeg_decode(codec: str, payload: bytes) -> NDArray[np.int16]:
    context: Any = av.CodecContext.create(codec, "r")
    context.sample_rate, context.layout = 8000, "mono"
    frames = context.decode(av.Packet(payload))
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames])


def ffmpeg_encode(codec: str, pcm: NDArray[np.int16]) -> NDArray[np.uint8]:
    context: Any = av.CodecContext.create(codec, "w")
    context.sample_rate, context.layout, context.format = 8000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
    frame.sample_rate = 8000
    return np.frombuffer(b"".join(bytes(p) for p in context.encode(frame)), np.uint8)


@pytest.mark.parametrize(("codec", "decode", "encode"), LAWS)
def test_every_octet_expands_to_the_level_of_the_standard(
    codec: str, decode: Decode, encode: Encode
) -> None:
    assert np.array_equal(decode(bytes(ALL_CODES)), ffmpeg_decode(codec, bytes(ALL_CODES)))


@pytest.mark.parametrize(("codec", "decode", "encode"), LAWS)
def test_every_sample_compresses_to_the_octet_of_the_reference(
    codec: str, decode: Decode, encode: Encode
) -> None:
    assert np.array_equal(encode(ALL_SAMPLES), ffmpeg_encode(codec, ALL_SAMPLES))


@pytest.mark.parametrize(("codec", "decode", "encode"), LAWS)
def test_octets_survive_a_round_trip(codec: str, decode: Decode, encode: Encode) -> None:
    survivors = ALL_CODES[ALL_CODES != 0x7F] if codec == "pcm_mulaw" else ALL_CODES
    assert np.array_equal(encode(decode(survivors)), survivors)


@pytest.mark.parametrize(("codec", "decode", "encode"), LAWS)
def test_a_batch_keeps_its_shape(codec: str, decode: Decode, encode: Encode) -> None:
    pcm = np.random.default_rng(1).integers(-32768, 32768, (5, 160)).astype(np.int16)
    payload = encode(pcm)
    assert payload.shape == pcm.shape
    assert decode(payload).shape == pcm.shape
    assert np.array_equal(decode(payload)[3], decode(payload[3].tobytes()))


def test_silence_is_the_octet_the_wire_calls_silence() -> None:
    zero = np.zeros(1, np.int16)
    assert g711.encode_ulaw(zero)[0] == g711.ULAW_SILENCE
    assert g711.encode_alaw(zero)[0] == g711.ALAW_SILENCE
