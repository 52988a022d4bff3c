"""All that a gateway does with its database of calls, from its start to its end."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final

import structlog

from ...calls.delivery import Courier
from ...calls.registry import LiveCall
from ...config import Settings
from ...errors import ConfigError, RecordError
from .archive import DatabaseArchive
from .database import Database
from .keeper import RecordKeeper
from .opening import address_of, open_database
from .outbox import WebhookOutbox
from .recovery import recover
from .redaction import Redactor
from .retention import Retention

__all__ = ["RecordDesk"]

_LOOK_EVERY: Final = 10.0  # seconds: for what processes that ended left
_SWEEP_EVERY: Final = 86_400.0


class RecordDesk:
    """The database of one process's calls; made by :meth:`open`.

    Attributes:
        archive: The calls that are over.
        keeper: Keeps those that are not.
        outbox: The webhooks on their way.

    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        calls: Callable[[], Iterable[LiveCall]],
        courier: Courier,
        *,
        instance: str,
        node: str,
    ) -> None:
        records, recordings = settings.records, settings.media.recordings
        self.archive = DatabaseArchive(database, recordings)
        self.keeper = RecordKeeper(
            database, calls, instance=instance, node=node, redactor=Redactor(records.redact)
        )
        self.outbox = WebhookOutbox(database, courier, settings.webhooks, instance=instance)
        self._retention = Retention(
            database,
            recordings,
            node=node,
            keep_days=records.keep_days,
            keep_recordings_days=records.keep_recordings_days,
        )
        self._database = database
        self._instance = instance
        self._tasks: list[asyncio.Task[None]] = []
        self._log = structlog.get_logger()

    @classmethod
    async def open(
        cls,
        settings: Settings,
        calls: Callable[[], Iterable[LiveCall]],
        courier: Courier,
        *,
        instance: str,
    ) -> "RecordDesk | None":
        """Open the database that is configured, ``None`` where there is none.

        Raises:
            ConfigError: It cannot be used; says why, and how to mend it.

        """
        address = address_of(settings.records)
        if not address:
            return None
        try:
            database = await open_database(address, instance)
            desk = cls(
                database, settings, calls, courier, instance=instance, node=socket.gethostname()
            )
            await desk._start()
        except RecordError as error:
            raise ConfigError(f"records.database: {error}") from error
        return desk

    async def close(self) -> None:
        """Write what is left, and let go of the database."""
        await self.outbox.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.keeper.close()
        await self._database.close()

    def facts(self) -> dict[str, Any]:
        """Say how it goes."""
        return {
            **self.keeper.facts(),
            "swept": asdict(self._retention.swept),
            "webhooks": self.outbox.facts(),
        }

    async def _start(self) -> None:
        await recover(self._database, self._instance)
        await self.outbox.start()
        self.keeper.start()
        self._tasks = [
            asyncio.create_task(
                self._every(_LOOK_EVERY, _LOOK_EVERY, self._look), name="left calls"
            ),
            asyncio.create_task(self._every(0.0, _SWEEP_EVERY, self._sweep), name="old calls"),
        ]

    async def _look(self) -> None:
        await recover(self._database, self._instance)
        await self.outbox.look_again()

    async def _sweep(self) -> None:
        await self._retention.sweep(time.time())
        await self.outbox.bury()

    async def _every(self, first: float, seconds: float, do: Callable[[], Awaitable[None]]) -> None:
        """Do something again and again, whatever comes of it."""
        await asyncio.sleep(first)
        while True:
            with suppress(RecordError):  # the keeper tells of a database that fails
                await do()
            await asyncio.sleep(seconds)
