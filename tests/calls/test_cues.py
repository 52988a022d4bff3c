"""What a scripted phone is told to do."""

from pathlib import Path

import numpy as np
import pytest

from gateway.calls.cues import DigitsCue, PlayCue, parse_digits, parse_plays
from gateway.errors import ConfigError
from gateway.testing.sound import write_wav


def test_digits_come_in_order_of_time() -> None:
    assert parse_digits("2#@4.5 1@2") == [DigitsCue(2.0, "1"), DigitsCue(4.5, "2#")]


def test_digits_without_a_time_are_pressed_at_once() -> None:
    assert parse_digits("5") == [DigitsCue(0.0, "5")]


@pytest.mark.parametrize("text", ["1@x", "E@1", "@1", "1@-2", "1@nan"])
def test_wrong_digits_are_told_apart(text: str) -> None:
    with pytest.raises(ConfigError, match="--digits"):
        parse_digits(text)


def test_files_may_hold_an_at_sign(tmp_path: Path) -> None:
    plain, odd = tmp_path / "a.wav", tmp_path / "b@2.wav"
    for path in (plain, odd):
        write_wav(path, np.zeros(80, np.int16), 8000)
    assert parse_plays([f"{plain}@1.5", str(odd)]) == [PlayCue(0.0, odd), PlayCue(1.5, plain)]


def test_what_is_no_sound_is_refused_before_anybody_is_called(tmp_path: Path) -> None:
    text = tmp_path / "gateway.toml"
    text.write_text("[sip]\n")
    with pytest.raises(ConfigError, match="not a readable sound file"):
        parse_plays([str(text)])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a file"):
        parse_plays([f"{tmp_path}/none.wav@1"])
