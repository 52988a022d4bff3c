"""How `voice-gateway check` reaches the speech service: as a call does, as far as there is one."""

import asyncio
from typing import Final

from ..calls.links import Law, Links, first_session
from ..config import Settings
from ..control.events import AudioFormat
from ..control.service import objection, session_for
from ..control.settings import ControlSettings
from ..errors import GatewayError, LinkError
from ..realtime.client import ServiceClient
from ..realtime.commands import SessionUpdate
from ..realtime.endpoint import Endpoint
from ..realtime.events import ErrorDetail, ErrorEvent, ServerEvent, SessionUpdated, Unknown
from ..realtime.faults import classify
from .neighbours import Finding

__all__ = ["reach_service"]

_LAWS: Final[dict[str, Law]] = {"PCMU": "PCMU", "PCMA": "PCMA"}


async def reach_service(settings: Settings) -> Finding:
    """Ask the service for what a call would ask for, over the link that calls would use.

    A call that the service holds cannot be had for the asking: there it is asked for a client
    secret, which shows that its HTTP side is there, knows us, and takes the session.
    """
    endpoint = Endpoint.of(settings.realtime)
    client = ServiceClient(endpoint, front_door=settings.realtime.front_door)
    try:
        if settings.realtime.link == "sideband":
            return await _reach_http(settings, client)
        return await _reach_session(settings, endpoint, client)
    finally:
        await client.close()


async def _reach_http(settings: Settings, client: ServiceClient) -> Finding:
    what = f"service {client.endpoint}"
    try:
        await client.client_secret(first_session(ControlSettings.of(settings)))
    except LinkError as error:
        return Finding(what, False, str(error))
    return Finding(what, True, "gives a client secret for the session as configured")


async def _reach_session(settings: Settings, endpoint: Endpoint, client: ServiceClient) -> Finding:
    """Open a session and wait until what was asked for is confirmed."""
    control = ControlSettings.of(settings)
    plan = Links(settings, control, endpoint, client).plan(_LAWS.get(settings.media.codecs[0], ""))
    attempt = _Attempt(settings, control, plan.audio_format)
    link = plan.make(attempt.take, attempt.end, lambda _sound: None)
    what = f"service {endpoint}"
    waits_for = "no answer"
    try:
        async with asyncio.timeout(settings.realtime.connect_seconds):
            await link.connect()
            waits_for = "connected, but no session.updated"
            link.send(attempt.update)
            await attempt.outcome
    except TimeoutError:
        seconds = settings.realtime.connect_seconds
        remedy = "check the address and the firewall, or raise realtime.connect_seconds"
        return Finding(what, False, f"{waits_for} within {seconds:g} s; {remedy}")
    except GatewayError as error:
        return Finding(what, False, str(error))
    finally:
        attempt.outcome.cancel()
        await link.close()
    return Finding(what, True, "takes the session as configured")


class _Attempt:
    """One session being set up as a call does it."""

    def __init__(
        self, settings: Settings, control: ControlSettings, audio_format: AudioFormat
    ) -> None:
        self.outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._settings = settings
        self._format = audio_format
        session = session_for(control, audio_format)
        self.update = SessionUpdate(session=session, event_id="check-1")

    def take(self, event: ServerEvent | Unknown) -> None:
        """Take an event of the service."""
        match event:
            case SessionUpdated():
                self._settle(objection(event.session, self._format))
            case ErrorEvent(error=error) if error.event_id == self.update.event_id:
                self._settle(self._explain(error))
            case ErrorEvent(error=error) if classify(error) == "terminal":
                self._settle(error.message or error.code or "terminal error")
            case _:
                pass

    def end(self, fault: LinkError | None) -> None:
        """Take the end of the link."""
        self._settle(str(fault or "the service closed the session"))

    def _explain(self, error: ErrorDetail) -> str:
        """Say where the configuration asks for what the service will not have."""
        told = f"the service refuses it: {error.message or error.code or 'no reason given'}"
        path = tuple((error.param or "").split("."))
        is_ours = path[0] == "session" and len(path) > 1
        return str(self._settings.problem(path if is_ours else ("session",), told))

    def _settle(self, problem: str) -> None:
        if self.outcome.done():
            return
        if problem:
            self.outcome.set_exception(LinkError(problem))
        else:
            self.outcome.set_result(None)
