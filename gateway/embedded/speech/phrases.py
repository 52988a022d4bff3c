"""Speech recorded beforehand and shipped with the package, found by its words.

So that an installation without a synthesiser still greets its callers and
walks them through the menu.
"""

import functools
import json
import re
import wave
from importlib import resources
from importlib.abc import Traversable
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["PhraseBook", "read_wav", "shipped_phrases", "words_of"]

Pcm: TypeAlias = NDArray[np.int16]
Words: TypeAlias = tuple[str, ...]

_WORD: Final = re.compile(r"(?:[^\W_]|')+")


def words_of(text: str) -> Words:
    """Return what a text sounds like: its words in lower case, without punctuation."""
    return tuple(_WORD.findall(text.lower()))


def read_wav(file: Traversable) -> tuple[Pcm, int]:
    """Read a 16-bit WAV file of one channel: its samples, and their rate in Hz."""
    with file.open("rb") as stream, wave.open(stream) as audio:
        assert (audio.getsampwidth(), audio.getnchannels()) == (2, 1), f"{file}: not 16-bit mono"
        return np.frombuffer(audio.readframes(audio.getnframes()), "<i2"), audio.getframerate()


class PhraseBook:
    """Recorded phrases of one voice.

    Args:
        voice: The voice that speaks them.
        files: The WAV file of each phrase.

    """

    def __init__(self, voice: str, files: dict[str, Traversable]) -> None:
        self.voice = voice
        self._files = {words_of(text): file for text, file in files.items()}
        self._longest = max(map(len, self._files), default=0)

    def find(self, text: str) -> tuple[Pcm, int] | None:
        """Return the recording of exactly these words, if there is one."""
        file = self._files.get(words_of(text))
        return read_wav(file) if file else None

    def join(self, text: str) -> list[tuple[Pcm, int]] | None:
        """Return recordings that make up ``text`` one after the other, the longest first.

        ``None`` where a word is in none of them.
        """
        words = words_of(text)
        pieces = []
        start = 0
        while start < len(words):
            for length in range(min(self._longest, len(words) - start), 0, -1):
                if file := self._files.get(words[start : start + length]):
                    pieces.append(read_wav(file))
                    start += length
                    break
            else:
                return None
        return pieces


@functools.cache
def shipped_phrases() -> PhraseBook:
    """Return the phrases shipped with the package."""
    folder = resources.files("gateway.embedded") / "voice"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    files = {text: folder / name for text, name in manifest["phrases"].items()}
    return PhraseBook(manifest["voice"], files)
