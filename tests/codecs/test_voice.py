"""Voices are heard whatever their level, and little else is taken for one."""

import functools

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.cadence import Cadence
from voicecodecs.silero import SileroJudge
from voicecodecs.tones import dtmf_tone
from voicecodecs.voice import EnergyJudge, VoiceDetector, VoiceEdge

from gateway.testing.echo import at_level, voices

Wave = NDArray[np.float64]
FRAME = 160
LEVELS = (-15.0, -20.0, -26.0, -30.0, -36.0, -40.0)
JUDGES = {"energy": EnergyJudge, "silero": SileroJudge}


@pytest.fixture(params=list(JUDGES))
def judge(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def listen(
    judge: str, lanes: list[Wave], *, voice_ms: int = 120, unheard: slice | None = None
) -> list[list[tuple[int, VoiceEdge]]]:
    """Return what was heard in each lane, with the milliseconds at which it was."""
    detector = VoiceDetector(len(lanes), JUDGES[judge](len(lanes)))
    size = -(-max(map(len, lanes)) // FRAME) * FRAME
    pcm = np.stack([np.pad(lane, (0, size - len(lane))) for lane in lanes])
    pcm = (pcm + hiss(pcm.shape, -65.0)).clip(-32768, 32767).astype(np.int16)
    found: list[list[tuple[int, VoiceEdge]]] = [[] for _ in lanes]
    for row in range(len(lanes)):
        detector.reset(row, voice_ms)
    heard = np.ones(size // FRAME, np.bool_)
    heard[unheard or slice(0)] = False
    for n in range(size // FRAME):
        frame = pcm[:, n * FRAME : (n + 1) * FRAME]
        for edge in detector.process(frame, np.arange(len(lanes)), np.repeat(heard[n], len(lanes))):
            found[edge.row].append(((n + 1) * 20, edge))
    return found


def hiss(shape: tuple[int, ...], dbov: float, seed: int = 1) -> Wave:
    noise: Wave = np.random.default_rng(seed).standard_normal(shape) * 32768 * 10 ** (dbov / 20)
    return noise


def silence(seconds: float) -> Wave:
    return np.zeros(round(seconds * 8000))


@functools.cache
def sentences() -> tuple[Wave, ...]:
    agent, caller = voices()
    return (*agent, *caller)


@pytest.mark.parametrize("level", LEVELS)
def test_every_sentence_is_heard_soon_after_its_first_sound(judge: str, level: float) -> None:
    said = [at_level(sentence, level) for sentence in sentences()]
    found = listen(judge, [np.concatenate([silence(1), x, silence(1)]) for x in said])
    starts = [edges[0][0] - 1000 if edges else 9999 for edges in found]
    assert max(starts) <= 500
    assert np.median(starts) <= 200


def test_a_voice_stops_when_it_does_and_tells_how_long_it_was(judge: str) -> None:
    said = at_level(sentences()[0], -20.0)
    (edges,) = listen(judge, [np.concatenate([silence(1), said, silence(1)])])
    spoken = sum(edge.duration_ms for _, edge in edges)
    assert [edge.is_on for _, edge in edges] == [True, False] * (len(edges) // 2)
    assert 0.7 * len(said) / 8 < spoken < len(said) / 8 + 100
    assert edges[-1][0] < 1000 + len(said) / 8 + 400


@pytest.mark.parametrize("dbov", [-60.0, -50.0, -40.0, -30.0])
def test_steady_noise_is_no_voice_and_neither_is_its_beginning(judge: str, dbov: float) -> None:
    noise = hiss((8 * 8000,), dbov)
    found = listen(judge, [noise, np.concatenate([silence(2), noise])])
    assert found == [[], []]


def test_a_voice_is_heard_in_noise_15_db_below_it(judge: str) -> None:
    said = [at_level(sentence, -20.0) for sentence in sentences()]
    lanes = [np.concatenate([silence(1), x, silence(1)]) for x in said]
    found = listen(judge, [lane + hiss(lane.shape, -35.0) for lane in lanes])
    assert all(edges for edges in found)


@pytest.mark.parametrize("name", ["dial", "ringback", "busy", "information", "beep"])
def test_call_progress_tones_are_no_voices(judge: str, name: str) -> None:
    (edges,) = listen(judge, [np.concatenate([silence(1), Cadence.parse(name).render()])])
    assert not edges


def test_keys_are_no_voices(judge: str) -> None:
    pressed = [np.concatenate([dtmf_tone(key, 100), silence(0.1)]) for key in "1234567890*#ABCD"]
    (edges,) = listen(judge, [np.concatenate([silence(1), *pressed])])
    assert not edges


def test_a_click_is_no_voice(judge: str) -> None:
    click = np.zeros(8000)
    click[4000:4080] = 20000
    (edges,) = listen(judge, [np.tile(click, 5)])
    assert not edges


def test_the_network_knows_noise_that_comes_and_goes_from_speech_and_loudness_does_not() -> None:
    swell = np.tile(np.sin(np.linspace(0, np.pi, 2400)), 20)
    noise = np.concatenate([silence(1), hiss((48000,), -25.0) * swell])
    assert not listen("silero", [noise])[0]
    assert listen("energy", [noise])[0]


def test_sound_that_is_not_the_callers_is_no_voice(judge: str) -> None:
    said = at_level(sentences()[0], -20.0)
    lane = np.concatenate([silence(1), said, silence(1)])
    assert not listen(judge, [lane], unheard=slice(40, None))[0]


def test_losing_a_few_frames_does_not_end_a_voice(judge: str) -> None:
    said = at_level(sentences()[0], -20.0)
    lane = np.concatenate([silence(1), said, silence(1)])
    assert len(listen(judge, [lane], unheard=slice(80, 85))[0]) == len(listen(judge, [lane])[0])


@pytest.mark.parametrize("voice_ms", [60, 120, 300, 600])
def test_only_a_sound_of_the_asked_length_is_a_voice(judge: str, voice_ms: int) -> None:
    said = at_level(sentences()[0], -20.0)[:16000]
    (edges,) = listen(judge, [np.concatenate([silence(1), said, silence(1)])], voice_ms=voice_ms)
    cut = said[: 8 * max(0, voice_ms - 60)]
    assert edges[0][0] - 1000 >= voice_ms
    (short,) = listen(judge, [np.concatenate([silence(1), cut, silence(1)])], voice_ms=voice_ms)
    assert judge == "silero" or not short


def test_lanes_know_nothing_of_each_other_and_a_new_call_nothing_of_the_last(judge: str) -> None:
    said = at_level(sentences()[1], -20.0)
    lanes = [np.concatenate([silence(n / 4), said, silence(1)]) for n in range(2, 6)]
    together = listen(judge, lanes)
    detector = VoiceDetector(3, JUDGES[judge](3))
    for lane, expected in zip(lanes, together, strict=True):
        size = -(-max(map(len, lanes)) // FRAME) * FRAME
        everything = np.stack([np.pad(x, (0, size - len(x))) for x in lanes])
        everything += hiss(everything.shape, -65.0)
        pcm = everything[[np.array_equal(x, lane) for x in lanes].index(True)]
        pcm = pcm.clip(-32768, 32767).astype(np.int16)
        detector.reset(1, 120)
        alone = [
            ((n + 1) * 20, edge.is_on, edge.duration_ms)
            for n in range(size // FRAME)
            for edge in detector.process(
                pcm[None, n * FRAME : (n + 1) * FRAME], np.array([1]), np.ones(1, np.bool_)
            )
        ]
        assert alone == [(at, edge.is_on, edge.duration_ms) for at, edge in expected]
