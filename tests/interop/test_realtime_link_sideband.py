"""A sideband beside a WebRTC call of the embedded service: one session, seen and steered by two."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.embedded.server import EmbeddedService
from gateway.errors import LinkError
from gateway.realtime.client import ServiceClient
from gateway.realtime.commands import ResponseCreate, SessionUpdate
from gateway.realtime.credentials import Key
from gateway.realtime.endpoint import Endpoint
from gateway.realtime.events import ServerEvent, Unknown, wire_name
from gateway.realtime.sideband import SidebandLink
from gateway.realtime.webrtc import WebRtcLink

pytestmark = pytest.mark.interop


class Owner:
    """What one link tells."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.ends: list[LinkError | None] = []
        self.sound = 0
        self.changed = asyncio.Event()

    def take(self, event: ServerEvent | Unknown) -> None:
        self.names.append(wire_name(event))
        self.changed.set()

    def end(self, fault: LinkError | None) -> None:
        self.ends.append(fault)
        self.changed.set()

    def hear(self, sound: bytes) -> None:
        self.sound += len(sound)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    async def sees(self, name: str) -> None:
        await self.until(lambda: name in self.names)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    service = EmbeddedService("127.0.0.1", 0, "echo", key="sk-1")
    await service.start()
    yield Endpoint(service.url, Key("sk-1"))
    await service.close()


async def test_a_sideband_sees_and_steers_a_webrtc_call_and_hears_of_its_end(
    endpoint: Endpoint,
) -> None:
    client = ServiceClient(endpoint)
    caller, onlooker = Owner(), Owner()
    call = WebRtcLink(client, {}, on_event=caller.take, on_closed=caller.end, on_audio=caller.hear)
    await call.connect()
    sideband = SidebandLink(
        endpoint,
        call.call_id,
        on_event=onlooker.take,
        on_closed=onlooker.end,
        transport="webrtc",
    )
    await sideband.connect()
    assert sideband.transport == "webrtc"
    sideband.send(SessionUpdate(session={"type": "realtime", "instructions": "Echo."}))
    sideband.send(ResponseCreate())
    for owner in (caller, onlooker):
        await owner.sees("session.updated")
        await owner.sees("response.done")
    assert onlooker.names[0] == "session.updated"
    assert "session.created" in caller.names
    await client.hangup(call.call_id)
    await onlooker.until(lambda: bool(onlooker.ends))
    (end,) = onlooker.ends
    assert end is not None
    assert (str(end), end.status) == ("the call is over", 404)
    await sideband.close()
    await call.close()
    await client.close()


async def test_a_call_nobody_made_is_not_waited_for_for_ever(endpoint: Endpoint) -> None:
    owner = Owner()
    sideband = SidebandLink(
        endpoint, "rtc_none", on_event=owner.take, on_closed=owner.end, patience=0.3
    )
    with pytest.raises(LinkError, match="call_id_not_found") as refused:
        await sideband.connect()
    assert refused.value.status == 404
    client = ServiceClient(endpoint)
    with pytest.raises(LinkError) as unknown:
        await client.accept("rtc_none", {})
    assert unknown.value.status == 404
    await client.close()
