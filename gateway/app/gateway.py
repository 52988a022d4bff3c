"""The gateway: joins all that it is made of, starts it, drains it, stops it."""

import dataclasses
import gc
import math
import secrets
import sys
from pathlib import Path
from typing import Any

import structlog

from ..calls.browsers import BrowserReception
from ..calls.dialling import Dialling
from ..calls.errands import ErrandRunner
from ..calls.hosted import HostedReception
from ..calls.lanes import prepare_hearing
from ..calls.links import Links
from ..calls.outbound import Outbound
from ..calls.quota import Quota
from ..calls.reception import Reception
from ..calls.registry import Health, Registry
from ..calls.switchboard import Switchboard
from ..calls.ways import ways_of
from ..clock import RandomIds
from ..config import Settings
from ..control.settings import SHIPPED_PROMPTS, ControlSettings
from ..errors import ConfigError
from ..http import WebhookDoor
from ..media.engine import MediaEngine
from ..media.ports import PortPool
from ..media.prompts import SHIPPED, Prompt
from ..ops.directory import Directory
from ..ops.memory_archive import MemoryArchive
from ..ops.records.desk import RecordDesk
from ..realtime.client import ServiceClient
from ..realtime.endpoint import Endpoint
from .surface import Surface
from .telephony import Telephony

__all__ = ["Gateway"]


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
        self.telephony = sip = Telephony(
            settings,
            ids,
            door=lambda: self.reception,
            is_full=lambda: self.registry.health is not Health.READY,
            retry_after=lambda: self._switchboard.retry_after,
        )
        self._outbound = outbound = Outbound(
            settings, sip.trunks, sip.endpoint, self._engine, sip.advertise
        )
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
        self.dialling = Dialling(self._switchboard, links, outbound)
        self.reception = Reception(
            self._switchboard,
            links,
            sip.trunks,
            engine=self._engine,
            advertise=sip.advertise,
            ids=ids,
            on_refer=outbound.referrals.begin,
        )
        self._directory = Directory(
            self.registry, MemoryArchive(self.registry, settings.media.recordings)
        )
        web_host = settings.webrtc.host
        self.browsers = BrowserReception(
            self._switchboard,
            links,
            engine=self._engine,
            ports=PortPool(settings.media.ports, web_host) if web_host else None,
            way_of=ways_of(settings.webrtc, ids),
            ids=ids,
        )
        self.surface = Surface(
            settings,
            self._switchboard,
            self._directory,
            dial=self.dialling.dial,
            browsers=self.browsers,
            hosted=self._hosted(links),
            facts=self.facts,
            ids=ids,
        )
        self._records: RecordDesk | None = None

    @property
    def sip_addresses(self) -> list[str]:
        """Where SIP is listened for, with the ports in use: ``udp:127.0.0.1:5060``."""
        return self.telephony.endpoint.addresses

    def sip_uri(self, user: str) -> str:
        """Return the address under which a caller nearby reaches ``user``."""
        return self.telephony.uri(user)

    @property
    def page(self) -> str:
        """The address of the page, empty where HTTP is off."""
        return self.surface.page

    async def start(self, *, is_trial: bool = False) -> None:
        """Open every socket and begin to take calls; a trial leaves the neighbours alone.

        Raises:
            ConfigError: An address cannot be bound; says which, and what to set.

        """
        self._make_folder()
        await self.telephony.start()
        self._engine.start()
        if not is_trial:
            await self._open_records()
            self.telephony.begin()
        await self.surface.start()
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
            self._directory.waiting = records.keeper.backlog
            self._errands.outbox = records.outbox

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

    def facts(self) -> dict[str, Any]:
        """Say where the gateway is, and what it has counted since it started."""
        sip = self.telephony
        counted = {
            "sip": sip.endpoint.counters,
            "media": dataclasses.asdict(self._engine.stats()),
            "errands": dataclasses.asdict(self._errands.stats),
            "http": self.surface.counted,
            "browsers": self.browsers.counters,
        }
        return {
            "sip": self.sip_uri("demo"),
            "whip": f"{self.page}whip" if self.page and self.settings.webrtc.enabled else "",
            "trunks": sip.neighbours.facts(),
            "counted": counted,
            "records": self._records.facts() if self._records is not None else {},
            "banned": sip.banned(),
        }

    async def drain(self, seconds: float) -> None:
        """Refuse new calls (503) and wait for those in progress, at most ``seconds``."""
        self.registry.is_draining = self.telephony.agent.is_draining = True
        self._log.info("draining", calls=len(self.registry))
        self.telephony.neighbours.end()
        await self._switchboard.drain(seconds)

    async def close(self) -> None:
        """End what is left and close every socket."""
        await self.drain(0.0)
        self._outbound.referrals.close()
        await self.browsers.close()
        await self.telephony.settle()
        await self.surface.close()
        await self.telephony.close()
        await self._client.close()
        if self._records is not None:
            await self._records.close()
        await self._errands.close()
        self._engine.close()

    def _hosted(self, links: Links) -> WebhookDoor | None:
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
