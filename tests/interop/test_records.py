"""Calls whose records are on disk before their goodbye is answered, whatever they hold."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from bare_phones import BarePhone, bare_phone
from errand_servers import SECRET, serving
from whip_page import calling

from gateway.app import Gateway
from gateway.ops.archive import CallQuery
from gateway.ops.records import sqlite as sqlite_module
from gateway.ops.records.keeper import RecordKeeper
from gateway.ops.records.sqlite import SqliteDatabase
from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService

pytestmark = pytest.mark.interop

PAGES = {"http": {"bind": "127.0.0.1:0"}, "webrtc": {"public": True}}
ENDLESS = """WITH RECURSIVE all_numbers(n) AS (
    SELECT 1 UNION ALL SELECT n + 1 FROM all_numbers) SELECT COUNT(*) FROM all_numbers"""
HOSTILE = "Robert'); DROP TABLE calls;-- <script>alert(1)</script> %_ é"


class Line:
    """A gateway with a database, and a phone that can call it."""

    def __init__(self, gateway: Gateway, phone: BarePhone, path: Path) -> None:
        self.gateway, self.phone, self.path = gateway, phone, path

    def read(self, sql: str) -> list[Any]:
        """Ask the file itself, by a connection of the test's own."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql).fetchall()

    @property
    def facts(self) -> dict[str, Any]:
        return self.gateway.facts()["records"]


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Any]:
    """Return a way to set a gateway up; ``tables`` are settings of its own."""
    async with AsyncExitStack() as stack:

        async def set_up(**tables: Any) -> Line:
            enter = stack.enter_async_context
            path = tmp_path / "calls.sqlite"
            service = await enter(LoopbackService([1037.0], reply_seconds=0.2))
            records = {"database": f"sqlite:{path}"} | tables.pop("records", {})
            gateway = await enter(loopback_gateway(service.url, records=records, **tables))
            phone = await enter(bare_phone(sip_address(gateway)[1]))
            return Line(gateway, phone, path)

        yield set_up


async def test_the_goodbye_is_answered_when_the_record_is_on_disk(
    line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecordKeeper, "patience", 15.0)  # whatever else the machine has to do
    ours = await line()
    call = await ours.phone.call("c1")
    async with asyncio.timeout(30):
        while not (live := ours.read("SELECT call_id FROM live_calls")):
            await asyncio.sleep(0.01)
    ((call_id,),) = live
    kept: list[Any] = []
    call.at_answer = lambda: kept.extend(ours.read("SELECT call_id, ended_by, leg FROM calls"))
    await ours.phone.hang_up(call)
    assert kept == [(call_id, "caller", "sip")]
    assert ours.read("SELECT * FROM live_calls") == []
    whole = await ours.gateway._records.archive.get(call_id)
    assert whole is not None
    assert "leg.ended" in [entry["name"] for entry in whole["timeline"]]
    assert ours.facts["late"] == 0


async def test_the_goodbye_of_a_page_is_answered_when_the_record_is_on_disk(
    line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecordKeeper, "patience", 15.0)
    ours = await line(**PAGES)
    async with calling(ours.gateway.page) as page:
        await page.hears(0.2)
        with closing(sqlite3.connect(ours.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            goodbye = asyncio.create_task(page.hang_up())
            await asyncio.sleep(0.5)
            assert not goodbye.done()
            assert ours.read("SELECT * FROM calls") == []
            other.execute("ROLLBACK")
        assert await goodbye == 200
        assert ours.read("SELECT ended_by, leg FROM calls") == [("caller", "webrtc")]
    assert ours.facts["late"] == 0


async def test_searches_that_are_too_many_are_told_when_to_come_again(
    line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "SEARCH_SECONDS", 1.0)
    ours = await line(**PAGES)
    database = ours.gateway._records.archive._database
    searching = [asyncio.create_task(database.search(ENDLESS)) for _ in range(8)]
    await asyncio.sleep(0)
    async with ClientSession() as session:
        async with session.get(f"{ours.gateway.page}v1/calls?q=zz") as answer:
            told = await answer.json()
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
            assert answer.content_type == "application/problem+json"
            assert "too many searches wait" in told["detail"]
        for task in searching[1:]:
            task.cancel()
        async with session.get(f"{ours.gateway.page}v1/calls?q=zz") as answer:
            assert (answer.status, await answer.json()) == (200, {"calls": [], "next": ""})
    outcomes = await asyncio.gather(*searching, return_exceptions=True)
    assert "took longer than" in str(outcomes[0])


async def test_a_goodbye_does_not_wait_for_a_database_that_another_holds(line: Any) -> None:
    ours = await line()
    call = await ours.phone.call("c1")
    with closing(sqlite3.connect(ours.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await ours.phone.hang_up(call)
        assert ours.facts["late"] == 1
        assert [status for _, status in call.answers] == ["200"]
        second = await ours.phone.call("c2")  # and calls go on
        other.execute("ROLLBACK")
    await ours.phone.hang_up(second)
    async with asyncio.timeout(30):
        while ours.read("SELECT COUNT(*) FROM calls") != [(2,)]:
            await asyncio.sleep(0.05)


async def test_a_database_that_takes_no_more_is_told_and_nobody_waits(
    line: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tables = SqliteDatabase(tmp_path / "calls.sqlite", "before")
    await tables.open()
    await tables.close()
    as_large_as_it_is = (*sqlite_module._PRAGMAS, "PRAGMA max_page_count = 1")
    monkeypatch.setattr(sqlite_module, "_PRAGMAS", as_large_as_it_is)
    ours = await line()
    calls = [await ours.phone.call(f"c{number}") for number in range(5)]
    for call in calls:
        await ours.phone.hang_up(call)
    async with asyncio.timeout(30):
        while ours.facts["kept"] + ours.facts["unsaved"] < 5:
            await asyncio.sleep(0.05)
    assert ours.facts["unsaved"] > 2
    assert ours.facts["problem"] == "the disk is full"
    assert "the disk is full" in capsys.readouterr().out


async def test_what_callers_call_themselves_is_kept_to_the_letter(line: Any) -> None:
    trunk = {"name": "local", "hosts": ["127.0.0.0/8"], "headers": ["X-*"]}
    ours = await line(trunks=[trunk])
    call = await ours.phone.call(
        "c1", HOSTILE.replace('"', ""), f"X-Note: {HOSTILE}", "X-Odd: \udcff\udcfe", user="%27%22OR"
    )
    await ours.phone.hang_up(call)
    archive = ours.gateway._records.archive
    (brief,) = (await archive.find(CallQuery())).calls
    whole = await archive.get(brief["call_id"])
    assert whole is not None
    started = next(one for one in whole["timeline"] if one["name"] == "call.started")
    told = started["detail"]["variables"]
    assert told["header.x-note"] == HOSTILE
    assert told["header.x-odd"] == "\ufffd\ufffd"
    assert whole["caller"] == "'\"OR"
    assert [one["call_id"] for one in (await archive.find(CallQuery(q="'\"or"))).calls]
    assert json.loads(json.dumps(whole)) == whole


async def test_a_webhook_outlives_a_receiver_that_is_away_and_keeps_its_name(
    line: Any,
) -> None:
    statuses = [503, 200]

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=statuses.pop(0) if statuses else 200)

    async with serving(answer) as server:
        hook = {"url": server.url, "secret": SECRET, "retries": 0}
        rule = {"on": "leg.answered", "do": [{"webhook": "crm"}]}
        ours = await line(webhooks={"crm": hook}, rules=[rule])
        call = await ours.phone.call("c1")
        await ours.phone.hang_up(call)
        async with asyncio.timeout(30):
            while ours.facts["webhooks"]["delivered"] < 1:
                await asyncio.sleep(0.05)
        ids = [headers["webhook-id"] for headers, _ in server.requests]
        bodies = [body for _, body in server.requests]
    assert len(ids) == 2
    assert ids[0] == ids[1]
    assert bodies[0] == bodies[1]
    assert ours.read("SELECT * FROM outbox") == []
    assert ours.facts["webhooks"]["retried"] == 1
