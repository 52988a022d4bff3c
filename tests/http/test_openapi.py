"""The document of the API is made of what the server does: nothing missing, nothing made up."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from aiohttp import web

from gateway.app import Gateway
from gateway.calls.registry import CallRecord
from gateway.config import Settings
from gateway.http.openapi import describe
from gateway.http.operation import Answer, Operation, Role
from gateway.http.shapes import CallBrief, WholeCall
from gateway.testing.virtual_time import run

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def operations() -> list[Operation]:
    """Return all that a gateway with every door does."""

    async def made() -> list[Operation]:
        tables = {
            "http": {"bind": "127.0.0.1:0", "token": "t"},
            "realtime": {
                "provider": "custom",
                "url": "wss://service.example/v1/realtime",
                "link": "sideband",
                "api_key": "k",
                "webhook_secret": "whsec_c2VjcmV0",
            },
        }
        gateway = Gateway(Settings.model_validate(tables))
        return [one for door in gateway.surface.doors() for one in door.operations()]

    return run(made())


@pytest.fixture(scope="module")
def offered() -> list[Operation]:
    return operations()


@pytest.fixture(scope="module")
def document(offered: Sequence[Operation]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(json.dumps(describe(offered)))
    return told


def test_every_operation_is_told_with_its_role(
    offered: Sequence[Operation], document: dict[str, Any]
) -> None:
    told = {(m.upper(), p) for p, methods in document["paths"].items() for m in methods}
    assert told == {(one.method, one.path) for one in offered}
    for one in offered:
        scheme = document["paths"][one.path][one.method.lower()]["security"]
        if one.is_signed:
            assert scheme == [{"signature": []}]
        elif one.role is Role.NOBODY:
            assert scheme == []
        else:
            assert scheme == [{"token": [one.role.name.lower()]}]


def test_all_that_changes_anything_is_for_a_role_or_signed(offered: Sequence[Operation]) -> None:
    for one in offered:
        if one.method in ("GET", "OPTIONS") or one.path.startswith("/whip"):
            continue  # /whip/{id} is opened by a name that nobody can guess
        assert one.role > Role.VIEWER or one.is_signed, f"{one.method} {one.path}"


def test_names_are_unique_and_references_lead_somewhere(document: dict[str, Any]) -> None:
    names = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(set(names)) == len(names)
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert not name.startswith("_")
    for part in text.split('"$ref": "')[1:]:
        place = part.partition('"')[0]
        assert place.removeprefix("#/components/schemas/") in document["components"]["schemas"]


def test_every_refusal_is_a_problem(document: dict[str, Any]) -> None:
    for path in document["paths"].values():
        for one in path.values():
            told = one["responses"]["default"]["content"]
            assert list(told) == ["application/problem+json"]


def test_each_schema_is_one(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_fields_say_what_they_are(document: dict[str, Any]) -> None:
    query = {p["name"]: p for p in document["paths"]["/v1/calls"]["get"]["parameters"]}
    assert query["cursor"]["description"] == "the `next` of the page before"
    assert query["limit"]["schema"] == {
        "type": "integer", "minimum": 1, "maximum": 500, "default": 50,
    }  # fmt: skip
    problem = document["components"]["schemas"]["Problem"]["properties"]
    assert problem["instance"]["description"] == "the path that was asked for."


def test_a_call_is_told_as_it_is_described() -> None:
    record = CallRecord("c", "ann", "demo", 0.0, "talking", 1.0)
    brief = record.as_dict(with_timeline=False)
    assert list(brief) == [field.name for field in msgspec.structs.fields(CallBrief)]
    msgspec.convert(record.as_dict(), WholeCall)


async def _nothing(_request: web.Request) -> web.StreamResponse:
    return web.Response()


def test_what_is_not_public_is_left_out_and_patterns_of_paths_are_not_shown() -> None:
    hidden = Operation("GET", "/hidden", _nothing, "", is_public=False)
    plain = Operation("GET", "/a/{name:[a-z]+}", _nothing, "", answers={200: Answer("it")})
    told = describe([hidden, plain])
    assert list(told["paths"]) == ["/a/{name}"]
    assert told["paths"]["/a/{name}"]["get"]["responses"]["200"] == {"description": "it"}


def test_the_documented_table_is_what_there_is(offered: Sequence[Operation]) -> None:
    rows = [
        f"| {one.method} | `{one.path}` | {_who(one)} | {one.summary} |"
        for one in sorted(offered, key=lambda one: (one.path, one.method))
    ]
    found = [line for line in PAGE.read_text().splitlines() if line.startswith(_METHODS)]
    assert found == rows, "write this into docs/api.md:\n" + "\n".join(rows)


def _who(one: Operation) -> str:
    if one.is_signed:
        return "by signature"
    return "all" if one.role is Role.NOBODY else one.role.name.lower()


_METHODS = ("| GET", "| POST", "| PATCH", "| DELETE", "| OPTIONS", "| PUT")
