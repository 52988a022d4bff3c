"""An application of the openai SDK's alone answers the SIP calls that the embedded service holds.

Its verifier reads the webhooks, its REST client takes, refers and ends the calls, its WebSocket
client watches them, and its types judge every frame.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from aiohttp import web
from sdk_judge import Judge, client_for

from gateway.calls.softphone import Softphone
from gateway.embedded.server import EmbeddedService
from gateway.errors import SipError, WebhookError
from gateway.realtime.webhook import IncomingCall, verify

pytestmark = pytest.mark.interop

SECRET = "whsec_c2VjcmV0IG9mIGEgdGVzdA=="
SESSION: dict[str, Any] = {"type": "realtime", "model": "gpt-realtime", "instructions": "Be brief."}


class Application:
    """Somebody's program: takes the webhooks and steers the calls."""

    def __init__(self) -> None:
        self.requests: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
        app = web.Application()
        app.router.add_post("/webhooks", self._take)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self) -> str:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/webhooks"

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.requests.put_nowait((dict(request.headers), await request.read()))
        return web.Response()

    async def webhook(self) -> tuple[dict[str, str], bytes]:
        async with asyncio.timeout(10):
            return await self.requests.get()

    async def call(self, client: Any) -> Any:
        """Return the next call, as the SDK reads it."""
        headers, body = await self.webhook()
        event = client.webhooks.unwrap(body, headers, secret=SECRET)
        assert event.type == "realtime.call.incoming"
        assert event.created_at == pytest.approx(time.time(), abs=5)
        return event.data


@pytest.fixture
async def application() -> AsyncIterator[Application]:
    application = Application()
    yield application
    await application.close()


@pytest.fixture
async def service(application: Application) -> AsyncIterator[EmbeddedService]:
    service = EmbeddedService(
        key="sk-test",
        sip="udp:127.0.0.1:0",
        webhook_url=await application.start(),
        webhook_secret=SECRET,
    )
    await service.start()
    yield service
    await service.close()


@pytest.fixture
async def client(service: EmbeddedService) -> AsyncIterator[Any]:
    async with client_for(service) as client:
        yield client


async def test_a_call_is_taken_greeted_watched_referred_and_ended(
    service: EmbeddedService, application: Application, client: Any
) -> None:
    async with Softphone() as phone:
        dialling = asyncio.create_task(phone.dial(service.sip_uri))
        call = await application.call(client)
        names = [header.name.lower() for header in call.sip_headers]
        assert {"from", "to", "call-id"} <= set(names)
        await client.realtime.calls.accept(call.call_id, **SESSION)
        async with client.realtime.connect(call_id=call.call_id) as connection:
            await dialling
            judge = Judge(connection)
            await connection.response.create()
            await judge.until("output_audio_buffer.started")
            assert await phone.ear.sound(1.0, within=10)
            phone.press("5")
            key = await judge.until("input_audio_buffer.dtmf_event_received")
            assert key.event == "5"
            assert key.received_at == pytest.approx(time.time(), abs=5)
            await client.realtime.calls.refer(call.call_id, target_uri="tel:+14155550123")
            await client.realtime.calls.hangup(call.call_id)
            assert await phone.wait_ended(5)
            with pytest.raises(Exception, match="1000"):
                await judge.until("never")
    with pytest.raises(openai.NotFoundError) as gone:
        await client.realtime.calls.hangup(call.call_id)
    assert gone.value.code == "call_id_not_found"


@pytest.mark.parametrize(("asked", "heard"), [({}, 603), ({"status_code": 486}, 486)])
async def test_a_call_is_turned_away(
    service: EmbeddedService,
    application: Application,
    client: Any,
    asked: dict[str, int],
    heard: int,
) -> None:
    async with Softphone() as phone:
        dialling = asyncio.create_task(phone.dial(service.sip_uri))
        call = await application.call(client)
        await client.realtime.calls.reject(call.call_id, **asked)
        with pytest.raises(SipError) as refused:
            await dialling
    assert refused.value.status == heard


async def test_both_verifiers_take_the_same_webhook_and_refuse_the_same_changes(
    service: EmbeddedService, application: Application, client: Any
) -> None:
    async with Softphone() as phone:
        dialling = asyncio.create_task(phone.dial(service.sip_uri))
        headers, body = await application.webhook()
        await phone.hang_up()
        with pytest.raises(SipError):
            await dialling
    ours = verify([SECRET], headers, body, time.time())
    assert isinstance(ours, IncomingCall)
    assert client.webhooks.unwrap(body, headers, secret=SECRET).data.call_id == ours.call_id
    names = {name.lower(): name for name in headers}
    late = str(int(time.time()) - 301)
    changes: list[tuple[dict[str, str], bytes, str]] = [
        (headers, body.replace(b"rtc_", b"rtc-"), SECRET),
        ({**headers, names["webhook-id"]: "wh_other"}, body, SECRET),
        ({**headers, names["webhook-timestamp"]: late}, body, SECRET),
        ({**headers, names["webhook-timestamp"]: "soon"}, body, SECRET),
        ({**headers, names["webhook-signature"]: "v1,"}, body, SECRET),
        ({k: v for k, v in headers.items() if k != names["webhook-signature"]}, body, SECRET),
        (headers, body, "whsec_b3RoZXI="),
    ]
    for changed, data, secret in changes:
        with pytest.raises((openai.InvalidWebhookSignatureError, ValueError)):
            client.webhooks.unwrap(data, changed, secret=secret)
        with pytest.raises(WebhookError):
            verify([secret], changed, data, time.time())
