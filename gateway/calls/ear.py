"""A caller's ear: what it heard, when, and whether it is hearing sound now."""

import asyncio
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ear"]

RATE: Final = 24_000
_LOUD: Final = 100.0  # RMS in 16-bit units: about -50 dBov


class Ear:
    """Takes 20 ms pieces of 24 kHz PCM and waits for sound or silence in them.

    Bounded: what comes after ``keep_seconds`` is heard by nobody.
    """

    def __init__(self, keep_seconds: float = 600.0) -> None:
        self._pieces: list[bytes] = []
        self._times: list[float] = []
        self._loud: list[bool] = []
        self._keep = int(keep_seconds * 50)
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def hear(self, chunk: bytes) -> None:
        """Take one piece: 16-bit little-endian samples."""
        if len(self._pieces) >= self._keep:
            return
        samples = np.frombuffer(chunk, "<i2").astype(np.float32)
        self._pieces.append(chunk)
        self._times.append(self._loop.time())
        self._loud.append(bool(len(samples)) and float(np.sqrt(np.mean(samples**2))) > _LOUD)
        self._changed.set()

    def __len__(self) -> int:
        return len(self._pieces)

    @property
    def last_sound_at(self) -> float:
        """When the latest piece with sound came, on the loop's clock; 0.0 for never."""
        for at, loud in zip(reversed(self._times), reversed(self._loud), strict=True):
            if loud:
                return at
        return 0.0

    def recording(self, since: int = 0) -> NDArray[np.int16]:
        """Return all that was heard from piece number ``since`` on: int16, 24 kHz."""
        return np.frombuffer(b"".join(self._pieces[since:]), "<i2").astype(np.int16)

    async def sound(self, seconds: float, *, within: float) -> bool:
        """Wait until ``seconds`` of sound were heard from now on; False when time runs out."""
        since = len(self)
        return await self._until(lambda: sum(self._loud[since:]) >= seconds * 50, within)

    async def silence(self, seconds: float, *, within: float) -> bool:
        """Wait until it has been silent for ``seconds``; False when time runs out."""
        since, count = len(self), int(seconds * 50)
        return await self._until(
            lambda: len(self) - since >= count and not any(self._loud[-count:]), within
        )

    async def _until(self, holds: Callable[[], bool], within: float) -> bool:
        try:
            async with asyncio.timeout(within):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True
