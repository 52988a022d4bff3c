"""What the HTTP surface can do, as data: routing, admission and the API's description in one.

Every part of the surface is a :class:`Door` with its operations.  The server routes by them,
asks for the role they name, and ``/openapi.json`` is written from them: what is told of the API
is what it does.
"""

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from aiohttp import web

__all__ = ["JSON", "VISITOR", "Answer", "Door", "Handler", "Header", "Operation", "Role", "Visitor"]

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

JSON: Final = "application/json"


class Role(enum.IntEnum):
    """What somebody may do; each may also do what those before it may."""

    NOBODY = 0
    CALLER = 1
    VIEWER = 2
    SUPERVISOR = 3
    ADMIN = 4


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks: the name is told by timelines."""

    name: str
    role: Role
    until: float | None = None  # unix seconds: when what they showed is worth nothing more


VISITOR: Final = web.RequestKey("visitor", Visitor)
"""Where a request has who asks, by the time that its operation handles it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of an operation: what it means, and the shape of its body.

    Attributes:
        means: in words.
        shape: a type that msgspec can describe, ``None`` for no body or one that is no JSON.
        media_type: of the body; empty for none.
        headers: what each header of the answer says.

    """

    means: str
    shape: Any = None
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Header:
    """A header of requests that is refused where it is not written so."""

    means: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path.

    Attributes:
        method: in capitals.
        path: as aiohttp's router takes it, ``/v1/calls/{id}``; one that is got has HEAD besides.
        handle: answers the request.
        summary: what it does, one line.
        role: who may ask for it.
        body: the type of the body, ``None`` for none.
        body_type: the only media type that is taken, ``*/*`` for any.
        query: a msgspec struct of the query's parameters, each optional.
        headers: what each header of the request says that the operation reads.
        answers: by status; problems that any operation may answer with are understood.
        is_signed: believed by its signature (Standard Webhooks), not by a token.
        is_public: stands in ``/openapi.json``.

    """

    method: str
    path: str
    handle: Handler
    summary: str
    role: Role = Role.NOBODY
    body: Any = None
    body_type: str = JSON
    query: Any = None
    headers: Mapping[str, str | Header] = field(default_factory=dict)
    answers: Mapping[int, Answer] = field(default_factory=dict)
    is_signed: bool = False
    is_public: bool = True


class Door(Protocol):
    """A part of the surface."""

    def operations(self) -> Sequence[Operation]:
        """Return what it does."""
        ...
