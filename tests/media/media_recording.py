"""A recording of one call of a test, as its two sides."""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.testing.media import MediaWorld

__all__ = ["sides"]


def sides(world: MediaWorld, path: Path) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """End the world, and return what was recorded of caller and gateway."""
    world.run(0.02)
    world.engine.close()
    with wave.open(str(path)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
    return sound[:, 0], sound[:, 1]
