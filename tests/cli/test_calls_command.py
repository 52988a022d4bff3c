"""`voice-gateway calls` and what `check` says of the database: found, shown, and told in words."""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from stored_calls import call, keeper, sqlite

from gateway.cli import run
from gateway.cli.check import _database as look
from gateway.config import Settings
from gateway.errors import RecordError
from gateway.ops.records.opening import look_at, shown

ODD = "Ann \x1b[31m[bold]red[/bold]\nnew line"


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration whose database holds two calls."""
    path = tmp_path / "calls.sqlite"

    async def fill() -> None:
        async with sqlite(path) as database:
            keep = keeper(database).keep
            await keep(call("first", "Good morning", started_at=1_000.0))
            await keep(call("second", ODD, caller=ODD, started_at=2_000.0, ended_by="gateway"))

    asyncio.run(fill())
    file = tmp_path / "gateway.toml"
    file.write_text(f'[records]\ndatabase = "sqlite:{path}"\n')
    return str(file)


def test_calls_are_listed_newest_first(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calls", "-c", config]) == 0
    told = capsys.readouterr().out
    assert told.index("second") < told.index("first")
    assert "+4930123456" in told
    assert "0:12" in told


def test_what_callers_call_themselves_orders_nothing_on_a_terminal(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calls", "second", "-c", config]) == 0
    told = capsys.readouterr().out
    assert "\x1b[31m" not in told
    assert "[bold]" in told


def test_pages_and_filters_are_those_of_the_archive(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calls", "-c", config, "--json", "--limit", "1"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert [one["call_id"] for one in page["calls"]] == ["second"]
    assert run(["calls", "-c", config, "--json", "--cursor", page["next"]]) == 0
    page = json.loads(capsys.readouterr().out)
    assert [one["call_id"] for one in page["calls"]] == ["first"]
    for filters in (
        ["--search", "good morn"],
        ["--caller", "+49"],
        ["--ended-by", "caller"],
        ["--until", "1970-01-01T00:30+00:00"],
    ):
        assert run(["calls", "-c", config, "--json", *filters]) == 0
        page = json.loads(capsys.readouterr().out)
        assert [one["call_id"] for one in page["calls"]] == ["first"], filters
    assert run(["calls", "-c", config, "--json", "--since", "2h"]) == 0
    assert json.loads(capsys.readouterr().out) == {"calls": [], "next": ""}


def test_one_call_is_shown_whole(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calls", "first", "-c", config, "--json"]) == 0
    assert (
        json.loads(capsys.readouterr().out)
        == call("first", "Good morning", started_at=1_000.0).as_dict()
    )
    assert run(["calls", "first", "-c", config]) == 0
    assert "Good morning" in capsys.readouterr().out
    assert run(["calls", "third", "-c", config]) == 1
    assert "no call 'third'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--since", "yesterday"], "is no time"),
        (["--cursor", "x y"], "is no cursor"),
        (["--limit", "0"], "--limit"),
        (["--url", "here"], "is no address"),
        (["--ended-by", "nobody"], "nobody"),
    ],
)
def test_what_is_written_wrong_is_told_in_one_line(
    config: str, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calls", "-c", config, *arguments]) == 2
    assert told in capsys.readouterr().err


def test_without_a_database_it_says_where_calls_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    file = tmp_path / "gateway.toml"
    file.write_text('[records]\ndatabase_env = "NO_SUCH"\n')
    assert run(["calls", "-c", str(file)]) == 2
    assert "the environment has no NO_SUCH" in capsys.readouterr().err
    file.write_text("")
    assert run(["calls", "-c", str(file)]) == 2
    assert "--url" in capsys.readouterr().err


def test_the_address_that_other_programs_know_is_used(
    config: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del config
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/calls.sqlite")
    assert run(["calls", "first", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["call_id"] == "first"
    monkeypatch.setenv("DATABASE_URL", "mysql://here")
    assert run(["calls"]) == 1
    assert "is no database" in capsys.readouterr().err


@contextmanager
def gateway(answers: dict[str, tuple[int, Any]]) -> Iterator[tuple[str, list[str]]]:
    """Have a server with these answers by path; yields its address, and the tokens it saw."""
    tokens: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers.get("Authorization", ""))
            status, body = answers.get(self.path, (404, {"detail": "no such call"}))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", tokens
        finally:
            server.shutdown()
            thread.join()


def test_a_running_gateway_is_asked_with_the_token(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_TOKEN", "a-token")
    page = {"calls": [call("first").as_dict(with_timeline=False)], "next": "more"}
    answers = {
        "/v1/calls?q=a+%26+b&limit=50": (200, page),
        "/v1/calls/a%2Fb": (200, call("a/b").as_dict()),
        "/v1/calls?q=refused&limit=50": (403, {}),
        "/v1/calls?q=broken&limit=50": (500, {"detail": "the database is away"}),
    }
    with gateway(answers) as (url, tokens):
        assert run(["calls", "--url", url, "-q", "a & b", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == page
        assert run(["calls", "a/b", "--url", url, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["call_id"] == "a/b"
        assert run(["calls", "c", "--url", url]) == 1
        assert "no call 'c'" in capsys.readouterr().err
        assert run(["calls", "--url", url, "-q", "refused"]) == 1
        assert "GATEWAY_TOKEN" in capsys.readouterr().err
        assert run(["calls", "--url", url, "-q", "broken"]) == 1
        assert "the database is away" in capsys.readouterr().err
    assert set(tokens) == {"Bearer a-token"}
    assert run(["calls", "--url", url]) == 1
    assert "does not answer" in capsys.readouterr().err


async def test_a_look_at_a_file_says_how_it_is_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "calls.sqlite"
    address = f"sqlite:{path}"
    assert await look_at(address) == "will be made at the start"
    assert not path.parent.exists()
    async with sqlite(path) as database:
        await keeper(database).keep(call("a"))
    assert await look_at(address) == "1 calls"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(RecordError, match="use the newer gateway"):
        await look_at(address)
    with pytest.raises(RecordError, match="version 99"):
        async with sqlite(path):
            pass
    path.write_bytes(b"a letter, and no database" * 100)
    with pytest.raises(RecordError, match="no database"):
        await look_at(address)
    with pytest.raises(RecordError, match="no database"):
        async with sqlite(path):
            pass
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="may not be written"):
        await look_at(f"sqlite:{tmp_path}/file/calls.sqlite")


def test_an_address_is_shown_without_its_password() -> None:
    address = "postgresql://gateway:s3cret:@more@db.example:5432/calls?password=s3cret"
    assert shown(address) == "postgresql://gateway@db.example:5432/calls"
    assert shown("postgresql://db.example/calls") == "postgresql://db.example/calls"
    assert shown("sqlite:calls.sqlite") == "sqlite:calls.sqlite"


def test_a_password_in_a_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[records]\ndatabase = "postgresql://gateway:s3cret@db/calls"\n')
    assert run(["calls", "-c", str(file)]) == 2
    told = capsys.readouterr().err
    assert "database_env" in told
    assert "s3cret" not in told


async def test_check_tells_of_the_database_that_is_configured(tmp_path: Path) -> None:
    def settings(database: str) -> Settings:
        return Settings.model_validate({"records": {"database": database}})

    assert await look(settings("")) == []
    (good,) = await look(settings(f"sqlite:{tmp_path}/calls.sqlite"))
    assert good.is_good
    (tmp_path / "file").write_text("")
    (bad,) = await look(settings(f"sqlite:{tmp_path}/file/calls.sqlite"))
    assert not bad.is_good
    assert "may not be written" in bad.detail
