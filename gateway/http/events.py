"""`GET /v1/events`: everything that happens in calls, as a stream (server-sent events)."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from aiohttp import hdrs, web

from ..calls.notices import Notice
from ..calls.registry import Registry
from .bodies import read_query
from .news import News
from .operation import VISITOR, Answer, Operation, Role
from .problems import Refusal

__all__ = ["EventsDoor"]

_PAUSE: Final = 0.025  # seconds between two writes: what comes meanwhile goes in one
_RETRY_AFTER: Final = "5"
_HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # proxies are to pass each event on at once
}


class _Query(msgspec.Struct, frozen=True):
    """What of it.

    Attributes:
        call: only this call

    """

    call: str = ""


class EventsDoor:
    """Tells viewers the news."""

    def __init__(
        self, news: News, registry: Registry, *, unix_clock: Callable[[], float] = time.time
    ) -> None:
        self._news = news
        self._registry = registry
        self._unix_clock = unix_clock

    def operations(self) -> Sequence[Operation]:
        """Return what this door does."""
        return (
            Operation(
                "GET",
                "/v1/events",
                self._follow,
                "Follow what happens in calls, as it happens",
                role=Role.VIEWER,
                query=_Query,
                headers={"Last-Event-ID": "the last event that was received, to go on from there"},
                answers={
                    200: Answer("notices, one an event", Notice, "text/event-stream"),
                    404: Answer("there is no such call"),
                    503: Answer("too many watch already"),
                },
            ),
        )

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        call_id = read_query(request, _Query).call
        if call_id and self._registry.record(call_id) is None:
            raise Refusal(404, f"no call {call_id!r}")
        if request.method == hdrs.METH_HEAD:
            return web.Response(headers=_HEADERS)
        who = f"{request[VISITOR].name} {request.remote}"
        viewer = self._news.admit(call_id, request.headers.get("Last-Event-ID", ""), who)
        if viewer is None:
            problem = "too many watch already, or too many as you and from where you are"
            raise Refusal(503, problem, headers={"Retry-After": _RETRY_AFTER})
        viewer.is_gone = lambda: request.transport is None
        viewer.on_lost = lambda: _break_off(request)
        response = web.StreamResponse(headers=_HEADERS)
        try:
            await response.prepare(request)
            async with asyncio.timeout(self._seconds_left(request)):
                while (piece := await viewer.take()) is not None:
                    await response.write(piece)
                    await asyncio.sleep(_PAUSE)
        except (TimeoutError, ConnectionError):
            _break_off(request)  # what they still have to read may be much
        finally:
            self._news.dismiss(viewer)
        return response

    def _seconds_left(self, request: web.Request) -> float | None:
        """Return how long the token that was shown is good for."""
        until = request[VISITOR].until
        return None if until is None else max(0.0, until - self._unix_clock())


def _break_off(request: web.Request) -> None:
    """End a connection without waiting for whoever does not read."""
    if request.transport is not None:
        request.transport.abort()
