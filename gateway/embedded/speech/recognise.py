"""Recognition of what a caller says, by pocketsphinx.

What it does: says which of a grammar's phrases a turn contains, or ``""``; or,
where anything may be said, writes the turn down.

How: a small JSGF grammar: the phrases, with the words people put around them,
beside a list of other things callers say, so that those are not forced into a
phrase.  What is then still understood has to be explained almost as well by
the phrase as by free strings of speech sounds, or it is taken for something
else.  It costs less than a tenth of real time, and is not meant for spoken
digits: keys are.  Writing down takes more than half of real time and gets
three words in four right at best: a service of its own does that better.
"""

import functools
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..agents.agent import DICTATION, Grammar

try:
    import pocketsphinx
except ImportError:
    pocketsphinx = None

__all__ = ["RATE", "Recogniser", "knows_word", "load_recogniser"]

Pcm: TypeAlias = NDArray[np.int16]

RATE: Final = 16000
"""Samples a second of what a recogniser is fed."""

_LEAD_INS: Final = (
    "i want", "i would like", "i'd like", "can i have", "can i speak to", "give me",
    "to", "the", "an", "a", "um", "uh",
)  # fmt: skip
_OTHER: Final = (
    "wait", "hold on", "hold on a second", "one moment", "just a moment", "one second",
    "hello", "is anybody there", "what", "what did you say", "pardon", "i do not know",
    "i don't know", "can you hear me", "thank you", "sorry", "never mind", "okay",
    "my name is", "i am calling about", "be quiet", "come here",
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
)  # fmt: skip
_LEAST_SCORE: Final = -0.0005  # log likelihood against free sounds, per 10 ms; keeps 19 in 20
_PAUSE: Final = np.zeros(RATE * 300 // 1000, np.int16)


def load_recogniser() -> Callable[[], "Recogniser"] | None:
    """Return what builds recognisers, or ``None`` where the ``local`` extra is not installed."""
    return Recogniser if pocketsphinx else None


@functools.cache
def _dictionary() -> Any:
    return pocketsphinx.Decoder(lm=None, loglevel="FATAL")


def knows_word(word: str) -> bool:
    """Whether the recogniser's dictionary has a word; true where there is no recogniser."""
    return pocketsphinx is None or _dictionary().lookup_word(word) is not None


class Recogniser:
    """Listens to one turn at a time.  Building one takes a tenth of a second and 28 MB."""

    def __init__(self) -> None:
        self._decoder: Any = pocketsphinx.Decoder(lm=None, loglevel="FATAL")
        model = pocketsphinx.get_model_path("en-us/en-us-phone.lm.bin")
        self._decoder.add_allphone_file("sounds", model)
        self._grammar = DICTATION
        self._has_words = False
        self._heard: list[Pcm] = []

    def start(self, grammar: Grammar) -> None:
        """Begin a turn, in which one of the grammar's phrases is expected."""
        if grammar == DICTATION and not self._has_words:
            self._decoder.add_lm_file("words", pocketsphinx.get_model_path("en-us/en-us.lm.bin"))
            self._has_words = True
        if grammar not in (DICTATION, self._grammar):
            self._decoder.add_jsgf_string("phrases", _jsgf(grammar))
        self._grammar = grammar
        self._heard = [_PAUSE]

    def feed(self, pcm: Pcm) -> None:
        """Take in some of the turn: int16 at 16 kHz, any length."""
        self._heard.append(pcm)

    def finish(self) -> str:
        """End the turn; return the phrase or the words in it, or ``""``."""
        turn = np.concatenate([*self._heard, _PAUSE]).tobytes()
        if self._grammar == DICTATION:
            written = self._decode("words", turn)
            return "" if written is None else str(written.hypstr).strip()
        heard = self._decode("phrases", turn)
        if heard is None:
            return ""
        text = f" {heard.hypstr} "
        found = [phrase for phrase in self._grammar.phrases if f" {phrase} " in text]
        if not found:
            return ""
        sounds = self._decode("sounds", turn)
        if sounds is None or self._score(heard, sounds) < _LEAST_SCORE:
            return ""
        return max(found, key=len)

    def _score(self, heard: Any, sounds: Any) -> float:
        frames: int = self._decoder.n_frames()
        return (float(heard.best_score) - float(sounds.best_score)) / max(frames, 1)

    def _decode(self, search: str, turn: bytes) -> Any:
        """Return the best hypothesis of a search over the whole turn, or ``None``."""
        self._decoder.activate_search(search)
        self._decoder.start_utt()
        self._decoder.process_raw(turn, no_search=False, full_utt=True)
        self._decoder.end_utt()
        return self._decoder.hyp()


def _jsgf(grammar: Grammar) -> str:
    """Return the grammar in the Java Speech Grammar Format that pocketsphinx reads."""
    expected = set(grammar.phrases)
    other = [phrase for phrase in _OTHER if phrase not in expected]
    return (
        "#JSGF V1.0;\ngrammar turn;\n"
        "public <turn> = ( <said> | <other> ) [ please ];\n"
        f"<said> = [ <lead> ] ( {' | '.join(grammar.phrases)} );\n"
        f"<lead> = {' | '.join(_LEAD_INS)};\n"
        f"<other> = {' | '.join(other)};\n"
    )
