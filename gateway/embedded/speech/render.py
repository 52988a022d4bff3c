"""Record what a script says, so that it can be spoken where no synthesiser is installed.

Usage: ``python -m gateway.embedded.speech.render [SCRIPT [FOLDER]]``.  Needs flite.
Without arguments it records into the package itself: the demo script, the digits, the lines of
the test caller, and what the demo line's menus say; that needs espeak-ng too, for its Spanish.
"""

import io
import json
import re
import subprocess
import sys
import tomllib
import unicodedata
import wave
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.resample import StreamResampler

from ...errors import ConfigError
from ..agents.script import load_script
from .flite import INSTALL, Flite, load_flite
from .phrases import words_of
from .voice import sentences

__all__ = ["CALLER_LINES", "fragments", "main", "prompts_of", "render", "render_caller"]

Pcm: TypeAlias = NDArray[np.int16]
Speaker: TypeAlias = Callable[[str], tuple[Pcm, int]]

CALLER_LINES: Final = ("sales", "support", "yes please", "wait, hold on a second please")
"""What the test caller can say."""

_LINE: Final = Path(__file__).parents[3] / "sip_configs" / "demo"
_ENGLISH: Final = "en"
_SPANISH: Final = "es"
_CALLER_VOICE: Final = "awb"  # of all voices, the one best understood over a telephone
_RATE: Final = 16_000
_PLACEHOLDER: Final = re.compile(r"\{\w*\}")
_QUIET: Final = 60  # below this a sample counts as silence
_MARGIN_S: Final = 0.08
_PEAK: Final = 14000  # some -7 dBov: speech lies then near -20 dBov
_PAUSE_S: Final = 0.25


def fragments(texts: Iterable[str]) -> list[str]:
    """Return each thing to record: the sentences said, cut at placeholders, and the digits."""
    said = [
        part.strip(" .,") if len(parts) > 1 else part
        for text in texts
        for sentence in sentences(text)
        for parts in [_PLACEHOLDER.split(sentence)]
        for part in parts
    ]
    return [each for each in dict.fromkeys([*said, *"0123456789"]) if words_of(each)]


def prompts_of(configuration: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the language of every sentence a line's configuration has the service say, and it.

    A text for all languages is English, but for a sentence with letters that English has not.
    """
    for key, value in configuration.items():
        if key in ("say", "goodbye"):
            worded = value if isinstance(value, dict) else {_ENGLISH: value}
            for language, text in worded.items():
                for said in sentences(text):
                    yield language if said.isascii() else _SPANISH, said
        else:
            for table in value if isinstance(value, list) else [value]:
                if isinstance(table, dict):
                    yield from prompts_of(table)


def render(voice: str, texts: Iterable[str], folder: Path, spanish: Iterable[str] = ()) -> int:
    """Record ``texts`` into ``folder`` with a manifest; return the bytes written.

    Raises:
        ConfigError: flite or its voice is not there, or espeak-ng where there is Spanish.

    """
    speakers: dict[str, Speaker] = dict.fromkeys(fragments(texts), _flite(voice).speak)
    speakers |= {part: _speak_spanish for text in spanish for part in sentences(text)}
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.wav"):
        old.unlink()
    names: dict[str, str] = {}
    for text in speakers:
        names[text] = _file_name(text, set(names.values()))
    size = sum(_record(speak, text, folder / names[text]) for text, speak in speakers.items())
    manifest = json.dumps({"voice": voice, "phrases": names}, indent=2, ensure_ascii=False)
    (folder / "manifest.json").write_text(f"{manifest}\n", encoding="utf-8")
    return size


def render_caller(folder: Path) -> int:
    """Record the lines of the test caller into ``folder``; return the bytes written."""
    speak = _flite(_CALLER_VOICE).speak
    folder.mkdir(parents=True, exist_ok=True)
    return sum(_record(speak, line, folder / _file_name(line, set())) for line in CALLER_LINES)


def main(arguments: list[str]) -> int:
    """Record a script as the command line says; return the exit code."""
    if not arguments:
        return _render_shipped(Path(__file__).parents[1] / "voice")
    script = load_script(arguments[0])
    folder = Path(arguments[1]) if len(arguments) > 1 else Path(__file__).parents[1] / "voice"
    _tell(folder, render(script.voice, script.prompts(), folder))
    return 0


def _render_shipped(folder: Path) -> int:
    """Record all that comes with the package."""
    scripts = load_script("demo"), load_script(_LINE / "agent.toml")
    said = list(prompts_of(tomllib.loads((_LINE / "gateway.toml").read_text(encoding="utf-8"))))
    english = [text for script in scripts for text in script.prompts()]
    english += [text for language, text in said if language == _ENGLISH]
    spanish = [text for language, text in said if language == _SPANISH]
    size = render(scripts[0].voice, english, folder, spanish) + render_caller(folder / "caller")
    _tell(folder, size)
    return 0


def _tell(folder: Path, size: int) -> None:
    print(f"{folder}: {size / 1e6:.1f} MB")


def _flite(voice: str) -> Flite:
    if flite := load_flite(voice):
        return flite
    raise ConfigError(f"recording needs flite; install it: {INSTALL}")


def _speak_spanish(text: str) -> tuple[Pcm, int]:
    """Return a sentence as espeak-ng says it, at 16 kHz."""
    command = ["espeak-ng", "-v", "es-419", "-s", "150", "--stdout", text]
    try:
        spoken = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError) as why:
        raise ConfigError("recording Spanish needs espeak-ng: apt-get install espeak-ng") from why
    with wave.open(io.BytesIO(spoken)) as audio:
        rate = audio.getframerate()
        header = spoken.index(b"data") + 8  # its length is not known to who writes into a pipe
    speech = np.frombuffer(spoken[header : header + (len(spoken) - header) // 2 * 2], "<i2")
    return StreamResampler(rate, _RATE).process(speech.astype(np.int16)), _RATE


def _file_name(text: str, taken: set[str]) -> str:
    plain = unicodedata.normalize("NFKD", "-".join(words_of(text))).encode("ascii", "ignore")
    stem = plain.decode()[:40].rstrip("-")
    names = (f"{stem}{suffix}.wav" for suffix in ("", *(f"-{n}" for n in range(2, 100))))
    return next(name for name in names if name not in taken)


def _record(speak: Speaker, text: str, path: Path) -> int:
    speech, rate = speak(text)
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
