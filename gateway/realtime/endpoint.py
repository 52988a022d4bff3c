"""Where the realtime service is, in which words it speaks, and what lets us in."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ..config import RealtimeSettings, is_loopback
from ..errors import LinkError
from .credentials import NOBODY, Credentials, credentials_of
from .dialect import GA, Dialect, dialect_of
from .webhook import FrontDoor

__all__ = ["EMBEDDED_URL", "Endpoint"]

_T = TypeVar("_T")

EMBEDDED_URL: Final = "ws://127.0.0.1:8765/v1/realtime"
_OPENAI_BASE: Final = "https://api.openai.com/v1"
_SCHEMES: Final = {"https": "wss", "http": "ws", "wss": "wss", "ws": "ws"}
_UNAUTHORISED: Final = 401
_SESSION_QUERY: Final = frozenset({"model", "deployment", "call_id", "intent"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of the service, its dialect and our credentials; its repr holds no secret."""

    url: str = field(repr=False)
    credentials: Credentials = field(default=NOBODY, repr=False)
    dialect: Dialect = field(default=GA, repr=False)
    takes_forms: bool = field(default=True, repr=False)  # with an offer and our key; Azure: no
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

    @property
    def model(self) -> str:
        """The model, or deployment, that the address names."""
        query = dict(parse_qsl(urlsplit(self.url).query))
        return query.get("model") or query.get("deployment", "")

    @classmethod
    def of(cls, settings: RealtimeSettings) -> Self:
        """Work out the whole address, and what lets us in.

        Raises:
            ConfigError: The credentials need a package that is not installed.

        """
        url, model = settings.url, settings.model
        match settings.provider:
            case "azure" if settings.protocol == "preview":
                url, model = _azure_preview_url(url, settings.api_version, model), ""
            case "azure":
                url = _azure_url(url)
            case "openai":
                url, model = _openai_url(url or _OPENAI_BASE), model or "gpt-realtime"
            case "embedded" | "custom":
                url = url or EMBEDDED_URL
        dialect = dialect_of(settings.protocol)
        address = _websocket_url(url, model)
        is_azure = (urlsplit(address).hostname or "").endswith(".azure.com")
        takes_forms = not (is_azure or settings.provider == "azure")
        return cls(address, credentials_of(settings), dialect, takes_forms)

    async def headers(self) -> Mapping[str, str]:
        """Return the headers of a connection or request, credentials valid now.

        Raises:
            LinkError: No credentials can be had.

        """
        said = {"OpenAI-Beta": "realtime=v1"} if self.dialect.name == "preview" else {}
        return said | dict(await self.credentials.headers())

    async def admit(self, attempt: Callable[[Mapping[str, str]], Awaitable[_T]]) -> _T:
        """Have something tried with our headers; if refused, once more where others can be had.

        Raises:
            LinkError: It failed, or no credentials can be had.

        """
        headers = await self.headers()
        try:
            return await attempt(headers)
        except LinkError as error:
            if error.status != _UNAUTHORISED:
                raise
            self.credentials.refused()
            fresh = await self.headers()
            if fresh == headers:
                raise
        return await attempt(fresh)

    def for_call(self, call_id: str, front_door: FrontDoor = "realtime") -> Self:
        """Return the address at which a call that the service holds is watched and steered."""
        parts = urlsplit(self.url)
        if front_door == "live":
            path = urlsplit(self.live(call_id, "attach")).path
            return replace(self, url=parts._replace(path=path, query="").geturl())
        query = [*_plain_query(parts.query), ("call_id", call_id)]
        return replace(self, url=parts._replace(query=urlencode(query)).geturl())

    def rest(self, *path: str) -> str:
        """Return the address of a request beside the socket's, such as ``calls``."""
        parts = urlsplit(self.url)
        tail = "".join(f"/{quote(part, safe='')}" for part in path)
        scheme = "https" if parts.scheme == "wss" else "http"
        query = urlencode(_plain_query(parts.query))
        return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + tail, query, ""))

    def live(self, *path: str) -> str:
        """Return the address of a request at the service's newer front door."""
        address = urlsplit(self.rest())
        stem = address.path.removesuffix("/realtime")
        tail = "".join(f"/{quote(part, safe='')}" for part in path)
        return address._replace(path=f"{stem}/live/sessions{tail}").geturl()


def _plain_query(query: str) -> list[tuple[str, str]]:
    """Return the query without what belongs to one session only."""
    return [(name, value) for name, value in parse_qsl(query) if name not in _SESSION_QUERY]


def _openai_url(url: str) -> str:
    path = urlsplit(url).path.rstrip("/")
    return _with_path(url, path if path.endswith("/realtime") else f"{path}/realtime")


def _azure_url(url: str) -> str:
    path = urlsplit(url).path.rstrip("/")
    if not path.endswith("/realtime"):
        path = f"{path.removesuffix('/v1').removesuffix('/openai')}/openai/v1/realtime"
    return _with_path(url, path)


def _azure_preview_url(url: str, version: str, deployment: str) -> str:
    path = urlsplit(url).path.rstrip("/").removesuffix("/realtime")
    path = path.removesuffix("/v1").removesuffix("/openai")
    query = {"api-version": version, "deployment": deployment}
    address = _with_path(url, f"{path}/openai/realtime")
    return urlsplit(address)._replace(query=urlencode(query)).geturl()


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
