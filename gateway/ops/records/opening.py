"""Which database the settings name, and how it is opened."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...config import RecordSettings
from ...errors import RecordError
from .database import Database
from .sqlite import SqliteDatabase, look_at_file

if TYPE_CHECKING:
    from .postgres import PostgresDatabase

__all__ = ["address_of", "look_at", "open_database", "shown"]

_SQLITE: Final = "sqlite:"
_POSTGRES: Final = ("postgresql://", "postgres://")


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
        database = SqliteDatabase(_path_of(address), instance)
        await database.open()
        return database
    postgres = _postgres(address, instance)
    await postgres.open()
    return postgres


async def look_at(address: str) -> str:
    """Say in words how a database is, without making or changing anything in it.

    Raises:
        RecordError: It cannot be used; says why, without the password.

    """
    if address.startswith(_SQLITE):
        return await asyncio.to_thread(look_at_file, _path_of(address))
    return await _postgres(address).look()


def shown(address: str) -> str:
    """Return an address without the password that may be in it."""
    scheme, _, rest = address.partition("://")
    access, at, where = rest.rpartition("@")
    return (
        f"{scheme}://{access.partition(':')[0]}{at}{where.partition('?')[0]}" if rest else address
    )


def _postgres(address: str, instance: str = "") -> "PostgresDatabase":
    if not address.startswith(_POSTGRES):
        raise RecordError("what is named is no database; write sqlite:PATH or postgresql://…")
    from .postgres import PostgresDatabase

    return PostgresDatabase(address, instance)


def _path_of(address: str) -> Path:
    """Return the file of ``sqlite:PATH``, or of ``sqlite:///PATH`` as others write it."""
    path = address.removeprefix(_SQLITE)
    return Path(path.removeprefix("///") if path.startswith("///") else path)
