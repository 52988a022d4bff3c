"""Webhooks that are kept until they are delivered: tried for a day, in the order of each call.

A message is in the database before anybody goes on, and goes from there once its receiver has
said that it has it.  It may arrive twice, where the process ends in between: by its
``webhook-id``, which stays the same, a receiver knows that it saw it before.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from ...calls.delivery import Answer, Courier
from ...config import WebhookSettings
from ...errors import RecordError
from .database import Database, Statement

__all__ = ["WebhookOutbox"]

_MOST: Final = 10_000  # messages that wait; what comes then is tried at once, a few times
_MOST_AT_ONCE: Final = 8  # on their way to one receiver: one that hangs keeps no other waiting
_LONGEST_PAUSE: Final = 3_600.0  # seconds between two tries
_OLDEST: Final = 86_400.0  # seconds for which a message is tried
_DEAD_DAYS: Final = 7.0  # for which one that was given up can be looked at
_MOST_DEAD: Final = 1_000
_IDLE: Final = 30.0  # seconds after which is looked again, whatever is due
_NOTES: Final = 600  # tries to write down what came of a message
_NOTE_PAUSE: Final = 1.0  # seconds between them
_GRACE: Final = 3.0  # for those under way when the gateway stops

_ADD: Final = """INSERT INTO outbox
    (webhook_id, instance, name, call_id, body, asked_at, due_at, attempts, problem, is_dead)
    VALUES ($1, $2, $3, $4, $5, $6, $6, 0, '', 0)"""
_DUE: Final = f"""SELECT number, webhook_id, call_id, body, asked_at, attempts FROM outbox
    WHERE instance = $1 AND is_dead = 0 AND name = $2 AND due_at <= $3 AND NOT EXISTS (
        SELECT 1 FROM outbox AS before WHERE before.call_id = outbox.call_id
        AND before.name = outbox.name AND before.is_dead = 0 AND before.number < outbox.number)
    ORDER BY due_at LIMIT {2 * _MOST_AT_ONCE}"""
_NEXT: Final = "SELECT MIN(due_at) FROM outbox WHERE instance = $1 AND is_dead = 0 AND due_at > $2"
_COUNT: Final = """SELECT COALESCE(SUM(1 - is_dead), 0), COALESCE(SUM(is_dead), 0) FROM outbox
    WHERE instance = $1"""
_SENT: Final = "DELETE FROM outbox WHERE number = $1"
_LATER: Final = "UPDATE outbox SET attempts = $2, due_at = $3, problem = $4 WHERE number = $1"
_DEAD: Final = "UPDATE outbox SET attempts = $2, is_dead = 1, problem = $3 WHERE number = $1"
_UNKNOWN: Final = """UPDATE outbox SET is_dead = 1, problem = 'no webhook has this name any more'
    WHERE instance = $1 AND is_dead = 0 AND name = $2"""
_NAMES: Final = "SELECT DISTINCT name FROM outbox WHERE instance = $1 AND is_dead = 0"
_BURY: Final = f"""DELETE FROM outbox WHERE is_dead = 1 AND (asked_at < $1 OR number NOT IN (
    SELECT number FROM outbox WHERE is_dead = 1 ORDER BY number DESC LIMIT {_MOST_DEAD}))"""


@dataclass(slots=True)
class _Message:
    number: int
    webhook_id: str
    name: str
    call_id: str
    body: bytes
    asked_at: float
    attempts: int


class WebhookOutbox:
    """The webhooks of one process on their way.

    Args:
        database: Where they wait.
        courier: Makes the tries.
        hooks: Whom they are for, by name.
        instance: The name of this process.
        unix_clock: Unix seconds.

    """

    def __init__(
        self,
        database: Database,
        courier: Courier,
        hooks: Mapping[str, WebhookSettings],
        *,
        instance: str,
        unix_clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._courier = courier
        self._hooks = hooks
        self._instance = instance
        self._clock = unix_clock
        self._waiting = self._dead = 0
        self._delivered = self._retried = self._not_kept = 0
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._on_way: dict[str, int] = dict.fromkeys(hooks, 0)
        self._has_news = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._log = structlog.get_logger()

    async def start(self) -> None:
        """Begin to deliver, with what was left by those before us.

        Raises:
            RecordError: The database cannot be asked.

        """
        await self.look_again()
        self._working = asyncio.create_task(self._work(), name="webhooks")

    async def look_again(self) -> None:
        """Take in what others left, and give up what is for nobody any more.

        Raises:
            RecordError: The database cannot be asked.

        """
        for (name,) in await self._database.read(_NAMES, (self._instance,)):
            if name not in self._hooks:
                unknown = Statement(_UNKNOWN, ((self._instance, name),))
                await self._database.write(lambda unknown=unknown: [unknown])  # type: ignore[misc]
        counts = (await self._database.read(_COUNT, (self._instance,)))[0]
        self._waiting, self._dead = int(counts[0]), int(counts[1])
        self._has_news.set()

    async def bury(self) -> None:
        """Forget what was given up long ago.

        Raises:
            RecordError: The database cannot be asked.

        """
        old = Statement(_BURY, ((self._clock() - _DEAD_DAYS * 86_400,),))
        await self._database.write(lambda: [old])

    async def close(self) -> None:
        """Give those under way a moment; what is left stays where it is."""
        if self._working is None:
            return
        until = asyncio.get_running_loop().time() + _GRACE
        while self._under_way or self._has_news.is_set():
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await asyncio.wait({*self._under_way.values(), self._working}, timeout=min(left, 0.05))
        self._working.cancel()
        tasks = [self._working, *self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._working = None

    def facts(self) -> dict[str, int]:
        """Say how it goes: ``dead`` were given up, ``not_kept`` tried without being kept."""
        return {
            "waiting": self._waiting,
            "delivered": self._delivered,
            "retried": self._retried,
            "dead": self._dead,
            "not_kept": self._not_kept,
        }

    async def post(self, name: str, body: bytes, call_id: str) -> bool:
        """Take a message for the webhook of this name; ``False`` where it cannot be kept."""
        now = self._clock()
        row = (self._courier.new_id(), self._instance, name, call_id, body, now)
        try:
            if self._waiting >= _MOST:
                raise RecordError("too many wait already")
            await self._database.write(lambda: [Statement(_ADD, (row,))])
        except RecordError as error:
            self._not_kept += 1
            self._log.warning("webhook not kept", name=name, call=call_id, problem=str(error))
            return False
        self._waiting += 1
        self._has_news.set()
        return True

    async def _work(self) -> None:
        while True:
            self._has_news.clear()
            pause = _IDLE
            try:
                for name, hook in self._hooks.items():
                    await self._begin(name, hook)
                now = self._clock()
                due = (await self._database.read(_NEXT, (self._instance, now)))[0][0]
                pause = _IDLE if due is None else min(_IDLE, max(0.0, due - now))
            except RecordError as error:
                self._log.debug("webhooks wait for the database", problem=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._has_news.wait()

    async def _begin(self, name: str, hook: WebhookSettings) -> None:
        """Send what is due to one receiver, as many as may be on their way."""
        if self._on_way[name] >= _MOST_AT_ONCE:
            return
        rows = await self._database.read(_DUE, (self._instance, name, self._clock()))
        for number, webhook_id, call_id, body, asked_at, attempts in rows:
            if self._on_way[name] >= _MOST_AT_ONCE:
                return
            if number in self._under_way:
                continue
            message = _Message(number, webhook_id, name, call_id, body, asked_at, attempts)
            self._on_way[name] += 1
            self._under_way[number] = asyncio.create_task(
                self._deliver(message, hook), name=webhook_id
            )

    async def _deliver(self, message: _Message, hook: WebhookSettings) -> None:
        """Make one try, and write down what came of it."""
        try:
            answer = await self._courier.try_once(
                hook,
                message.webhook_id,
                message.body,
                seconds=hook.timeout_seconds,
                is_answer_wanted=False,
            )
            await self._note(self._outcome(message, answer))
        finally:
            self._under_way.pop(message.number, None)
            self._on_way[message.name] -= 1
            self._has_news.set()

    def _outcome(self, message: _Message, answer: Answer) -> Statement:
        """Count a try, and return what becomes of its message."""
        number, attempts, now = message.number, message.attempts + 1, self._clock()
        if not answer.problem:
            self._delivered += 1
            self._waiting -= 1
            return Statement(_SENT, ((number,),))
        due_at = now + self._courier.pause(attempts, answer, _LONGEST_PAUSE)
        if answer.may_pass and due_at - message.asked_at < _OLDEST:
            self._retried += 1
            return Statement(_LATER, ((number, attempts, due_at, answer.problem),))
        self._dead += 1
        self._waiting -= 1
        self._log.warning(
            "webhook given up",
            name=message.name,
            call=message.call_id,
            tries=attempts,
            why=answer.problem,
        )
        return Statement(_DEAD, ((number, attempts, answer.problem),))

    async def _note(self, outcome: Statement) -> None:
        """Write down what came of a try: until then its message is not taken up again."""
        for _ in range(_NOTES):
            with suppress(RecordError):
                await self._database.write(lambda: [outcome])
                return
            await asyncio.sleep(_NOTE_PAUSE)
