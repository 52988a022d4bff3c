"""What speaks for a service: a script, an echo, or a cascade around a chat model."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from ...errors import ConfigError
from ..speech.recognise import knows_word
from .agent import Agent
from .cascade import Cascade, CascadeAgent
from .echo import EchoAgent
from .engine import ScriptAgent
from .script import load_script

__all__ = ["ECHO", "Engine", "load_engine"]

ECHO: Final = "echo"


@dataclass(frozen=True, slots=True)
class Engine:
    """Makes an agent for each session.

    Attributes:
        make_agent: Makes one.
        voice: The local voice it speaks with.
        cascade: The models it thinks, listens and speaks with, where it has its own.

    """

    make_agent: Callable[[], Agent]
    voice: str
    cascade: Cascade | None = None


def load_engine(name: Path | str | None) -> Engine:
    """Read what is to speak: a script's path, a shipped script's name, or ``echo``.

    Raises:
        ConfigError: It is missing or wrong; says where, and how to mend it.

    """
    if name == ECHO:
        return Engine(EchoAgent, "rms")
    if name is None:
        script = load_script("demo")
    elif (cascade := _read_cascade(name)) is not None:
        return Engine(lambda: CascadeAgent(cascade), cascade.voice, cascade)
    else:
        script = load_script(name, knows_word)
    return Engine(lambda: ScriptAgent(script), script.voice)


def _read_cascade(name: Path | str) -> Cascade | None:
    """Return the cascade that a file describes; ``None`` where it is something else, or wrong."""
    try:
        tables = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return None  # reading it as a script will say what is wrong
    engine = tables.get("engine", "script")
    if engine == "script":
        return None
    if engine != "cascade":
        raise ConfigError(f'{name}: engine: there is no "{engine}"; use "script" or "cascade"')
    try:
        cascade = msgspec.convert(tables, Cascade)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name}: {error}; mend it there") from error
    cascade.check(str(name))
    return cascade
