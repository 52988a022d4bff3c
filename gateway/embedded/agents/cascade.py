"""The cascade engine: a chat model of the user's own, with speech put before and after it.

A script with ``engine = "cascade"`` says where the model is found, and may name
services that turn speech into text and text into speech; without them
pocketsphinx listens and flite speaks.
"""

import os
from typing import Final
from urllib.parse import urlsplit

import msgspec

from ...errors import ConfigError
from .agent import (
    DICTATION,
    AgentEvent,
    AgentStep,
    Idle,
    Interrupted,
    SessionStarted,
    Think,
    TurnEnded,
)

__all__ = ["Cascade", "CascadeAgent", "Model"]

_SILENCE: Final = "The caller has not said anything for a while. Ask whether they are still there."


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model behind an OpenAI-compatible address.

    Attributes:
        base_url: What ``/chat/completions`` and the like are put behind.
        model: The model's name there.
        key_env: The environment variable that holds the key, where one is needed.
        voice: What speech is spoken with.
        language: What language the caller speaks, where the service asks.
        temperature: How freely a chat model answers.
        seconds: How long to wait for each piece of an answer.

    """

    base_url: str
    model: str
    key_env: str = ""
    voice: str = ""
    language: str = ""
    temperature: float | None = None
    seconds: float = 20.0

    @property
    def headers(self) -> dict[str, str]:
        """What shows that we may use it."""
        key = os.environ.get(self.key_env) if self.key_env else None
        return {"Authorization": f"Bearer {key}"} if key else {}

    def check(self, where: str) -> None:
        """Raise ConfigError where it cannot be used."""
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{where}.base_url: give an http or https address")
        if self.key_env and not os.environ.get(self.key_env):
            raise ConfigError(f"{where}.key_env: the variable {self.key_env} is not set; set it")
        if not 0 < self.seconds <= 120:
            raise ConfigError(f"{where}.seconds: must lie above 0 and up to 120; change it")


class Cascade(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cascade script.

    Attributes:
        engine: ``cascade``.
        chat: What answers.
        transcription: What listens; pocketsphinx where it is absent.
        speech: What speaks; flite where it is absent.
        name: What the script is called.
        voice: The voice of flite.
        barge_in: Whether the caller may interrupt.
        idle_timeout_ms: The silence after which the model is told of it.

    """

    engine: str
    chat: Model
    transcription: Model | None = None
    speech: Model | None = None
    name: str = "cascade"
    voice: str = "rms"
    barge_in: bool = True
    idle_timeout_ms: int | None = None

    def check(self, where: str) -> None:
        """Raise ConfigError where it cannot be used."""
        for name in ("chat", "transcription", "speech"):
            model: Model | None = getattr(self, name)
            if model is not None:
                model.check(f"{where}: {name}")
        if self.idle_timeout_ms is not None and not 5000 <= self.idle_timeout_ms <= 30_000:
            raise ConfigError(f"{where}: idle_timeout_ms: must lie from 5000 to 30000; change it")


class CascadeAgent:
    """Lets the chat model answer whatever happens; the conversation itself is its memory."""

    grammar = DICTATION
    deadline = None

    def __init__(self, cascade: Cascade) -> None:
        self.barge_in = cascade.barge_in
        self.idle_timeout_ms = cascade.idle_timeout_ms

    def handle(self, event: AgentEvent, now: float) -> list[AgentStep]:
        """Think about what happened, unless it is nothing to answer."""
        del now
        match event:
            case SessionStarted() | Interrupted() | TurnEnded(""):
                return []
            case Idle():
                return [Think(_SILENCE)]
            case _:
                return [Think()]

    def wake(self, now: float) -> list[AgentStep]:
        """Do nothing: it waits for nobody."""
        del now
        return []
