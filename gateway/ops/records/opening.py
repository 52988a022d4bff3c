"""Which database the settings name, and how it is opened."""

from pathlib import Path
from typing import Final

from ...config import RecordSettings
from .database import Database
from .sqlite import SqliteDatabase

__all__ = ["address_of", "open_database"]

_SQLITE: Final = "sqlite:"


def address_of(settings: RecordSettings) -> str:
    """Return the database's address, with the password that may be in it; empty for none."""
    secret = settings.database_secret
    return settings.database or (secret.get_secret_value() if secret is not None else "")


async def open_database(address: str, instance: str = "") -> Database:
    """Open a database, to be written to by the process of a name, or else only to be read.

    Raises:
        RecordError: It cannot be reached, or is none of ours; says why, without the password.

    """
    if address.startswith(_SQLITE):
        database = SqliteDatabase(path_of(address), instance)
        await database.open()
        return database
    from .postgres import PostgresDatabase

    postgres = PostgresDatabase(address, instance)
    await postgres.open()
    return postgres


def path_of(address: str) -> Path:
    """Return the file of ``sqlite:PATH``, or of ``sqlite:///PATH`` as others write it."""
    path = address.removeprefix(_SQLITE)
    return Path(path.removeprefix("///") if path.startswith("///") else path)
