"""`voice-gateway events` in its three forms, and the page that is written by it."""

import json
import tomllib
from pathlib import Path

import pytest

from gateway.cli import run
from gateway.cli.events_page import events_page
from gateway.config import Settings
from gateway.control import ControlSettings
from gateway.control.event_table import EVENT_TABLE, MADE_HERE, OWN_TABLE, PARTS
from gateway.realtime.events import TRANSPORTS

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


def test_the_page_in_docs_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["events", "--markdown"]) == 0
    printed = capsys.readouterr().out
    assert printed == PAGE.read_text(encoding="utf-8"), (
        "write it anew: voice-gateway events --markdown > docs/events.md"
    )


def test_the_page_tells_of_every_event_once_and_of_every_part_named() -> None:
    page = events_page()
    for name in (*EVENT_TABLE, *OWN_TABLE):
        assert page.count(f"| `{name}`") == 1, name
    for handling in (*EVENT_TABLE.values(), *OWN_TABLE.values()):
        assert set(handling.parts) <= set(PARTS)
    for part in PARTS:
        assert f"| {part} |" in page


def test_every_row_of_a_table_has_as_many_cells_as_its_heading() -> None:
    columns = 0
    for line in events_page().splitlines():
        cells = line.replace("\\|", "").count("|")
        if line.startswith(("| event |", "| part |")):
            columns = cells
        elif line.startswith("|"):
            assert cells == columns, line


def test_the_rule_shown_as_an_example_works() -> None:
    text = events_page().split("```toml\n")[1].split("```")[0]
    tables = tomllib.loads(text)
    ControlSettings.of(Settings(targets={"operator": "sip:operator@pbx.example"}, **tables))


def test_the_data_are_of_47_events_none_of_them_only_noted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["events", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 47
    for row in rows:
        assert row["handler"] != "timeline", row["event"]
        assert row["default"]
        assert row["transports"]


def test_every_event_of_a_link_is_sent_by_the_service_or_made_here_but_three() -> None:
    elsewhere = {
        (name, link)
        for name in EVENT_TABLE
        for link in ("websocket", "webrtc", "sip")
        if link not in TRANSPORTS[name] | MADE_HERE.get(name, frozenset())
    }
    assert elsewhere == {
        ("transcription_session.updated", "sip"),  # there is no such session
        ("response.output_audio.delta", "webrtc"),  # the sound goes beside the events
        ("response.output_audio.delta", "sip"),
    }


def test_the_tables_are_shown_to_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["events"]) == 0
    told = capsys.readouterr().out
    assert "The 47 server events" in told
    assert "playout.flushed" in told
