"""Webhooks that are kept: each is delivered though receivers and processes go away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from stored_calls import sqlite

from gateway.calls.delivery import Answer, Courier
from gateway.clock import CountedIds
from gateway.config import WebhookSettings
from gateway.errors import RecordError
from gateway.ops.records import outbox as outbox_module
from gateway.ops.records.database import Work
from gateway.ops.records.outbox import WebhookOutbox
from gateway.ops.records.recovery import recover
from gateway.ops.records.sqlite import SqliteDatabase
from gateway.signing import is_signed

SECRET = "whsec_c2VjcmV0"
GOOD, LATER = Answer(200), Answer(503, problem="it answered 503", may_pass=True)
NEVER = Answer(404, problem="it answered 404")


class Receiver:
    """Answers by script, and notes what came."""

    def __init__(self, *answers: Answer, last: Answer = GOOD) -> None:
        self.answers, self.last = list(answers), last
        self.came: list[tuple[str, bytes, Mapping[str, str]]] = []
        self.pause = 0.0
        self.most = self.now = 0

    async def __call__(
        self, url: str, body: bytes, headers: Mapping[str, str], *, is_answer_wanted: bool
    ) -> Answer:
        self.came.append((url, body, headers))
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.pause)
        self.now -= 1
        return self.answers.pop(0) if self.answers else self.last

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body, _ in self.came]


class Clock:
    """Unix seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    async with sqlite(tmp_path / "calls.sqlite") as opened:
        yield opened


@asynccontextmanager
async def outbox(
    database: SqliteDatabase,
    receiver: Receiver,
    *,
    clock: Clock | None = None,
    names: tuple[str, ...] = ("crm",),
    instance: str = "one",
) -> AsyncIterator[WebhookOutbox]:
    secret = SecretStr(SECRET)
    hooks = {name: WebhookSettings(url=f"http://127.0.0.1/{name}", secret=secret) for name in names}
    clock = clock or Clock()
    courier = Courier(receiver, ids=CountedIds(f"{instance}-"), unix_clock=clock)
    opened = WebhookOutbox(database, courier, hooks, instance=instance, unix_clock=clock)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)


async def test_a_message_goes_once_its_receiver_has_it(database: SqliteDatabase) -> None:
    receiver = Receiver()
    async with outbox(database, receiver) as box:
        assert await box.post("crm", b'{"a": 1}', "c1")
        await until(lambda: box.facts()["delivered"] == 1)
        async with asyncio.timeout(60):  # it is forgotten when it has been counted
            while await database.read("SELECT * FROM outbox"):
                await asyncio.sleep(0.005)
    ((url, body, headers),) = receiver.came
    assert (url, body) == ("http://127.0.0.1/crm", b'{"a": 1}')
    name, at, signature = (headers[f"webhook-{what}"] for what in ("id", "timestamp", "signature"))
    assert is_signed([SECRET], name, at, signature, body)


async def test_a_try_that_failed_is_made_again_later_under_the_same_name(
    database: SqliteDatabase,
) -> None:
    receiver, clock = Receiver(LATER, LATER), Clock()
    async with outbox(database, receiver, clock=clock) as box:
        await box.post("crm", b"1", "c1")
        for tries in (1, 2):
            while box.facts()["retried"] < tries or box._under_way:
                await asyncio.sleep(0.005)
            sql = "SELECT due_at, asked_at FROM outbox"
            ((due_at, asked),) = await database.read(sql)
            due = due_at - clock.now
            assert 0.1 < due < 2.0
            clock.now += 2.0
            box._has_news.set()
        await until(lambda: box.facts()["delivered"] == 1)
    assert len({headers["webhook-id"] for _, _, headers in receiver.came}) == 1
    assert asked == 1_000_000.0


async def test_pauses_grow_to_an_hour_and_a_day_is_the_end(database: SqliteDatabase) -> None:
    receiver, clock = Receiver(last=LATER), Clock()
    pauses = []
    async with outbox(database, receiver, clock=clock) as box:
        await box.post("crm", b"1", "c1")
        while True:
            await until(lambda: bool(receiver.came) and not box._under_way)
            rows = await database.read("SELECT due_at, is_dead, problem FROM outbox")
            if rows[0][1]:
                break
            pauses.append(rows[0][0] - clock.now)
            clock.now = rows[0][0]
            receiver.came.clear()
            box._has_news.set()
        assert box.facts() == {
            "waiting": 0,
            "delivered": 0,
            "retried": len(pauses),
            "dead": 1,
            "not_kept": 0,
        }
        assert rows[0][2] == "it answered 503"
        clock.now += 8 * 86_400.0
        await box.bury()
        assert await database.read("SELECT * FROM outbox") == []
    assert pauses[0] < 1.0
    assert max(pauses) > 1_800.0
    assert sum(pauses) < 86_400.0
    assert len(pauses) < 60


async def test_a_refusal_for_good_is_a_dead_letter_at_once(database: SqliteDatabase) -> None:
    receiver = Receiver(NEVER)
    async with outbox(database, receiver) as box:
        await box.post("crm", b"1", "c1")
        await until(lambda: box.facts()["dead"] == 1)
        await box.post("crm", b"2", "c1")  # what follows is not held up by it
        await until(lambda: box.facts()["delivered"] == 1)
    assert receiver.bodies == [b"1", b"2"]


async def test_messages_of_one_call_come_in_their_order_and_others_do_not_wait(
    database: SqliteDatabase,
) -> None:
    receiver, clock = Receiver(LATER), Clock()
    async with outbox(database, receiver, clock=clock) as box:
        await box.post("crm", b"a1", "a")
        await until(lambda: box.facts()["retried"] == 1)
        await box.post("crm", b"a2", "a")
        await box.post("crm", b"b1", "b")
        await until(lambda: box.facts()["delivered"] == 1)
        clock.now += 10.0
        box._has_news.set()
        await until(lambda: box.facts()["delivered"] == 3)
    assert receiver.bodies == [b"a1", b"b1", b"a1", b"a2"]


async def test_a_receiver_that_hangs_holds_nobody_else_up(database: SqliteDatabase) -> None:
    receiver = Receiver()
    async with outbox(database, receiver, names=("slow", "crm")) as box:
        receiver.pause = 3600.0
        for number in range(30):
            await box.post("slow", b"x", f"c{number}")
        await until(lambda: receiver.now == 8)
        receiver.pause = 0.0
        await box.post("crm", b"quick", "c0")
        await until(lambda: box.facts()["delivered"] == 1)
        assert receiver.most == 9
        for task in box._under_way.values():
            task.cancel()


async def test_what_a_process_left_is_delivered_by_the_next(tmp_path: Path) -> None:
    path, away = tmp_path / "calls.sqlite", Receiver(last=LATER)
    async with sqlite(path, "one") as database, outbox(database, away) as box:
        await box.post("crm", b"1", "c1")
        await until(lambda: box.facts()["retried"] == 1)
    first = away.came[0][2]["webhook-id"]
    receiver, clock = Receiver(), Clock()
    clock.now += 60.0
    async with sqlite(path, "two") as database:
        await recover(database, "two")
        async with outbox(database, receiver, clock=clock, instance="two") as box:
            await until(lambda: box.facts()["delivered"] == 1)
    assert [headers["webhook-id"] for _, _, headers in receiver.came] == [first]


async def test_what_is_for_a_webhook_that_is_no_more_is_a_dead_letter(
    tmp_path: Path,
) -> None:
    path = tmp_path / "calls.sqlite"
    async with sqlite(path) as database, outbox(database, Receiver(last=LATER)) as box:
        await box.post("crm", b"1", "c1")
        await until(lambda: box.facts()["retried"] == 1)
    async with sqlite(path) as database, outbox(database, Receiver(), names=("new",)) as box:
        assert box.facts()["dead"] == 1


async def test_what_cannot_be_kept_is_said_so(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with outbox(database, Receiver(last=LATER)) as box:
        monkeypatch.setattr(outbox_module, "_MOST", 2)
        assert [await box.post("crm", b"1", f"c{n}") for n in range(3)] == [True, True, False]
        monkeypatch.setattr(outbox_module, "_MOST", 99)

        async def full(_work: Work) -> None:
            raise RecordError("the disk is full")

        with monkeypatch.context() as broken:
            broken.setattr(database, "write", full)
            assert not await box.post("crm", b"1", "c9")
        assert box.facts()["not_kept"] == 2


async def test_whatever_is_in_a_message_is_kept_to_the_letter(database: SqliteDatabase) -> None:
    body: Any = b"'); DROP TABLE outbox;--\x00\xff"
    receiver = Receiver()
    async with outbox(database, receiver) as box:
        await box.post("crm", body, "'); DROP TABLE outbox;--")
        await until(lambda: box.facts()["delivered"] == 1)
    assert receiver.bodies == [body]
