"""An echo is told from a voice, by its delay and its bands; and taken out of it."""

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.canceller import EchoCanceller
from voicecodecs.echo import EchoGate

from gateway.testing.echo import at_level, voices

Wave = NDArray[np.float64]
FRAME = 160
SECONDS = 12
DELAYS = (0.005, 0.030, 0.110, 0.250, 0.390)


def agent_speech(seed: int = 1) -> Wave:
    """Return speech of the agent with pauses, at -22 dBov."""
    rng = np.random.default_rng(seed)
    agent, _ = voices()
    parts: list[Wave] = [np.zeros(1600)]
    while sum(map(len, parts)) < SECONDS * 8000:
        parts += [at_level(agent[rng.integers(len(agent))], -22.0), np.zeros(4000)]
    return np.concatenate(parts)[: SECONDS * 8000]


def echo_of(sent: Wave, delay: float, erl: float) -> Wave:
    start = round(delay * 8000)
    path = np.zeros(start + 300)
    path[[start, start + 37, start + 121]] = 1, -0.5, 0.3
    scaled = path * 10 ** (-erl / 20) / np.sqrt(np.sum(path**2))
    return np.convolve(sent, scaled)[: len(sent)]


def hiss(size: int) -> Wave:
    noise: Wave = np.random.default_rng(2).standard_normal(size) * 26
    return noise


class Line:
    """A guard's view of some calls, frame by frame."""

    def __init__(self, lanes: int, *, cancels: bool = False) -> None:
        self.gate = EchoGate(lanes)
        self.rows = np.arange(lanes)
        self.canceller = EchoCanceller(lanes) if cancels else None
        for row in range(lanes):
            self.gate.reset(row)
            if self.canceller is not None:
                self.canceller.reset(row)

    def run(self, sent: Wave, came: Wave) -> tuple[NDArray[np.bool_], Wave]:
        """Return which frames are echo, shape ``(frames, lanes)``, and what a canceller leaves."""
        late = np.zeros(len(self.rows), np.intp)
        found, left = [], []
        for at in range(0, sent.shape[1] - FRAME + 1, FRAME):
            out, back = (x[:, at : at + FRAME].astype(np.float32) for x in (sent, came))
            self.gate.send(out, self.rows)
            rest = None
            if self.canceller is not None:
                self.canceller.send(out, self.rows)
                rest = self.canceller.cancel(back, self.rows, late, self.gate.delay)
            found.append(self.gate.judge(back, self.rows, late, rest).is_echo)
            left.append(back if rest is None else rest)
        return np.array(found), np.concatenate(left, axis=1).astype(np.float64)


def frame_levels(sound: Wave) -> Wave:
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    levels: Wave = 10 * np.log10(np.mean(frames**2, axis=1) + 1) - 90.31
    return levels


@pytest.mark.parametrize("erl", [8.0, 15.0, 22.0, 30.0])
def test_of_an_echo_hardly_a_frame_passes_whatever_its_delay(erl: float) -> None:
    sent = np.stack([agent_speech(seed) for seed, _ in enumerate(DELAYS)])
    echo = np.stack([echo_of(s, d, erl) for s, d in zip(sent, DELAYS, strict=True)])
    is_echo, _ = Line(len(DELAYS)).run(sent, echo + hiss(sent.shape[1]))
    for lane, row in enumerate(echo):
        audible = frame_levels(row) > -50
        audible[: 3 * 50] = False
        assert np.mean(is_echo[audible, lane]) > 0.97


@pytest.mark.parametrize("erl", [8.0, 15.0, 22.0])
def test_the_first_words_of_an_agent_come_back_in_vain_too(erl: float) -> None:
    sent = np.stack([agent_speech(seed) for seed, _ in enumerate(DELAYS)])
    echo = np.stack([echo_of(s, d, erl) for s, d in zip(sent, DELAYS, strict=True)])
    is_echo, _ = Line(len(DELAYS)).run(sent, echo + hiss(sent.shape[1]))
    for lane, row in enumerate(echo):
        audible = frame_levels(row[: 3 * 8000]) > -50
        assert np.mean(is_echo[: 3 * 50][audible, lane]) > 0.95


def test_the_delay_is_found() -> None:
    sent = np.stack([agent_speech() for _ in DELAYS])
    echo = np.stack([echo_of(sent[0], delay, 15.0) for delay in DELAYS])
    line = Line(len(DELAYS))
    line.run(sent, echo + hiss(sent.shape[1]))
    assert line.gate.is_known.all()
    assert np.all(np.abs(line.gate.delay - np.array(DELAYS) * 50) <= 1.5)


@pytest.mark.parametrize("level", [-15.0, -20.0, -25.0, -30.0])
def test_a_voice_on_a_line_without_echo_passes_whole(level: float) -> None:
    _, caller = voices()
    sent = np.stack([agent_speech(seed) for seed in range(len(caller))])
    came = np.zeros(sent.shape)
    for lane, words in enumerate(caller):
        mine = at_level(words, level)
        came[lane, 20000 : 20000 + len(mine)] = mine
    line = Line(len(caller))
    is_echo, _ = line.run(sent, came + hiss(sent.shape[1]))
    assert not line.gate.is_known.any()
    assert not is_echo[20000 // FRAME :].any()


@pytest.mark.parametrize("level", [-15.0, -22.0, -28.0])
def test_a_voice_over_an_echo_passes_but_for_some_frames(level: float) -> None:
    _, caller = voices()
    mine = at_level(caller[-1], level)
    sent = np.stack([agent_speech(seed) for seed in range(6)])
    came = np.stack([echo_of(s, 0.08, 18.0) for s in sent]) + hiss(sent.shape[1])
    came[:, 32000 : 32000 + len(mine)] += mine
    is_echo, _ = Line(6).run(sent, came)
    loud = np.flatnonzero(frame_levels(mine) > level - 6) + 32000 // FRAME
    assert np.mean(is_echo[loud]) < 0.2
    first = loud[0] + EchoGate.LOOK_BACK
    assert (~is_echo[first : first + 8]).any(axis=0).all()


def test_an_echo_that_begins_in_mid_call_is_found() -> None:
    sent = np.stack([agent_speech()])
    echo = np.stack([echo_of(sent[0], 0.06, 15.0)])
    echo[:, : 8000 * 4] = 0
    line = Line(1)
    is_echo, _ = line.run(sent, echo + hiss(sent.shape[1]))
    assert line.gate.is_known[0]
    audible = frame_levels(echo[0]) > -50
    audible[: 50 * 7] = False
    assert np.mean(is_echo[audible, 0]) > 0.97


def test_an_echo_that_ends_in_mid_call_leaves_the_line_open() -> None:
    _, caller = voices()
    sent = np.stack([agent_speech()])
    came = np.stack([echo_of(sent[0], 0.06, 15.0)])
    came[:, 8000 * 5 :] = 0
    mine = at_level(caller[-1], -35.0)
    came[0, 8000 * 9 : 8000 * 9 + len(mine)] += mine
    is_echo, _ = Line(1).run(sent, came + hiss(sent.shape[1]))
    assert not is_echo[50 * 9 :].any()


def test_a_canceller_takes_most_of_an_echo_out_and_leaves_the_voice_over_it() -> None:
    _, caller = voices()
    mine = at_level(caller[-1], -22.0)
    sent = np.stack([agent_speech(seed) for seed in range(5)])
    echo = np.stack(
        [echo_of(s, d, 10.0) for s, d in zip(sent, (0.02, 0.05, 0.1, 0.2, 0.3), strict=True)]
    )
    voice = np.zeros(sent.shape)
    voice[:, 64000 : 64000 + len(mine)] = mine
    _, left = Line(5, cancels=True).run(sent, echo + voice + hiss(sent.shape[1]))
    alone = slice(24000, 64000)
    over = slice(64000, 64000 + len(mine))
    erle = 10 * np.log10(
        np.mean(echo[:, alone] ** 2, axis=1) / np.mean(left[:, alone] ** 2, axis=1)
    )
    assert erle.min() > 12
    before = np.mean(echo[:, over] ** 2, axis=1)
    after = np.mean((left - voice)[:, over] ** 2, axis=1)
    assert np.min(10 * np.log10(before / after)) > 8


def test_lanes_know_nothing_of_each_other_and_a_new_call_nothing_of_the_last() -> None:
    sent = np.stack([agent_speech(seed) for seed in range(3)])
    came = np.stack([echo_of(s, d, 12.0) for s, d in zip(sent, (0.03, 0.1, 0.2), strict=True)])
    came += hiss(sent.shape[1])
    together, _ = Line(3).run(sent, came)
    line = Line(1)
    for lane in range(3):
        line.gate.reset(0)
        alone, _ = line.run(sent[lane : lane + 1], came[lane : lane + 1])
        assert np.mean(alone[:, 0] != together[:, lane]) < 0.01
