"""A recording of one call of a test, as its two sides."""

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from gateway.testing.media import MediaWorld

__all__ = ["sides"]


def sides(world: MediaWorld, path: Path) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """End the world, and return what was recorded of caller and gateway, at 8 kHz."""
    world.run(0.02)
    world.engine.close()
    with av.open(str(path)) as file:
        resampler = av.AudioResampler(format="s16", layout="stereo", rate=8000)
        frames = [new for old in file.decode(audio=0) for new in resampler.resample(old)]
        frames += resampler.resample(None)
    sound = np.concatenate([frame.to_ndarray().reshape(-1, 2) for frame in frames])
    return sound[:, 0], sound[:, 1]
