"""Client secrets: short-lived keys that a client gives out for one use, with a session to begin."""

import copy
from dataclasses import dataclass, field
from typing import Any, Final

from ...clock import Ids
from ...errors import CapacityError
from ..protocol.checks import Refused, anything, choice, integer, record
from ..protocol.settings import Settings

__all__ = ["ClientSecret", "ClientSecrets", "Preset"]

_MOST: Final = 10_000
_PREFIX: Final = "ek_"
_DEFAULT_SECONDS: Final = 600
_MEMORY: Final = 3600.0  # seconds for which its bearer is told that a secret has expired
_ASKED: Final = record(
    {
        "expires_after": record({"anchor": choice("created_at"), "seconds": integer(10, 7200)}),
        "session": anything,
    }
)


@dataclass(frozen=True, slots=True)
class Preset:
    """What a session begins with, as a client described it."""

    session: dict[str, Any]

    @classmethod
    def read(cls, session: Any) -> "Preset":
        """Read a session's description.

        Raises:
            Refused: No session can be made of it.

        """
        if not isinstance(session, dict):
            told = "Invalid type for 'session': expected an object."
            raise Refused("invalid_type", told, "session")
        preset = cls(session)
        preset.effective("", 0)
        return preset

    @property
    def kind(self) -> str:
        """``realtime`` or ``transcription``."""
        return "transcription" if self.session.get("type") == "transcription" else "realtime"

    def copy(self) -> dict[str, Any]:
        """Return the description for a session to keep."""
        return copy.deepcopy(self.session)

    def effective(self, session_id: str, expires_at: int) -> dict[str, Any]:
        """Return the whole session this makes.

        Raises:
            Refused: It cannot be made.

        """
        settings = Settings(session_id=session_id, model="", expires_at=expires_at, kind=self.kind)
        settings.update(self.copy(), has_spoken=False)
        return settings.snapshot()


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """One secret; ``expires_at`` is in unix seconds."""

    value: str = field(repr=False)
    expires_at: int
    preset: Preset


class ClientSecrets:
    """The secrets given out; the expired are forgotten, and there are at most ten thousand."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._secrets: dict[str, ClientSecret] = {}

    def create(self, asked: Any, now: float) -> ClientSecret:
        """Make a secret as a request asks for; ``now`` in unix seconds.

        Raises:
            Refused: What is asked for cannot be.
            CapacityError: Too many are in use.

        """
        wanted = _ASKED(asked, "request")
        seconds = wanted.get("expires_after", {}).get("seconds", _DEFAULT_SECONDS)
        preset = Preset.read(wanted.get("session", {"type": "realtime"}))
        self._forget(now - _MEMORY)
        if len(self._secrets) >= _MOST:
            raise CapacityError("Too many client secrets are in use.")
        value = f"{_PREFIX}{self._ids.token(192)}"
        secret = self._secrets[value] = ClientSecret(value, int(now) + seconds, preset)
        return secret

    def find(self, value: str) -> ClientSecret | None:
        """Return a secret, be it expired, or ``None`` if we never gave it out."""
        return self._secrets.get(value)

    def _forget(self, expired_at: float) -> None:
        for value in [s.value for s in self._secrets.values() if s.expires_at < expired_at]:
            del self._secrets[value]
