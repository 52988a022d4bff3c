"""Sound files for tests: prompts, what a phone says, and what was recorded."""

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

__all__ = ["Recorded", "read_recording", "write_wav"]

Pcm: TypeAlias = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stereo recording: int16, shape (2, samples), the left side first."""

    sides: Pcm
    rate: int


def read_recording(path: Path) -> Recorded:
    """Read a stereo file of either format as any player does; an Opus one comes at 48 kHz."""
    with av.open(str(path)) as container:
        stream: Any = container.streams.audio[0]
        sound = np.concatenate([frame.to_ndarray() for frame in container.decode(stream)], axis=1)
        rate = int(stream.rate)
    if sound.dtype == np.int16:  # samples of both sides, one after the other
        return Recorded(np.ascontiguousarray(sound.reshape(-1, 2).T), rate)
    return Recorded((sound * 32767).clip(-32768, 32767).astype(np.int16), rate)


def write_wav(path: Path, pcm: Pcm, rate: int) -> Path:
    """Write a mono WAV of int16 samples; return its path."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.astype("<i2").tobytes())
    return path
