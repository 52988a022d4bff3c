"""Opus decoding with what FFmpeg leaves out: in-band FEC and the codec's own concealment.

What it does: decodes one mono stream at 24 kHz, and stands in for lost packets: with the
low-rate copy that the packet after a loss may carry (RFC 6716 section 2.1.7), or else by
going on with the sound, as the decoder itself does.

How: by libopus, through ctypes.  PyAV's wheels bring the library along under a name of their
own; a system that has one is as good.  Where there is neither, :func:`is_present` says so.
"""

import ctypes
import ctypes.util
import functools
from pathlib import Path
from typing import Any, Final, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

__all__ = ["OpusDecoder", "is_present"]

Pcm: TypeAlias = NDArray[np.int16]

_RATE: Final = 24_000
_LONGEST: Final = _RATE * 120 // 1000  # samples a packet may stand for
_STEP: Final = _RATE * 25 // 10_000  # concealment comes in multiples of 2.5 ms
_USUAL: Final = _RATE * 20 // 1000


def is_present() -> bool:
    """Say whether there is a libopus to decode with."""
    return _library() is not None


@functools.cache
def _library() -> Any | None:
    beside = Path(av.__file__).parent.parent / "av.libs"
    found = [str(path) for path in sorted(beside.glob("libopus*.so*"))]
    for name in (*found, ctypes.util.find_library("opus")):
        if name is None:
            continue
        try:
            library = ctypes.CDLL(name)
            library.opus_decoder_create.restype = ctypes.c_void_p
            library.opus_decoder_destroy.argtypes = [ctypes.c_void_p]
            library.opus_decoder_destroy.restype = None
            library.opus_decode.argtypes = [
                ctypes.c_void_p,
                ctypes.c_char_p,
                ctypes.c_int32,
                ctypes.c_void_p,
                ctypes.c_int,
                ctypes.c_int,
            ]
        except (OSError, AttributeError):
            continue
        return library
    return None


class OpusDecoder:
    """One stream of Opus, decoded to 24 kHz mono.

    Raises:
        OSError: There is no libopus.

    """

    rate: Final = _RATE

    def __init__(self) -> None:
        library = _library()
        if library is None:
            raise OSError("no libopus was found")
        problem = ctypes.c_int(0)
        self._state = library.opus_decoder_create(_RATE, 1, ctypes.byref(problem))
        if not self._state:
            raise OSError(f"libopus made no decoder: {problem.value}")
        self._decode = library.opus_decode
        self._destroy = library.opus_decoder_destroy
        self._buffer = np.zeros(_LONGEST, np.int16)
        self._usual = _USUAL  # samples of a packet
        self.undecodable = 0

    def __del__(self) -> None:
        state, self._state = getattr(self, "_state", None), None
        if state:
            self._destroy(state)

    def decode(self, payload: bytes) -> Pcm:
        """Expand a payload of any duration; of a broken one, concealment as long as the last."""
        if not payload:
            return np.zeros(0, np.int16)
        pcm = self._run(payload, _LONGEST, is_fec=False)
        if pcm is None:
            self.undecodable += 1
            return self.lost(self._usual)
        self._usual = len(pcm)
        return pcm

    def lost(self, samples: int) -> Pcm:
        """Return ``samples`` in the place of as many that did not come."""
        return self._stand_in(None, samples)

    def recover(self, payload: bytes, samples: int) -> Pcm:
        """Return the last ``samples`` before ``payload``, from the copy in it if there is one."""
        return self._stand_in(payload, samples)

    def _stand_in(self, payload: bytes | None, samples: int) -> Pcm:
        samples -= samples % _STEP
        pieces = []
        while samples > 0:
            count = min(samples, _LONGEST)
            pcm = self._run(payload, count, is_fec=payload is not None)
            if pcm is None:
                self.undecodable += 1
                pcm = np.zeros(count, np.int16)
            pieces.append(pcm)
            samples -= count
        return np.concatenate(pieces) if pieces else np.zeros(0, np.int16)

    def _run(self, payload: bytes | None, most: int, *, is_fec: bool) -> Pcm | None:
        buffer = self._buffer
        size = len(payload) if payload is not None else 0
        count = self._decode(self._state, payload, size, buffer.ctypes.data, most, int(is_fec))
        return buffer[:count].copy() if count >= 0 else None
