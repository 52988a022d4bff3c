"""Speech from libflite, the small free synthesiser of Carnegie Mellon University.

Bound by ctypes to the shared library that Debian's ``flite`` package brings.
It speaks some sixty times faster than real time.
"""

import ctypes
import functools
import threading
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError

__all__ = ["INSTALL", "Flite", "load_flite"]

Pcm: TypeAlias = NDArray[np.int16]

INSTALL: Final = "apt-get install flite"
_VOICES: Final = ("rms", "slt", "awb", "kal16", "kal")


class _Wave(ctypes.Structure):
    """``cst_wave``: what libflite gives back."""

    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


class Flite:
    """One voice of libflite.  Safe to use from several threads: they take turns."""

    _turn: Final = threading.Lock()  # the library's lexicon and voices are shared state

    def __init__(self, library: Any, voice: int) -> None:
        self._library = library
        self._voice = ctypes.c_void_p(voice)

    def speak(self, text: str) -> tuple[Pcm, int]:
        """Return ``text`` as speech: int16 samples, one channel, and their rate in Hz."""
        with self._turn:
            wave = self._library.flite_text_to_wave(text.encode(), self._voice)
        if not wave:
            return np.zeros(0, np.int16), 16000
        try:
            count = wave.contents.num_samples
            speech = np.zeros(count, np.int16)
            ctypes.memmove(speech.ctypes.data, wave.contents.samples, speech.nbytes)
            return speech, wave.contents.sample_rate
        finally:
            self._library.delete_wave(wave)


@functools.cache
def load_flite(voice: str = "rms") -> Flite | None:
    """Return a voice of libflite, or ``None`` where the library is not installed.

    Raises:
        ConfigError: There is no voice of this name.

    """
    if voice not in _VOICES:
        raise ConfigError(f'there is no voice "{voice}"; use one of {", ".join(_VOICES)}')
    try:
        library = ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)
        for part in ("usenglish", "cmulex"):
            ctypes.CDLL(f"libflite_{part}.so.1", mode=ctypes.RTLD_GLOBAL)
        voices = ctypes.CDLL(f"libflite_cmu_us_{voice}.so.1")
    except OSError:
        return None
    library.flite_init()
    library.flite_text_to_wave.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    library.flite_text_to_wave.restype = ctypes.POINTER(_Wave)
    library.delete_wave.argtypes = [ctypes.POINTER(_Wave)]
    library.delete_wave.restype = None
    register = getattr(voices, f"register_cmu_us_{voice}")
    register.argtypes = [ctypes.c_char_p]
    register.restype = ctypes.c_void_p
    return Flite(library, register(None))
