"""`GET /v1/visitor`: who the gateway takes us for, and whom we could transfer calls to."""

from collections.abc import Mapping, Sequence

import msgspec
from aiohttp import web

from ..config import Target
from .operation import JSON, VISITOR, Answer, Operation, Role

__all__ = ["VisitorDoor"]


class _Target(msgspec.Struct, frozen=True):
    name: str
    description: str


class _Visitor(msgspec.Struct, frozen=True):
    """Who asks.

    Attributes:
        name: as timelines tell it.
        role: what they may do.
        until: unix seconds: when their token is worth nothing more.
        targets: where a supervisor may send callers.

    """

    name: str
    role: str
    until: float | None
    targets: list[_Target]


class VisitorDoor:
    """Tells a page what its visitor may do, so that it offers nothing else.

    Args:
        targets: Of transfers, by name.

    """

    def __init__(self, targets: Mapping[str, Target]) -> None:
        self._targets = [_Target(name, one.description) for name, one in targets.items()]

    def operations(self) -> Sequence[Operation]:
        """Return what this door does."""
        return (
            Operation(
                "GET",
                "/v1/visitor",
                self._tell,
                "Tell who the gateway takes us for, and what we may do",
                answers={200: Answer("who we are", _Visitor)},
            ),
        )

    async def _tell(self, request: web.Request) -> web.Response:
        visitor = request[VISITOR]
        targets = self._targets if visitor.role >= Role.SUPERVISOR else []
        told = _Visitor(visitor.name, visitor.role.name.lower(), visitor.until, targets)
        return web.Response(body=msgspec.json.encode(told), content_type=JSON)
