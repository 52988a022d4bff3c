"""The key detector against its limits, in the manner of the Mitel CM7291 tape.

Every variant of a signal is one row of a batch, at an offset of its own within
the 20 ms frame, so a whole sweep is one run of the detector.
"""

import difflib
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.dtmf import FRAME, DtmfDetector, DtmfEdge
from voicecodecs.level import sine_amplitude
from voicecodecs.tones import COLUMNS, KEYS, ROWS, busy_tone, dtmf_tone, ringback_tone

Wave = NDArray[np.float64]
CORNERS = "159D"


def press(
    key: str,
    on_ms: float = 50.0,
    off_ms: float = 50.0,
    row_dbm0: float = -10.0,
    column_dbm0: float = -10.0,
    row_off: float = 0.0,
    column_off: float = 0.0,
) -> Wave:
    """Render a key with hard edges; ``*_off`` is a detuning as a fraction."""
    place = KEYS.index(key)
    time = np.arange(int(on_ms * 8)) / 8000
    row = ROWS[place // 4] * (1 + row_off)
    column = COLUMNS[place % 4] * (1 + column_off)
    wave = sine_amplitude(row_dbm0) * np.sin(2 * np.pi * row * time)
    wave += sine_amplitude(column_dbm0) * np.sin(2 * np.pi * column * time)
    return np.concatenate([wave, np.zeros(int(off_ms * 8))])


def shifted(waves: Iterable[Wave]) -> list[Wave]:
    """Give each wave a start of its own within the frame."""
    rng = np.random.default_rng(20)
    return [np.concatenate([np.zeros(rng.integers(FRAME)), wave]) for wave in waves]


def edges_of(waves: Sequence[Wave]) -> list[DtmfEdge]:
    length = -(-max(map(len, waves)) // FRAME) * FRAME + 10 * FRAME
    x = np.zeros((len(waves), length), np.int16)
    for row, wave in enumerate(waves):
        x[row, : len(wave)] = np.rint(wave).clip(-32768, 32767)
    detector = DtmfDetector(len(waves))
    return [e for i in range(0, length, FRAME) for e in detector.process(x[:, i : i + FRAME])]


def digits_of(waves: Sequence[Wave]) -> list[str]:
    digits = [""] * len(waves)
    for edge in edges_of(waves):
        if edge.is_on:
            digits[edge.row] += edge.key
    return digits


def heard(waves: Iterable[Wave]) -> float:
    """Return how many keys were heard per wave."""
    waves = shifted(waves)
    return sum(map(len, digits_of(waves))) / len(waves)


def test_every_key_is_heard_each_of_ten_times() -> None:
    waves = [np.concatenate([press(key, row_dbm0=-4, column_dbm0=-4)] * 10) for key in KEYS]
    assert digits_of(shifted(waves)) == [key * 10 for key in KEYS]


def test_the_keys_we_make_ourselves_are_heard() -> None:
    gap = np.zeros(8 * 60)
    wave = np.concatenate([np.concatenate([dtmf_tone(key, 60), gap]) for key in KEYS])
    assert digits_of([wave]) == [KEYS]


@pytest.mark.parametrize("key", CORNERS)
@pytest.mark.parametrize("group", ["row_off", "column_off"])
@pytest.mark.parametrize("sign", [1, -1])
def test_bandwidth_is_at_least_1_5_and_below_3_5_percent(key: str, group: str, sign: int) -> None:
    off = sign * np.arange(0, 61) / 1000
    waves = [press(key, row_dbm0=-17, column_dbm0=-17, **{group: float(part)}) for part in off]
    digits = digits_of(shifted(waves))
    assert digits[:16] == [key] * 16
    assert digits[35:] == [""] * 26


@pytest.mark.parametrize("key", KEYS)
def test_twist_is_tolerated_up_to_8_db_one_way_and_4_db_the_other(key: str) -> None:
    weak_columns = [press(key, row_dbm0=-3, column_dbm0=-3 - i / 10) for i in range(81)]
    weak_rows = [press(key, column_dbm0=-3, row_dbm0=-3 - i / 10) for i in range(41)]
    assert digits_of(shifted(weak_columns)) == [key] * 81
    assert digits_of(shifted(weak_rows)) == [key] * 41


def test_twist_beyond_what_a_line_can_do_is_not_a_key() -> None:
    assert heard(press(key, row_dbm0=-3, column_dbm0=-15) for key in KEYS) == 0
    assert heard(press(key, row_dbm0=-13, column_dbm0=-3) for key in KEYS) == 0


@pytest.mark.parametrize("key", CORNERS)
def test_dynamic_range_is_45_db(key: str) -> None:
    levels = range(3, -43, -1)
    assert heard(press(key, row_dbm0=level, column_dbm0=level) for level in levels) == 1.0


def test_what_is_far_too_faint_is_not_a_key() -> None:
    assert heard(press(key, row_dbm0=-46, column_dbm0=-46) for key in KEYS) == 0


def corner(rng: np.random.Generator, on_ms: float, off_ms: float = 50.0) -> tuple[str, Wave]:
    """Return a random key with random twist and detuning within the limits."""
    key = KEYS[rng.integers(16)]
    twist, (row_off, column_off) = rng.uniform(-8, 4), rng.uniform(-0.015, 0.015, 2)
    return key, press(key, on_ms, off_ms, -12, -12 + twist, float(row_off), float(column_off))


@pytest.mark.parametrize(
    ("on_ms", "wanted"), [(20, 0), (22, 0), (24, 0), (34, 1), (36, 1), (45, 1)]
)
def test_a_key_counts_from_34_ms_and_never_up_to_24_ms(on_ms: int, wanted: int) -> None:
    levels = np.random.default_rng(on_ms).uniform(-25, -4, 1000)
    assert heard(press(KEYS[i % 16], on_ms, 50, v, v) for i, v in enumerate(levels)) == wanted


@pytest.mark.parametrize(("on_ms", "least", "most"), [(24, 0, 0), (34, 0.998, 1), (40, 1, 1)])
def test_the_length_that_counts_is_the_same_at_all_limits_at_once(
    on_ms: int, least: float, most: float
) -> None:
    rng = np.random.default_rng(on_ms)
    assert least <= heard(corner(rng, on_ms)[1] for _ in range(1000)) <= most


@pytest.mark.parametrize(("snr_db", "least"), [(15, 0.99), (12, 0.97), (9, 0.93)])
def test_random_keys_at_all_limits_at_once_are_heard_through_noise(
    snr_db: int, least: float
) -> None:
    rng = np.random.default_rng(30)
    sent, waves = [], []
    for _ in range(4):
        presses = [corner(rng, 45, 45) for _ in range(400)]
        gaps = [np.zeros(rng.integers(100)) for _ in presses]
        wave = np.concatenate([p for (_, w), g in zip(presses, gaps, strict=True) for p in (w, g)])
        power = np.mean(wave[wave != 0] ** 2)
        noise = np.sqrt(power * 10 ** (-snr_db / 10)) * rng.standard_normal(len(wave))
        waves.append(wave + noise)
        sent.append("".join(key for key, _ in presses))
    for wanted, got in zip(sent, digits_of(waves), strict=True):
        blocks = difflib.SequenceMatcher(None, wanted, got, autojunk=False).get_matching_blocks()
        right = sum(block.size for block in blocks)
        assert right / len(wanted) >= least
        assert len(got) - right <= 1


def test_a_thousand_pulses_in_noise_are_all_heard() -> None:
    rng = np.random.default_rng(31)
    pulses = np.tile(press("1", row_dbm0=-4, column_dbm0=-4), 100)
    level = sine_amplitude(-4 - 9) / np.sqrt(2)
    waves = [pulses + level * rng.standard_normal(len(pulses)) for _ in range(10)]
    assert digits_of(waves) == ["1" * 100] * 10


def test_keys_are_heard_over_dial_tone() -> None:
    def over_dial_tone(wave: Wave) -> Wave:
        time = np.arange(len(wave)) / 8000
        hum = np.sin(2 * np.pi * 350 * time) + np.sin(2 * np.pi * 440 * time)
        return wave + sine_amplitude(-25) * hum

    waves = [over_dial_tone(press(key, row_dbm0=-15, column_dbm0=-15)) for key in KEYS]
    assert digits_of(shifted(waves)) == list(KEYS)


@pytest.mark.parametrize("hole_ms", [5, 10, 15, 20])
def test_a_hole_within_a_press_does_not_type_the_key_twice(hole_ms: int) -> None:
    def with_hole(key: str, start: int) -> Wave:
        wave = press(key, 150, 100)
        wave[start : start + 8 * hole_ms] = 0
        return wave

    rng = np.random.default_rng(hole_ms)
    assert heard(with_hole(key, int(rng.integers(400, 700))) for key in KEYS * 10) == 1.0


@pytest.mark.parametrize("gap_ms", [35, 40, 50])
def test_the_same_key_pressed_twice_counts_twice(gap_ms: int) -> None:
    assert heard(np.concatenate([press(k, 50, gap_ms), press(k)]) for k in KEYS * 5) == 2.0


def test_two_keys_without_a_pause_are_two_keys() -> None:
    wave = np.concatenate([press("1", 60, 0), press("9", 60, 60)])
    assert digits_of(shifted([wave])) == ["19"]


def test_edges_tell_when_the_finger_moved() -> None:
    waves = shifted(press(key, 100, 80) for key in KEYS * 4)
    edges = edges_of(waves)
    assert len(edges) == 2 * len(waves)
    for row, wave in enumerate(waves):
        down, up = (edge for edge in edges if edge.row == row)
        start = int(np.flatnonzero(wave)[0])
        assert down.is_on
        assert not up.is_on
        assert abs(down.sample - start) <= 8 * 8
        assert abs(up.sample - (start + 800)) <= 8 * 8


@pytest.mark.parametrize("tone", [ringback_tone(12000), busy_tone(6000)])
def test_call_progress_tones_are_not_keys(tone: NDArray[np.int16]) -> None:
    assert digits_of([tone.astype(float)]) == [""]


def test_noise_and_single_tones_are_not_keys() -> None:
    rng = np.random.default_rng(32)
    noise = [rng.normal(0, 6000, 8000 * 20) for _ in range(10)]
    time = np.arange(8000) / 8000
    sines = [8000 * np.sin(2 * np.pi * f * time) for f in np.arange(600, 1700, 11)]
    assert "".join(digits_of(noise)) == ""
    assert "".join(digits_of(sines)) == ""


def test_loud_overload_and_dc_do_no_harm() -> None:
    square = np.where(np.arange(16000) % 9 < 4, 32767.0, -32768.0)
    assert digits_of([square, np.full(16000, 32767.0)]) == ["", ""]
    assert digits_of([press("5", row_dbm0=3, column_dbm0=3)]) == ["5"]
