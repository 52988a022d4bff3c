"""``[records]``: what is kept of calls that are over, where, and for how long."""

from typing import Literal, TypeAlias

from pydantic import Field, SecretStr, field_validator

from .sections import Table

__all__ = ["RecordSettings", "Redaction"]

Redaction: TypeAlias = Literal["numbers", "keys", "transcript", "timeline"]


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
        if database and not database.startswith(("sqlite:", "postgresql://", "postgres://")):
            raise ValueError(f"{database!r} is no database; write sqlite:PATH or postgresql://…")
        return database
