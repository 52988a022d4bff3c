"""Taking calls in: who may call, whom they may reach, and what each call is made of."""

import asyncio
import fnmatch
from collections.abc import Mapping
from typing import Final

import structlog

from ..clock import Ids
from ..config import Settings
from ..control.controller import Controller
from ..control.settings import ControlSettings
from ..errors import CapacityError, GatewayError, NegotiationError, SipError
from ..legs.sip_leg import SipLeg
from ..media.engine import MediaEngine
from ..media.prompts import Prompt
from ..media.transcode import ServiceAudio
from ..realtime.endpoint import Endpoint
from ..realtime.faults import classify
from ..realtime.link import Link, OnClosed, OnEvent
from ..realtime.websocket import WebSocketLink
from ..sdp.negotiate import OfferAnswer
from ..sip.flow import Flow
from ..sip.incoming import IncomingSession
from ..sip.message import Request
from ..sip.transport.address import Advertiser
from ..sip.transport.endpoint import SipEndpoint
from .call import AudioFormat, Call, CallParts
from .registry import Registry

__all__ = ["Reception"]

_BYTES_PER_MS: Final[Mapping[AudioFormat, int]] = {
    "audio/pcm": 48,
    "audio/pcmu": 8,
    "audio/pcma": 8,
}
_LANE_AUDIO: Final[Mapping[AudioFormat, ServiceAudio]] = {
    "audio/pcm": "pcm24",
    "audio/pcmu": "pcmu",
    "audio/pcma": "pcma",
}


class Reception:
    """Turns invitations into calls, each a task of its own."""

    def __init__(
        self,
        settings: Settings,
        *,
        service: Endpoint,
        engine: MediaEngine,
        registry: Registry,
        prompts: Mapping[str, Prompt],
        advertise: Advertiser,
        ids: Ids,
    ) -> None:
        self._settings = settings
        self._control = ControlSettings.of(settings)
        self._service = service
        self._engine = engine
        self._registry = registry
        self._prompts = prompts
        self._advertise = advertise
        self._ids = ids
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()

    def accepts(self, request: Request, flow: Flow) -> int:
        """Judge a request from outside any call: 200, or the status to refuse it with."""
        trunk = self._settings.trunk_of(flow.remote[0])
        if trunk is None:
            self._log.warning("refused: no trunk has this address", address=flow.remote[0])
            return 403
        user = request.to.uri.user or ""
        if request.method == "OPTIONS" and not user:
            return 200
        if not any(fnmatch.fnmatchcase(user, pattern) for pattern in trunk.users):
            self._log.info("refused: no such user", trunk=trunk.name, user=user)
            return 404
        return 200

    def take(self, session: IncomingSession, endpoint: SipEndpoint) -> None:
        """Make a call of an invitation and let it live."""
        call_id = self._ids.token()
        try:
            call = self._make_call(call_id, session, endpoint)
        except NegotiationError as error:
            self._refuse(session, endpoint, error.status, str(error))
        except CapacityError as error:
            self._refuse(session, endpoint, 503, str(error))
        except SipError as error:
            self._refuse(session, endpoint, error.status, str(error))
        else:
            task = asyncio.create_task(self._live(call), name=f"call {call_id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def drain(self, seconds: float) -> None:
        """Wait for the calls to end by themselves, then end those that have not."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for call in self._registry:
            call.hang_up("gateway stopped")
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5.0)

    async def _live(self, call: Call) -> None:
        try:
            await call.run()
        finally:
            self._registry.release(call)

    def _make_call(self, call_id: str, session: IncomingSession, endpoint: SipEndpoint) -> Call:
        audio_format = self._audio_format(session)
        parts = CallParts(
            make_link=lambda on_event, on_closed: self._link(audio_format, on_event, on_closed),
            audio_format=audio_format,
            prompts=self._prompts,
            recordings=self._settings.media.recordings,
            connect_seconds=self._settings.realtime.connect_seconds,
        )
        call = Call(call_id, Controller(self._control, classify), parts)
        self._registry.admit(call)
        lane = None
        try:
            lane = self._engine.open(
                call.on_lane,
                call.on_audio,
                uplink=_LANE_AUDIO[audio_format],
                detect_inband=self._settings.media.detect_inband,
            )
            leg = SipLeg.incoming(
                session,
                endpoint,
                lane,
                self._settings.media.codecs,
                call.on_leg,
                host=self._advertise.host_towards(session.flow.remote[0], lane.host),
            )
        except BaseException:
            self._registry.release(call)
            if lane is not None:
                lane.close()
            raise
        call.attach(leg, lane)
        return call

    def _audio_format(self, session: IncomingSession) -> AudioFormat:
        """Choose what the service is spoken to in: the caller's own G.711, or 24 kHz PCM."""
        if not self._settings.media.pass_through or session.offer is None:
            return "audio/pcm"
        trial = OfferAnswer("127.0.0.1", 4, self._settings.media.codecs, ids=self._ids)
        try:
            trial.answer(session.offer)
        except GatewayError:
            return "audio/pcm"  # the leg will say what is wrong
        chosen = trial.negotiated.codec.name if trial.negotiated else ""
        return {"PCMU": "audio/pcmu", "PCMA": "audio/pcma"}.get(chosen, "audio/pcm")  # type: ignore[return-value]

    def _link(self, audio_format: AudioFormat, on_event: OnEvent, on_closed: OnClosed) -> Link:
        return WebSocketLink(
            self._service,
            on_event=on_event,
            on_closed=on_closed,
            append_ms=self._settings.media.append_ms,
            bytes_per_ms=_BYTES_PER_MS[audio_format],
        )

    def _refuse(
        self, session: IncomingSession, endpoint: SipEndpoint, status: int, why: str
    ) -> None:
        self._log.info("refused", status=status, why=why)
        wait = self._settings.limits.retry_after_seconds if status == 503 else None
        session.reject(status, endpoint.now(), retry_after=wait)
        endpoint.flush()
