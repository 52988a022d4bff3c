"""Beeps are heard within their limits, and nothing else that lines and people make."""

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.beep import Beep, BeepDetector
from voicecodecs.cadence import Cadence
from voicecodecs.g711 import decode_ulaw, encode_ulaw
from voicecodecs.tones import KEYS, chord, dtmf_tone

from gateway.testing.echo import at_level, voices

Wave = NDArray[np.float64]
FRAME = 160


def listen(sound: NDArray[np.generic], noise_dbov: float = -62.0, start: int = 4000) -> list[Beep]:
    """Return the beeps heard in a sound with silence around it, over G.711 and a noisy line."""
    lane = np.concatenate([np.zeros(start), sound, np.zeros(4000)])
    noise = np.random.default_rng(1).standard_normal(len(lane)) * 32768 * 10 ** (noise_dbov / 20)
    pcm = decode_ulaw(encode_ulaw((lane + noise).clip(-32768, 32767).astype(np.int16)))
    detector = BeepDetector(8)
    rows, heard = np.array([7]), np.ones(1, np.bool_)
    whole = pcm[: len(pcm) // FRAME * FRAME].reshape(-1, 1, FRAME)
    return [beep for frame in whole for beep in detector.process(frame, rows, heard)]


def beep(hertz: float, ms: int, dbm0: float = -13.0) -> NDArray[np.int16]:
    return chord([(hertz, dbm0)], ms, 8000)


@pytest.mark.parametrize("hertz", [520, 640, 850, 1000, 1400, 2000, 2400])
@pytest.mark.parametrize("ms", [120, 200, 400, 1000, 1900])
def test_a_beep_is_told_with_its_pitch_and_length(hertz: int, ms: int) -> None:
    (heard,) = listen(beep(hertz, ms))
    assert heard.row == 7
    assert abs(heard.hertz - hertz) <= 10
    assert abs(heard.duration_ms - ms) <= 20 + ms * 0.02


@pytest.mark.parametrize("start", range(4000, 4160, 20))
def test_it_does_not_matter_where_in_a_frame_a_beep_begins(start: int) -> None:
    (heard,) = listen(beep(1000, 125), start=start)
    assert abs(heard.duration_ms - 125) <= 10


@pytest.mark.parametrize("dbm0", [-3.0, -10.0, -20.0, -30.0, -36.0])
def test_a_beep_is_heard_loud_and_faint(dbm0: float) -> None:
    assert len(listen(beep(1000, 400, dbm0), noise_dbov=-65.0)) == 1


@pytest.mark.parametrize(
    ("hertz", "ms"), [(1000, 90), (1000, 2300), (2100, 2600), (440, 400), (2700, 400)]
)
def test_a_tone_beyond_the_limits_is_no_beep(hertz: int, ms: int) -> None:
    assert listen(beep(hertz, ms)) == []


@pytest.mark.parametrize("name", ["dial", "ringback", "busy", "congestion", "information"])
def test_call_progress_tones_are_no_beeps(name: str) -> None:
    assert listen(np.tile(Cadence.parse(name).render(), 3)) == []


@pytest.mark.parametrize("tones", ["440+480/2000,0/4000", "480+620/500,0/500", "350+440/2000"])
def test_american_progress_tones_are_no_beeps(tones: str) -> None:
    assert listen(np.tile(Cadence.parse(tones).render(), 2)) == []


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_no_beeps(key: str) -> None:
    assert listen(dtmf_tone(key, 150)) == []


def test_nothing_that_people_say_is_a_beep() -> None:
    agent, caller = voices()
    for sentence in [*agent, *caller]:
        assert listen(at_level(sentence, -18.0)) == []


def test_a_beep_is_heard_after_the_greeting_that_it_ends() -> None:
    agent, _ = voices()
    greeting = np.concatenate([at_level(agent[0], -20.0), np.zeros(3200), beep(1000, 400)])
    assert [heard.hertz for heard in listen(greeting)] == [1000]


def test_a_tone_that_goes_over_into_something_else_is_no_beep() -> None:
    agent, _ = voices()
    assert listen(np.concatenate([beep(1000, 400), at_level(agent[0], -15.0)])) == []


def test_a_fax_that_calls_is_told_like_a_beep() -> None:
    assert [heard.hertz for heard in listen(beep(1100, 500))] == [1100]


def test_a_tone_that_is_not_theirs_is_no_beep() -> None:
    detector = BeepDetector()
    sound = np.concatenate([beep(1000, 400), np.zeros(4000, np.int16)])
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, 1, FRAME)
    assert [detector.process(frame, np.array([0]), np.zeros(1, np.bool_)) for frame in frames] == [
        [] for _ in frames
    ]


def test_a_new_call_knows_nothing_of_the_last_ones_tone() -> None:
    detector, rows, heard = BeepDetector(), np.array([0]), np.ones(1, np.bool_)
    for frame in beep(1000, 400).reshape(-1, 1, FRAME):
        detector.process(frame, rows, heard)
    detector.reset(0)
    quiet = np.zeros((1, FRAME), np.int16)
    assert not any(detector.process(quiet, rows, heard) for _ in range(10))
