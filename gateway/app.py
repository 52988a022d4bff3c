"""The gateway: builds everything from the settings, starts it, drains it, stops it."""

import asyncio
import dataclasses
import errno
import gc
import itertools
import math
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog

from .calls.browsers import BrowserReception
from .calls.dialling import Dialling
from .calls.errands import ErrandRunner
from .calls.hosted import HostedReception
from .calls.lanes import prepare_hearing
from .calls.links import Links
from .calls.neighbours import Neighbours
from .calls.outbound import Outbound
from .calls.quota import Quota
from .calls.reception import Reception
from .calls.registry import Health, Registry
from .calls.supervision import Supervision
from .calls.switchboard import Switchboard
from .calls.trunks import Trunks
from .calls.ways import ways_of
from .clock import RandomIds
from .config import Settings
from .control.settings import SHIPPED_PROMPTS, ControlSettings
from .errors import ConfigError
from .http import (
    Access,
    ApiDoor,
    CallsDoor,
    DialDoor,
    Door,
    EventsDoor,
    HealthDoor,
    HttpServer,
    Keyring,
    News,
    PageDoor,
    Role,
    StoryDoor,
    SupervisionDoor,
    TokensDoor,
    VisitorDoor,
    WebhookDoor,
    WhipDoor,
    configured_tokens,
)
from .media.engine import MediaEngine
from .media.ports import PortPool
from .media.prompts import SHIPPED, Prompt
from .ops.directory import Directory
from .ops.memory_archive import MemoryArchive
from .ops.recordings import Recordings
from .ops.records.desk import RecordDesk
from .realtime.client import ServiceClient
from .realtime.endpoint import Endpoint
from .sip.agent import UserAgent
from .sip.dialogs.incoming import IncomingSession
from .sip.guard.guard import Guard, Notice
from .sip.transport.address import Advertiser
from .sip.transport.certificates import validity_of
from .sip.transport.endpoint import SipEndpoint
from .sip.transport.outside import Outside
from .sip.transport.resolver import Resolver

__all__ = ["Gateway"]

_MOST_TOLD: Final = 100  # bans
_NOT_OURS: Final = "write an address of this machine, or 0.0.0.0 for all it has"


class Gateway:
    """One process's worth of telephony."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        quota = Quota(settings.limits.quota_floor)
        self.registry = Registry(settings.limits.max_calls, quota)
        self._log = structlog.get_logger()
        ids = RandomIds()
        self._engine = MediaEngine(
            PortPool(settings.media.ports, settings.media_host),
            media_timeout=settings.media.timeout_seconds or math.inf,
            hold_timeout=settings.media.hold_timeout_seconds or math.inf,
        )
        resolver = Resolver(settings.sip.nameservers, ids=ids)
        external = settings.sip.external_ip
        is_asked_for = external.startswith("stun:")
        advertise = Advertiser(
            None if is_asked_for else external or None,
            settings.sip.tls.host,
            settings.sip.local_networks,
        )
        self._outside = (
            Outside(external, resolver, advertise, ids, self._move) if is_asked_for else None
        )
        trunks = Trunks(settings, ids=ids)
        self._guard = Guard(settings.guard, knows=trunks.knows, report=self._tell_of)
        self._agent = UserAgent(
            ids,
            advertise=advertise,
            accepts=lambda request, flow: self.reception.accepts(request, flow),
            guard=self._guard,
            overloaded=lambda: self.registry.health is not Health.READY,
            retry_after=self._retry_after,
            has_streams=any(bind.startswith("tcp:") for bind in settings.sip.bind),
        )
        self._sip = SipEndpoint(
            self._agent,
            settings.sip.bind,
            self._take,
            settings.sip.tls,
            settings.sip.origins,
            resolver,
        )
        trunks.sessions = self._agent.sessions.values
        self._neighbours = Neighbours(settings, trunks, self._sip)
        self._outbound = outbound = Outbound(settings, trunks, self._sip, self._engine, advertise)
        control = ControlSettings.of(settings)
        prepare_hearing(settings, control, self._engine)
        self._errands = ErrandRunner(settings, ids=ids)
        self._switchboard = Switchboard(
            settings,
            control,
            registry=self.registry,
            prompts=_prompts(settings),
            ids=ids,
            errands=self._errands,
            outbound=outbound,
        )
        endpoint = Endpoint.of(settings.realtime)
        self._client = ServiceClient(endpoint, front_door=settings.realtime.front_door)
        links = Links(settings, control, endpoint, self._client)
        self._dialling = Dialling(self._switchboard, links, outbound)
        self._webhooks = self._webhook_door(links)
        self.reception = Reception(
            self._switchboard,
            links,
            trunks,
            engine=self._engine,
            advertise=advertise,
            ids=ids,
            on_refer=outbound.referrals.begin,
        )
        archive = MemoryArchive(self.registry, settings.media.recordings)
        self._directory = Directory(self.registry, archive)
        self._news = News(lambda: self.registry, epoch=ids.token())
        self.registry.audience.add(self._news)
        web_host = settings.webrtc.host
        self.browsers = BrowserReception(
            self._switchboard,
            links,
            engine=self._engine,
            ports=PortPool(settings.media.ports, web_host) if web_host else None,
            way_of=ways_of(settings.webrtc, ids),
            ids=ids,
        )
        self._keyring = _keyring(settings)
        http = settings.http
        has_tokens = http.token is not None or bool(http.tokens) or http.signing_key is not None
        self._access = Access(self._keyring, is_open_here=not has_tokens)
        self._records: RecordDesk | None = None
        self._http: HttpServer | None = None

    @property
    def sip_addresses(self) -> list[str]:
        """Where SIP is listened for, with the ports in use: ``udp:127.0.0.1:5060``."""
        return self._sip.addresses

    def sip_uri(self, user: str) -> str:
        """Return the address under which a caller nearby reaches ``user``."""
        transport, _, where = self._sip.addresses[0].partition(":")
        named = "ws" if transport == "wss" else transport
        suffix = "" if named == "udp" else f";transport={named}"
        return f"sip:{user}@{where}{suffix}"

    @property
    def page(self) -> str:
        """The address of the page, empty where HTTP is off."""
        return self._http.url if self._http else ""

    async def start(self, *, is_trial: bool = False) -> None:
        """Open every socket and begin to take calls; a trial leaves the neighbours alone.

        Raises:
            ConfigError: An address cannot be bound; says which, and what to set.

        """
        self._make_folder()
        try:
            await self._sip.start()
        except OSError as error:
            cause = _cause(error)
            is_taken = cause.errno in (errno.EADDRINUSE, errno.EACCES)
            remedy = "free the port or choose another" if is_taken else _NOT_OURS
            where, problem = ", ".join(self.settings.sip.bind), cause.strerror or cause
            raise ConfigError(f"sip.bind: {where}: {problem}; {remedy}") from cause
        if self._outside is not None:
            await self._outside.start(self._sip.datagram_sockets)
        self._engine.start()
        if not is_trial:
            await self._open_records()
            self._look_at_certificate()
            self._neighbours.begin()
        if self.settings.http.bind:
            await self._start_http()
        _favour_the_clock()

    async def _open_records(self) -> None:
        """Have calls and webhooks kept in the database, where one is configured.

        Raises:
            ConfigError: It cannot be used.

        """
        self._records = records = await RecordDesk.open(
            self.settings,
            lambda: self.registry,
            self._errands.courier,
            instance=secrets.token_hex(8),
        )
        if records is not None:
            self._switchboard.keeper = records.keeper
            self._directory.archive = records.archive
            self._errands.outbox = records.outbox

    def _look_at_certificate(self) -> None:
        """Tell the log of a certificate that nobody will believe."""
        tls = self.settings.sip.tls
        validity = validity_of(tls)
        if validity is not None and (fault := validity.fault(datetime.now(UTC))):
            self._log.warning("certificate is no good", file=tls.certificate, problem=f"it {fault}")

    def _make_folder(self) -> None:
        """Make the folder for recordings, so that no call finds out that it cannot be."""
        folder = self.settings.media.recordings
        if folder is None:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"media.recordings: {folder}: {error.strerror or error}; name another folder"
            ) from error

    async def _start_http(self) -> None:
        host, _, port = self.settings.http.bind.rpartition(":")
        self._http = HttpServer(
            self.doors(),
            host=host.strip("[]"),
            port=int(port),
            access=self._access,
            origins=self.settings.http.origins,
        )
        try:
            await self._http.start()
        except OSError as error:
            raise ConfigError(
                f"http.bind: {self.settings.http.bind}: {error.strerror or error};"
                ' free the port, choose another, or set http.bind = ""'
            ) from error

    def doors(self) -> list[Door]:
        """Return all that there is to ask for by HTTP."""
        retry_after = self._retry_after
        doors: list[Door] = [
            PageDoor(),
            HealthDoor(self.registry, facts=self.facts, retry_after=retry_after),
            CallsDoor(self._directory),
            EventsDoor(self._news, self.registry),
            SupervisionDoor(
                self.settings,
                self._switchboard.find,
                self._directory,
            ),
            DialDoor(self._dialling.dial, retry_after=retry_after),
            StoryDoor(self._directory.get, Recordings(self.settings.media.recordings)),
            TokensDoor(self._keyring),
            VisitorDoor(self.settings.targets),
        ]
        if self.settings.webrtc.enabled:
            doors.append(
                WhipDoor(
                    self.browsers,
                    self.settings.webrtc,
                    retry_after=retry_after,
                    join=Supervision(self._switchboard.find, self.browsers.connect).join,
                )
            )
        if self._webhooks is not None:
            doors.append(self._webhooks)
        doors.append(ApiDoor(lambda: doors))
        return doors

    def make_token(self, name: str, role: Role, seconds: int) -> str:
        """Return a token for the pages and the API that is good for so many seconds."""
        return self._keyring.make(name, role, int(time.time()) + seconds)

    def _retry_after(self) -> int:
        return self._switchboard.retry_after

    def facts(self) -> dict[str, Any]:
        """Say where the gateway is, and what it has counted since it started."""
        counted = {
            "sip": self._sip.counters,
            "media": dataclasses.asdict(self._engine.stats()),
            "errands": dataclasses.asdict(self._errands.stats),
            "http": self._news.counted | (self._http.counted if self._http is not None else {}),
            "browsers": self.browsers.counters,
        }
        now = self._sip.now()
        banned = [
            {
                "source": ban.source,
                "over": ban.over,
                "why": ban.why,
                "seconds_left": math.ceil(ban.until - now),
            }
            for ban in itertools.islice(self._guard.bans(now), _MOST_TOLD)
        ]
        return {
            "sip": self.sip_uri("demo"),
            "whip": f"{self.page}whip" if self.page and self.settings.webrtc.enabled else "",
            "trunks": self._neighbours.facts(),
            "counted": counted,
            "records": self._records.facts() if self._records is not None else {},
            "banned": banned,
        }

    def _move(self) -> None:
        """Register anew: the outside world sees us at another address."""
        self._agent.duties.move(self._sip.now())
        self._sip.flush()

    def _tell_of(self, notice: Notice) -> None:
        """Log what the guard has to say: of each source once a minute at most."""
        self._log.warning(
            "banned" if notice.ban_seconds else "refused",
            source=notice.source or "strangers",
            why=notice.why,
            messages=notice.count,
            seconds=notice.ban_seconds,
        )

    async def drain(self, seconds: float) -> None:
        """Refuse new calls (503) and wait for those in progress, at most ``seconds``."""
        self.registry.is_draining = self._agent.is_draining = True
        self._log.info("draining", calls=len(self.registry))
        self._neighbours.end()
        await self._switchboard.drain(seconds)

    async def close(self) -> None:
        """End what is left and close every socket."""
        await self.drain(0.0)
        self._outbound.referrals.close()
        await self.browsers.close()
        await self._settle()
        self._news.close()
        if self._http is not None:
            await self._http.close()
        if self._outside is not None:
            await self._outside.close()
        await self._sip.close()
        await self._client.close()
        if self._records is not None:
            await self._records.close()
        await self._errands.close()
        self._engine.close()

    async def _settle(self) -> None:
        """Give the last BYEs, and the ends of registrations, a moment to be answered."""
        for _ in range(20):
            if not (self._agent.has_calls or self._agent.duties.is_busy):
                return
            await asyncio.sleep(0.025)

    def _webhook_door(self, links: Links) -> WebhookDoor | None:
        """Make the door for calls that the service holds, where there are to be any.

        Raises:
            ConfigError: It would be open to everybody, or to nobody.

        """
        settings = self.settings
        if settings.realtime.link != "sideband":
            return None
        if not settings.http.bind:
            problem = 'the service tells of its calls by HTTP; write bind = "HOST:PORT"'
            raise settings.problem(("http", "bind"), problem)
        secret = settings.realtime.webhook_secret
        if secret is None:
            problem = 'link = "sideband" needs the variable that holds the webhooks\' secret'
            raise settings.problem(("realtime", "webhook_secret_env"), problem)
        keys = secret.get_secret_value().split(",")
        hosted = HostedReception(self._switchboard, self._client, links.plan_hosted)
        return WebhookDoor(keys, hosted.take)

    def _take(self, session: IncomingSession) -> None:
        self.reception.take(session, self._sip)


def _cause(error: OSError) -> OSError:
    """Return the error of the system itself, which some event loops wrap in one of their own."""
    cause = error.__cause__
    return cause if error.errno is None and isinstance(cause, OSError) else error


def _keyring(settings: Settings) -> Keyring:
    """Return who is known by which token; without a key, those we make end with the process."""
    key = settings.http.signing_key
    secret = key.get_secret_value().encode() if key is not None else secrets.token_bytes(32)
    return Keyring(configured_tokens(settings.http), secret)


def _prompts(settings: Settings) -> dict[str, Prompt]:
    """Read the configured sounds, and those that are there without.

    Raises:
        ConfigError: A file is missing, or no sound; says which, and where it was named.

    """
    prompts = {name: Prompt.load(SHIPPED / f"{name}.wav") for name in SHIPPED_PROMPTS}
    for name, path in settings.prompts.items():
        try:
            prompts[name] = Prompt.load(path)
        except ConfigError as error:
            remedy = f"name a sound file by its whole path, or from {Path.cwd()}"
            raise settings.problem(("prompts", name), f"{error}; {remedy}") from error
    return prompts


def _favour_the_clock() -> None:
    """Keep the interpreter's own pauses short of a frame."""
    gc.collect()
    gc.freeze()  # what start-up made stays: no collection need look at it again
    # Every object costs a collection the better part of a microsecond, and while one runs no
    # call has a voice: many small ones, and nearly never one of everything.
    gc.set_threshold(2_000, 3, 10_000)
    # The media thread lets the interpreter go with every packet it sends; by default it
    # would wait up to 5 ms to get it back from a busy event loop.
    sys.setswitchinterval(0.0001)
