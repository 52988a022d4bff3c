"""Keeps the records of calls: noted while they last, whole before their end is confirmed.

A call that is over is on disk before the far end is told that its goodbye was heard, or has
waited for a second.  What the database does not take is held in memory, within bounds, and
tried again; the calls themselves never wait for it.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

import structlog

from ...calls.registry import CallRecord, LiveCall
from ...errors import RecordError
from .backlog import Backlog, Parcel
from .database import Database, Statement, Work
from .journal import Noted, write_news
from .redaction import Redactor

__all__ = ["KeeperStats", "RecordKeeper"]

_PATIENCE: Final = 1.0  # seconds that a goodbye waits for its record
_EVERY: Final = 0.9  # seconds between notes of live calls, so that none is older than one
_SLICE: Final = 10  # calls looked at before others have their turn
_AT_A_TIME: Final = 50  # of them, tried again
_SIGN: Final = """INSERT INTO instances (instance, node, seen_at) VALUES ($1, $2, {clock})
    ON CONFLICT (instance) DO UPDATE SET seen_at = excluded.seen_at"""
_SIGN_EVERY: Final = 5.0
_GONE: Final = "DELETE FROM instances WHERE instance = $1"


@dataclass(slots=True)
class KeeperStats:
    """What became of records since the start.

    Attributes:
        kept: calls that are in the database.
        late: goodbyes that were confirmed before their call was.
        failed: writes that the database did not take; they are tried again.
        unsaved: calls that are held in memory now, for it does not take them.
        dropped: of those, how many there was no more room for.
        noted: notes of calls in progress.

    """

    kept: int = 0
    late: int = 0
    failed: int = 0
    unsaved: int = 0
    dropped: int = 0
    noted: int = 0


class RecordKeeper:
    """Keeps the records of one process.

    Attributes:
        backlog: The calls that are over and not yet in the database.

    Args:
        database: Where to; it is left open.
        calls: Returns the calls in progress.
        instance: The name of this process.
        node: The name of this machine.
        redactor: Leaves out what is not to be written.
        unix_clock: Unix seconds.

    """

    patience = _PATIENCE

    def __init__(
        self,
        database: Database,
        calls: Callable[[], Iterable[LiveCall]],
        *,
        instance: str,
        node: str,
        redactor: Redactor,
        unix_clock: Callable[[], float] = time.time,
    ) -> None:
        self.stats = KeeperStats()
        self.backlog = Backlog()
        self.problem = ""  # what is wrong with the database now
        self._database = database
        self._calls = calls
        self._instance = instance
        self._node = node
        self._redactor = redactor
        self._unix_clock = unix_clock
        self._noted: dict[str, Noted] = {}
        self._over: set[str] = set()  # calls that are kept, though they are not yet let go
        self._storing: set[asyncio.Task[bool]] = set()
        self._has_news = asyncio.Event()
        self._signed_at = -_SIGN_EVERY
        self._noting: asyncio.Task[None] | None = None
        self._log = structlog.get_logger()

    def start(self) -> None:
        """Begin to note the calls in progress."""
        self._noting = asyncio.create_task(self._note_for_ever(), name="records of live calls")

    async def close(self) -> None:
        """Write what is left, as far as it is taken."""
        if self._noting is not None:
            self._noting.cancel()
            with suppress(asyncio.CancelledError):
                await self._noting
        if self._storing:
            await asyncio.wait(self._storing)
        await self._try_again()
        if self.backlog.refused:
            lost = sorted(self.backlog.refused)
            self._log.error("records lost", calls=lost, problem=self.problem)
        with suppress(RecordError):
            await self._database.write(lambda: [Statement(_GONE, ((self._instance,),))])

    def facts(self) -> dict[str, Any]:
        """Say how it goes."""
        self.stats.unsaved = len(self.backlog.refused)
        self.stats.dropped = self.backlog.dropped
        return {
            "database": self._database.dialect.name,
            "problem": self.problem,
            **asdict(self.stats),
        }

    def note_begin(self) -> None:
        """Take the news that a call is there, which the registry has."""
        self._has_news.set()

    async def keep(self, record: CallRecord) -> None:
        """Keep a call that is over; returns once that is done, or cannot be, or takes too long."""
        self._over.add(record.call_id)
        self._noted.pop(record.call_id, None)
        parcel = Parcel(record, self._node, self._redactor)
        self.backlog.add(parcel)
        storing = asyncio.create_task(self._store(parcel))
        self._storing.add(storing)
        storing.add_done_callback(self._storing.discard)
        _, is_late = await asyncio.wait({storing}, timeout=self.patience)
        if is_late:
            self.stats.late += 1
            self._log.warning("record not kept in time", call_id=record.call_id)

    async def _store(self, parcel: Parcel) -> bool:
        """Hand a call to the database; tells whether that took it."""
        is_kept = await self._write(parcel.statements)
        self.backlog.settle(parcel, is_kept=is_kept)
        self.stats.kept += is_kept
        return is_kept

    async def _write(self, work: Work) -> bool:
        """Write something; tells whether the database took it, and the log when that changes."""
        try:
            await self._database.write(work)
        except RecordError as error:
            self.stats.failed += 1
            if not self.problem:
                self._log.error("records are not written", problem=str(error))
            self.problem = str(error)
            return False
        if self.problem:
            self._log.info("records are written again")
            self.problem = ""
        return True

    async def _note_for_ever(self) -> None:
        while True:
            self._has_news.clear()
            try:
                await self._note()
                await self._try_again()
            except Exception:
                self._log.exception("fault while noting calls")
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY):
                    await self._has_news.wait()

    async def _note(self) -> None:
        """Note what is new of every call in progress."""
        live = [call for call in self._calls() if call.call_id not in self._over]
        self._over.intersection_update({call.call_id for call in self._calls()})
        news = []
        for count, call in enumerate(live):
            if count % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
            if call.call_id not in self._over:
                noted = self._noted.setdefault(call.call_id, Noted())
                news.append(noted.news(call.record()))
        now = asyncio.get_running_loop().time()
        is_sign_due = now - self._signed_at >= _SIGN_EVERY
        if not news and not is_sign_due:
            return
        sign = [Statement(_SIGN, ((self._instance, self._node),))] if is_sign_due else []
        at, news = self._unix_clock(), [one for one in news if self._is_live(one.record["call_id"])]
        if await self._write(
            lambda: [*sign, *write_news(news, self._instance, at, self._redactor)]
        ):
            self.stats.noted += len(news)
            self._signed_at = now if is_sign_due else self._signed_at
        else:
            for noted in self._noted.values():
                noted.forget()

    def _is_live(self, call_id: str) -> bool:
        """Tell whether a call did not end while others were looked at."""
        return call_id not in self._over

    async def _try_again(self) -> None:
        """Hand the database what it did not take before."""
        for parcel in self.backlog.next_refused(_AT_A_TIME):
            if not await self._store(parcel):
                return
