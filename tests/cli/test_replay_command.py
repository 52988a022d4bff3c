"""`voice-gateway replay`: a recorded call through the control and configuration of today."""

import json
from pathlib import Path

import pytest

from gateway.cli import run
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply
from tests.control.call_scenes import settings

RULE = '[[rules]]\non = "input_audio_buffer.dtmf_event_received"\ndigit = "9"\ndo = "hangup"\n'


def row(**changes: object) -> str:
    """Return a timeline of one entry, with something else in it."""
    entry = {"at": 0.0, "kind": "event", "name": "leg.answered", "detail": {}, "count": 1}
    return json.dumps([entry | changes])


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Return the record of a call whose caller pressed 9."""
    flow = Flow(settings())
    flow.service.replies.append(Reply())
    flow.start()
    flow.run(2)
    flow.press("9")
    flow.run(5)
    path = tmp_path / "call.json"
    path.write_text(json.dumps({"timeline": flow.controller.timeline.as_list()}))
    return path


def configured(tmp_path: Path, text: str = "") -> str:
    path = tmp_path / "gateway.toml"
    path.write_text('[targets]\noperator = "sip:operator@pbx.example"\n' + text)
    return str(path)


def test_a_call_that_would_go_the_same_way_exits_with_0(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", str(record), "-c", configured(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("same: ")


def test_the_first_difference_is_shown_with_what_came_before(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", str(record), "-c", configured(tmp_path, RULE)]) == 1
    shown = capsys.readouterr().out
    assert "dtmf_event_received" in shown
    assert "The first difference" in shown


def test_of_long_texts_the_field_and_the_place_where_they_part_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "Menus are spoken by the gateway. " * 20
    before, after = (f'[call]\ngreeting = "{text}{last}"' for last in ("Be kind.", "Be brief."))
    flow = Flow.of(configured(tmp_path, before))
    flow.start()
    flow.run(2)
    path = tmp_path / "call.json"
    path.write_text(json.dumps(flow.timeline.as_list()))
    assert run(["replay", str(path), "-c", configured(tmp_path, after)]) == 1
    shown = capsys.readouterr().out.splitlines()
    place = shown.index("      response.instructions")
    assert shown[place + 1].startswith("      - …")
    assert shown[place + 1].endswith('Be kind."')
    assert shown[place + 2].endswith('Be brief."')
    assert max(len(line) for line in shown) < 120


def test_text_that_no_terminal_can_show_is_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "call.json"
    path.write_text(row(kind="action", name="Log", detail={"text": "\ud800"}))
    assert run(["replay", str(path), "-c", configured(tmp_path)]) == 1
    assert "nothing more is done" in capsys.readouterr().out


def test_json_holds_both_sides(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", str(record), "-c", configured(tmp_path, RULE), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert not told["same"]
    assert told["recorded"] != told["replayed"]


def test_a_file_of_one_entry_a_line_is_read_as_well(record: Path, tmp_path: Path) -> None:
    lines = tmp_path / "call.jsonl"
    entries = json.loads(record.read_text())["timeline"]
    lines.write_text("\n".join(json.dumps(entry) for entry in entries))
    assert run(["replay", str(lines), "-c", configured(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "cannot be read"),
        ("not json", "not JSON"),
        ("{}", "there is no timeline in it"),
        ("[]", "there is no timeline in it"),
        ('[{"at": 1}]', "entry 1 is none of a timeline"),
        ("[3]", "entry 1 is none of a timeline"),
        ("[" * 100_000, "not JSON"),
        ("\x00", "not JSON"),
        (row(kind="thought"), "kind 'thought' is none of event, derived"),
        (row(detail=[]), "not an object with a detail"),
        (row(at="noon"), "its time is no number"),
        (row(at=float("nan")), "its time is no number"),
        (row(until="later"), "its time is no number"),
        (row(count=0), "its count is no number"),
        (row(together="x"), "its together is no number"),
        (row(together=10**12), "its together is no number"),
        (row(by=["ann"]), "who it is by is no text"),
        (row(count=10**12), "its count is no number"),
        (row(kind="action", name="Dance"), "entry 1 is none of a timeline: 'Dance'"),
    ],
)
def test_what_is_no_timeline_is_one_line_and_exits_with_2(
    text: str | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "call.json"
    if text is not None:
        path.write_text(text)
    assert run(["replay", str(path), "-c", configured(tmp_path)]) == 2
    errors = capsys.readouterr().err
    assert told in errors
    assert len(errors.strip().splitlines()) == 1
