"""Calls that the service holds: taken once, accepted, steered, and ended as the service tells."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from call_parts import NoErrands

from gateway.calls.attachment import OnAudio
from gateway.calls.call import Call
from gateway.calls.hosted import HostedReception
from gateway.calls.links import LinkPlan
from gateway.calls.quota import Quota
from gateway.calls.registry import Registry
from gateway.calls.switchboard import Switchboard
from gateway.clock import CountedIds
from gateway.config import Settings
from gateway.control.settings import ControlSettings
from gateway.errors import LinkError
from gateway.realtime.commands import ClientEvent, ResponseCreate, SessionUpdate
from gateway.realtime.events import (
    ConversationItemAdded,
    ConversationItemInputAudioTranscriptionCompleted,
    InputAudioBufferDtmfEventReceived,
    RateLimitsUpdated,
    ResponseDone,
    SessionUpdated,
)
from gateway.realtime.items import ContentPart, Item, RateLimit, ResponseInfo
from gateway.realtime.link import Link, LinkStats, OnClosed, OnEvent
from gateway.realtime.webhook import IncomingCall, SipHeader

HEADERS = (
    SipHeader("From", '"Ann" <sip:+15550100@carrier.example>;tag=1'),
    SipHeader("To", "<sip:support@sip.service.example>"),
    SipHeader("Call-ID", "abc@carrier.example"),
    SipHeader("X-Account", "7"),
    SipHeader("X-Account", "8"),
)


def incoming(call_id: str = "rtc_1", **changes: Any) -> IncomingCall:
    return IncomingCall(**{"call_id": call_id, "sip_headers": HEADERS} | changes)


class Service:
    """The service's HTTP side and its sockets."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.links: list[Socket] = []
        self.is_unknown = False  # to its sockets, whatever HTTP said

    async def accept(self, call_id: str, session: Mapping[str, Any]) -> None:
        self.asked.append(("accept", call_id, session))

    async def reject(self, call_id: str, status: int) -> None:
        self.asked.append(("reject", call_id, status))

    async def refer(self, call_id: str, target: str) -> None:
        self.asked.append(("refer", call_id, target))

    async def hangup(self, call_id: str) -> None:
        self.asked.append(("hangup", call_id))

    def plan(self, call_id: str) -> LinkPlan:
        def make(on_event: OnEvent, on_closed: OnClosed, on_audio: OnAudio) -> Link:
            self.links.append(Socket(self, on_event, on_closed))
            return self.links[-1]

        return LinkPlan(make, "sip", "", "pcm24")


class Socket:
    transport = "sip"

    def __init__(self, service: Service, on_event: OnEvent, on_closed: OnClosed) -> None:
        self.on_event, self.on_closed = on_event, on_closed
        self.stats = LinkStats()
        self.sent: list[ClientEvent] = []
        self._service = service

    async def connect(self) -> None:
        if self._service.is_unknown:
            raise LinkError("no such call", retryable=False, status=404)

    def send(self, command: ClientEvent) -> str:
        self.sent.append(command)
        if isinstance(command, SessionUpdate):
            confirmed = SessionUpdated(session=command.session)
            asyncio.get_running_loop().call_soon(self.on_event, confirmed)
        return command.event_id or ""

    def append(self, chunk: bytes) -> None:
        raise AssertionError("the gateway has no sound of its own here")

    async def close(self) -> None:
        pass


class Scene:
    def __init__(self, **tables: Any) -> None:
        standard: dict[str, Any] = {
            "realtime": {"link": "sideband", "model": "voice"},
            "session": {"instructions": "Be kind."},
            "targets": {"operator": "sip:operator@pbx.example"},
        }
        settings = Settings.model_validate(standard | tables)
        self.service = Service()
        self.registry = Registry(settings.limits.max_calls, Quota(settings.limits.quota_floor))
        self.switchboard = Switchboard(
            settings,
            ControlSettings.of(settings),
            registry=self.registry,
            prompts={},
            ids=CountedIds(),
            errands=NoErrands(),
            outbound=None,
        )
        self.reception = HostedReception(self.switchboard, self.service, self.service.plan)

    @property
    def verbs(self) -> list[str]:
        return [asked[0] for asked in self.service.asked]

    @property
    def socket(self) -> Socket:
        return self.service.links[-1]

    async def take(self, **changes: Any) -> Call:
        self.reception.take(incoming(**changes))
        await settle()
        (call,) = self.registry
        assert isinstance(call, Call)
        return call


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    await scene.switchboard.drain(0.0)


async def test_a_call_is_accepted_with_a_session_that_leaves_the_sound_to_sdp(
    scene: Scene,
) -> None:
    call = await scene.take()
    (accepted,) = scene.service.asked
    assert accepted[:2] == ("accept", "rtc_1")
    session = accepted[2]
    assert (session["type"], session["model"]) == ("realtime", "voice")
    assert session["instructions"] == "Be kind."
    assert "format" not in str(session.get("audio", {}))
    assert (call.caller, call.called) == ("+15550100", "support")


async def test_the_caller_is_greeted_over_the_socket(scene: Scene) -> None:
    call = await scene.take()
    kinds = [type(command) for command in scene.socket.sent]
    assert kinds[:2] == [SessionUpdate, ResponseCreate]
    record = call.record()
    assert (record.state, record.transport) == ("talking", "sip")
    assert record.media == {}


async def test_a_key_that_the_service_heard_is_told_to_the_model(scene: Scene) -> None:
    await scene.take()
    key = InputAudioBufferDtmfEventReceived(event="5", received_at=1_700_000_000)
    scene.socket.on_event(key)
    await settle()
    assert "[DTMF 5]" in str(scene.socket.sent)


async def test_a_call_told_again_is_taken_once(scene: Scene) -> None:
    await scene.take()
    scene.reception.take(incoming())
    await settle()
    assert (scene.verbs, len(scene.registry), scene.reception.ignored) == (["accept"], 1, 1)


async def test_one_invite_told_under_two_names_is_one_call(scene: Scene) -> None:
    await scene.take()
    scene.reception.take(incoming("rtc_2"))
    await settle()
    assert (scene.verbs, len(scene.registry)) == (["accept"], 1)


async def test_calls_without_a_call_id_of_their_own_are_told_apart(scene: Scene) -> None:
    scene.reception.take(incoming("rtc_1", sip_headers=()))
    scene.reception.take(incoming("rtc_2", sip_headers=()))
    await settle()
    assert len(scene.registry) == 2


async def test_the_other_front_door_is_not_answered(scene: Scene) -> None:
    scene.reception.take(incoming(front_door="live"))
    await settle()
    assert (scene.service.asked, len(scene.registry)) == ([], 0)


async def test_the_end_of_the_call_at_the_service_ends_it_here(scene: Scene) -> None:
    await scene.take()
    scene.socket.on_closed(LinkError("the call is over", retryable=False, status=404))
    await settle()
    (record,) = scene.registry.records()
    assert (record.ended_by, record.reason) == ("caller", "hung up, or let go by the service")
    assert "hangup" not in scene.verbs


async def test_an_acceptance_that_came_to_nothing_is_recorded_as_such(scene: Scene) -> None:
    scene.service.is_unknown = True
    scene.reception.take(incoming())
    await settle()
    (record,) = scene.registry.records()
    assert record.ended_by == "peer"
    assert "accepted, but then" in (record.reason or "")


async def test_hanging_up_is_asked_of_the_service(scene: Scene) -> None:
    call = await scene.take()
    call.hang_up("enough")
    await settle()
    assert scene.verbs == ["accept", "hangup"]
    (record,) = scene.registry.records()
    assert (record.ended_by, record.reason) == ("gateway", "enough")


async def test_a_full_gateway_refuses_as_busy() -> None:
    scene = Scene(limits={"max_calls": 1})
    await scene.take()
    scene.reception.take(incoming("rtc_2", sip_headers=()))
    await settle()
    assert scene.service.asked[-1] == ("reject", "rtc_2", 486)
    await scene.switchboard.drain(0.0)


async def test_a_draining_gateway_refuses_as_unavailable(scene: Scene) -> None:
    scene.registry.is_draining = True
    scene.reception.take(incoming())
    await settle()
    assert scene.service.asked == [("reject", "rtc_1", 503)]


async def test_what_one_call_hears_of_the_quota_keeps_the_next_away(scene: Scene) -> None:
    await scene.take()
    short = RateLimit(name="tokens", limit=1000, remaining=3, reset_seconds=30.0)
    scene.socket.on_event(RateLimitsUpdated(rate_limits=[short]))
    scene.reception.take(incoming("rtc_2", sip_headers=()))
    await settle()
    assert scene.service.asked[-1] == ("reject", "rtc_2", 486)
    assert scene.switchboard.retry_after == 30


@pytest.mark.parametrize("address", ["", "☎", "sip:", "<" * 3000, "tel:+15550100"])
async def test_an_address_nobody_can_read_stops_no_call(scene: Scene, address: str) -> None:
    headers = (SipHeader("From", address), SipHeader("To", address))
    call = await scene.take(sip_headers=headers)
    assert len(call.caller) <= 256


async def test_the_record_holds_what_was_said_and_what_it_used(scene: Scene) -> None:
    call = await scene.take()
    item = Item(id="i1", type="message", role="user", content=[ContentPart(type="input_audio")])
    scene.socket.on_event(ConversationItemAdded(item=item))
    said = ConversationItemInputAudioTranscriptionCompleted(
        item_id="i1", content_index=0, transcript="My name is Ann."
    )
    scene.socket.on_event(said)
    usage = {"total_tokens": 30, "input_tokens": 10, "output_tokens": 20}
    scene.socket.on_event(ResponseDone(response=ResponseInfo(id="r1", usage=usage)))
    await settle()
    record = call.record().as_dict()
    assert "My name is Ann." in str(record["transcript"])
    assert record["usage"]["tokens"]["text_output"] == 20
    assert "transcript" not in call.record().as_dict(with_timeline=False)


async def test_a_call_that_cannot_be_made_takes_up_no_room(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_settings: object) -> dict[str, Any]:
        raise KeyError("input")

    monkeypatch.setattr("gateway.calls.hosted.first_session", fail)
    with pytest.raises(KeyError):
        scene.reception.take(incoming())
    assert len(scene.registry) == 0


async def test_a_caller_side_that_cannot_hang_up_holds_nothing_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await scene.take()

    def fail(_leg: object, reason: str = "") -> None:
        raise RuntimeError(reason)

    monkeypatch.setattr("gateway.legs.hosted_leg.HostedLeg.hang_up", fail)
    call.hang_up("stopped")
    await settle()
    assert len(scene.registry) == 0
