"""The service's own SIP address: calls come in, ring, and are announced by webhook."""

import asyncio
from typing import Any, Final

import msgspec
import structlog

from ...clock import Clock, Ids
from ...errors import CapacityError, ConfigError, NegotiationError, SipError
from ...legs.sip_leg import SipLeg
from ...media.engine import MediaEngine
from ...media.options import LaneOptions
from ...media.ports import PortPool
from ...sdp.terms import Terms
from ...sip.agent import UserAgent
from ...sip.dialogs.incoming import IncomingSession
from ...sip.transport.endpoint import SipEndpoint
from ..faults import Faults
from ..sessions import Sessions
from .book import Calls
from .hosted_call import HostedCall
from .webhooks import Webhooks

__all__ = ["RING_SECONDS", "HostedLine"]

RING_SECONDS: Final = 30.0
_USER: Final = "proj_embedded"
_PORTS: Final = "30000-31999"
_TERMS: Final = Terms(("PCMU", "PCMA"))
_UNTOLD: Final = frozenset({"authorization", "proxy-authorization"})
_CLOSE_SECONDS: Final = 2.0


class HostedLine:
    """Takes SIP calls.

    Args:
        bind: Where to listen, e.g. ``udp:127.0.0.1:5070``; port 0 lets the system choose.
        webhooks: Announces calls.
        calls: Where those who control calls find them.
        sessions: Makes the sessions of calls.
        most: More calls are refused with 503.
        ring_seconds: A call not accepted by then is refused with 480.

    Raises:
        ConfigError: The address cannot be read.

    """

    def __init__(
        self,
        bind: str,
        webhooks: Webhooks,
        calls: Calls,
        sessions: Sessions,
        *,
        faults: Faults,
        ids: Ids,
        calendar: Clock,
        most: int,
        ring_seconds: float = RING_SECONDS,
    ) -> None:
        self._webhooks = webhooks
        self._calls = calls
        self._sessions = sessions
        self._faults = faults
        self._ids = ids
        self._calendar = calendar
        self._ring_seconds = ring_seconds
        self._agent = UserAgent(
            ids,
            advertise=lambda flow: flow.local,
            overloaded=lambda: len(calls) >= most or sessions.is_full,
            has_streams=bind.startswith("tcp:"),
            name="voice-gateway embedded",
        )
        self._sip = SipEndpoint(self._agent, [bind], self._take)
        self._bind = bind
        host = bind.partition(":")[2].rpartition(":")[0].strip("[]")
        self._engine = MediaEngine(PortPool(_PORTS, host or "127.0.0.1"))
        self._running: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()

    @property
    def uri(self) -> str:
        """Where to call; any other user is taken as well."""
        transport, _, where = self._sip.addresses[0].partition(":")
        suffix = "" if transport == "udp" else f";transport={transport}"
        return f"sip:{_USER}@{where}{suffix}"

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigError: The address is taken or not ours.

        """
        try:
            await self._sip.start()
        except OSError as error:
            reason = error.strerror or str(error)
            told = f"embedded service: cannot listen on {self._bind}: {reason}; choose another port"
            raise ConfigError(told) from error
        self._engine.start()

    async def close(self) -> None:
        """Hang up on everybody and stop listening."""
        for call in self._calls.all:
            if isinstance(call, HostedCall):
                call.hang_up()
        if self._running:
            await asyncio.wait(self._running, timeout=_CLOSE_SECONDS)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._sip.close()
        self._engine.close()

    def _take(self, session: IncomingSession) -> None:
        try:
            call = self._make_call(session)
        except (NegotiationError, SipError) as error:
            self._refuse(session, error.status)
        except CapacityError:
            self._refuse(session, 503)
        else:
            name = f"hosted call {call.id}"
            task = asyncio.create_task(self._run(call, _headers(session)), name=name)
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _make_call(self, session: IncomingSession) -> HostedCall:
        call_id = f"rtc_{self._ids.token(128)}"
        call = HostedCall(call_id, self._sessions, self._faults, self._calendar)
        lane = self._engine.open(call.on_lane, call.on_audio, LaneOptions(detect_inband=False))
        try:
            leg = SipLeg.incoming(session, self._sip, lane, _TERMS, call.on_leg, ids=self._ids)
        except BaseException:
            lane.close()
            raise
        call.attach(leg, lane)
        return call

    def _refuse(self, session: IncomingSession, status: int) -> None:
        wait = self._agent.retry_after if status == 503 else None
        session.reject(status, self._sip.now(), retry_after=wait)
        self._sip.flush()

    async def _run(self, call: HostedCall, headers: list[dict[str, str]]) -> None:
        self._calls.add(call)
        try:
            await call.run(lambda: self._announce(call, headers), self._ring_seconds)
        except Exception:
            self._log.exception("fault inside a hosted call", call=call.id)
        finally:
            call.hang_up()
            self._calls.remove(call)

    async def _announce(self, call: HostedCall, headers: list[dict[str, str]]) -> None:
        def fault() -> str:
            return self._faults.webhook(self._sessions.clock())

        event = self._event(call, headers, is_live=fault() == "live")
        taken = await self._webhooks.deliver(event, lambda: call.is_ringing, fault)
        if not taken and call.is_ringing:
            self._log.warning("nobody took the webhook of a call", call=call.id)

    def _event(self, call: HostedCall, headers: list[dict[str, str]], *, is_live: bool) -> bytes:
        data: dict[str, Any] = {"call_id": call.id}
        if is_live:
            data = {"type": "sip", "session_id": call.id}
        event = {
            "object": "event",
            "id": f"evt_{self._ids.token(96)}",
            "type": "live.transport.incoming" if is_live else "realtime.call.incoming",
            "created_at": int(self._calendar()),
            "data": {**data, "sip_headers": headers, "sip_media_security": "rtp"},
        }
        return msgspec.json.encode(event)


def _headers(session: IncomingSession) -> list[dict[str, str]]:
    """Return the INVITE's headers for the webhook: in order, repeats kept, none that proves."""
    return [
        {"name": name, "value": value}
        for name, value in session.request.headers.items()
        if name.lower() not in _UNTOLD
    ]
