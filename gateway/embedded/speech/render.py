"""Record what a script says, so that it can be spoken where no synthesiser is installed.

Usage: ``python -m gateway.embedded.speech.render [SCRIPT [FOLDER]]``.  Needs flite.
Without arguments it records the demo script, the digits and the lines of the
test caller into the package itself.
"""

import json
import re
import sys
import wave
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError
from ..agents.script import load_script
from ..agents.states import Script
from .flite import INSTALL, Flite, load_flite
from .phrases import words_of
from .voice import sentences

__all__ = ["CALLER_LINES", "fragments", "main", "render", "render_caller"]

Pcm: TypeAlias = NDArray[np.int16]

CALLER_LINES: Final = ("sales", "support", "yes please", "wait, hold on a second please")
"""What the test caller can say."""

_CALLER_VOICE: Final = "awb"  # of all voices, the one best understood over a telephone
_PLACEHOLDER: Final = re.compile(r"\{\w*\}")
_QUIET: Final = 60  # below this a sample counts as silence
_MARGIN_S: Final = 0.08
_PEAK: Final = 14000  # some -7 dBov: speech lies then near -20 dBov
_PAUSE_S: Final = 0.25


def fragments(script: Script) -> list[str]:
    """Return each thing to record: the sentences said, cut at placeholders, and the digits."""
    said = [
        part.strip(" .,") if len(parts) > 1 else part
        for text in script.prompts()
        for sentence in sentences(text)
        for parts in [_PLACEHOLDER.split(sentence)]
        for part in parts
    ]
    return [each for each in dict.fromkeys([*said, *"0123456789"]) if words_of(each)]


def render(script: Script, folder: Path) -> int:
    """Record ``script`` into ``folder`` with its manifest; return the bytes written.

    Raises:
        ConfigError: flite, or the script's voice, is not there.

    """
    flite = _flite(script.voice)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.wav"):
        old.unlink()
    names: dict[str, str] = {}
    for text in fragments(script):
        names[text] = _file_name(text, set(names.values()))
    size = sum(_record(flite, text, folder / name) for text, name in names.items())
    manifest = {"voice": script.voice, "phrases": names}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return size


def render_caller(folder: Path) -> int:
    """Record the lines of the test caller into ``folder``; return the bytes written."""
    flite = _flite(_CALLER_VOICE)
    folder.mkdir(parents=True, exist_ok=True)
    return sum(_record(flite, line, folder / _file_name(line, set())) for line in CALLER_LINES)


def main(arguments: list[str]) -> int:
    """Record a script as the command line says; return the exit code."""
    package = Path(__file__).parents[1]
    script = load_script(arguments[0] if arguments else "demo")
    folder = Path(arguments[1]) if len(arguments) > 1 else package / "voice"
    size = render(script, folder)
    if not arguments:
        size += render_caller(folder / "caller")
    print(f"{folder}: {size / 1e6:.1f} MB")
    return 0


def _flite(voice: str) -> Flite:
    if flite := load_flite(voice):
        return flite
    raise ConfigError(f"recording needs flite; install it: {INSTALL}")


def _file_name(text: str, taken: set[str]) -> str:
    stem = "-".join(words_of(text))[:40].rstrip("-")
    names = (f"{stem}{suffix}.wav" for suffix in ("", *(f"-{n}" for n in range(2, 100))))
    return next(name for name in names if name not in taken)


def _record(flite: Flite, text: str, path: Path) -> int:
    speech, rate = flite.speak(text)
    loud = np.flatnonzero(np.abs(speech.astype(np.int32)) > _QUIET)
    margin = int(rate * _MARGIN_S)
    speech = speech[max(0, loud[0] - margin) : loud[-1] + margin]
    speech = np.rint(speech * (_PEAK / np.abs(speech.astype(np.int32)).max())).astype("<i2")
    if text.endswith((".", "!", "?")):
        speech = np.append(speech, np.zeros(int(rate * _PAUSE_S), "<i2"))
    with wave.open(str(path), "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(rate)
        audio.writeframes(speech.tobytes())
    return path.stat().st_size


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ConfigError as why:
        sys.exit(str(why))
