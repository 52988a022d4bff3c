"""All that there is to ask of a gateway by HTTP, and who may: its doors, tokens and news."""

import secrets
import time
from collections.abc import Callable
from typing import Any

from ..calls.browsers import BrowserReception
from ..calls.supervision import Supervision
from ..calls.switchboard import Switchboard
from ..clock import Ids
from ..config import Settings
from ..errors import ConfigError
from ..http import (
    Access,
    ApiDoor,
    CallsDoor,
    Dial,
    DialDoor,
    Door,
    EventsDoor,
    HealthDoor,
    HttpServer,
    Keyring,
    News,
    PageDoor,
    Proxies,
    Role,
    StoryDoor,
    SupervisionDoor,
    TokensDoor,
    VisitorDoor,
    WebhookDoor,
    WhipDoor,
    configured_tokens,
)
from ..ops.directory import Directory
from ..ops.recordings import Recordings
from ..ops.stories import Stories

__all__ = ["Surface"]


class Surface:
    """The HTTP listener of one gateway, with everything behind it.

    Args:
        settings: The gateway's.
        switchboard: Knows the calls in progress.
        directory: Finds those and all others.
        dial: Places a call.
        browsers: Takes callers and supervisors in.
        hosted: Takes what the service tells of calls that it holds, where there are any.
        facts: Says what is worth knowing of the gateway.
        ids: Where names come from that nobody guesses.

    """

    def __init__(
        self,
        settings: Settings,
        switchboard: Switchboard,
        directory: Directory,
        *,
        dial: Dial,
        browsers: BrowserReception,
        hosted: WebhookDoor | None,
        facts: Callable[[], dict[str, Any]],
        ids: Ids,
    ) -> None:
        self._settings = settings
        self._switchboard = switchboard
        self._directory = directory
        self._stories = Stories(directory, Recordings(settings.media.recordings))
        self._dial = dial
        self._browsers = browsers
        self._hosted = hosted
        self._facts = facts
        registry = switchboard.registry
        self._news = News(lambda: registry, epoch=ids.token())
        registry.audience.add(self._news)
        self._keyring = _keyring(settings)
        http = settings.http
        has_tokens = http.token is not None or bool(http.tokens) or http.signing_key is not None
        is_open_here = not (has_tokens or http.trusted_proxies)
        self._access = Access(self._keyring, is_open_here=is_open_here)
        self._http: HttpServer | None = None

    @property
    def page(self) -> str:
        """The address of the page, empty where HTTP is off."""
        return self._http.url if self._http else ""

    @property
    def counted(self) -> dict[str, int]:
        """What was counted of requests and viewers."""
        return self._news.counted | (self._http.counted if self._http is not None else {})

    def make_token(self, name: str, role: Role, seconds: int) -> str:
        """Return a token for the pages and the API that is good for so many seconds."""
        return self._keyring.make(name, role, int(time.time()) + seconds)

    def doors(self) -> list[Door]:
        """Return all that there is to ask for."""
        settings, directory, find = self._settings, self._directory, self._switchboard.find
        registry, retry_after = self._switchboard.registry, self._retry_after
        doors: list[Door] = [
            PageDoor(),
            HealthDoor(registry, facts=self._facts, retry_after=retry_after),
            CallsDoor(directory, self._stories),
            EventsDoor(self._news, registry),
            SupervisionDoor(settings, find, directory),
            DialDoor(self._dial, retry_after=retry_after),
            StoryDoor(self._stories),
            TokensDoor(self._keyring),
            VisitorDoor(settings.targets),
        ]
        if settings.webrtc.enabled:
            join = Supervision(find, self._browsers.connect).join
            whip = WhipDoor(self._browsers, settings.webrtc, retry_after=retry_after, join=join)
            doors.append(whip)
        if self._hosted is not None:
            doors.append(self._hosted)
        doors.append(ApiDoor(lambda: doors))
        return doors

    async def start(self) -> None:
        """Listen, where an address is configured.

        Raises:
            ConfigError: It cannot be bound; says which, and what to set.

        """
        http = self._settings.http
        if not http.bind:
            return
        host, _, port = http.bind.rpartition(":")
        self._http = HttpServer(
            self.doors(),
            host=host.strip("[]"),
            port=int(port),
            access=self._access,
            origins=http.origins,
            proxies=Proxies(http.trusted_proxies),
        )
        try:
            await self._http.start()
        except OSError as error:
            raise ConfigError(
                f"http.bind: {http.bind}: {error.strerror or error};"
                ' free the port, choose another, or set http.bind = ""'
            ) from error

    async def close(self) -> None:
        """Send the viewers away and stop listening."""
        self._news.close()
        if self._http is not None:
            await self._http.close()
        self._stories.close()

    def _retry_after(self) -> int:
        return self._switchboard.retry_after


def _keyring(settings: Settings) -> Keyring:
    """Return who is known by which token; without a key, those we make end with the process."""
    key = settings.http.signing_key
    secret = key.get_secret_value().encode() if key is not None else secrets.token_bytes(32)
    return Keyring(configured_tokens(settings.http), secret)
