"""Concealment: what a caller hears where packets were lost."""

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.plc import Concealer

Pcm = NDArray[np.int16]


def voice(seconds: float, rate: int = 8000, pitch: float = 118.0) -> Pcm:
    """Something voiced: harmonics under one resonance, slowly gliding."""
    time = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.02 * np.sin(2 * np.pi * 2 * time))) / rate
    x = np.zeros(len(time))
    for harmonic in range(1, 20):
        x += np.sin(harmonic * phase) / (1 + ((harmonic * pitch - 600) / 200) ** 2)
    pcm: Pcm = np.rint(x * (8000 / np.abs(x).max())).astype(np.int16)
    return pcm


def snr(wanted: NDArray[np.int16], got: NDArray[np.int16]) -> float:
    error = wanted.astype(float) - got
    return float(10 * np.log10(np.mean(wanted.astype(float) ** 2) / np.mean(error**2)))


def primed(x: Pcm, rate: int = 8000) -> Concealer:
    concealer = Concealer(rate)
    for frame in x.reshape(-1, rate // 50):
        assert concealer.good(frame) is frame
    return concealer


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
def test_a_short_loss_in_a_voice_is_well_guessed(rate: int) -> None:
    x = voice(0.22, rate)
    split = rate // 5
    made = primed(x[:split], rate).lost(rate // 100)
    assert snr(x[split : split + rate // 100], made) > 10


def test_a_packet_lost_in_a_voice_sounds_better_than_silence_or_a_repeat() -> None:
    x = voice(4.0)
    frames = x.reshape(-1, 160)
    lost = np.random.default_rng(4).random(len(frames)) < 0.1
    lost[:3] = False
    concealer, out = Concealer(), []
    for frame, is_lost in zip(frames, lost, strict=True):
        out.append(concealer.lost(160) if is_lost else concealer.good(frame))
    made = np.stack(out)
    repeated = np.stack([frames[i - 1] if gone else frames[i] for i, gone in enumerate(lost)])
    assert snr(frames[lost].ravel(), made[lost].ravel()) > 6
    assert snr(frames[lost].ravel(), repeated[lost].ravel()) < 3
    assert snr(x, made.ravel()) > 15


def test_the_seams_of_a_loss_do_not_click() -> None:
    x = voice(0.5)
    usual = np.abs(np.diff(x.astype(int))).max()
    for size in (80, 160, 320):
        concealer = primed(x[:1600])
        made = concealer.lost(size)
        again = concealer.good(x[1600 + size : 1600 + size + 160])
        whole = np.concatenate([x[:1600], made, again]).astype(int)
        assert np.abs(np.diff(whole[1500:])).max() <= 1.5 * usual


def test_a_long_loss_fades_and_from_60_ms_on_is_silence() -> None:
    made = primed(voice(0.2)).lost(8000)
    loudness = np.sqrt(np.mean(made.reshape(-1, 80).astype(float) ** 2, axis=1))
    assert loudness[0] > 1000
    assert all(loudness[i + 2] < loudness[i] for i in range(4))
    assert not made[480:].any()


def test_the_first_good_frame_after_a_long_loss_fades_in_within_10_ms() -> None:
    x = voice(0.4)
    concealer = primed(x[:1600])
    concealer.lost(1600)
    back = concealer.good(x[1600:1760])
    assert back[0] == 0
    assert np.array_equal(back[80:], x[1680:1760])
    assert concealer.good(x[1760:1920]).tolist() == x[1760:1920].tolist()


def test_how_a_loss_is_cut_into_pieces_makes_no_difference() -> None:
    x = voice(0.2)
    whole = primed(x).lost(640)
    concealer = primed(x)
    pieces = [concealer.lost(n) for n in (1, 79, 80, 0, 160, 33, 287)]
    assert np.array_equal(np.concatenate(pieces), whole)


def test_a_loss_before_anything_was_heard_is_silence() -> None:
    concealer = Concealer()
    assert not concealer.lost(160).any()
    frame = voice(0.02)
    assert len(concealer.good(frame)) == 160


def test_frames_of_any_length_are_remembered() -> None:
    x = voice(0.4)
    by_large, by_small = Concealer(), Concealer()
    by_large.good(x)
    for frame in np.split(x, [7, 8, 8, 500, 501, 3000]):
        by_small.good(frame)
    assert np.array_equal(by_large.lost(160), by_small.lost(160))


def test_loud_noise_does_not_overflow() -> None:
    noise = np.where(np.random.default_rng(5).random(1600) < 0.5, -32768, 32767).astype(np.int16)
    concealer = primed(noise)
    assert np.abs(concealer.lost(400).astype(int)).max() <= 32768
    assert len(concealer.good(noise[:160])) == 160
