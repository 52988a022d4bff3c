"""A thread that reads an SQLite file, and the words for what goes wrong there."""

import asyncio
import re
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from ...errors import RecordError
from .database import SQLITE, Row
from .schema import migrations

__all__ = ["BUSY_SECONDS", "SqliteReader", "in_words", "placed"]

BUSY_SECONDS: Final = 5.0  # that another process may take to write
_LOOK_EVERY: Final = 1_000  # steps of SQLite's machine between two looks at the clock
_PLACE: Final = re.compile(r"\$(\d+)")
_T = TypeVar("_T")


class SqliteReader:
    """One connection that reads, on a thread of its own.

    Args:
        path: The file.
        name: Of the thread.
        mode: How the file is opened, in SQLite's terms: ``rw`` or ``ro``.
        seconds: How long one question may take; 0 for any time.

    """

    def __init__(self, path: Path, name: str, *, mode: str, seconds: float = 0.0) -> None:
        self._uri = f"file:{quote(str(path))}?mode={mode}"
        self._seconds = seconds
        self._until = 0.0
        self._is_closing = False
        self._thread = ThreadPoolExecutor(1, name)
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> bool:
        """Open the file; tells whether it has an index of words.

        Raises:
            sqlite3.Error: It cannot be opened.
            RecordError: It is none of ours.

        """
        return await self._do(self._open)

    async def ask(self, sql: str, values: Row = ()) -> list[Row]:
        """Return what a question finds.

        Raises:
            RecordError: It cannot be answered, or not in time.

        """
        if self._is_closing:
            raise RecordError("the database is closed")
        try:
            return await self._do(lambda: self._ask(sql, values))
        except sqlite3.Error as error:
            raise RecordError(in_words(error)) from error

    async def close(self) -> None:
        """Let go; a question that is limited in time is broken off."""
        self._is_closing = True
        await self._do(self._close)
        self._thread.shutdown()

    async def _do(self, what: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, what)

    # On the thread

    def _open(self) -> bool:
        connection = sqlite3.connect(self._uri, BUSY_SECONDS, uri=True, isolation_level=None)
        self._connection = connection
        connection.execute("PRAGMA query_only = ON")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if migrations(SQLITE, version):
            raise RecordError("there are no calls in it; it is none of the gateway's databases")
        if self._seconds:
            connection.set_progress_handler(self._is_over, _LOOK_EVERY)
        sql = "SELECT 1 FROM sqlite_master WHERE name = 'call_words'"
        return connection.execute(sql).fetchone() is not None

    def _ask(self, sql: str, values: Row) -> list[Row]:
        if self._connection is None:
            raise sqlite3.ProgrammingError("it is closed")
        self._until = time.monotonic() + self._seconds
        try:
            return self._connection.execute(placed(sql), values).fetchall()
        except sqlite3.OperationalError as error:
            if str(error) == "interrupted":
                raise RecordError(
                    f"the search took longer than {self._seconds:g} s; search for longer words,"
                    " or in a shorter time"
                ) from error
            raise

    def _is_over(self) -> bool:
        return self._is_closing or time.monotonic() > self._until

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@lru_cache(256)
def placed(sql: str) -> str:
    """Return a statement in SQLite's own words."""
    return _PLACE.sub(r"?\1", SQLITE.write(sql))


def in_words(error: Exception) -> str:
    """Say what went wrong as whoever can mend it needs it."""
    told = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    match told:
        case "unable to open database file":
            return "the file cannot be opened; is the folder there, and may it be written to?"
        case "file is not a database":
            return "the file is no database; name another"
        case "database is locked":
            return f"another program has been writing to it for {BUSY_SECONDS:g} s"
        case "attempt to write a readonly database":
            return "it may not be written to; mend who owns the file and its folder"
        case "database or disk is full":
            return "the disk is full"
        case _:
            return told
