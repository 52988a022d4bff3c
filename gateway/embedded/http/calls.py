"""Calls over HTTP: client secrets, offers, and what becomes of calls that the service holds."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog
from aiohttp import web

from ...clock import Ids
from ...errors import CapacityError
from ..calls.book import Call, Calls
from ..calls.rtc_call import RtcCall
from ..calls.rtc_player import Beat
from ..faults import Faults
from ..protocol.checks import Refused
from ..sessions import Opening, Sessions
from .bodies import read_json, read_offer
from .errors import HttpRefusal
from .keys import Keys
from .secrets import ClientSecrets, Preset

__all__ = ["CallRoutes"]

_STEMS: Final = ("/v1", "/openai/v1")
_DECLINE: Final = 603
_CLOSE_SECONDS: Final = 3.0


class CallRoutes:
    """Answers requests about calls; runs those that came by WebRTC.

    Args:
        sessions: Makes the sessions of calls.
        calls: The calls there are.
        secrets: The client secrets given out.
        keys: Checks who asks.
        faults: What is to go wrong on purpose.
        ids: Names calls.
        is_local: Use loopback alone for WebRTC.

    """

    def __init__(
        self,
        sessions: Sessions,
        calls: Calls,
        secrets: ClientSecrets,
        keys: Keys,
        faults: Faults,
        ids: Ids,
        *,
        is_local: bool,
    ) -> None:
        self._sessions = sessions
        self._calls = calls
        self._secrets = secrets
        self._keys = keys
        self._faults = faults
        self._ids = ids
        self._is_local = is_local
        self._beat = Beat(sessions.clock)
        self._running: set[asyncio.Task[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        """Return what is served where."""
        found = []
        for stem in _STEMS:
            found += [
                web.post(f"{stem}/realtime/client_secrets", self._make_secret),
                web.post(f"{stem}/realtime/calls", self._answer),
            ]
            for place in (f"{stem}/realtime/calls", f"{stem}/live/sessions"):
                found += [
                    web.post(f"{place}/{{id}}/accept", self._accept),
                    web.post(f"{place}/{{id}}/reject", self._reject),
                    web.post(f"{place}/{{id}}/refer", self._refer),
                    web.post(f"{place}/{{id}}/hangup", self._hang_up),
                ]
        return found

    async def close(self) -> None:
        """End the calls that came by WebRTC."""
        for call in self._calls.all:
            if isinstance(call, RtcCall):
                call.hang_up()
        if self._running:
            await asyncio.wait(self._running, timeout=_CLOSE_SECONDS)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _make_secret(self, request: web.Request) -> web.Response:
        self._keys.check_key(request.headers, request.query)
        self._refuse_if_told()
        body = await read_json(request)
        secret = self._secrets.create(body or {}, self._sessions.calendar())
        session_id = f"sess_{self._ids.token(96)}"
        shown = secret.preset.effective(session_id, secret.expires_at)
        return web.json_response(
            {"value": secret.value, "expires_at": secret.expires_at, "session": shown}
        )

    async def _answer(self, request: web.Request) -> web.Response:
        """Take a WebRTC offer."""
        secret = self._keys.check(request.headers, request.query, self._sessions.calendar())
        self._refuse_if_told()
        if self._sessions.is_full:
            raise CapacityError("Too many sessions.")
        offer, described = await read_offer(request)
        preset = secret.preset if secret is not None else None
        if described is not None:
            preset = Preset.read(described)
        call_id = f"rtc_{self._ids.token(128)}"
        call = RtcCall(call_id, self._sessions.clock, self._beat, is_local=self._is_local)
        try:
            answer = await call.answer(offer)
            model = request.query.get("model", "")
            asked = Opening(model=model, transport="webrtc", preset=preset)
            live = self._sessions.open(asked, call.play)
        except BaseException:
            await call.drop()
            raise
        self._calls.add(call)
        task = asyncio.create_task(self._run(call, call.run(live, self._sessions)), name=call_id)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return web.Response(
            status=201,
            body=answer.encode(),
            content_type="application/sdp",
            headers={"Location": f"/v1/realtime/calls/{call_id}"},
        )

    async def _run(self, call: RtcCall, running: Any) -> None:
        try:
            await running
        except Exception:
            structlog.get_logger().exception("fault inside a WebRTC call", call=call.id)
        finally:
            self._calls.remove(call)

    async def _accept(self, request: web.Request) -> web.Response:
        return await self._control(request, lambda call, body: call.accept(Preset.read(body)))

    async def _reject(self, request: web.Request) -> web.Response:
        return await self._control(request, lambda call, body: call.reject(_status(body)))

    async def _refer(self, request: web.Request) -> web.Response:
        return await self._control(request, lambda call, body: call.refer(_target(body)))

    async def _hang_up(self, request: web.Request) -> web.Response:
        return await self._control(request, lambda call, body: call.hang_up())

    async def _control(
        self, request: web.Request, act: Callable[[Call, dict[str, Any]], None]
    ) -> web.Response:
        """Do something with a call; the call is looked for before the body is judged."""
        self._keys.check_key(request.headers, request.query)
        self._refuse_if_told()
        call = self._calls.find(request.match_info["id"])
        act(call, await read_json(request) or {})
        return web.Response()

    def _refuse_if_told(self) -> None:
        if refusal := self._faults.refusal(self._sessions.clock()):
            raise HttpRefusal(refusal.status, refusal.code, "The service is told to refuse.")


def _status(body: dict[str, Any]) -> int:
    status = body.get("status_code", _DECLINE)
    if isinstance(status, bool) or not isinstance(status, int) or not 300 <= status <= 699:
        told = "Invalid 'status_code': expected a SIP status from 300 to 699."
        raise Refused("invalid_value", told, "status_code")
    return status


def _target(body: dict[str, Any]) -> str:
    target = body.get("target_uri")
    if not isinstance(target, str) or not target:
        raise Refused("missing_required_parameter", "Name a 'target_uri'.", "target_uri")
    return target
