"""Prompts of any rate and channel count come out as telephone sound."""

import wave
from pathlib import Path

import numpy as np
import pytest

from gateway.errors import ConfigError
from gateway.media.prompts import SHIPPED, Prompt
from gateway.testing.hearing import active


def tone_file(path: Path, rate: int, channels: int, seconds: float = 0.5) -> Path:
    t = np.arange(int(rate * seconds)) / rate
    sound = (8000 * np.sin(2 * np.pi * 1004 * t)).astype(np.int16)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(np.repeat(sound, channels).tobytes())
    return path


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (22050, 1), (44100, 2), (48000, 2)])
def test_any_wav_becomes_the_same_tone_at_8_khz(tmp_path: Path, rate: int, channels: int) -> None:
    sound = Prompt.load(tone_file(tmp_path / "tone.wav", rate, channels)).at(8000)
    assert abs(len(sound) - 4000) <= 40
    middle = sound[1000:3000].astype(float)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert abs(np.argmax(spectrum) * 8000 / len(middle) - 1004) <= 4
    assert middle.std() == pytest.approx(8000 / np.sqrt(2), rel=0.02)


def test_a_rate_is_converted_once() -> None:
    prompt = Prompt(np.zeros(2400, np.int16), 24000)
    assert prompt.at(8000) is prompt.at(8000)
    assert prompt.seconds == pytest.approx(0.1)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tone_file(tmp_path / "tone.wav", 8000, 1, seconds=0.5)
    assert Prompt.load(path).seconds == pytest.approx(0.5)
    tone_file(path, 8000, 1, seconds=1.0)
    assert Prompt.load(path).seconds == pytest.approx(1.0)


@pytest.mark.parametrize("content", [None, b"", b"this is no sound at all"])
def test_a_file_that_is_no_sound_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="broken"):
        Prompt.load(path)


def test_every_prompt_that_is_shipped_is_speech_of_telephone_length_and_level() -> None:
    paths = list(SHIPPED.glob("*.wav"))
    assert paths
    for path in paths:
        prompt = Prompt.load(path)
        assert 1 < prompt.seconds < 10
        assert 0.1 < np.abs(prompt.at(8000)).max() / 32768 < 0.9
        assert active(prompt.at(8000), 8000).mean() > 0.5
