"""The resampler's figures, on tones that do not fit a frame (1004 Hz and the like)."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.resample import Resampler, StreamResampler, to_int16

DIRECTIONS = [(8000, 24000), (24000, 8000), (16000, 24000), (24000, 16000), (48000, 24000)]
DIRECTIONS += [(24000, 48000), (16000, 8000), (8000, 16000), (8000, 48000), (48000, 8000)]
BAND = {8000: 3400, 16000: 7000, 24000: 10800}
STOP = {8000: 4600, 16000: 9000, 24000: 13200}
AMPLITUDE = 20000.0


def sine(frequency: float, rate: int, seconds: float = 0.5) -> NDArray[np.float64]:
    return AMPLITUDE * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)


def tones_up_to(top: int) -> list[float]:
    """Tones that are no multiple of 50 Hz, so no whole number of waves fits 20 ms."""
    return [211.0, 1004.0, 1861.3, *np.linspace(307.7, top - 0.1, 9)]


def convert(x: NDArray[np.float64], rate_in: int, rate_out: int) -> NDArray[np.float64]:
    """Convert in 20 ms frames and drop the start."""
    resampler = Resampler(rate_in, rate_out)
    frames = x.reshape(-1, rate_in // 50)
    return np.concatenate([resampler.process(f[None])[0] for f in frames])[rate_out // 50 :].astype(
        float
    )


def fit(y: NDArray[np.float64], frequency: float, rate: int) -> tuple[float, float]:
    """Return the tone's gain and the signal-to-everything-else ratio, both in dB."""
    angle = 2 * np.pi * frequency * np.arange(len(y)) / rate
    basis = np.stack([np.cos(angle), np.sin(angle)], 1)
    weights = np.linalg.lstsq(basis, y)[0]
    noise = float(np.mean((y - basis @ weights) ** 2))
    power = float(weights @ weights) / 2
    return 10 * np.log10(power / (AMPLITUDE**2 / 2)), 10 * np.log10(power / noise)


@pytest.mark.parametrize(("rate_in", "rate_out"), DIRECTIONS)
def test_every_tone_of_the_band_passes_unharmed(rate_in: int, rate_out: int) -> None:
    for frequency in tones_up_to(BAND[min(rate_in, rate_out)]):
        gain, snr = fit(convert(sine(frequency, rate_in), rate_in, rate_out), frequency, rate_out)
        assert abs(gain) <= 0.01, f"{frequency} Hz"
        assert snr >= 80.0, f"{frequency} Hz"


@pytest.mark.parametrize(("rate_in", "rate_out"), [d for d in DIRECTIONS if d[0] > d[1]])
def test_what_does_not_fit_the_lower_rate_is_removed_and_not_folded_back(
    rate_in: int, rate_out: int
) -> None:
    for frequency in np.linspace(STOP[rate_out] + 0.3, rate_in / 2 - 7.7, 23):
        y = convert(sine(float(frequency), rate_in), rate_in, rate_out)
        rejection = 10 * np.log10(AMPLITUDE**2 / 2 / float(np.mean(y**2) + 1e-12))
        assert rejection >= 80.0, f"{frequency} Hz"


@pytest.mark.parametrize(("rate_in", "rate_out"), DIRECTIONS)
def test_a_sweep_through_the_band_is_clean(rate_in: int, rate_out: int) -> None:
    top = BAND[min(rate_in, rate_out)]
    delay = Resampler(rate_in, rate_out).delay

    def sweep(time: NDArray[np.float64]) -> NDArray[np.float64]:
        return AMPLITUDE * np.sin(2 * np.pi * (200 * time + (top - 200) / 2 * time**2))

    y = convert(sweep(np.arange(rate_in) / rate_in), rate_in, rate_out)
    time = (np.arange(len(y)) + rate_out // 50) / rate_out
    wanted = sweep(time - delay)
    snr = 10 * np.log10(np.mean(wanted**2) / np.mean((y - wanted) ** 2))
    assert snr >= 80.0


@pytest.mark.parametrize(("rate_in", "rate_out"), DIRECTIONS)
def test_nothing_is_withheld_and_the_delay_is_as_told(rate_in: int, rate_out: int) -> None:
    resampler = Resampler(rate_in, rate_out)
    click = np.zeros((1, rate_in // 50), np.int16)
    click[0, 0] = 16000
    y = resampler.process(click)[0]
    assert len(y) == rate_out // 50
    assert abs(int(np.argmax(y)) / rate_out - resampler.delay) <= 0.501 / rate_out
    assert resampler.delay <= 0.0022


@pytest.mark.parametrize(("rate_in", "rate_out"), [*DIRECTIONS, (44100, 8000)])
def test_no_frame_size_and_no_batch_changes_a_single_bit(rate_in: int, rate_out: int) -> None:
    rng = np.random.default_rng(7)
    granule = Resampler(rate_in, rate_out).granule
    length = 480 * granule
    x = rng.integers(-32768, 32768, (37, length)).astype(np.int16)
    whole = Resampler(rate_in, rate_out, 37).process(x)

    for lanes, pieces in ((37, 3), (1, 1), (1, 480), (2, 96), (13, 7), (5, 0)):
        resampler = Resampler(rate_in, rate_out, lanes)
        if pieces:
            cuts = np.linspace(0, 480, pieces + 1).astype(int) * granule
        else:
            cuts = np.concatenate([[0], np.sort(rng.integers(0, 480, 40)), [480]]) * granule
        got = [resampler.process(x[:lanes, a:b]) for a, b in itertools.pairwise(cuts)]
        assert np.array_equal(np.concatenate(got, 1), whole[:lanes])


def test_float_input_is_frame_size_invariant_too() -> None:
    x = np.random.default_rng(8).normal(0, 5000, (3, 1600)).astype(np.float32)
    whole = Resampler(8000, 24000, 3).process(x)
    one_by_one = Resampler(8000, 24000, 3)
    got = np.concatenate([one_by_one.process(x[:, i : i + 1]) for i in range(1600)], 1)
    assert np.array_equal(got, whole)


@pytest.mark.parametrize(("rate_in", "rate_out"), DIRECTIONS)
def test_sixteen_bits_in_and_out_are_the_exact_result_rounded_once(
    rate_in: int, rate_out: int
) -> None:
    x = np.random.default_rng(13).integers(-32768, 32768, (5, 24 * 96)).astype(np.int16)
    exact = Resampler(rate_in, rate_out, 5).process(x)
    resampler = Resampler(rate_in, rate_out, 5)
    rows = np.array([4, 2])
    for start in range(0, x.shape[1], 96):
        place = slice(start * rate_out // rate_in, (start + 96) * rate_out // rate_in)
        got = resampler.process_pcm(x[rows, start : start + 96], rows)
        assert got.dtype == np.int16
        off = np.abs(got - np.clip(exact[rows, place], -32768, 32767))
        assert off.max() <= 0.5


def test_float_frames_may_follow_sixteen_bit_ones() -> None:
    x = np.random.default_rng(14).integers(-20000, 20000, (2, 320)).astype(np.int16)
    whole = Resampler(8000, 24000, 2).process(x)
    resampler = Resampler(8000, 24000, 2)
    first = resampler.process(x[:, :160])
    second = resampler.process(x[:, 160:].astype(np.float32))
    assert np.array_equal(np.concatenate([first, second], 1), whole)


def test_some_rows_can_go_ahead_of_the_others() -> None:
    rng = np.random.default_rng(9)
    x = rng.integers(-20000, 20000, (4, 320)).astype(np.int16)
    whole = Resampler(8000, 24000, 4).process_pcm(x)
    resampler = Resampler(8000, 24000, 4)
    rows = np.array([3, 1])
    first = resampler.process_pcm(x[rows, :160], rows)
    second = resampler.process_pcm(x[rows, 160:], rows)
    assert np.array_equal(np.concatenate([first, second], 1), whole[rows])
    assert np.array_equal(resampler.process_pcm(x[:1], np.array([0])), whole[:1])


def test_a_row_that_is_reset_has_forgotten_its_call() -> None:
    x = np.random.default_rng(10).integers(-20000, 20000, (2, 160)).astype(np.int16)
    fresh = Resampler(24000, 16000, 2).process(x[:, :150])
    resampler = Resampler(24000, 16000, 2)
    resampler.process(x[:, 10:])
    resampler.reset(1)
    again = resampler.process(x[:, :150])
    assert np.array_equal(again[1], fresh[1])
    assert not np.array_equal(again[0], fresh[0])


def test_rows_that_stay_keep_their_past_when_the_batch_grows_or_shrinks() -> None:
    x = np.random.default_rng(11).integers(-20000, 20000, (3, 320)).astype(np.int16)
    whole = Resampler(8000, 24000, 3).process(x)
    for lanes in (2, 9):
        resampler = Resampler(8000, 24000, 3)
        resampler.process(x[:, :160])
        resampler.resize(lanes)
        assert resampler.lanes == lanes
        y = resampler.process(np.resize(x[:, 160:], (lanes, 160)))
        assert np.array_equal(y[:2], whole[:2, 480:])


def test_a_stream_in_pieces_of_any_length_comes_out_as_if_in_one() -> None:
    x = np.random.default_rng(12).integers(-9000, 9000, 24000).astype(np.int16)
    whole = StreamResampler(24000, 8000).process(x)
    assert len(whole) == 8000
    stream = StreamResampler(24000, 8000)
    cuts = [0, 0, 1, 2, 5, 481, 482, 7000, 23999, 24000]
    got = [stream.process(x[a:b]) for a, b in itertools.pairwise(cuts)]
    assert np.array_equal(np.concatenate(got), whole)
    assert stream.delay == Resampler(24000, 8000).delay

    stream.process(x[:100])
    stream.reset()
    assert np.array_equal(stream.process(x), whole)


def test_frame_that_makes_no_whole_number_of_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="not a multiple of 3"):
        Resampler(24000, 8000).process(np.zeros((1, 160), np.int16))


def test_sixteen_bits_are_rounded_and_clipped() -> None:
    samples = np.array([0.4, 0.6, -0.6, 40000.0, -40000.0])
    assert to_int16(samples).tolist() == [0, 1, -1, 32767, -32768]
