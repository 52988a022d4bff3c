from importlib import resources
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.g711 import decode_ulaw, encode_ulaw
from voicecodecs.resample import StreamResampler

from gateway.embedded.agents.agent import DICTATION, Grammar
from gateway.embedded.agents.script import load_script
from gateway.embedded.speech import recognise
from gateway.embedded.speech.phrases import read_wav
from gateway.embedded.speech.recognise import Recogniser, knows_word, load_recogniser

Pcm: TypeAlias = NDArray[np.int16]

FOLDER = resources.files("gateway.embedded") / "voice" / "caller"
PAUSE = np.zeros(8000, np.int16)
needs_sphinx = pytest.mark.skipif(
    load_recogniser() is None,
    reason="pocketsphinx is not installed: pip install 'voice-gateway[local]'",
)


def line(name: str) -> Pcm:
    return np.concatenate([PAUSE, read_wav(FOLDER / f"{name}.wav")[0], PAUSE])


def over_a_telephone(pcm: Pcm) -> Pcm:
    narrow = StreamResampler(16000, 8000).process(pcm)
    return StreamResampler(8000, 16000).process(decode_ulaw(encode_ulaw(narrow)))


def expected_in(state: str) -> Grammar:
    intents = load_script("demo").states[state].intents
    return Grammar(tuple(phrase for each in intents.values() for phrase in each))


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


@needs_sphinx
@pytest.mark.parametrize(
    ("name", "state", "phrase"),
    [
        ("sales", "main", "sales"),
        ("support", "main", "support"),
        ("yes-please", "account", "yes please"),
        ("wait-hold-on-a-second-please", "main", ""),
        ("wait-hold-on-a-second-please", "account", ""),
    ],
)
def test_the_caller_lines_are_understood_over_a_telephone(
    recogniser: Recogniser, name: str, state: str, phrase: str
) -> None:
    recogniser.start(expected_in(state))
    recogniser.feed(over_a_telephone(line(name)))
    assert recogniser.finish() == phrase


@needs_sphinx
def test_a_turn_may_come_in_pieces(recogniser: Recogniser) -> None:
    recogniser.start(expected_in("main"))
    for piece in np.array_split(line("support"), 37):
        recogniser.feed(piece)
    assert recogniser.finish() == "support"


@needs_sphinx
@pytest.mark.parametrize("turn", [PAUSE, PAUSE[:0]])
def test_silence_says_nothing(recogniser: Recogniser, turn: Pcm) -> None:
    recogniser.start(expected_in("main"))
    recogniser.feed(turn)
    assert recogniser.finish() == ""


@needs_sphinx
def test_every_word_of_the_demo_is_in_the_dictionary() -> None:
    load_script("demo", knows_word)
    assert not knows_word("northwindish")


def test_without_the_extra_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognise, "pocketsphinx", None)
    assert load_recogniser() is None
    assert knows_word("anything")


@needs_sphinx
def test_anything_may_be_written_down_and_phrases_are_known_again_after(
    recogniser: Recogniser,
) -> None:
    recogniser.start(DICTATION)
    recogniser.feed(line("yes-please"))
    assert {"yes", "please"} & set(recogniser.finish().split())
    recogniser.start(expected_in("main"))
    recogniser.feed(over_a_telephone(line("sales")))
    assert recogniser.finish() == "sales"
