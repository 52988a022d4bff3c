"""A browser's connection whose lane and way are taken down, and nobody at the other end."""

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

from gateway.clock import CountedIds
from gateway.legs.web_connection import WebConnection
from gateway.legs.web_events import WebEvent
from gateway.media.lane import Lane
from gateway.sdp.browser import BrowserOffer
from gateway.testing.lanes import NotedLane
from gateway.testing.offers import CODECS, FINGERPRINT, chromium
from gateway.testing.ways import NotedWay

__all__ = ["WebScene", "settle"]


class WebScene:
    """One connection and what it tells."""

    def __init__(self, offer: str = "", **way: Any) -> None:
        self.lane = NotedLane(fingerprint=FINGERPRINT)
        self.way = NotedWay(**way)
        self.told: list[WebEvent] = []
        self.over: list[WebConnection] = []
        self.goodbyes: list[asyncio.Task[None]] = []
        self.connection = WebConnection(
            BrowserOffer((offer or chromium()).encode(), CODECS),
            cast("Lane", self.lane),
            self.way.made,
            CountedIds(),
            self.over.append,
            self._begin,
        )

    def _begin(self, goodbye: Coroutine[Any, Any, None]) -> None:
        self.goodbyes.append(asyncio.create_task(goodbye))

    async def prepare(self) -> "WebScene":
        await self.connection.prepare()
        self.connection.listen(self.told.append)
        return self


async def settle() -> None:
    """Let everything that is due happen."""
    for _ in range(5):
        await asyncio.sleep(0)
