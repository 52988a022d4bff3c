"""`/openapi.json`: what the HTTP surface can do, written from its operations (OpenAPI 3.1)."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import msgspec
from aiohttp import web

from .. import __version__
from .operation import JSON, Answer, Door, Operation, Role
from .problems import PROBLEM, Problem
from .schemas import Schemas

__all__ = ["ApiDoor", "describe"]

_PARAMETER: Final = re.compile(r"\{([^}:]+)(?::[^}]*)?\}")
_TOKEN: Final = "token"
_SIGNATURE: Final = "signature"
_SCHEMES: Final = {
    _TOKEN: {
        "type": "http",
        "scheme": "bearer",
        "description": "A configured token, or one of POST /v1/tokens; the role that is needed"
        " stands with each operation, and each role may do what those before it may: caller,"
        " viewer, supervisor, admin. Where no token is configured, whoever sits at the gateway's"
        " own machine is a viewer without one.",
    },
    _SIGNATURE: {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "As Standard Webhooks have it: HMAC-SHA256 over webhook-id,"
        " webhook-timestamp and the body.",
    },
}
_WITH_BODY: Final = {
    408: "the body did not come to its end",
    413: "the body is too long",
    415: "the body is of another type",
}


class ApiDoor:
    """Tells what there is to ask for, itself included.

    Args:
        doors: All of them.

    """

    def __init__(self, doors: Callable[[], Sequence[Door]]) -> None:
        self._doors = doors

    def operations(self) -> Sequence[Operation]:
        """Return what this door does."""
        return (
            Operation(
                "GET",
                "/openapi.json",
                self._tell,
                "Describe this API",
                answers={200: Answer("an OpenAPI 3.1 document", dict[str, Any])},
            ),
        )

    @cached_property
    def _document(self) -> bytes:
        operations = [one for door in self._doors() for one in door.operations()]
        return msgspec.json.encode(describe(operations))

    async def _tell(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._document, content_type=JSON)


def describe(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the OpenAPI document of operations; those that are not public are left out."""
    public = [one for one in operations if one.is_public]
    schemas = Schemas(_shapes(public))
    paths: dict[str, dict[str, Any]] = {}
    for one in public:
        path = paths.setdefault(_PARAMETER.sub(r"{\1}", one.path), {})
        path[one.method.lower()] = _operation(one, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "voice-gateway",
            "version": __version__,
            "description": "Calls of a telephony voice gateway: seen, placed, steered and joined.",
        },
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": _SCHEMES},
    }


def _shapes(operations: Sequence[Operation]) -> list[Any]:
    answers = [answer.shape for one in operations for answer in one.answers.values()]
    bodies = [one.body for one in operations]
    return [Problem, *(shape for shape in (*answers, *bodies) if shape is not None)]


def _operation(one: Operation, schemas: Schemas) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": _name_of(one),
        "summary": one.summary,
        "responses": _responses(one, schemas),
    }
    if parameters := [*_parameters(one, schemas)]:
        told["parameters"] = parameters
    if one.body is not None:
        content = {one.body_type: {"schema": schemas.of(one.body)}}
        told["requestBody"] = {"required": True, "content": content}
    if one.is_signed:
        told["security"] = [{_SIGNATURE: []}]
    elif one.role is not Role.NOBODY:
        told["security"] = [{_TOKEN: [one.role.name.lower()]}]
    else:
        told["security"] = []
    return told


def _name_of(one: Operation) -> str:
    words = re.findall(r"[a-z0-9]+", one.path.lower())
    return "_".join((one.method.lower(), *words)) if words else f"{one.method.lower()}_page"


def _parameters(one: Operation, schemas: Schemas) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(one.path)
    ]
    if one.query is not None:
        for name, schema in schemas.fields_of(one.query).items():
            told = {"name": name, "in": "query", "schema": schema}
            if meaning := schema.pop("description", ""):
                told["description"] = meaning
            found.append(told)
    for name, header in one.headers.items():
        means, pattern = (header, "") if isinstance(header, str) else (header.means, header.pattern)
        schema = {"type": "string"} | ({"pattern": pattern} if pattern else {})
        found.append({"name": name, "in": "header", "schema": schema, "description": means})
    return found


def _responses(one: Operation, schemas: Schemas) -> dict[str, Any]:
    problems = {}
    if one.body is not None or one.query is not None:
        problems[400] = "the request does not fit; `errors` says where"
    if one.body is not None:
        problems |= _WITH_BODY
    if one.role is not Role.NOBODY:
        problems[401] = "a token is to be shown, and a good one"
        problems[429] = "too many wrong tokens came from this address; Retry-After says how long"
        problems[403] = "the token's role may not do this"
    answers = {status: Answer(means) for status, means in problems.items()} | dict(one.answers)
    told = {str(status): _answer(status, answers[status], schemas) for status in sorted(answers)}
    return told | {"default": _answer(500, Answer("any other refusal"), schemas)}


def _answer(status: int, answer: Answer, schemas: Schemas) -> dict[str, Any]:
    told: dict[str, Any] = {"description": answer.means}
    if content := _content(status, answer, schemas):
        told["content"] = content
    if answer.headers:
        told["headers"] = {
            name: {"description": meaning, "schema": {"type": "string"}}
            for name, meaning in answer.headers.items()
        }
    return told


def _content(status: int, answer: Answer, schemas: Schemas) -> Mapping[str, Any]:
    """Return the body of an answer: of a refusal that says nothing else, a problem."""
    if answer.shape is None and status >= 400:
        return {PROBLEM: {"schema": schemas.of(Problem)}}
    if answer.shape is None:
        has_body = answer.media_type not in ("", JSON)
        return {answer.media_type: {"schema": {"type": "string"}}} if has_body else {}
    if answer.media_type == "text/event-stream":
        # OpenAPI 3.1 has no word for the items of a stream.
        told = {"schema": {"type": "string"}, "x-event-data": schemas.of(answer.shape)}
        return {answer.media_type: told}
    return {answer.media_type: {"schema": schemas.of(answer.shape)}}
