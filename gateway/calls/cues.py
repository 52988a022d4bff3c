"""What a scripted phone does and when: ``--play FILE@SECONDS`` and ``--digits "1@2.0 2#@4.5"``."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from ..errors import ConfigError
from ..media.prompts import Prompt

__all__ = ["Cue", "DigitsCue", "PlayCue", "parse_digits", "parse_plays"]

_KEYS: Final = set("0123456789*#ABCD")


@dataclass(frozen=True, slots=True)
class PlayCue:
    """Play a sound file, ``at`` seconds after the call was answered."""

    at: float
    path: Path


@dataclass(frozen=True, slots=True)
class DigitsCue:
    """Press keys one after the other, from ``at`` seconds after the call was answered."""

    at: float
    digits: str


Cue: TypeAlias = PlayCue | DigitsCue


def parse_digits(text: str) -> list[DigitsCue]:
    """Read ``"1@2.0 2#@4.5"``: keys, then the second at which the first of them is pressed.

    Raises:
        ConfigError: A group is not ``KEYS@SECONDS``.

    """
    cues = []
    for group in text.split():
        digits, at = _timed(group, "--digits", "KEYS@SECONDS, such as 1@2.0")
        digits = digits.upper()
        if not digits or set(digits) - _KEYS:
            raise ConfigError(f"--digits: {digits!r} are not keys; use 0-9, *, # and A-D")
        cues.append(DigitsCue(at, digits))
    return sorted(cues, key=lambda cue: cue.at)


def parse_plays(texts: Iterable[str]) -> list[PlayCue]:
    """Read ``FILE@SECONDS`` or ``FILE`` (at once), several times.

    Raises:
        ConfigError: A file is missing or no sound, or the time is not a number.

    """
    cues = []
    for text in texts:
        name, at = (text, 0.0) if Path(text).exists() else _timed(text, "--play", "FILE@SECONDS")
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"--play: {name} is not a file; give the path of a WAV file")
        Prompt.load(path)  # so that what is no sound is refused before anybody is called
        cues.append(PlayCue(at, path))
    return sorted(cues, key=lambda cue: cue.at)


def _timed(text: str, option: str, shape: str) -> tuple[str, float]:
    what, mark, at = text.rpartition("@")
    try:
        seconds = float(at)
    except ValueError:
        seconds = -1.0
    if not mark and not what:
        what, seconds = text, 0.0
    if not 0 <= seconds < 86_400:
        raise ConfigError(f"{option}: {text!r} has no time we can read; write {shape}")
    return what, seconds
