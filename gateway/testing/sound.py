"""Sound files for tests: prompts, and what a phone says."""

import wave
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["write_wav"]

Pcm: TypeAlias = NDArray[np.int16]


def write_wav(path: Path, pcm: Pcm, rate: int) -> Path:
    """Write a mono WAV of int16 samples; return its path."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.astype("<i2").tobytes())
    return path
