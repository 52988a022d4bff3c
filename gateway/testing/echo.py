"""Callers on telephones that give back what they hear, in virtual time.

The agent speaks, the telephone returns it by a path of its own - a delay, three reflections and
a tail that dies away - the line adds noise, and G.711 lies on both ways.  Some callers talk over
the agent.  Everything is drawn from one seed, so that every guard is shown the same calls.
"""

import functools
import time
import wave
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.g711 import decode_ulaw, encode_ulaw
from voicecodecs.resample import StreamResampler, to_int16

from ..media.engine import MediaEngine
from ..media.events import Mark, VoiceStarted
from .media import MediaWorld
from .rtp import MemoryNetwork, Phone

__all__ = ["FRAME", "RATE", "EchoPhone", "Played", "Scene", "play_scenes", "scene"]

Pcm: TypeAlias = NDArray[np.int16]
Float: TypeAlias = NDArray[np.float64]

RATE: Final = 8000
FRAME: Final = 160
_VOICES: Final = Path(__file__).parents[1] / "embedded" / "voice"
_AGENT_DBOV: Final = -22.0
_NOISE_DBOV: Final = -62.0
_TAIL: Final = 800  # samples
_STEP: Final = FRAME / RATE


@dataclass(slots=True)
class Scene:
    """One call.

    Attributes:
        agent: When the agent says what, in seconds and samples.
        near: When the caller does.
        delay: Samples from the telephone's ear to its mouth.
        path: Impulse response from then on.
        noise: The line's.
        erl: Echo return loss in dB, ``None`` for a telephone that gives nothing back.
        near_dbov: How loud the caller is, ``None`` for one who says nothing.

    """

    agent: list[tuple[float, Pcm]]
    near: list[tuple[float, Pcm]]
    delay: int
    path: Float
    noise: Pcm
    erl: float | None = None
    near_dbov: float | None = None

    @property
    def spoken(self) -> float:
        """Minutes in which the agent speaks."""
        return sum(len(pcm) for _, pcm in self.agent) / RATE / 60


@functools.cache
def voices() -> tuple[list[Float], list[Float]]:
    """Return what the agent says and what a caller says, at 8 kHz and any level."""
    agent = [_load(path) for path in sorted(_VOICES.glob("*-*.wav"))]
    caller = [_load(path) for path in sorted((_VOICES / "caller").glob("*.wav"))]
    return agent, caller


def _load(path: Path) -> Float:
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        rate = file.getframerate()
    return StreamResampler(rate, RATE).process(pcm).astype(np.float64)


def at_level(sound: Float, dbov: float) -> Float:
    """Return speech at a level, measured and cut to where it is more than a breath."""
    smooth = np.convolve(np.abs(sound), np.ones(400) / 400, "same")
    is_speech = smooth > smooth.max() / 20
    first, last = np.flatnonzero(is_speech)[[0, -1]]
    power = np.mean(sound[is_speech] ** 2)
    cut: Float = sound[first : last + 1] * (32768 * 10 ** (dbov / 20) / np.sqrt(power))
    return cut


def scene(
    rng: np.random.Generator, seconds: float, erl: float | None, near_dbov: float | None
) -> Scene:
    """Draw a call.

    Args:
        rng: Draws.
        seconds: How long it is.
        erl: As in the scene.
        near_dbov: As in the scene; such a caller talks over every other of the agent's answers.

    """
    said, asked = voices()
    agent, near = [], []
    at, is_next = 0.2, bool(rng.integers(2))
    while at < seconds - 6:
        words = at_level(said[rng.integers(len(said))], _AGENT_DBOV)
        agent.append((at, to_int16(words)))
        if near_dbov is not None and is_next and len(words) > 2 * RATE:
            mine = at_level(asked[rng.integers(len(asked))], near_dbov)
            near.append((at + rng.uniform(0.2, 1.0), to_int16(mine)))
        is_next = not is_next
        end = max([at + len(words) / RATE, *(start + len(pcm) / RATE for start, pcm in near[-1:])])
        at = end + rng.uniform(0.8, 2.0)
    noise = rng.standard_normal(round(seconds * RATE)) * 32768 * 10 ** (_NOISE_DBOV / 20)
    path = np.zeros(_TAIL) if erl is None else _path(rng, erl)
    delay = round(rng.uniform(0.020, 0.250) * RATE)
    return Scene(agent, near, delay, path, to_int16(noise), erl, near_dbov)


def _path(rng: np.random.Generator, erl: float) -> Float:
    path = np.zeros(_TAIL)
    path[0] = 1
    for reflection in rng.integers(5, 160, 3):
        path[reflection] += rng.uniform(-0.5, 0.5)
    dying = np.exp(-np.arange(_TAIL) / rng.uniform(80, 240))
    path += 0.15 * rng.standard_normal(_TAIL) * dying
    scaled: Float = path * 10 ** (-erl / 20) / np.sqrt(np.sum(path**2))
    return scaled


@dataclass(slots=True)
class Played:
    """What came of scenes.

    Attributes:
        forwarded: What the service was given of each call, at 8 kHz.
        starts: When a voice was heard to start in each, in seconds.
        tick_us: Microseconds of the engine's tick for each frame of each call.

    """

    forwarded: list[Pcm]
    starts: list[list[float]]
    tick_us: float


class EchoPhone(Phone):
    """A telephone that says what its caller says, and gives back some of what it hears."""

    def __init__(self, network: MemoryNetwork, number: int, scene: Scene) -> None:
        super().__init__(network, number)
        self._scene = scene
        self._mine = scene.noise.astype(np.float64)
        for at, pcm in scene.near:
            start = round(at * RATE)
            self._mine[start : start + len(pcm)] += pcm
        self._heard = np.zeros(scene.delay + _TAIL - 1 + FRAME)
        self._frames: deque[bytes] = deque()
        self._at = 0

    def tick(self) -> None:
        """Read what came, and send a frame."""
        self.listen()
        self._frames.extend(packet.payload for _, packet in self.packets)
        self.packets.clear()
        payload = self._frames.popleft() if self._frames else b"\xff" * FRAME
        self._heard[:-FRAME] = self._heard[FRAME:]
        self._heard[-FRAME:] = self._decode(payload)
        echo = np.convolve(self._heard[: _TAIL - 1 + FRAME], self._scene.path, "valid")
        mine = self._mine[self._at : self._at + FRAME]
        self._at += FRAME
        self.say(to_int16(echo[: len(mine)] + mine))
        super().tick()


class _Stopwatch:
    """An engine whose ticks are timed."""

    def __init__(self, engine: MediaEngine) -> None:
        self.seconds = 0.0
        self._engine = engine

    def tick(self, group: int, now: float) -> None:
        start = time.thread_time()  # whatever else this machine does
        self._engine.tick(group, now)
        self.seconds += time.thread_time() - start


def play_scenes(scenes: list[Scene], seconds: float, **options: Any) -> Played:
    """Let all calls happen at once, in lanes with those options."""
    world = MediaWorld(ports="10000-10999")
    calls = [
        world.call(phone=EchoPhone(world.network, 30000 + 2 * i, one), uplink="pcmu", **options)
        for i, one in enumerate(scenes)
    ]
    phones = [call.phone for call in calls]
    engine = _Stopwatch(world.engine)
    todo = deque(
        sorted((at, i, n) for i, one in enumerate(scenes) for n, (at, _) in enumerate(one.agent))
    )
    for step in range(round(seconds / _STEP)):
        while todo and todo[0][0] <= step * _STEP:
            _, i, n = todo.popleft()
            pcm = scenes[i].agent[n][1]
            calls[i].lane.play(encode_ulaw(pcm).tobytes(), Mark(f"r{n}", f"i{n}"))
            calls[i].lane.finish(f"r{n}")
        world.network.run(_STEP, engine, phones)
    frames = len(scenes) * round(seconds / _STEP)
    return Played(
        [np.array(decode_ulaw(b"".join(call.chunks))) for call in calls],
        [[e.at for e in call.events if isinstance(e, VoiceStarted)] for call in calls],
        engine.seconds * 1e6 / frames,
    )
