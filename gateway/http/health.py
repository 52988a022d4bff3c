"""Whether the gateway lives, whether it takes calls, and how it stands."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
from aiohttp import web

from ..calls.registry import Health, Registry
from .operation import Answer, Operation, Role

__all__ = ["HealthDoor"]


class _Alive(msgspec.Struct, frozen=True):
    status: Literal["ok"]


class _Readiness(msgspec.Struct, frozen=True):
    status: Literal["ready", "busy", "draining"]
    calls: int


class HealthDoor:
    """`/healthz`, `/readyz` for everybody, `/v1/gateway` for those who look after it.

    Args:
        facts: Says what else is worth knowing.
        retry_after: Says how many seconds callers are told to wait when there is no room.

    """

    def __init__(
        self,
        registry: Registry,
        *,
        facts: Callable[[], dict[str, Any]],
        retry_after: Callable[[], int] = lambda: 5,
    ) -> None:
        self._registry = registry
        self._facts = facts
        self._retry_after = retry_after

    def operations(self) -> Sequence[Operation]:
        """Return what this door does."""
        wait = {"Retry-After": "seconds to wait"}
        return (
            Operation(
                "GET",
                "/healthz",
                self._healthz,
                "Tell that the process lives",
                answers={200: Answer("it does", _Alive)},
            ),
            Operation(
                "GET",
                "/readyz",
                self._readyz,
                "Tell whether calls are taken",
                answers={
                    200: Answer("they are", _Readiness),
                    429: Answer("there is no room at present", _Readiness, headers=wait),
                    503: Answer("the gateway is being stopped", _Readiness, headers=wait),
                },
            ),
            Operation(
                "GET",
                "/v1/gateway",
                self._gateway,
                "Tell where the gateway is, how it stands with its neighbours, what it counted",
                role=Role.VIEWER,
                answers={200: Answer("facts and counters", dict[str, Any])},
            ),
        )

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        health = self._registry.health
        body = {"status": health.name.lower(), "calls": len(self._registry)}
        headers = {} if health is Health.READY else {"Retry-After": str(self._retry_after())}
        return web.json_response(body, status=health.value, headers=headers)

    async def _gateway(self, _request: web.Request) -> web.Response:
        return web.json_response(self._facts())
