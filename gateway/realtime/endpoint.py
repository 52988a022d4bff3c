"""Where the realtime service is, and what it wants to see before it lets us in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ..config import RealtimeSettings, is_loopback

__all__ = ["EMBEDDED_URL", "Endpoint"]

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
    def of(cls, settings: RealtimeSettings) -> Self:
        """Work out the whole address, and the header that carries the key."""
        url, model = settings.url, settings.model
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        match settings.provider:
            case "openai":
                url, model = _openai_url(url or _OPENAI_BASE), model or "gpt-realtime"
            case "azure":
                url, headers = _azure_url(url), {"api-key": key}
            case "embedded" | "custom":
                url = url or EMBEDDED_URL
        return cls(_websocket_url(url, model), headers)


def _openai_url(url: str) -> str:
    path = urlsplit(url).path.rstrip("/")
    return _with_path(url, path if path.endswith("/realtime") else f"{path}/realtime")


def _azure_url(url: str) -> str:
    path = urlsplit(url).path.rstrip("/")
    if not path.endswith("/realtime"):
        path = f"{path.removesuffix('/v1').removesuffix('/openai')}/openai/v1/realtime"
    return _with_path(url, path)


def _with_path(url: str, path: str) -> str:
    return urlsplit(url)._replace(path=path, fragment="").geturl()


def _websocket_url(url: str, model: str) -> str:
    """Return ``url`` as a WebSocket's, with the model in its query."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if model and not {"model", "call_id"} & query.keys():
        query["model"] = model
    path = parts.path or "/v1/realtime"
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, urlencode(query), ""))
