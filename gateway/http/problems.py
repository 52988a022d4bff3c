"""Refusals by HTTP: problem documents (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, Literal, TypeAlias

import msgspec
from aiohttp import web

__all__ = ["KINDS", "PROBLEM", "FieldFault", "Kind", "Problem", "Refusal"]

PROBLEM: Final = "application/problem+json"
KINDS: Final = "urn:voice-gateway:problem:"
"""How the type of a problem begins that a program may want to know from others."""

Kind: TypeAlias = Literal[
    "",  # the status says it all
    "token-unknown",
    "token-expired",
    "role-needed",
    "field",
    "key-reused",
    "key-in-use",
    "not-permitted",
    "no-room",
    "no-way",
]

_BLANK: Final = "about:blank"


class FieldFault(msgspec.Struct, frozen=True):
    """What is wrong with one field of a request: where it is (RFC 6901), and what."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document.

    Attributes:
        type: ``about:blank`` where the status says it all, else ``urn:voice-gateway:problem:``
            and what it is.
        title: the status in words.
        detail: what is wrong with this request, and how to mend it.
        instance: the path that was asked for.
        errors: what is wrong with which field.

    """

    type: str
    status: int
    title: str
    detail: str
    instance: str = ""
    errors: tuple[FieldFault, ...] = ()


class Refusal(Exception):
    """Ends a request with a problem document."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: Kind = "",
        errors: tuple[FieldFault, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.type = KINDS + kind if kind else _BLANK
        self.errors = errors
        self.headers = headers or {}

    def response(self, instance: str) -> web.Response:
        """Return the answer to whoever asked for ``instance``."""
        told = Problem(
            type=self.type,
            status=self.status,
            title=HTTPStatus(self.status).phrase,
            detail=self.detail,
            instance=instance,
            errors=self.errors,
        )
        body = msgspec.json.encode(told)
        return web.Response(
            body=body, status=self.status, content_type=PROBLEM, headers=self.headers
        )
