"""Prompts: sound files of any kind, ready for any telephone rate."""

from functools import cache, lru_cache
from pathlib import Path
from typing import Final, Self, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray
from voicecodecs.cadence import Cadence
from voicecodecs.resample import StreamResampler

from ..errors import ConfigError
from .formats import Format, split

__all__ = ["MAX_SECONDS", "SHIPPED", "TONE", "Prompt", "TonePrompt"]

Pcm: TypeAlias = NDArray[np.int16]

MAX_SECONDS: Final = 600
"""The longest prompt: what a file holds beyond is left out."""

SHIPPED: Final = Path(__file__).with_name("sounds")
"""Where the prompts are that come with this package."""

_TONE_RATE: Final = 8000
TONE: Final = "tone:"
"""What the name of a prompt begins with that is a tone."""


class Prompt:
    """One sound, mono, 16 bits; converted once for each rate that is asked for."""

    def __init__(self, samples: Pcm, rate: int) -> None:
        self.rate = rate
        self._at: dict[int, Pcm] = {rate: samples}
        self._frames: dict[Format, list[bytes]] = {}

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a sound file of any format, rate and number of channels, once per version of it.

        Raises:
            ConfigError: There is no such file, or it holds no sound that can be read.

        """
        path = Path(path)
        try:
            changed = path.stat().st_mtime_ns
            samples, rate = _read(path, changed)
        except (OSError, av.error.FFmpegError, IndexError, ValueError) as error:
            is_other = isinstance(error, IndexError)  # something with no sound in it
            reason = "it has none" if is_other else getattr(error, "strerror", None) or error
            raise ConfigError(f"{path}: not a readable sound file ({reason})") from error
        return cls(samples, rate)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self._at[self.rate]) / self.rate

    def at(self, rate: int) -> Pcm:
        """Return the samples at ``rate``, shape ``(n,)``, int16."""
        samples = self._at.get(rate)
        if samples is None:
            resampler = StreamResampler(self.rate, rate)
            tail = np.zeros(int(np.ceil(resampler.delay * self.rate)), np.int16)
            samples = resampler.process(np.concatenate([self._at[self.rate], tail]))
            self._at[rate] = samples
        return samples

    def frames(self, target: Format) -> list[bytes]:
        """Return it as ring frames of a telephone codec; not to be changed."""
        frames = self._frames.get(target)
        if frames is None:
            pcm = self.at(target.rate)
            pcm = np.pad(pcm, (0, -len(pcm) % target.samples))
            frames = self._frames[target] = split(target.pack(pcm), target.size)
        return frames


class TonePrompt(Prompt):
    """A call-progress tone, made for each rate rather than converted."""

    def __init__(self, cadence: Cadence, rounds: int) -> None:
        self._cadence = cadence
        self._rounds = rounds
        super().__init__(self._render(_TONE_RATE), _TONE_RATE)

    @classmethod
    def named(cls, text: str, *, repeat: bool = False) -> "TonePrompt":
        """Return the tone of this name, or written so; to be repeated, one round of it.

        Raises:
            ValueError: There is no such tone.

        """
        return _tone(text, repeat)

    def at(self, rate: int) -> Pcm:
        """Return the samples at ``rate``, shape ``(n,)``, int16."""
        samples = self._at.get(rate)
        if samples is None:
            samples = self._at[rate] = self._render(rate)
        return samples

    def _render(self, rate: int) -> Pcm:
        return np.tile(self._cadence.render(rate), self._rounds)


@lru_cache(maxsize=64)
def _tone(text: str, repeat: bool) -> TonePrompt:
    cadence = Cadence.parse(text)
    return TonePrompt(cadence, 1 if repeat else cadence.rounds)


@cache
def _read(path: Path, changed: int) -> tuple[Pcm, int]:
    """Return mono samples and their rate; ``changed`` tells versions of a file apart."""
    del changed
    with av.open(str(path), metadata_errors="ignore") as container:
        stream = container.streams.audio[0]
        rate = int(stream.codec_context.sample_rate)
        mixer = av.AudioResampler(format="s16", layout="mono", rate=rate)
        pieces: list[Pcm] = []
        room = MAX_SECONDS * rate
        for frame in container.decode(stream):
            for mono in mixer.resample(frame):
                pieces.append(mono.to_ndarray()[0])
                room -= len(pieces[-1])
            if room <= 0:
                break
    if not pieces:
        raise ValueError("it is empty")
    return np.concatenate(pieces)[: MAX_SECONDS * rate].astype(np.int16), rate
