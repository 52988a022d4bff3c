"""SQLite as the database of calls: one thread writes, one reads, and one searches.

What waits is written as one transaction (group commit), and that is on disk before anybody is
told so: WAL with ``synchronous = FULL`` syncs the log at every commit.  A search has a thread
and a connection of its own, so that nothing else waits for it.
"""

import asyncio
import os
import queue
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import quote

from ...errors import RecordError
from .database import SQLITE, Row, Statement, Work
from .liveness import SignOfLife
from .schema import VERSION, migrations
from .sqlite_reading import BUSY_SECONDS, SqliteReader, in_words, placed
from .turnstile import SEARCH_SECONDS, Turnstile

__all__ = ["SqliteDatabase", "look_at_file"]

_MOST_WAITING: Final = 10_000  # changes; what comes then is refused
_MOST_TOGETHER: Final = 256  # of them in one transaction
_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA journal_size_limit = 67108864",
)
_INDEX: Final = (
    """CREATE VIRTUAL TABLE call_words USING fts5(
        words, content='calls', content_rowid='number', tokenize='trigram')""",
    "INSERT INTO call_words(call_words) VALUES ('rebuild')",
    """CREATE TRIGGER call_words_in AFTER INSERT ON calls BEGIN
        INSERT INTO call_words(rowid, words) VALUES (new.number, new.words); END""",
    """CREATE TRIGGER call_words_out AFTER DELETE ON calls BEGIN
        INSERT INTO call_words(call_words, rowid, words)
        VALUES ('delete', old.number, old.words); END""",
    """CREATE TRIGGER call_words_anew AFTER UPDATE OF words ON calls BEGIN
        INSERT INTO call_words(call_words, rowid, words)
        VALUES ('delete', old.number, old.words);
        INSERT INTO call_words(rowid, words) VALUES (new.number, new.words); END""",
)

_Done: TypeAlias = "asyncio.Future[None]"


class SqliteDatabase:
    """One file, opened by :meth:`open`.

    Args:
        path: The file; it and the folders above it are made where they are not there.
        instance: The name of this process; without one nothing can be written.

    """

    dialect = SQLITE

    def __init__(self, path: Path, instance: str = "") -> None:
        self.has_index_of_words = False
        self._path = path
        self._instance = instance
        self._waiting: queue.SimpleQueue[tuple[Work, _Done] | None] = queue.SimpleQueue()
        mode = "rw" if instance else "ro"
        self._reader = SqliteReader(path, "records-read", mode=mode)
        self._searcher = SqliteReader(path, "records-search", mode=mode, seconds=SEARCH_SECONDS)
        self._searches = Turnstile()
        self._writer: threading.Thread | None = None
        self._life: SignOfLife | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Make or mend the tables.

        Raises:
            RecordError: The file cannot be opened, or is none of ours; says why.

        """
        self._loop = asyncio.get_running_loop()
        try:
            if self._instance:
                opened: _Done = self._loop.create_future()
                self._writer = threading.Thread(target=self._write, args=(opened,), name="records")
                self._writer.start()
                await opened
            self.has_index_of_words = await self._reader.open()
            await self._searcher.open()
        except (sqlite3.Error, OSError) as error:
            await self.close()
            raise RecordError(f"{self._path}: {in_words(error)}") from error
        except RecordError as error:
            await self.close()
            raise RecordError(f"{self._path}: {error}") from error

    async def write(self, work: Work) -> None:
        """Carry out one change, wholly or not at all; it is safe on disk on return.

        Raises:
            RecordError: It was not carried out; says why.

        """
        if self._writer is None or not self._writer.is_alive():
            raise RecordError("the database is closed")
        if self._waiting.qsize() >= _MOST_WAITING:
            raise RecordError("too much waits to be written")
        done: _Done = asyncio.get_running_loop().create_future()
        self._waiting.put((work, done))
        await done

    async def read(self, sql: str, values: Row = ()) -> list[Row]:
        """Return what a question finds.

        Raises:
            RecordError: It cannot be answered.

        """
        return await self._reader.ask(sql, values)

    async def search(self, sql: str, values: Row = ()) -> list[Row]:
        """Return what a question finds that may have to look through everything.

        Raises:
            RecordError: It cannot be answered, takes too long, or too many wait.

        """
        async with self._searches.turn():
            return await self._searcher.ask(sql, values)

    async def is_gone(self, instance: str) -> bool:
        """Tell whether the process of this name has ended, however it did."""
        return self._life is not None and self._life.is_gone(instance)

    async def close(self) -> None:
        """Write what waits, and let go."""
        if self._writer is not None:
            self._waiting.put(None)
            await asyncio.to_thread(self._writer.join)
            self._writer = None
        await self._searcher.close()
        await self._reader.close()
        if self._life is not None:
            self._life.close()
            self._life = None

    # On the thread that writes

    def _write(self, opened: _Done) -> None:
        try:
            connection = self._open_writing()
        except BaseException as error:
            self._tell([(opened, error)])
            return
        self._tell([(opened, None)])
        is_open = True
        while is_open:
            group = [self._waiting.get()]
            while len(group) < _MOST_TOGETHER and not self._waiting.empty():
                group.append(self._waiting.get())
            is_open = None not in group
            self._tell(_commit(connection, [change for change in group if change is not None]))
        connection.close()

    def _open_writing(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        self._life = SignOfLife(self._path, self._instance)
        connection = sqlite3.connect(self._path, BUSY_SECONDS, isolation_level=None)
        try:
            for pragma in _PRAGMAS:
                connection.execute(pragma)
            _bring_up_to_date(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _tell(self, outcome: Sequence[tuple[_Done, BaseException | None]]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_settle, outcome)


def look_at_file(path: Path) -> str:
    """Say in words how a database is, or could be made.

    Raises:
        RecordError: It cannot be used; says why.

    """
    if not path.exists():
        folder = next(one for one in path.absolute().parents if one.exists())
        if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
            raise RecordError(f"{folder} may not be written to; mend who owns it, or name another")
        return "will be made at the start"
    uri = f"file:{quote(str(path))}?mode=rw"
    try:
        connection = sqlite3.connect(uri, BUSY_SECONDS, uri=True, isolation_level=None)
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if migrations(SQLITE, version):
                return "will be brought up to date at the start"
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE instances SET seen_at = seen_at WHERE instance = ''")
            connection.execute("ROLLBACK")
            (count,) = connection.execute("SELECT COUNT(*) FROM calls").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise RecordError(in_words(error)) from error
    return f"{count} calls"


def _settle(outcome: Sequence[tuple[_Done, BaseException | None]]) -> None:
    for done, error in outcome:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Make the tables that are not there yet, and the index of words where there can be one."""
    connection.execute("BEGIN EXCLUSIVE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        steps = migrations(SQLITE, version)
        for sql in steps:
            connection.execute(sql)
        if steps:
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'call_words'").fetchone():
        return
    connection.execute("BEGIN EXCLUSIVE")
    try:
        for sql in _INDEX:
            connection.execute(sql)
        connection.execute("COMMIT")
    except sqlite3.OperationalError:  # an SQLite without it: every call is read through instead
        connection.execute("ROLLBACK")


def _commit(
    connection: sqlite3.Connection, group: Sequence[tuple[Work, _Done]]
) -> list[tuple[_Done, BaseException | None]]:
    """Carry out changes as one transaction, or each by itself where that fails."""
    outcome: list[tuple[_Done, BaseException | None]] = []
    ready: list[tuple[Sequence[Statement], _Done]] = []
    for work, done in group:
        try:
            ready.append((work(), done))
        except Exception as error:
            outcome.append((done, error))
    try:
        _carry_out(connection, [one for statements, _ in ready for one in statements])
        return outcome + [(done, None) for _, done in ready]
    except Exception as error:
        fault = RecordError(in_words(error))
        if len(ready) == 1 or isinstance(error, sqlite3.OperationalError):  # no one is to blame
            return outcome + [(done, fault) for _, done in ready]
    for statements, done in ready:
        try:
            _carry_out(connection, statements)
            outcome.append((done, None))
        except Exception as error:
            outcome.append((done, RecordError(in_words(error))))
    return outcome


def _carry_out(connection: sqlite3.Connection, statements: Sequence[Statement]) -> None:
    if not statements:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            connection.executemany(placed(statement.sql), statement.rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
