import importlib.util
import tomllib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from gateway.embedded.agents.script import load_script, parse_script
from gateway.embedded.speech.flite import load_flite
from gateway.embedded.speech.phrases import PhraseBook, read_wav, shipped_phrases, words_of
from gateway.embedded.speech.render import CALLER_LINES, fragments, prompts_of, render
from gateway.embedded.speech.voice import RATE, ScriptVoice, load_voice, sentences
from gateway.errors import ConfigError

LINE = Path(__file__).parents[2] / "sip_configs" / "demo"
VOICE = resources.files("gateway.embedded") / "voice"
needs_flite = pytest.mark.skipif(
    load_flite() is None, reason="flite is not installed: apt-get install flite"
)


@pytest.fixture
def shipped() -> ScriptVoice:
    """What an installation without flite speaks with."""
    return ScriptVoice(shipped_phrases(), None)


def seconds(voice: ScriptVoice, text: str) -> float:
    return sum(len(piece) for piece in voice.speak(text)) / RATE


def test_everything_the_demo_says_is_shipped_as_speech(shipped: ScriptVoice) -> None:
    script = load_script("demo")
    assert shipped_phrases().voice == script.voice
    for text in fragments(script.prompts()):
        assert shipped_phrases().find(text) is not None, (
            f"{text}: run gateway.embedded.speech.render"
        )
    for text in script.prompts():
        assert seconds(shipped, text.replace("{account}", "9 0 1 2 3 4 5 6 7 8")) > 1


def test_everything_the_demo_line_says_is_shipped_as_speech() -> None:
    configuration = tomllib.loads((LINE / "gateway.toml").read_text())
    said = [text for _, text in prompts_of(configuration)]
    assert len(said) > 10
    for text in fragments([*said, *load_script(LINE / "agent.toml").prompts()]):
        assert shipped_phrases().find(text) is not None, (
            f"{text}: run gateway.embedded.speech.render"
        )


def test_the_prompts_of_a_line_are_found_with_their_language() -> None:
    line = {
        "call": {"goodbye": "Bye."},
        "menus": {"a": {"say": {"en": "One. Two.", "es": "Uno."}, "keys": {"1": {"say": "Año."}}}},
        "rules": [{"on": "call.started", "do": [{"say": "Hello."}, "hangup"]}],
    }
    assert sorted(prompts_of(line)) == [
        ("en", "Bye."), ("en", "Hello."), ("en", "One."), ("en", "Two."),
        ("es", "Año."), ("es", "Uno."),
    ]  # fmt: skip


def test_shipped_speech_is_small_and_neither_silent_nor_clipped() -> None:
    files = sorted(Path(str(VOICE)).glob("**/*.wav"))
    assert sum(file.stat().st_size for file in files) < 5_000_000
    for file in files:
        pcm, rate = read_wav(file)
        assert rate == 16000
        assert 5000 < np.abs(pcm.astype(int)).max() < 20000, file.name


def test_the_caller_lines_are_shipped() -> None:
    folder = VOICE / "caller"
    names = ["-".join(words_of(line)) + ".wav" for line in CALLER_LINES]
    assert all((folder / name).is_file() for name in names)


def test_the_opening_hours_take_long_enough_to_be_interrupted(shipped: ScriptVoice) -> None:
    assert 11 < seconds(shipped, load_script("demo").states["hours"].say) < 15


def test_speech_comes_a_sentence_at_a_time_and_the_same_every_time(shipped: ScriptVoice) -> None:
    text = "Thank you for calling. Goodbye."
    first, again = list(shipped.speak(text)), list(shipped.speak(text))
    assert len(first) == 2
    assert first[0].dtype == np.int16
    assert all(a is b for a, b in zip(first, again, strict=True))


def test_words_without_a_recording_say_what_to_install(shipped: ScriptVoice) -> None:
    with pytest.raises(ConfigError, match=r'"Bananas are blue.".*apt-get install flite'):
        list(shipped.speak("Goodbye. Bananas are blue."))


def test_recordings_are_joined_longest_first() -> None:
    book = PhraseBook("rms", {"you": VOICE / "0.wav", "you entered": VOICE / "you-entered.wav"})
    joined = book.join("You entered, you!")
    assert joined is not None
    assert [len(pcm) for pcm, _ in joined] == [
        len(read_wav(VOICE / name)[0]) for name in ("you-entered.wav", "0.wav")
    ]
    assert book.join("You know") is None


def test_a_text_is_split_where_a_speaker_breathes() -> None:
    assert sentences("Hello. Is it 3.5 or 4? Bye") == ["Hello.", "Is it 3.5 or 4?", "Bye"]
    assert sentences(" ... ") == []


def test_a_voice_nobody_has_is_refused() -> None:
    with pytest.raises(ConfigError, match=r'no voice "nobody"; use one of rms'):
        load_voice("nobody")


@needs_flite
def test_what_is_not_shipped_is_spoken_by_flite() -> None:
    voice = load_voice("rms")
    assert 0.5 < seconds(voice, "Bananas are blue.") < 3
    assert seconds(load_voice("slt"), "Goodbye.") > 0.3


@needs_flite
def test_a_script_of_ones_own_can_be_recorded(tmp_path: Path) -> None:
    script = parse_script(
        'name = "x"\nstart = "a"\n[states.a]\nsay = "Room {n}, please. Hello there!"\n'
        'collect = { as = "n", then = "a" }\n'
    )
    assert fragments(script.prompts())[:3] == ["Room", "please", "Hello there!"]
    assert render(script.voice, script.prompts(), tmp_path) == sum(
        f.stat().st_size for f in tmp_path.glob("*.wav")
    )
    assert (tmp_path / "manifest.json").is_file()


def test_shipped_files_are_inside_the_package() -> None:
    spec = importlib.util.find_spec("gateway.embedded")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    home = Path(spec.submodule_search_locations[0])
    assert (home / "voice" / "manifest.json").is_file()
    assert (home / "voice" / "NOTICE").is_file()
    assert (home / "scripts" / "demo.toml").is_file()
