"""Refusals by HTTP: problem documents (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

__all__ = ["PROBLEM", "FieldFault", "Problem", "Refusal", "problem"]

PROBLEM: Final = "application/problem+json"
_BLANK: Final = "about:blank"


class FieldFault(msgspec.Struct, frozen=True):
    """What is wrong with one field of a request: where it is (RFC 6901), and what."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document.

    Attributes:
        type: ``about:blank`` where the status says it all.
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
        kind: str = _BLANK,
        errors: tuple[FieldFault, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind
        self.errors = errors
        self.headers = headers or {}

    def response(self, instance: str) -> web.Response:
        """Return the answer to whoever asked for ``instance``."""
        told = Problem(
            type=self.kind,
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


def problem(status: int, title: str, detail: str) -> web.Response:
    """Answer with a problem document."""
    body = msgspec.json.encode(Problem(type=_BLANK, status=status, title=title, detail=detail))
    return web.Response(body=body, status=status, content_type=PROBLEM)
