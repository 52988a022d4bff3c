"""Calls from web pages: taken while there is room, and gone with everything of theirs."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from call_parts import NoErrands

from gateway.calls.attachment import OnAudio
from gateway.calls.browsers import BrowserReception, Guest
from gateway.calls.call import Call
from gateway.calls.links import Law, LinkPlan, Links
from gateway.calls.quota import Quota
from gateway.calls.registry import CallRecord, Registry
from gateway.calls.switchboard import Switchboard
from gateway.clock import CountedIds
from gateway.config import Settings
from gateway.control.settings import ControlSettings
from gateway.errors import (
    CapacityError,
    DialError,
    NegotiationError,
    RtcError,
    SdpError,
)
from gateway.legs.web_connection import WebConnection
from gateway.legs.web_events import Disconnected, WebEvent
from gateway.media.engine import Lane
from gateway.media.options import LaneOptions
from gateway.realtime.commands import ClientEvent, ResponseCreate, SessionUpdate
from gateway.realtime.events import SessionUpdated
from gateway.realtime.link import Link, LinkStats, OnClosed, OnEvent
from gateway.testing.media import MediaWorld
from gateway.testing.offers import chromium
from gateway.testing.ways import NotedWay

ANN = Guest("ann", "192.0.2.7", {"Origin": "https://shop.example"})


class Socket:
    """The service, which agrees to everything and says nothing."""

    transport = "websocket"

    def __init__(self, on_event: OnEvent) -> None:
        self.on_event = on_event
        self.stats = LinkStats()
        self.sent: list[ClientEvent] = []

    async def connect(self) -> None:
        pass

    def send(self, command: ClientEvent) -> str:
        self.sent.append(command)
        if isinstance(command, SessionUpdate):
            confirmed = SessionUpdated(session=command.session)
            asyncio.get_running_loop().call_soon(self.on_event, confirmed)
        return command.event_id or ""

    def append(self, chunk: bytes) -> None:
        pass

    async def close(self) -> None:
        pass


class Scene:
    """A reception before an engine that does not tick, and ways that lead nowhere."""

    def __init__(self, **tables: Any) -> None:
        standard: dict[str, Any] = {
            "call": {"greeting": "Say hello."},
            "media": {"recordings": None},
        }
        settings = Settings.model_validate(standard | tables)
        self.registry = Registry(settings.limits.max_calls, Quota(0.0))
        self.switchboard = Switchboard(
            settings,
            ControlSettings.of(settings),
            registry=self.registry,
            prompts={},
            ids=CountedIds("call"),
            errands=NoErrands(),
            outbound=None,
        )
        self.world = MediaWorld()
        self.ways: list[NotedWay] = []
        self.sockets: list[Socket] = []
        self.laws: list[Law] = []
        self.next_way = NotedWay()
        self.now = 0.0
        self.reception = BrowserReception(
            self.switchboard,
            cast("Links", self),
            engine=self.world.engine,
            way_of=self.way_of,
            ids=CountedIds("web"),
            clock=lambda: self.now,
        )

    def plan(self, law: Law) -> LinkPlan:
        self.laws.append(law)

        def make(on_event: OnEvent, on_closed: OnClosed, on_audio: OnAudio) -> Link:
            del on_closed, on_audio
            self.sockets.append(Socket(on_event))
            return self.sockets[-1]

        return LinkPlan(make, "websocket", "audio/pcm", "pcm24")

    def way_of(self, lane: Lane) -> Any:
        del lane
        self.ways.append(self.next_way)
        self.next_way = NotedWay()
        return self.ways[-1].made

    @property
    def lanes(self) -> int:
        return self.world.engine.stats().lanes

    def record(self) -> CallRecord:
        return self.registry.records()[0]

    async def take(self, offer: str = "", guest: Guest = ANN) -> WebConnection:
        connection = await self.reception.take((offer or chromium()).encode(), guest)
        await settle()
        return connection


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    await scene.switchboard.drain(0.0)
    await scene.reception.close()


async def test_a_caller_is_greeted_once_there_is_a_way_for_the_greeting(scene: Scene) -> None:
    await scene.take()
    (call,) = scene.registry
    assert isinstance(call, Call)
    assert (call.caller, call.called, scene.record().state) == ("ann", "web", "setup")
    assert not any(isinstance(sent, ResponseCreate) for sent in scene.sockets[0].sent)
    scene.ways[0].come()
    await settle()
    assert any(isinstance(sent, ResponseCreate) for sent in scene.sockets[0].sent)
    assert (scene.record().state, scene.record().codec) == ("talking", "opus")


async def test_keys_of_the_page_are_keys_of_the_call(scene: Scene) -> None:
    await scene.take()
    scene.ways[0].come()
    scene.ways[0].hear('{"type":"key","key":"5"}')
    await settle()
    assert "[DTMF 5]" in str(scene.sockets[0].sent)
    keys = [e for e in scene.record().timeline if e["name"].endswith("dtmf_event_received")]
    assert [entry["sources"] for entry in keys] == [["browser"]]


async def test_the_number_of_the_page_chooses_a_profile() -> None:
    scene = Scene(
        webrtc={"called": "shop"},
        profiles={"shop": {"called": ["shop"], "session": {"instructions": "Sell."}}},
    )
    await scene.take()
    updates = [sent for sent in scene.sockets[0].sent if isinstance(sent, SessionUpdate)]
    assert updates[0].session["instructions"] == "Sell."
    await scene.switchboard.drain(0.0)


async def test_the_caller_s_own_g711_decides_what_the_link_carries(scene: Scene) -> None:
    await scene.take()
    await scene.take(chromium().replace("opus", "x-opus").replace("G722", "x-g722"))
    assert scene.laws == ["", "PCMU"]


@pytest.mark.parametrize("how", ["leaves", "is gone", "never comes"])
async def test_whoever_is_gone_leaves_nothing_behind(scene: Scene, how: str) -> None:
    connection = await scene.take()
    if how != "never comes":
        scene.ways[0].come()
    if how == "leaves":
        connection.leave()
    else:
        scene.ways[0].go("it could not be connected in time")
    await settle()
    assert (len(scene.registry), scene.lanes, scene.reception.connections) == (0, 0, {})
    record = scene.record()
    assert (record.ended_by, record.state) == ("caller", "ended")
    assert record.reason == ("hung up" if how == "leaves" else "it could not be connected in time")
    assert scene.ways[0].is_closed


async def test_the_page_is_told_how_its_call_ended(scene: Scene) -> None:
    await scene.take()
    scene.ways[0].come()
    (call,) = scene.registry
    call.hang_up("gateway stopped")
    await settle()
    told = json.loads(scene.ways[0].sent[-1])
    assert (told["type"], told["call_id"]) == ("call.ended", call.call_id)
    assert (told["call"]["ended_by"], told["call"]["reason"]) == ("gateway", "gateway stopped")
    assert "usage" not in told["call"]


async def test_the_page_is_told_what_happens_in_its_call_and_in_no_other(scene: Scene) -> None:
    await scene.take()
    await scene.take()
    scene.ways[0].come()
    scene.ways[0].hear('{"type":"key","key":"5"}')
    await settle()
    told = [json.loads(text) for text in scene.ways[0].sent]
    assert told[0]["type"] == "call.began"
    assert {notice["call_id"] for notice in told} == {told[0]["call_id"]}
    (key,) = (notice for notice in told if notice["type"] == "key")
    assert (key["key"], key["source"]) == ("5", "browser")
    assert "activity" in {notice["type"] for notice in told}
    assert scene.ways[1].sent == []


REFUSED = {
    "unreadable": ("v=1", SdpError),
    "no sound": (chromium().replace("m=audio", "m=video"), NegotiationError),
}


@pytest.mark.parametrize("fault", REFUSED)
async def test_an_offer_that_cannot_be_used_costs_no_lane(scene: Scene, fault: str) -> None:
    offer, error = REFUSED[fault]
    with pytest.raises(error):
        await scene.take(offer)
    assert (len(scene.registry), scene.ways, scene.reception.refused) == (0, [], 1)


async def test_a_way_that_cannot_be_is_a_refusal_that_leaves_nothing(scene: Scene) -> None:
    scene.next_way.fault = "no relay answers"
    with pytest.raises(RtcError):
        await scene.take()
    await settle()
    assert (len(scene.registry), scene.lanes, scene.registry.records()) == (0, 0, [])


async def test_a_full_or_draining_gateway_takes_nobody() -> None:
    scene = Scene(limits={"max_calls": 1})
    connection = await scene.take()
    with pytest.raises(CapacityError, match="busy"):
        await scene.take()
    connection.leave()
    await settle()
    scene.registry.is_draining = True
    with pytest.raises(CapacityError, match="draining"):
        await scene.take()


async def test_one_address_calls_so_often_and_no_more() -> None:
    scene = Scene(webrtc={"calls_per_minute": 2})
    for _ in range(2):
        (await scene.take()).leave()
    with pytest.raises(DialError) as caught:
        await scene.take()
    assert caught.value.status == 429
    (await scene.take(guest=Guest("bob", "192.0.2.8"))).leave()
    scene.now = 31.0
    (await scene.take()).leave()
    await settle()


async def test_a_network_of_ipv6_is_one_address() -> None:
    scene = Scene(webrtc={"calls_per_minute": 1})
    (await scene.take(guest=Guest("", "2001:db8::1"))).leave()
    with pytest.raises(DialError):
        await scene.take(guest=Guest("", "2001:db8::ffff:2"))
    (await scene.take(guest=Guest("", "2001:db8:0:1::1"))).leave()
    await settle()


async def test_a_connection_that_is_no_call_is_bounded_and_told_of_its_end(scene: Scene) -> None:
    told: list[WebEvent] = []

    async def connect() -> WebConnection:
        return await scene.reception.connect(
            chromium().encode(),
            LaneOptions(uplink=None),
            on_event=told.append,
            on_lane=lambda _: None,
            on_audio=lambda _: None,
        )

    first = await connect()
    assert (len(scene.registry), list(scene.reception.connections)) == (0, [first.id])
    others = [await connect() for _ in range(31)]
    with pytest.raises(CapacityError, match="another connection"):
        await connect()
    first.leave()
    for other in others:
        other.close("over")
    await settle()
    assert told.count(Disconnected("hung up", has_left=True)) == 1
    assert told.count(Disconnected("over")) == 31
    assert scene.lanes == 0


async def test_closing_the_reception_ends_what_is_left(scene: Scene) -> None:
    await scene.take()
    await scene.reception.close()
    assert scene.ways[0].is_closed
    assert scene.reception.connections == {}
