"""Endpoints on real sockets of this machine that call each other."""

import asyncio
from collections.abc import Callable
from typing import Self

from gateway.clock import RandomIds
from gateway.config import TlsSettings
from gateway.sip.agent import UserAgent
from gateway.sip.dialogs.incoming import IncomingSession
from gateway.sip.dialogs.session import Session
from gateway.sip.dialogs.session_events import SessionEvent
from gateway.sip.transport.address import Advertiser
from gateway.sip.transport.endpoint import SipEndpoint
from gateway.sip.wire.uri import Uri

__all__ = ["Station", "until"]


class Station:
    """An endpoint that answers every call, and waits for what happens."""

    def __init__(
        self, transport: str, host: str = "127.0.0.1", tls: TlsSettings | None = None
    ) -> None:
        agent = UserAgent(RandomIds(), advertise=Advertiser(), has_streams=True)
        where = f"[{host}]" if ":" in host else host
        self.endpoint = SipEndpoint(agent, [f"{transport}:{where}:0"], self.take, tls)
        self.events: asyncio.Queue[SessionEvent] = asyncio.Queue()
        self.transport = transport
        self.host = where
        self.answers = True

    async def __aenter__(self) -> Self:
        await self.endpoint.start()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.endpoint.close()

    @property
    def port(self) -> int:
        return int(self.endpoint.addresses[0].rpartition(":")[2])

    @property
    def uri(self) -> Uri:
        return self.uri_at(self.host)

    @property
    def connections(self) -> int:
        """How many connections stand."""
        kinds = self.endpoint._sockets
        return sum(len(getattr(kind, "_by_number", ())) for kind in kinds)

    def uri_at(self, host: str) -> Uri:
        return Uri("sip", "bob", host, self.port, {"transport": self.transport})

    def take(self, session: IncomingSession) -> None:
        if self.answers:
            session.answer(b"answer", self.endpoint.now())
            self.endpoint.flush()
        self.endpoint.listen(session, self.events.put_nowait)

    async def call(self, other: "Station", host: str = "") -> Session:
        target = other.uri_at(host or other.host)
        flow = await self.endpoint.resolve(target)
        session = self.endpoint.agent.invite(
            target, flow, self.endpoint.now(), from_uri=self.uri, sdp=b"offer"
        )
        self.endpoint.listen(session, self.events.put_nowait)
        self.endpoint.flush()
        return session

    async def wait_for(self, kind: type[SessionEvent]) -> SessionEvent:
        async with asyncio.timeout(5):
            while not isinstance(event := await self.events.get(), kind):
                pass
            return event


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)
