"""Calls in a PostgreSQL from Debian: as in SQLite, and though it goes away for a while."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from bare_phones import bare_phone
from postgres_server import Postgres, postgres
from stored_calls import LiveOne, call, keeper

from gateway.errors import RecordError
from gateway.ops.archive import CallQuery
from gateway.ops.records import postgres as postgres_module
from gateway.ops.records.archive import DatabaseArchive
from gateway.ops.records.database import Statement
from gateway.ops.records.keeper import RecordKeeper
from gateway.ops.records.opening import look_at, open_database
from gateway.ops.records.postgres import PostgresDatabase
from gateway.ops.records.recovery import recover
from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService

pytestmark = pytest.mark.interop

HOSTILE = "Robert'); DROP TABLE calls;--\"<script>alert(1)</script>%_!\\ \u202e\x07\0"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture
def address(server: Postgres) -> str:
    """The address of a database with nothing in it."""
    name = f"calls{next(_numbers)}"
    server.ask(f"CREATE DATABASE {name}")
    return server.address(name)


@pytest.fixture
async def database(address: str) -> AsyncIterator[PostgresDatabase]:
    opened = PostgresDatabase(address, "one")
    await opened.open()
    yield opened
    await opened.close()


async def found(database: PostgresDatabase, **query: Any) -> list[str]:
    page = await DatabaseArchive(database).find(CallQuery(**query))
    return [one["call_id"] for one in page.calls]


async def test_a_search_that_takes_long_is_broken_off_and_keeps_no_record_waiting(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_module, "SEARCH_SECONDS", 0.5)
    searching = asyncio.create_task(database.search("SELECT pg_sleep(3600)"))
    await keeper(database).keep(call("a"))
    assert await database.read("SELECT COUNT(*) FROM calls") == [(1,)]
    with pytest.raises(RecordError, match="took longer than"):
        await searching
    assert await found(database) == ["a"]


async def test_calls_come_back_as_they_were_and_are_found_by_what_is_known_of_them(
    database: PostgresDatabase,
) -> None:
    keep = keeper(database).keep
    record = call("a", "I want to Pay my Rechnung", started_at=100.25)
    await keep(record)
    await keep(call("b", "Größe zwölf", caller="+331", trunk="other", started_at=200.0))
    await keep(call("c", HOSTILE, ended_by="gateway", reason=HOSTILE, started_at=300.0))
    archive = DatabaseArchive(database)
    assert await archive.get("a") == record.as_dict()
    assert await found(database) == ["c", "b", "a"]
    assert await found(database, q="rechn PAY") == ["a"]
    assert await found(database, q="GRÖSSE") == ["b"]
    assert await found(database, q="my") == ["a"]
    assert await found(database, caller="+33") == ["b"]
    assert await found(database, ended_by="gateway", since=250.0) == ["c"]
    assert await found(database, q=HOSTILE.replace("\0", "")) in (["c"], [])
    assert await found(database, q="drop %_!\\") == ["c"]
    assert await found(database, trunk="' OR 1=1 --") == []
    whole = await archive.get("c")
    assert whole is not None
    assert whole["transcript"][0]["text"] == HOSTILE
    first = await archive.find(CallQuery(limit=2))
    await keep(call("d", started_at=400.0))
    rest = await archive.find(CallQuery(limit=2, cursor=first.next))
    assert [one["call_id"] for one in (*first.calls, *rest.calls)] == ["c", "b", "a"]
    assert rest.next == ""
    assert await archive.delete("c")
    assert not await archive.delete("c")


async def test_of_two_gateways_one_closes_the_calls_of_the_other_once_that_is_gone(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.ops.records import postgres as postgres_module

    monkeypatch.setattr(postgres_module, "_ABSENT_SECONDS", 0.0)
    one, two = PostgresDatabase(address, "one"), PostgresDatabase(address, "two")
    await one.open()
    await two.open()
    live = call("a", "Hello", ended_by=None, reason=None)
    await keeper(one, [LiveOne(live)], unix_clock=lambda: 1_007.0)._note()
    assert await recover(two, "two") == 0  # it lives
    one._writing.terminate()  # as if it were killed
    async with asyncio.timeout(10):
        while not await recover(two, "two"):
            await asyncio.sleep(0.05)
    whole = await DatabaseArchive(two).get("a")
    assert whole is not None
    assert (whole["ended_by"], whole["reason"]) == ("gateway", "the gateway stopped")
    assert (whole["duration"], whole["transcript"][0]["text"]) == (7.0, "Hello")
    await one.close()
    await two.close()


async def test_a_connection_that_was_cut_off_unawares_is_ended_by_the_next(
    database: PostgresDatabase,
) -> None:
    lost, database._writing = database._writing, None  # it is there still, for the server
    keep = keeper(database)
    await keep.keep(call("a"))
    await keep._try_again()
    assert keep.facts()["kept"] == 1
    assert await found(database) == ["a"]
    lost.terminate()


async def test_one_change_that_fails_takes_no_other_with_it(database: PostgresDatabase) -> None:
    nonsense = [Statement("INSERT INTO nowhere VALUES ($1)", ((1,),))]
    keep = keeper(database).keep
    changes = [keep(call("a")), database.write(lambda: nonsense), keep(call("b"))]
    outcome = await asyncio.gather(*changes, return_exceptions=True)
    assert [type(one) for one in outcome] == [type(None), RecordError, type(None)]
    assert sorted(await found(database)) == ["a", "b"]


async def test_calls_go_on_while_the_database_is_away_and_are_in_it_afterwards(
    server: Postgres, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecordKeeper, "patience", 15.0)  # whatever else the machine has to do
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        service = await enter(LoopbackService([500.0], reply_seconds=0.2))
        gateway = await enter(loopback_gateway(service.url, records={"database_secret": address}))
        phone = await enter(bare_phone(sip_address(gateway)[1]))
        first = await phone.call("c1")
        kept: list[str] = []
        name = address.rpartition("/")[2]
        first.at_answer = lambda: kept.append(server.ask("SELECT ended_by FROM calls", name))
        await phone.hang_up(first)
        assert kept == ["caller"]  # before the answer
        second = await phone.call("c2")
        await asyncio.to_thread(server.stop)
        try:
            await phone.hang_up(second)
            await phone.hang_up(await phone.call("c3"))
            assert gateway.facts()["records"]["problem"]
        finally:
            await asyncio.to_thread(server.start)
        async with asyncio.timeout(60):
            while gateway.facts()["records"]["kept"] < 3:
                await asyncio.sleep(0.1)
    assert server.ask("SELECT COUNT(*) FROM calls", name) == "3"
    assert server.ask("SELECT COUNT(*) FROM live_calls", name) == "0"


async def test_what_is_wrong_with_a_database_is_told_in_words(
    server: Postgres, address: str, closed_port: int
) -> None:
    name = address.rpartition("/")[2]
    assert await look_at(address) == "the tables will be made at the start"
    await (await open_database(address, "one")).close()
    assert await look_at(address) == "0 calls"
    server.ask("CREATE ROLE reader LOGIN PASSWORD 'x'")
    away = f"postgresql://gateway@127.0.0.1:{closed_port}/{name}"
    for wrong, words in (
        (server.address(name, password="wrong"), "does not let us in"),
        (server.address("nowhere"), "does not exist"),
        (server.address(name, "reader", "x"), "grant"),
        (away, "does not answer"),
        ("mysql://here/there", "is no database"),
    ):
        with pytest.raises(RecordError, match=words) as told:
            await look_at(wrong)
        assert "wrong" not in str(told.value)
    server.ask("UPDATE gateway_schema SET version = 99", name)
    for looking in (look_at(address), open_database(address, "one"), open_database(address)):
        with pytest.raises(RecordError, match="version 99"):
            await looking
