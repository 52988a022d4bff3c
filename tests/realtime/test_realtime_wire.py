"""All names and fields of the protocol, as our own table lists them in data/wire.toml."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.realtime import commands, events

TABLE = tomllib.loads((Path(__file__).parent / "data" / "wire.toml").read_text())
EVENTS: dict[str, str] = TABLE["events"]
COMMANDS: dict[str, str] = TABLE["commands"]
VALUES: dict[str, Any] = TABLE["values"]
PUBLISHED = Path(__file__).parents[2].parent / "shared" / "realtime" / "schema.json"
OURS_ALONE = {"digit", "_origin"}  # read, or never on the wire


def listed(line: str) -> dict[str, bool]:
    """Return each field that a line of the table names, and whether it must be there."""
    return {field.rstrip("?"): not field.endswith("?") for field in line.split()}


def typed(cls: type[msgspec.Struct]) -> dict[str, bool]:
    """Return each field of a type by its name on the wire, and whether it must be there."""
    return {field.encode_name: field.required for field in msgspec.structs.fields(cls)}


def fewest(name: str, line: str) -> dict[str, Any]:
    """Return a message with the fields that must be there, and no others."""
    needed = [field for field, is_needed in listed(line).items() if is_needed]
    return {"type": name} | {field: VALUES[field] for field in needed}


def test_there_are_47_events_and_12_commands() -> None:
    assert set(EVENTS) == set(events.SERVER_EVENTS)
    assert set(COMMANDS) == set(commands.CLIENT_EVENTS)
    assert (len(EVENTS), len(COMMANDS)) == (47, 12)


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_has_these_fields_and_relies_on_none_that_may_be_absent(name: str) -> None:
    ours, wire = typed(events.SERVER_EVENTS[name]), listed(EVENTS[name])
    assert set(ours) - OURS_ALONE == set(wire) | {"event_id"}
    assert {field for field in ours if ours[field]} <= {field for field in wire if wire[field]}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_these_fields(name: str) -> None:
    assert typed(commands.CLIENT_EVENTS[name]) == listed(COMMANDS[name])


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_with_the_fewest_fields_is_read(name: str) -> None:
    event = events.decode(json.dumps(fewest(name, EVENTS[name])))
    assert not isinstance(event, events.Unknown), event.problem
    assert events.wire_name(event) == name
    assert events.decode(events.encode(event)) == event


@pytest.mark.parametrize("name", sorted(set(EVENTS) - {"error"}))  # an error is read without, too
def test_an_event_without_a_field_relied_on_is_a_problem(name: str) -> None:
    message = fewest(name, EVENTS[name])
    for field, is_needed in typed(events.SERVER_EVENTS[name]).items():
        if is_needed:
            less = {key: value for key, value in message.items() if key != field}
            poorer = events.decode(json.dumps(less))
            if field in ("output_index", "content_index"):  # an answer has one part, mostly
                assert getattr(poorer, field) == 0
                continue
            assert isinstance(poorer, events.Unknown)
            assert (poorer.type, field in poorer.problem) == (name, True)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_with_the_fewest_fields_is_read_and_one_with_fewer_is_explained(
    name: str,
) -> None:
    message = fewest(name, COMMANDS[name])
    command = commands.decode_command(json.dumps(message))
    assert type(command) is commands.CLIENT_EVENTS[name]
    assert json.loads(commands.encode(command)) == message
    for field in [field for field in message if field != "type"]:
        less = {key: value for key, value in message.items() if key != field}
        bad = commands.decode_command(json.dumps(less))
        assert isinstance(bad, commands.BadCommand)
        assert (bad.code, bad.param) == ("missing_required_parameter", field)


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published description is not at hand")
@pytest.mark.parametrize(("kind", "ours"), [("server_events", EVENTS), ("client_events", COMMANDS)])
def test_the_table_says_what_is_published(kind: str, ours: Mapping[str, str]) -> None:
    described = json.loads(PUBLISHED.read_text())[kind]
    assert {name: listed(line) for name, line in ours.items()} == {
        name: {f: entry["required"] for f, entry in event["fields"].items() if f != "type"}
        for name, event in described.items()
    }
