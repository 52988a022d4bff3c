"""How the service knows us: nothing, a key, a token, or Microsoft Entra.

Credentials are asked anew for each connection, so that one made in the
eleventh hour of a token carries a fresh one.
"""

import asyncio
import importlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from ..config import RealtimeSettings
from ..errors import ConfigError, LinkError

__all__ = ["NOBODY", "Credentials", "EntraToken", "Key", "credentials_of"]

ENTRA_SCOPE: Final = "https://cognitiveservices.azure.com/.default"
_MARGIN: Final = 300.0  # seconds before a token's end from which a fresh one is asked for
_TIMEOUT: Final = 10.0

# Returns a token and the unix time of its end.
FetchToken: TypeAlias = Callable[[], Awaitable[tuple[str, float]]]


class Credentials(Protocol):
    """What stands in the headers of a connection or a request."""

    async def headers(self) -> Mapping[str, str]:
        """Return the headers that let us in, valid now.

        Raises:
            LinkError: None can be had.

        """
        ...

    def refused(self) -> None:
        """Learn that the service did not take the last ones."""
        ...


@dataclass(frozen=True, slots=True)
class Key:
    """One header that never changes; an empty value sends none."""

    value: str = field(repr=False)
    header: str = "Authorization"

    async def headers(self) -> Mapping[str, str]:
        """Return the header."""
        if not self.value:
            return {}
        is_bearer = self.header == "Authorization"
        return {self.header: f"Bearer {self.value}" if is_bearer else self.value}

    def refused(self) -> None:
        """There is no other key."""


NOBODY: Final = Key("")


class EntraToken:
    """A bearer token of Microsoft Entra, kept until five minutes before its end.

    Where none can be had, the one at hand serves to its very end.
    """

    def __init__(
        self, fetch: FetchToken | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._fetch = fetch or azure_identity()
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token = ""
        self._ends = 0.0

    def __repr__(self) -> str:
        return "EntraToken()"

    async def headers(self) -> Mapping[str, str]:
        """Return the header, with a token that is valid for a while.

        Raises:
            LinkError: Entra gives none.

        """
        async with self._lock:
            if self._clock() >= self._ends - _MARGIN:
                await self._renew()
            return {"Authorization": f"Bearer {self._token}"}

    def refused(self) -> None:
        """Have the next connection ask for another token."""
        self._ends = 0.0

    async def _renew(self) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                self._token, self._ends = await self._fetch()
        except Exception as error:
            if self._clock() < self._ends:
                return
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise LinkError(f"Microsoft Entra gave no token: {lines[0][:200]}") from error


def azure_identity(scope: str = ENTRA_SCOPE) -> FetchToken:
    """Return what asks Entra for a token the way this machine can: identity, CLI, environment.

    Raises:
        ConfigError: The package for it is not installed.

    """
    try:
        identity: Any = importlib.import_module("azure.identity.aio")
    except ImportError as error:
        raise ConfigError(
            'realtime.auth = "entra" needs azure-identity; pip install "voice-gateway[azure]"'
        ) from error

    async def fetch() -> tuple[str, float]:
        async with identity.DefaultAzureCredential() as credential:
            token = await credential.get_token(scope)
        return token.token, float(token.expires_on)

    return fetch


def credentials_of(settings: RealtimeSettings) -> Credentials:
    """Work out what lets us in.

    Raises:
        ConfigError: ``auth`` needs a package that is not installed, or the key cannot be sent.

    """
    if settings.auth == "entra":
        return EntraToken()
    key = settings.api_key.get_secret_value().strip() if settings.api_key else ""
    if not key.isprintable():
        raise ConfigError("the key of the realtime service holds what no header can")
    is_azure_key = settings.provider == "azure" and settings.auth == "key"
    return Key(key, "api-key" if is_azure_key else "Authorization")
