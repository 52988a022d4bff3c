"""Stereo files of sound that can be played up to their last half second, however a program ends.

A WAV's header tells its length, and is told it anew with each piece.  Ogg Opus (RFC 7845) needs
no such thing: it goes to the disk in pages of half a second.  Two channels that share nothing
are kept apart by some 90 dB: at half the rate, libopus would begin to mix them.
"""

import os
import struct
from fractions import Fraction
from pathlib import PurePath
from typing import Any, Final, Protocol, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

__all__ = ["OpusFile", "SoundFile", "WavFile", "create"]

Pcm: TypeAlias = NDArray[np.int16]

_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_FRAME: Final = 4  # bytes of a sample of both channels
_LONGEST: Final = 0xFFFF_FFFF - _HEADER.size  # what a WAV can tell of: 12 hours at 24 kHz

_OPUS_OPTIONS: Final = {
    "application": "audio",
    "compression_level": "2",  # a quarter of a percent of a core; the best costs twice as much
}
_OPUS_BITS_PER_SECOND: Final = 48_000
_OGG_OPTIONS: Final = {"page_duration": "500000", "flush_packets": "1"}


class SoundFile(Protocol):
    """A file being written."""

    def write(self, both: Pcm) -> None:
        """Add samples, shape (samples, 2), left first.

        Raises:
            OSError: They did not get to the disk.

        """
        ...

    def close(self) -> None:
        """Complete the file.

        Raises:
            OSError: Its last piece did not get to the disk.

        """
        ...


def create(path: str, rate: int) -> SoundFile:
    """Create a file for sound at ``rate``: Opus where its name ends in ``.opus``, else a WAV.

    Raises:
        OSError: It cannot be.

    """
    return OpusFile(path, rate) if PurePath(path).suffix == ".opus" else WavFile(path, rate)


class WavFile:
    """Samples as they are."""

    def __init__(self, path: str, rate: int) -> None:
        self._rate = rate
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - closed by close()
        try:
            self._put(self._header(0))
        except OSError:
            self._file.close()
            raise

    def write(self, both: Pcm) -> None:
        """Add samples, and tell of them."""
        self._put(both.astype("<i2", copy=False).tobytes())
        written = os.fstat(self._file.fileno()).st_size - _HEADER.size
        os.pwrite(self._file.fileno(), self._header(written), 0)

    def close(self) -> None:
        """Let go of the file, which is complete."""
        self._file.close()

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def _header(self, written: int) -> bytes:
        size = min(max(written, 0), _LONGEST) // _FRAME * _FRAME
        return _HEADER.pack(
            *(b"RIFF", size + _HEADER.size - 8, b"WAVE"),
            *(b"fmt ", 16, 1, 2, self._rate, self._rate * _FRAME, _FRAME, 16),
            *(b"data", size),
        )


class OpusFile:
    """A tenth of a WAV's size."""

    def __init__(self, path: str, rate: int) -> None:
        self._rate = rate
        self._written = 0
        self._container: Any = av.open(f"file:{path}", "w", format="ogg", options=_OGG_OPTIONS)
        self._stream: Any = self._container.add_stream(
            "libopus", rate=rate, layout="stereo", options=_OPUS_OPTIONS
        )
        self._stream.bit_rate = _OPUS_BITS_PER_SECOND
        self._container.start_encoding()

    def write(self, both: Pcm) -> None:
        """Encode samples."""
        frame = av.AudioFrame.from_ndarray(both.reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.time_base = self._rate, Fraction(1, self._rate)
        frame.pts = self._written
        self._written += len(both)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Encode what is left, and mark the end."""
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()
