"""PostgreSQL as the database of calls (the extra ``postgres``), over three connections.

One writes, one reads, and one searches, which nothing else waits for.

What waits is written as one transaction, as SQLite's thread does.  The connection that writes
holds an advisory lock under the name of the process: who can take it knows that the process,
or its connection, is gone; one that was only cut off comes back within seconds.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

from ...errors import ConfigError, RecordError
from .database import POSTGRES, Row, Statement, Work
from .schema import VERSION, migrations
from .turnstile import SEARCH_SECONDS, Turnstile

__all__ = ["PostgresDatabase"]

_MOST_WAITING: Final = 10_000  # changes; what comes then is refused
_MOST_TOGETHER: Final = 256  # of them in one transaction
_SECONDS: Final = 10.0  # for one transaction, or one question
_CONNECT_SECONDS: Final = 5.0
_ABSENT_SECONDS: Final = 15.0  # without a lock and a sign of life: then a process is gone
_ONE_AT_A_TIME: Final = 0x766F_6963_6567_7721  # the lock of those who make the tables

_END_HOLDERS: Final = """SELECT pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1
    AND ((classid::bigint << 32) | objid::bigint) = $1 AND pid <> pg_backend_pid()"""

_Change: TypeAlias = "tuple[Work, asyncio.Future[None]]"


class PostgresDatabase:
    """One database, opened by :meth:`open`.

    Args:
        address: ``postgresql://…``, which may hold a password: it is never told.
        instance: The name of this process; without one nothing can be written.

    """

    dialect = POSTGRES

    def __init__(self, address: str, instance: str = "") -> None:
        self.has_index_of_words = False
        self._address = address
        self._instance = instance
        self._waiting: asyncio.Queue[_Change | None] = asyncio.Queue()
        self._writing: Any = None
        self._reading: Any = None
        self._searching: Any = None
        self._turn = asyncio.Lock()  # one question at a time
        self._searches = Turnstile()
        self._writer: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Make or mend the tables.

        Raises:
            RecordError: It cannot be reached, or does not let us in; says why.

        """
        try:
            self._reading = await self._connect()
            if self._instance:
                self._writing = await self._connect_writing()
                await self._bring_up_to_date()
                self._writer = asyncio.create_task(self._write(), name="records")
            elif migrations(POSTGRES, await self._version(self._reading)):
                raise RecordError("there are no calls in it; no gateway has written there")
        except BaseException as error:
            await self.close()
            if isinstance(error, Exception) and not isinstance(error, ConfigError | RecordError):
                raise RecordError(_words(error)) from None
            raise

    async def look(self) -> str:
        """Say in words how it is; nothing is changed.

        Raises:
            RecordError: It cannot be used; says why.

        """
        try:
            connection = await self._connect()
            try:
                if migrations(POSTGRES, await self._version(connection)):
                    sql = "SELECT has_schema_privilege(current_schema(), 'CREATE')"
                    if not await connection.fetchval(sql):
                        raise RecordError("its user may make no tables there; grant CREATE to it")
                    return "the tables will be made at the start"
                sql = "SELECT has_table_privilege('calls', 'INSERT, UPDATE, DELETE')"
                if not await connection.fetchval(sql):
                    raise RecordError("its user may not write to the tables; grant that to it")
                return f"{await connection.fetchval('SELECT COUNT(*) FROM calls')} calls"
            finally:
                await connection.close(timeout=_CONNECT_SECONDS)
        except (ConfigError, RecordError):
            raise
        except Exception as error:
            raise RecordError(_words(error)) from None

    async def write(self, work: Work) -> None:
        """Carry out one change, wholly or not at all; it is safe on disk on return.

        Raises:
            RecordError: It was not carried out; says why.

        """
        if self._writer is None or self._writer.done():
            raise RecordError("the database is closed")
        if self._waiting.qsize() >= _MOST_WAITING:
            raise RecordError("too much waits to be written")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((work, done))
        await done

    async def read(self, sql: str, values: Row = ()) -> list[Row]:
        """Return what a question finds.

        Raises:
            RecordError: It cannot be answered.

        """
        async with self._turn:
            try:
                if self._reading is None or self._reading.is_closed():
                    self._reading = await self._connect()
                rows = await self._reading.fetch(POSTGRES.write(sql), *values, timeout=_SECONDS)
            except Exception as error:
                raise RecordError(_words(error)) from None
        return [tuple(row) for row in rows]

    async def search(self, sql: str, values: Row = ()) -> list[Row]:
        """Return what a question finds that may have to look through everything.

        Raises:
            RecordError: It cannot be answered, takes too long, or too many wait.

        """
        async with self._searches.turn():
            try:
                if self._searching is None or self._searching.is_closed():
                    limit = f"{SEARCH_SECONDS * 1000:.0f}"  # ms
                    self._searching = await self._connect(statement_timeout=limit)
                rows = await self._searching.fetch(POSTGRES.write(sql), *values)
            except Exception as error:
                raise RecordError(_words(error)) from None
        return [tuple(row) for row in rows]

    async def is_gone(self, instance: str) -> bool:
        """Tell whether the process of this name has ended, however it did."""
        if instance == self._instance:
            return False
        sql = f"""SELECT pg_try_advisory_xact_lock($1) AND NOT EXISTS (
            SELECT 1 FROM instances WHERE instance = $2
            AND seen_at > {POSTGRES.clock} - {_ABSENT_SECONDS})"""
        rows = await self.read(sql, (_key_of(instance), instance))
        return bool(rows[0][0])

    async def close(self) -> None:
        """Write what waits, and let go."""
        if self._writer is not None:
            self._waiting.put_nowait(None)
            await self._writer
            self._writer = None
        if self._searching is not None:
            self._searching.terminate()
        for connection in (self._writing, self._reading):
            if connection is not None:
                with suppress(Exception):
                    await connection.close(timeout=_CONNECT_SECONDS)
        self._writing = self._reading = self._searching = None

    async def _connect(self, **settings: str) -> Any:
        try:
            import asyncpg
        except ImportError as error:
            raise ConfigError(
                "PostgreSQL needs one more package; pip install 'voice-gateway[postgres]'"
            ) from error
        return await asyncpg.connect(
            self._address,
            timeout=_CONNECT_SECONDS,
            command_timeout=_SECONDS,
            server_settings={"application_name": "voice-gateway", **settings},
        )

    async def _connect_writing(self) -> Any:
        connection = await self._connect()
        key = _key_of(self._instance)
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", key):
            await connection.fetch(_END_HOLDERS, key)  # ours of before, cut off unawares
            await connection.close(timeout=_CONNECT_SECONDS)
            raise RecordError("the connection before has not ended yet")
        return connection

    async def _version(self, connection: Any) -> int:
        if not await connection.fetchval("SELECT to_regclass('gateway_schema') IS NOT NULL"):
            return 0
        return int(await connection.fetchval("SELECT version FROM gateway_schema"))

    async def _bring_up_to_date(self) -> None:
        connection = self._writing
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _ONE_AT_A_TIME)
            steps = migrations(POSTGRES, await self._version(connection))
            if steps:
                await connection.execute("CREATE TABLE IF NOT EXISTS gateway_schema (version INT)")
                await connection.execute("DELETE FROM gateway_schema")
                await connection.execute("INSERT INTO gateway_schema VALUES ($1)", VERSION)
            for sql in steps:
                await connection.execute(sql)
        await self._index_words()

    async def _index_words(self) -> None:
        """Have words found without reading every call, where the extension for it is there."""
        import asyncpg

        sql = "CREATE INDEX IF NOT EXISTS calls_words ON calls USING gin (words gin_trgm_ops)"
        with suppress(asyncpg.PostgresError):
            async with self._writing.transaction():
                await self._writing.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
                await self._writing.execute(sql)

    async def _write(self) -> None:
        is_open = True
        while is_open:
            group = [await self._waiting.get()]
            while len(group) < _MOST_TOGETHER and not self._waiting.empty():
                group.append(self._waiting.get_nowait())
            is_open = None not in group
            await self._commit([change for change in group if change is not None])

    async def _commit(self, group: Sequence[_Change]) -> None:
        """Carry out changes as one transaction, or each by itself where that fails."""
        ready, outcome = await asyncio.to_thread(_prepare, group)
        for done, error in outcome:
            _settle(done, error)
        fault = await self._carry_out([one for statements, _ in ready for one in statements])
        for statements, done in ready:
            is_one_to_blame = len(ready) > 1 and self._writing and not self._writing.is_closed()
            if fault is not None and is_one_to_blame:
                _settle(done, await self._carry_out(statements))
            else:
                _settle(done, fault)

    async def _carry_out(self, statements: Sequence[Statement]) -> RecordError | None:
        if not statements:
            return None
        try:
            async with asyncio.timeout(_SECONDS):
                if self._writing is None or self._writing.is_closed():
                    self._writing = await self._connect_writing()
                async with self._writing.transaction():
                    for statement in statements:
                        sql = POSTGRES.write(statement.sql)
                        await self._writing.executemany(sql, statement.rows)
        except RecordError as error:
            return error
        except TimeoutError as error:
            if self._writing is not None:
                self._writing.terminate()  # whatever it waits for: another one may not have to
            return RecordError(_words(error))
        except Exception as error:
            return RecordError(_words(error))
        return None


def _prepare(
    group: Sequence[_Change],
) -> tuple[
    list[tuple[Sequence[Statement], "asyncio.Future[None]"]],
    list[tuple["asyncio.Future[None]", Exception]],
]:
    """Make the statements of changes; return them, and those that cannot be made."""
    ready, outcome = [], []
    for work, done in group:
        try:
            ready.append((work(), done))
        except Exception as error:
            outcome.append((done, error))
    return ready, outcome


def _settle(done: "asyncio.Future[None]", error: Exception | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


def _key_of(instance: str) -> int:
    """Return the advisory lock of a process."""
    digest = hashlib.blake2b(instance.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _words(error: BaseException) -> str:
    """Say what went wrong as whoever can mend it needs it; never the address."""
    match type(error).__name__:
        case "InvalidPasswordError" | "InvalidAuthorizationSpecificationError":
            return f"it does not let us in: {error}; mend name or password"
        case "InvalidCatalogNameError":
            return f"{error}; create it, or name another"
        case "InsufficientPrivilegeError":
            return f"{error}; grant it to the user that the address names"
        case "QueryCanceledError":
            return (
                f"the search took longer than {SEARCH_SECONDS:g} s; search for longer words,"
                " or in a shorter time"
            )
        case "TimeoutError" | "ConnectionRefusedError" | "ConnectionDoesNotExistError":
            return "it does not answer; is it running, and does the address lead to it?"
        case "gaierror":
            return "there is no such host"
        case "ClientConfigurationError" | "ValueError":
            return "the address cannot be read; write postgresql://USER:PASSWORD@HOST/NAME"
    if isinstance(error, OSError):
        return f"it cannot be reached: {error.strerror or error}"
    return " ".join(str(error).split()) or type(error).__name__
