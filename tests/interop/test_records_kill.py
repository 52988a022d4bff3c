"""A gateway is killed in the midst of a hundred calls: no record is lost but the last second."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from bare_phones import bare_phone
from peers import running

from gateway.ops.records.archive import DatabaseArchive
from gateway.ops.records.sqlite import SqliteDatabase
from gateway.testing.service import LoopbackService

pytestmark = pytest.mark.interop

CALLS, ENDED = 100, 20
SLACK = 3.0  # seconds beside the one that may be lost: the machine has more to do

BODY = """
[sip]
bind = ["udp:127.0.0.1:0"]
[http]
bind = ""
[limits]
max_calls = 200
[realtime]
provider = "custom"
url = "{service}"
[records]
database = "sqlite:{path}"
"""


async def test_every_call_of_a_gateway_that_was_killed_is_there_but_for_its_last_second(
    tmp_path: Path,
) -> None:
    path = tmp_path / "calls.sqlite"
    async with LoopbackService([500.0] * 8, reply_seconds=0.2) as service:
        environment = {"GATEWAY_CONFIG_BODY": BODY.format(service=service.url, path=path)}
        with running(["serve", "--json"], tmp_path / "first", environment) as gateway:
            async with bare_phone(gateway.sip_port) as phone:
                for first in range(0, CALLS, 10):
                    names = [f"call{number}" for number in range(first, first + 10)]
                    await asyncio.gather(*(phone.call(name, user=name) for name in names))
                telling = asyncio.create_task(tell(service))
                await asyncio.sleep(1.0)
                over = [phone.calls[f"call{number}"] for number in range(ENDED)]
                await asyncio.gather(*(phone.hang_up(call) for call in over))
                await asyncio.sleep(1.5)
                os.kill(gateway.process.pid, signal.SIGKILL)
                killed_at = time.time()
                gateway.process.wait()
                telling.cancel()
        with running(["serve", "--json"], tmp_path / "second", environment):
            pass  # that it has started is enough
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT call_id, caller, ended_by, reason, started_at + duration FROM calls"
        ).fetchall()
        assert connection.execute("SELECT COUNT(*) FROM live_calls").fetchone() == (0,)
        assert connection.execute("SELECT COUNT(*) FROM live_parts").fetchone() == (0,)
    assert {row[1] for row in rows} == {f"call{number}" for number in range(CALLS)}
    ended = [row for row in rows if row[2] == "caller"]
    left = [row for row in rows if row[2:4] == ("gateway", "the gateway stopped")]
    assert (len(ended), len(left)) == (ENDED, CALLS - ENDED)
    assert {row[1] for row in ended} == {f"call{number}" for number in range(ENDED)}
    lost = [killed_at - row[4] for row in left]
    assert max(lost) < 1.0 + SLACK
    database = SqliteDatabase(path)
    await database.open()
    for row in left:
        whole = await DatabaseArchive(database).get(row[0])
        assert whole is not None
        entries = whole["timeline"]
        names = [entry["name"] for entry in entries]
        assert names[0] == "call.started"
        assert "leg.answered" in names
        told = entries[-1]["at"] - entries[0]["at"]
        assert whole["duration"] - told < 1.0 + SLACK  # the timeline goes as far
    await database.close()


async def tell(service: LoopbackService) -> None:
    """Have something happen in every call, twice a second."""
    while True:
        for session in list(service.sessions):
            with contextlib.suppress(Exception):
                await session.send("rate_limits.updated", rate_limits=[])
        await asyncio.sleep(0.5)
