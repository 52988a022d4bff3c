"""Call-progress tones by name and as written, against ITU-T E.180 and ETSI's common cadences."""

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.cadence import NAMED, Cadence
from voicecodecs.level import rms_dbm0


def bursts(pcm: NDArray[np.int16], rate: int) -> list[tuple[int, int]]:
    """Return (from, to) in ms of every stretch with sound, to the millisecond."""
    size = rate // 1000
    loud = np.abs(pcm.reshape(-1, size)).max(axis=1) > 0
    edges = np.flatnonzero(np.diff(np.concatenate(([0], loud.astype(int), [0]))))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def frequency(pcm: NDArray[np.int16], rate: int) -> float:
    """Return the strongest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)), 8 * len(pcm)))
    return float(np.argmax(spectrum)) * rate / (8 * len(pcm))


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize(
    ("name", "expected", "length"),
    [
        ("dial", [(0, 5000)], 5000),
        ("ringback", [(0, 1000)], 5000),
        ("busy", [(0, 500)], 1000),
        ("congestion", [(0, 250)], 500),
        ("waiting", [(0, 200), (800, 1000)], 4000),
        ("beep", [(0, 400)], 400),
        ("silence", [], 1000),
    ],
)
def test_a_named_tone_sounds_and_pauses_as_it_should(
    name: str, expected: list[tuple[int, int]], length: int, rate: int
) -> None:
    pcm = Cadence.parse(name).render(rate)
    assert len(pcm) == length * rate // 1000
    assert bursts(pcm, rate) == expected
    if expected:
        assert frequency(pcm[: rate // 5], rate) == pytest.approx(
            1000 if name == "beep" else 425, abs=1
        )


def test_special_information_is_three_tones_that_rise() -> None:
    pcm = Cadence.parse("information").render(8000)
    found = [frequency(pcm[n * 2640 : (n + 1) * 2640], 8000) for n in range(3)]
    assert found == pytest.approx([950, 1400, 1800], abs=1)
    assert not pcm[3 * 2640 :].any()


def test_parts_are_read_as_written_and_two_sines_are_as_loud_as_one() -> None:
    assert Cadence.parse("425/480,0/480").parts == (((425,), 480), ((0,), 480))
    both = Cadence.parse("440+480/2000, 0/4000")
    assert both.parts == (((440, 480), 2000), ((0,), 4000))
    one = rms_dbm0(Cadence.parse("440/1000").render()[None])[0]
    two = rms_dbm0(both.render()[None, :8000])[0]
    assert two == pytest.approx(one, abs=0.2)
    assert one == pytest.approx(-13, abs=0.2)


@pytest.mark.parametrize("name", NAMED)
def test_every_named_tone_heard_once_is_between_a_blink_and_five_seconds(name: str) -> None:
    tone = Cadence.parse(name)
    assert 0.4 <= len(tone.render(8000)) * tone.rounds / 8000 <= 5.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "buzy",
        "425",
        "425/",
        "/500",
        "425/0",
        "5000/100",
        "-1/100",
        "4e2/100",
        "٤٢٥/100",
        "425/100,",
        "1+2+3+4+5/100",
        "425/60001",
        "425/1000," * 32 + "425/1000",
        "425/30000,0/30001",
    ],
)
def test_what_is_no_tone_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="tone"):
        Cadence.parse(text)
