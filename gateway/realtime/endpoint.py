"""Where the realtime service is, and what it wants to see before it lets us in."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from ..errors import ConfigError

__all__ = ["EMBEDDED_URL", "Endpoint", "is_loopback"]

EMBEDDED_URL: Final = "ws://127.0.0.1:8765/v1/realtime"
_OPENAI_BASE: Final = "https://api.openai.com/v1"
_SCHEMES: Final = {"https": "wss", "http": "ws", "wss": "wss", "ws": "ws"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of the service and the headers of the handshake; its repr holds no secret."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    where: str = field(init=False, default="")

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        port = f":{parts.port}" if parts.port else ""
        object.__setattr__(self, "where", f"{parts.scheme}://{host}{port}{parts.path}")

    def __str__(self) -> str:
        return self.where

    @property
    def is_local(self) -> bool:
        """Whether the service is on this machine."""
        return is_loopback(urlsplit(self.url).hostname or "")

    @classmethod
    def from_settings(
        cls,
        provider: str,
        *,
        url: str = "",
        model: str = "",
        api_key: str = "",
        api_key_env: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """Work out the address and key of ``embedded``, ``azure``, ``openai`` or ``custom``.

        Raises:
            ConfigError: An address, a deployment or a key is missing or cannot be right.

        """
        environ = os.environ if environ is None else environ
        if provider == "openai":
            address = _openai_url(url or environ.get("OPENAI_BASE_URL", ""))
            model = model or "gpt-realtime"
            key = _find_key(api_key, api_key_env or "OPENAI_API_KEY", environ)
            headers = {"Authorization": f"Bearer {key}"}
        elif provider == "azure":
            address = _azure_url(url or environ.get("AZURE_OPENAI_ENDPOINT", ""))
            model = model or environ.get("AZURE_OPENAI_DEPLOYMENT", "")
            if not model:
                raise ConfigError(
                    "realtime.model: Azure needs the deployment's name;"
                    " set it there or in AZURE_OPENAI_DEPLOYMENT"
                )
            key = _find_key(api_key, api_key_env or "AZURE_OPENAI_API_KEY", environ)
            headers = {"api-key": key}
        elif provider in ("embedded", "custom"):
            if provider == "custom" and not url:
                raise ConfigError('realtime.url: provider "custom" needs the service\'s address')
            address = url or EMBEDDED_URL
            key = api_key or environ.get(api_key_env, "")
            headers = {"Authorization": f"Bearer {key}"} if key else {}
        else:
            raise ConfigError(
                f'realtime.provider: "{provider}" is not one of embedded, azure, openai, custom'
            )
        return cls(_websocket_url(address, model), headers)


def is_loopback(host: str) -> bool:
    """Return whether ``host`` can only be this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _find_key(given: str, name: str, environ: Mapping[str, str]) -> str:
    key = (given or environ.get(name, "")).strip()
    if not key:
        raise ConfigError(f"realtime.api_key_env: {name} is not set; export it with the key")
    if any(ord(letter) <= 32 or ord(letter) > 126 for letter in key):
        raise ConfigError(f"realtime.api_key_env: the key in {name} holds blanks or odd characters")
    return key


def _openai_url(url: str) -> str:
    parts = urlsplit(url or _OPENAI_BASE)
    path = parts.path.rstrip("/")
    return _with_path(parts, path if path.endswith("/realtime") else f"{path}/realtime")


def _azure_url(url: str) -> str:
    if not url:
        raise ConfigError(
            "realtime.url: Azure needs the resource's address, such as"
            " https://RESOURCE.openai.azure.com; set it there or in AZURE_OPENAI_ENDPOINT"
        )
    parts = urlsplit(url)
    if "api-version" in dict(parse_qsl(parts.query)):
        raise ConfigError(
            "realtime.url: drop `?api-version=…`, the preview protocol's address;"
            " use https://RESOURCE.openai.azure.com/openai/v1/realtime"
        )
    path = parts.path.rstrip("/")
    if not path.endswith("/realtime"):
        path = f"{path.removesuffix('/v1').removesuffix('/openai')}/openai/v1/realtime"
    return _with_path(parts, path)


def _with_path(parts: SplitResult, path: str) -> str:
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def _websocket_url(url: str, model: str) -> str:
    """Return ``url`` as a WebSocket's, with the model in its query."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"realtime.url: {url!r} is not an address: {error}") from None
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None or not host:
        raise ConfigError(f"realtime.url: {url!r} is not an address; write wss://HOST/v1/realtime")
    if scheme == "ws" and not is_loopback(host):
        raise ConfigError("realtime.url: ws:// would show the key on the way; write wss://")
    query = dict(parse_qsl(parts.query))
    if model and not {"model", "call_id"} & query.keys():
        query["model"] = model
    return urlunsplit((scheme, parts.netloc, parts.path or "/v1/realtime", urlencode(query), ""))
