"""What the agent speaks with: recorded phrases first, flite for everything else.

A text is spoken sentence by sentence, so that its first sound is there after a
few milliseconds whatever its length.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.resample import StreamResampler

from ...errors import ConfigError
from .flite import INSTALL, Flite, load_flite
from .phrases import PhraseBook, shipped_phrases, words_of

__all__ = ["RATE", "ScriptVoice", "Voice", "load_voice", "sentences"]

Pcm: TypeAlias = NDArray[np.int16]

RATE: Final = 24000
"""The rate of all speech, in Hz: the realtime protocol's own."""

_SENTENCE: Final = re.compile(r"[^.!?]+(?:[.!?](?!\s)[^.!?]*)*[.!?]*")
_CACHE_BYTES: Final = 24_000_000  # some eight minutes of speech
_JOIN: Final = np.zeros(RATE * 60 // 1000, np.int16)


class Voice(Protocol):
    """Anything that speaks."""

    def speak(self, text: str) -> Iterator[Pcm]:
        """Yield the speech of ``text`` in pieces: int16, 24 kHz.  Blocks: use a thread."""
        ...


def sentences(text: str) -> list[str]:
    """Split a text where a speaker would pause for breath."""
    return [part.strip() for part in _SENTENCE.findall(text) if words_of(part)]


class ScriptVoice:
    """Speaks recorded phrases, and the rest by flite if it is there.

    Safe to use from several threads.  What was spoken is kept for the next
    caller, the oldest forgotten beyond some eight minutes.
    """

    def __init__(self, phrases: PhraseBook | None, flite: Flite | None) -> None:
        self._phrases = phrases
        self._flite = flite
        self._kept: OrderedDict[str, Pcm] = OrderedDict()
        self._kept_bytes = 0
        self._lock = threading.Lock()

    def speak(self, text: str) -> Iterator[Pcm]:
        """Yield the speech of ``text``, a sentence at a time: int16, 24 kHz.

        Raises:
            ConfigError: There is no recording of a sentence, and no flite.

        """
        for sentence in sentences(text):
            with self._lock:
                speech = self._kept.get(sentence)
                if speech is not None:
                    self._kept.move_to_end(sentence)
            if speech is None:
                speech = self._render(sentence)
                self._keep(sentence, speech)
            yield speech

    def _render(self, sentence: str) -> Pcm:
        phrases = self._phrases
        if phrases and (found := phrases.find(sentence)):
            return _at_rate(*found)
        if self._flite:
            return _at_rate(*self._flite.speak(sentence))
        if phrases and (pieces := phrases.join(sentence)):
            return np.concatenate([part for each in pieces for part in (_at_rate(*each), _JOIN)])
        raise ConfigError(f'nothing here can speak "{sentence}"; install flite: {INSTALL}')

    def _keep(self, sentence: str, speech: Pcm) -> None:
        with self._lock:
            if sentence not in self._kept:
                self._kept[sentence] = speech
                self._kept_bytes += speech.nbytes
            while self._kept_bytes > _CACHE_BYTES:
                self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes


def load_voice(name: str = "rms") -> ScriptVoice:
    """Return the voice of this name, as far as this machine can speak it.

    Raises:
        ConfigError: There is no such voice, or it is neither shipped nor installed.

    """
    flite, phrases = load_flite(name), shipped_phrases()
    if phrases.voice == name:
        return ScriptVoice(phrases, flite)
    if flite is None:
        raise ConfigError(f'voice "{name}" is not shipped; install flite: {INSTALL}')
    return ScriptVoice(None, flite)


def _at_rate(speech: Pcm, rate: int) -> Pcm:
    return speech if rate == RATE else StreamResampler(rate, RATE).process(speech)
