"""The embedded service holds SIP calls: rings, tells by webhook, does as it is told."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.calls.softphone import Softphone
from gateway.embedded.server import EmbeddedService
from gateway.errors import ConfigError, LinkError, SipError, WebhookError
from gateway.realtime import commands as c
from gateway.realtime import events as e
from gateway.realtime.client import ServiceClient
from gateway.realtime.credentials import Key
from gateway.realtime.endpoint import Endpoint
from gateway.realtime.sideband import SidebandLink
from gateway.realtime.webhook import IncomingCall, verify

pytestmark = pytest.mark.interop

SECRET = "whsec_c2VjcmV0IG9mIGEgdGVzdA=="
KEY = "sk-test"
SESSION: dict[str, Any] = {
    "type": "realtime",
    "model": "gpt-realtime",
    "instructions": "Answer the telephone.",
}


class Receiver:
    """Takes webhooks and says what it was told to."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[IncomingCall] = asyncio.Queue()
        self.answers: list[int] = []  # before 200 for ever
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.url = ""
        app = web.Application()
        app.router.add_post("/webhooks", self._take)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/webhooks"

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.headers.append(dict(request.headers))
        self.bodies.append(body)
        if self.answers:
            return web.Response(status=self.answers.pop(0))
        loop = asyncio.get_running_loop()
        loop.call_soon(self._read, dict(request.headers), body)
        return web.Response()

    def _read(self, headers: dict[str, str], body: bytes) -> None:
        call = verify([SECRET], headers, body, time.time())
        assert isinstance(call, IncomingCall)
        self.calls.put_nowait(call)

    async def call(self) -> IncomingCall:
        async with asyncio.timeout(10):
            return await self.calls.get()


class Scene:
    def __init__(self, service: EmbeddedService, receiver: Receiver) -> None:
        self.service = service
        self.receiver = receiver
        self.client = ServiceClient(Endpoint(service.url, Key(KEY)))
        self.events: list[e.ServerEvent | e.Unknown] = []
        self.ends: list[LinkError | None] = []
        self.side: SidebandLink

    @property
    def names(self) -> list[str]:
        return [e.wire_name(event) for event in self.events]

    async def attach(self, call_id: str) -> None:
        self.side = SidebandLink(
            Endpoint(self.service.url, Key(KEY)),
            call_id,
            on_event=self.events.append,
            on_closed=self.ends.append,
        )
        await self.side.connect()

    async def order(self, **order: Any) -> None:
        """Have the service do something wrong."""
        url = self.service.url.replace("ws:", "http:").replace("/v1/realtime", "/admin/faults")
        headers = {"Authorization": f"Bearer {KEY}"}
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, json=order, headers=headers) as answer,
        ):
            assert answer.status == 200

    async def until(self, name: str) -> Any:
        await until(lambda: name in self.names)
        return next(event for event in self.events if e.wire_name(event) == name)

    async def answered(self, phone: Softphone) -> IncomingCall:
        """Have a phone call in, and take the call."""
        dialling = asyncio.create_task(phone.dial(self.service.sip_uri))
        call = await self.receiver.call()
        await self.client.accept(call.call_id, SESSION)
        await self.attach(call.call_id)
        await dialling
        return call


async def until(holds: Callable[[], bool], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.005)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    receiver = Receiver()
    await receiver.start()
    service = EmbeddedService(
        key=KEY,
        sip="udp:127.0.0.1:0",
        webhook_url=receiver.url,
        webhook_secret=SECRET,
        ring_seconds=2.5,
        admin=True,
    )
    await service.start()
    scene = Scene(service, receiver)
    yield scene
    await scene.client.close()
    if hasattr(scene, "side"):
        await scene.side.close()
    await service.close()
    await receiver.close()
    assert len(asyncio.all_tasks()) == 1


async def test_a_call_is_announced_taken_greeted_and_heard(scene: Scene) -> None:
    async with Softphone() as phone:
        call = await scene.answered(phone)
        assert call.call_id.startswith("rtc_")
        assert call.media_security == "rtp"
        assert call.to_uri == scene.service.sip_uri
        assert call.sip_call_id
        created = await scene.until("session.created")
        assert created.session["instructions"] == SESSION["instructions"]
        scene.side.send(c.ResponseCreate())
        started = await scene.until("output_audio_buffer.started")
        assert await phone.ear.sound(1.0, within=10)
        phone.press("5")
        key = await scene.until("input_audio_buffer.dtmf_event_received")
        assert (key.event, key.event_id) == ("5", "")
        scene.side.send(c.ResponseCancel())
        scene.side.send(c.OutputAudioBufferClear())
        cleared = await scene.until("output_audio_buffer.cleared")
        assert cleared.response_id == started.response_id
        assert await phone.ear.silence(0.3, within=5)
        assert "response.output_audio.delta" not in scene.names
        await scene.client.hangup(call.call_id)
        assert await phone.wait_ended(5)
        assert phone.result().ended_by == "peer"
    await until(lambda: bool(scene.ends))
    fault = scene.ends[0]
    assert fault is not None
    assert fault.status == 404
    assert scene.service.sessions == 0


async def test_the_sideband_ends_when_the_caller_hangs_up(scene: Scene) -> None:
    async with Softphone() as phone:
        await scene.answered(phone)
        await phone.hang_up()
    await until(lambda: bool(scene.ends))
    assert scene.ends[0] is not None
    assert scene.ends[0].status == 404


@pytest.mark.parametrize(("status", "heard"), [(None, 603), (486, 486)])
async def test_a_call_is_turned_away_with_the_status_asked_for(
    scene: Scene, status: int | None, heard: int
) -> None:
    async with Softphone() as phone:
        dialling = asyncio.create_task(phone.dial(scene.service.sip_uri))
        call = await scene.receiver.call()
        await (
            scene.client.reject(call.call_id, status)
            if status
            else scene.client.reject(call.call_id)
        )
        with pytest.raises(SipError) as refused:
            await dialling
        assert refused.value.status == heard
    await until(lambda: scene.service.sessions == 0)
    with pytest.raises(LinkError) as gone:
        await scene.client.accept(call.call_id, SESSION)
    assert gone.value.status == 404


async def test_a_call_nobody_takes_rings_out(scene: Scene) -> None:
    async with Softphone() as phone:
        with pytest.raises(SipError) as refused:
            await phone.dial(scene.service.sip_uri)
        assert refused.value.status == 480
    assert (await scene.receiver.call()).call_id


async def test_a_webhook_is_sent_again_until_it_is_taken(scene: Scene) -> None:
    scene.receiver.answers += [500, 302]
    async with Softphone() as phone:
        dialling = asyncio.create_task(phone.dial(scene.service.sip_uri))
        call = await scene.receiver.call()
        await scene.client.reject(call.call_id, 486)
        with pytest.raises(SipError):
            await dialling
    told = scene.receiver.headers
    assert len(told) == 3
    assert len({headers["webhook-id"] for headers in told}) == 1
    assert len(set(scene.receiver.bodies)) == 1


async def test_a_caller_is_sent_elsewhere(scene: Scene) -> None:
    async with Softphone() as phone:
        call = await scene.answered(phone)
        await scene.client.refer(call.call_id, "sip:operator@127.0.0.1:9")
        with pytest.raises(LinkError) as refused:
            await scene.client.accept(call.call_id, SESSION)
        assert refused.value.status == 400


async def test_a_caller_who_gives_up_is_gone_at_once(scene: Scene) -> None:
    async with Softphone() as phone:
        dialling = asyncio.create_task(phone.dial(scene.service.sip_uri))
        call = await scene.receiver.call()
        await phone.hang_up()
        with pytest.raises(SipError):
            await dialling
    with pytest.raises(LinkError) as gone:
        await scene.client.accept(call.call_id, SESSION)
    assert gone.value.status == 404


@pytest.mark.parametrize(
    ("session", "words"),
    [({"type": "opera"}, "opera"), ({"type": "realtime", "temperature": 1}, "temperature")],
)
async def test_a_session_that_cannot_be_leaves_the_call_ringing(
    scene: Scene, session: dict[str, Any], words: str
) -> None:
    async with Softphone() as phone:
        dialling = asyncio.create_task(phone.dial(scene.service.sip_uri))
        call = await scene.receiver.call()
        with pytest.raises(LinkError, match=words) as refused:
            await scene.client.accept(call.call_id, session)
        assert refused.value.status == 400
        await scene.client.accept(call.call_id, SESSION)
        await dialling


async def test_an_acceptance_is_taken_and_the_call_fails_all_the_same(scene: Scene) -> None:
    await scene.order(fault="accept_fails", status=400)
    async with Softphone() as phone:
        dialling = asyncio.create_task(phone.dial(scene.service.sip_uri))
        call = await scene.receiver.call()
        await scene.client.accept(call.call_id, SESSION)
        with pytest.raises(SipError) as refused:
            await dialling
        assert refused.value.status == 400
    with pytest.raises(LinkError) as gone:
        await scene.attach(call.call_id)
    assert gone.value.status == 404


async def test_a_transfer_is_taken_and_nothing_is_done(scene: Scene) -> None:
    await scene.order(fault="refer_ignored")
    async with Softphone() as phone:
        call = await scene.answered(phone)
        await scene.client.refer(call.call_id, "sip:operator@127.0.0.1:9")
        assert not await phone.wait_ended(0.5)


@pytest.mark.parametrize("how", ["forged", "stale"])
async def test_a_webhook_that_nobody_should_believe(scene: Scene, how: str) -> None:
    await scene.order(fault="webhook", how=how)
    scene.receiver.answers += [400] * 20
    async with Softphone() as phone:
        with pytest.raises(SipError):
            await phone.dial(scene.service.sip_uri)
    with pytest.raises(WebhookError):
        verify([SECRET], scene.receiver.headers[0], scene.receiver.bodies[0], time.time())


async def test_a_webhook_comes_twice_under_one_name(scene: Scene) -> None:
    await scene.order(fault="webhook", how="twice")
    async with Softphone() as phone:
        dialling = asyncio.create_task(phone.dial(scene.service.sip_uri))
        first, second = await scene.receiver.call(), await scene.receiver.call()
        assert (first.call_id, first.webhook_id) == (second.call_id, second.webhook_id)
        await scene.client.reject(first.call_id, 486)
        with pytest.raises(SipError):
            await dialling


async def test_a_call_comes_by_the_newer_front_door(scene: Scene) -> None:
    await scene.order(fault="webhook", how="live")
    live = ServiceClient(Endpoint(scene.service.url, Key(KEY)), front_door="live")
    async with Softphone() as phone:
        dialling = asyncio.create_task(phone.dial(scene.service.sip_uri))
        call = await scene.receiver.call()
        assert call.front_door == "live"
        await live.accept(call.call_id, SESSION)
        await dialling
        await live.hangup(call.call_id)
        assert await phone.wait_ended(5)
    await live.close()


async def test_sip_without_a_secret_to_sign_with_is_refused() -> None:
    with pytest.raises(ConfigError, match="secret"):
        EmbeddedService(sip="udp:127.0.0.1:0", webhook_url="http://127.0.0.1:1/")
