"""A database as the records see it: groups of statements that are there or not, and questions.

The SQL is the same for both databases, but for a few words in braces that each has its own
for; places of values are ``$1``, ``$2``.  Values never stand in the text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

__all__ = ["POSTGRES", "SQLITE", "Database", "Dialect", "Row", "Statement", "Work"]

Row: TypeAlias = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, carried out for each of its rows of values."""

    sql: str
    rows: Sequence[Row] = ((),)


Work: TypeAlias = Callable[[], Sequence[Statement]]
"""Makes the statements of one change: called on another thread, as packing takes its time."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The words that a database has its own for.

    Attributes:
        name: of the database.
        number: the type of a fraction.
        blob: the type of bytes.
        text: the type of text that is ordered by code points.
        serial: the type of a key that counts up.
        clock: now, in unix seconds.

    """

    name: str
    number: str
    blob: str
    text: str
    serial: str
    clock: str

    def write(self, sql: str) -> str:
        """Return a statement in this database's own words."""
        return sql.format(
            number=self.number,
            blob=self.blob,
            text=self.text,
            serial=self.serial,
            clock=self.clock,
        )


SQLITE: Final = Dialect(
    "sqlite",
    number="REAL",
    blob="BLOB",
    text="TEXT",
    serial="INTEGER PRIMARY KEY AUTOINCREMENT",
    clock="((julianday('now') - 2440587.5) * 86400.0)",
)
POSTGRES: Final = Dialect(
    "postgres",
    number="DOUBLE PRECISION",
    blob="BYTEA",
    text='TEXT COLLATE "C"',
    serial="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    clock="EXTRACT(EPOCH FROM clock_timestamp())::double precision",
)


class Database(Protocol):
    """A database that is open."""

    @property
    def dialect(self) -> Dialect:
        """Its own words."""
        ...

    @property
    def has_index_of_words(self) -> bool:
        """Whether ``call_words`` can be asked for words of three letters and more."""
        ...

    async def write(self, work: Work) -> None:
        """Carry out one change, wholly or not at all; it is safe on disk on return.

        Changes that wait at the same time are one transaction.

        Raises:
            RecordError: It was not carried out; says why.

        """
        ...

    async def read(self, sql: str, values: Row = ()) -> list[Row]:
        """Return what a question finds.

        Raises:
            RecordError: It cannot be answered.

        """
        ...

    async def search(self, sql: str, values: Row = ()) -> list[Row]:
        """Return what a question finds that may have to look through everything.

        It is broken off after a while, and nothing else waits for it.

        Raises:
            RecordError: It cannot be answered, takes too long, or too many wait.

        """
        ...

    async def is_gone(self, instance: str) -> bool:
        """Tell whether the process of this name has ended, however it did."""
        ...

    async def close(self) -> None:
        """Write what waits, and let go."""
        ...
