"""Standing well with the neighbours: registrations at trunks, and whether the trunks live."""

import asyncio
import socket
import uuid
from collections.abc import Callable
from typing import Any

import structlog

from ..config import Settings, TrunkSettings
from ..errors import SipError
from ..sip.duties.registration import Enrolment
from ..sip.duties.standing import Changed, Duty, DutyEvent, WayDue
from ..sip.duties.watch import Watch
from ..sip.transport.endpoint import SipEndpoint
from ..sip.wire.uri import Uri
from .trunks import Trunks, account_of

__all__ = ["Neighbours"]


class Neighbours:
    """Registers where that is configured, and asks by OPTIONS who lives; says so when it changes.

    What becomes of it has no part in whether the gateway is ready: its calls go on.
    """

    def __init__(self, settings: Settings, trunks: Trunks, endpoint: SipEndpoint) -> None:
        self._settings = settings
        self._trunks = trunks
        self._endpoint = endpoint
        self._watches: dict[str, Watch] = {}
        self._searches: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()

    def begin(self) -> None:
        """Register, and begin to ask."""
        for trunk in self._settings.trunks:
            if trunk.register_:
                self._register(trunk)
            if trunk.options_seconds:
                self._watch(trunk)
        self._endpoint.flush()

    def end(self) -> None:
        """Take every registration back, and ask no more."""
        if not (self._trunks.registrations or self._watches):
            return
        for search in self._searches:
            search.cancel()
        self._endpoint.agent.duties.end(self._endpoint.now())
        self._endpoint.flush()

    def facts(self) -> list[dict[str, Any]]:
        """Say how it stands with each trunk."""
        return [self._facts_of(trunk) for trunk in self._settings.trunks]

    def _register(self, trunk: TrunkSettings) -> None:
        enrolment = Enrolment(
            Uri.parse(trunk.server),
            trunk.username,
            account_of(trunk),
            trunk.register_seconds,
            _instance(trunk),
        )

        def on_changed(changed: Changed) -> None:
            is_fine = changed.is_well or registration.is_over
            say = self._log.info if is_fine else self._log.warning
            state = "registered" if changed.is_well else "not registered"
            say(state, trunk=trunk.name, server=trunk.server, why=changed.why)

        agent = self._endpoint.agent
        registration = agent.duties.register(
            enrolment, lambda e: self._on_event(registration, e, on_changed)
        )
        self._trunks.registrations[trunk.name] = registration

    def _watch(self, trunk: TrunkSettings) -> None:
        def on_changed(changed: Changed) -> None:
            say = self._log.info if changed.is_well else self._log.warning
            say("alive" if changed.is_well else "dead", trunk=trunk.name, why=changed.why)

        watch = self._endpoint.agent.duties.watch(
            Uri.parse(trunk.probed),
            trunk.options_seconds,
            lambda event: self._on_event(watch, event, on_changed),
            self._trunks.policy(trunk).account,
        )
        self._watches[trunk.name] = watch

    def _on_event(
        self, duty: Duty, event: DutyEvent, on_changed: Callable[[Changed], None]
    ) -> None:
        if isinstance(event, WayDue):
            search = asyncio.create_task(self._find(duty, event.uri))
            self._searches.add(search)
            search.add_done_callback(self._searches.discard)
        else:
            on_changed(event)

    async def _find(self, duty: Duty, uri: Uri) -> None:
        try:
            flows = await self._endpoint.resolve(uri)
        except SipError as error:
            duty.no_way(str(error), self._endpoint.now())
        else:
            duty.go(flows, self._endpoint.now())
        self._endpoint.flush()

    def _facts_of(self, trunk: TrunkSettings) -> dict[str, Any]:
        facts: dict[str, Any] = {"name": trunk.name}
        if registration := self._trunks.registrations.get(trunk.name):
            until = registration.expires_at
            facts |= {
                "registered": registration.is_registered,
                "registration": registration.why,
                "expires_in": None if until is None else round(until - self._endpoint.now()),
                "service_routes": registration.service_routes,
                "path": registration.path,
                "outbound": registration.is_outbound,
            }
        if watch := self._watches.get(trunk.name):
            facts |= {"alive": watch.is_alive, "last_answer": watch.why}
        return facts


def _instance(trunk: TrunkSettings) -> str:
    """Return a name of this machine at a trunk that outlives the program (RFC 5626 section 4.1)."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"{trunk.name}.{socket.gethostname()}").urn
