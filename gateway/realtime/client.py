"""Requests to the service beside its sessions: secrets, offers, and calls it holds itself."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import aiohttp
import msgspec
from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from ..errors import LinkError
from .endpoint import Endpoint
from .faults import explain_certificate
from .webhook import FrontDoor

__all__ = ["Answer", "ServiceClient"]

_TIMEOUT: Final = 10.0
_MOST_BYTES: Final = 1 << 20
_RETRYABLE: Final = frozenset({408, 409, 425, 429})
_UNAUTHORISED: Final = 401
_ABOUT_US: Final = frozenset({_UNAUTHORISED, 403})


_Reply: TypeAlias = tuple[int, Mapping[str, str], bytes]  # status, headers, body


class Answer(NamedTuple):
    """The service's side of a WebRTC call: its SDP, and its name for the call."""

    sdp: str
    call_id: str


class _Secret(msgspec.Struct, frozen=True):
    value: str


class _Error(msgspec.Struct, frozen=True):
    message: str | None = ""
    code: str | None = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: _Error = _Error()


class ServiceClient:
    """The service's REST interface; one for the whole process, closed by who made it.

    Every method raises :exc:`LinkError` where the service cannot be reached or
    does not do as asked; ``status`` is its answer.
    """

    def __init__(
        self, endpoint: Endpoint, *, front_door: FrontDoor = "realtime", timeout: float = _TIMEOUT
    ) -> None:
        self.endpoint = endpoint
        self._front_door = front_door
        self._timeout = timeout
        self._http: aiohttp.ClientSession | None = None

    async def client_secret(self, session: Mapping[str, Any]) -> str:
        """Return a short-lived key for one session; ``session`` is what it begins with."""
        url = self.endpoint.rest("client_secrets")
        _, _, body = await self._post(url, json={"session": dict(session)})
        try:
            return msgspec.json.decode(body, type=_Secret).value
        except ValueError:
            raise LinkError("the service sent no client secret") from None

    async def call(self, sdp: str, session: Mapping[str, Any]) -> Answer:
        """Offer a WebRTC call with our key, or, where the service takes none, with a secret."""
        if not self.endpoint.takes_forms:
            return await self.call_with_secret(sdp, await self.client_secret(session))
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("sdp", sdp, content_type="application/sdp")
        encoded = msgspec.json.encode(dict(session)).decode()
        form.add_field("session", encoded, content_type="application/json")
        return _answer(*await self._post(self.endpoint.rest("calls"), data=form))

    async def call_with_secret(self, sdp: str, secret: str) -> Answer:
        """Offer a WebRTC call with a client secret: the only way Azure has."""
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/sdp"}
        url = self.endpoint.rest("calls")
        return _answer(*await self._post_once(url, headers, data=sdp.encode()))

    async def accept(self, call_id: str, session: Mapping[str, Any]) -> None:
        """Take a call that rings at the service; it may still fail without a word."""
        await self._post(self._of(call_id, "accept"), json=dict(session))

    async def reject(self, call_id: str, status_code: int = 603) -> None:
        """Turn a call away, with the SIP status the caller gets."""
        await self._post(self._of(call_id, "reject"), json={"status_code": status_code})

    async def refer(self, call_id: str, target_uri: str) -> None:
        """Have the caller call somebody else; whether they do is never told."""
        await self._post(self._of(call_id, "refer"), json={"target_uri": target_uri})

    async def hangup(self, call_id: str) -> None:
        """End a call that the service holds."""
        await self._post(self._of(call_id, "hangup"))

    async def close(self) -> None:
        """Let go of the connections."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    def _of(self, call_id: str, verb: str) -> str:
        if self._front_door == "live":
            return self.endpoint.live(call_id, verb)
        return self.endpoint.rest("calls", call_id, verb)

    async def _post(self, url: str, **content: Any) -> _Reply:
        """Send a request; a token that is refused is replaced once, where another can be had."""
        used = await self.endpoint.headers()
        try:
            return await self._post_once(url, used, **content)
        except LinkError as error:
            if error.status != _UNAUTHORISED:
                raise
            self.endpoint.credentials.refused()
            fresh = await self.endpoint.headers()
            if fresh == used:
                raise
        return await self._post_once(url, fresh, **content)

    async def _post_once(self, url: str, headers: Mapping[str, str], **content: Any) -> _Reply:
        where = _place(url)
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._session().post(
                    url, headers=headers, allow_redirects=False, proxy=self._proxy(), **content
                ) as response,
            ):
                body = await _body(response)
        except aiohttp.ClientConnectorCertificateError as error:
            fault = error.certificate_error
            if isinstance(fault, ssl.SSLCertVerificationError):
                raise explain_certificate(where, fault) from error
            raise LinkError(f"{where} shows a certificate we do not trust: {fault}") from error
        except TimeoutError as error:
            raise LinkError(f"{where} does not answer within {self._timeout:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise LinkError(f"{where} cannot be reached: {type(error).__name__}") from error
        if not 200 <= response.status < 300:
            raise _explain(where, response.status, body)
        return response.status, response.headers, body

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            connector = aiohttp.TCPConnector(ssl=ssl.create_default_context())
            self._http = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._http

    def _proxy(self) -> str | None:
        """Return the proxy that the environment names for the service, the socket's own."""
        return None if self.endpoint.is_local else get_proxy(parse_uri(self.endpoint.url))


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise ValueError("an answer without end")
    return bytes(body)


def _answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Read an answer; where it says the call is may be a path that is not under our address."""
    call_id = urlsplit(headers.get("Location", "")).path.rstrip("/").rpartition("/")[2]
    sdp = body.decode(errors="replace")
    if not sdp.startswith("v=0"):
        raise LinkError(f"the service answered {status} without a session description")
    return Answer(sdp, call_id)


def _explain(where: str, status: int, body: bytes) -> LinkError:
    try:
        error = msgspec.json.decode(body, type=_Refusal).error
    except (ValueError, RecursionError):
        error = _Error()
    said = "" if status in _ABOUT_US else error.message  # it may show part of the key
    told = " ".join(f"{error.code or ''} {said or ''}".split())[:200]
    reason = f"{where} answered {status}{': ' if told else ''}{told}"
    return LinkError(reason, retryable=status in _RETRYABLE or status >= 500, status=status)


def _place(url: str) -> str:
    """Return the address without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
