"""`/v1/calls`: the calls in progress, and those that are over."""

from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web

from ..calls.registry import Registry
from .operation import Answer, Operation, Role
from .problems import Refusal

__all__ = ["CallsDoor"]


class _Calls(msgspec.Struct, frozen=True):
    calls: list[dict[str, Any]]


class CallsDoor:
    """Tells of calls."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def operations(self) -> Sequence[Operation]:
        """Return what this door does."""
        return (
            Operation(
                "GET",
                "/v1/calls",
                self._find,
                "List calls, those in progress first, then the newest",
                role=Role.VIEWER,
                answers={200: Answer("calls without their long parts", _Calls)},
            ),
            Operation(
                "GET",
                "/v1/calls/{id}",
                self._get,
                "Tell the whole of a call",
                role=Role.VIEWER,
                answers={200: Answer("its record, transcript and timeline", dict[str, Any])},
            ),
        )

    async def _find(self, _request: web.Request) -> web.Response:
        records = self._registry.records()
        return web.json_response({"calls": [r.as_dict(with_timeline=False) for r in records]})

    async def _get(self, request: web.Request) -> web.Response:
        record = self._registry.record(request.match_info["id"])
        if record is None:
            raise Refusal(404, f"no call {request.match_info['id']!r}")
        return web.json_response(record.as_dict())
