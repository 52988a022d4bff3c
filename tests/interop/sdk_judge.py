"""The openai SDK as a judge: its client on our service, and its types on every frame that comes."""

import asyncio
from typing import Any

import pytest

from gateway.embedded.server import EmbeddedService

__all__ = ["Judge", "client_for"]

openai = pytest.importorskip("openai", reason="the openai SDK is not installed")
pydantic = pytest.importorskip("pydantic")

LIMIT = 20.0


class Judge:
    """One connection; every frame must pass the SDK's own types, strictly."""

    def __init__(self, connection: Any) -> None:
        from openai.types.realtime import RealtimeServerEvent

        self.connection = connection
        self.seen: list[Any] = []
        self._type: Any = pydantic.TypeAdapter(RealtimeServerEvent)

    async def until(self, name: str) -> Any:
        """Read on to the next event of this name."""
        async with asyncio.timeout(LIMIT):
            while True:
                event = self._type.validate_json(await self.connection.recv_bytes())
                self.seen.append(event)
                if event.type == name:
                    return event

    async def ready(self, **session: Any) -> None:
        """Set the session up and have it greet."""
        await self.until("session.created")
        await self.connection.session.update(session={"type": "realtime", **session})
        await self.until("session.updated")

    def last(self, name: str) -> Any:
        """Return the latest event of this name."""
        return [event for event in self.seen if event.type == name][-1]


def client_for(service: EmbeddedService, key: str = "sk-test") -> Any:
    base = service.url.removesuffix("/realtime")
    return openai.AsyncOpenAI(
        api_key=key, base_url=base.replace("ws:", "http:"), websocket_base_url=base, max_retries=0
    )
