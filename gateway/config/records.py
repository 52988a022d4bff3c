"""``[records]``: what is kept of calls that are over, where, and for how long."""

from typing import Final, Literal, TypeAlias

from pydantic import Field, SecretStr, field_validator

from .sections import Table

__all__ = ["RecordSettings", "Redaction"]

Redaction: TypeAlias = Literal["numbers", "keys", "transcript", "timeline"]


_KNOWN: Final = ("sqlite:", "postgresql://", "postgres://")


class RecordSettings(Table):
    """``[records]``: a database of calls; without one the last of them are kept in memory."""

    database: str = ""  # sqlite:PATH, or postgresql://…; empty: none
    database_env: str = ""  # the variable that holds it instead, with the password in it
    database_secret: SecretStr | None = None  # what that variable holds
    keep_days: float = Field(default=0.0, ge=0)  # 0: for ever
    keep_recordings_days: float = Field(default=0.0, ge=0)
    redact: list[Redaction] = []  # what is never written

    @field_validator("database")
    @classmethod
    def _known(cls, database: str) -> str:
        if problem := _problem(database):
            raise ValueError(f"{database!r} is no database; {problem}")
        if "@" in database and ":" in database.partition("://")[2].rpartition("@")[0]:
            raise ValueError(
                "passwords stay out of files; export the address and name its variable"
                " in records.database_env"
            )
        return database


def _problem(address: str) -> str:
    """Say how an address is written, where this one is not written so."""
    if not address or (address.startswith(_KNOWN) and address not in _KNOWN):
        return ""
    return "write sqlite:PATH or postgresql://USER@HOST/NAME"
