"""Requests to the service beside its sessions: secrets, offers, and calls it holds itself."""

import asyncio
import secrets
import ssl
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import msgspec

from ..errors import LinkError
from .connection import proxy_of, tls_context
from .endpoint import Endpoint
from .faults import explain_certificate, explain_status
from .webhook import FrontDoor

__all__ = ["Answer", "ServiceClient"]

_TIMEOUT: Final = 10.0
_MOST_BYTES: Final = 1 << 20
_NO_FORMS: Final = 415  # from a service that takes an offer alone


class _Content(NamedTuple):
    type: str
    body: bytes


class _Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """The service's side of a WebRTC call: its SDP, and its name for the call."""

    sdp: str
    call_id: str


class _Secret(msgspec.Struct, frozen=True):
    value: str


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
        self._is_closed = False

    async def client_secret(self, session: Mapping[str, Any]) -> str:
        """Return a short-lived key for one session; ``session`` is what it begins with."""
        url = self.endpoint.rest("client_secrets")
        reply = await self._post(url, _json({"session": self._whole(session)}))
        try:
            return msgspec.json.decode(reply.body, type=_Secret).value
        except ValueError:
            raise LinkError("the service sent no client secret") from None

    async def call(self, sdp: str, session: Mapping[str, Any]) -> Answer:
        """Offer a WebRTC call with our key, or, where the service takes none, with a secret."""
        if not self.endpoint.takes_forms:
            return await self.call_with_secret(sdp, await self.client_secret(session))
        url, form = self.endpoint.rest("calls"), _form(sdp, _json(self._whole(session)))
        try:
            return _answer(await self._post(url, form))
        except LinkError as error:
            if error.status != _NO_FORMS:
                raise
        return _answer(await self._post(url, _offer(sdp)))  # the session follows as a command

    async def call_with_secret(self, sdp: str, secret: str) -> Answer:
        """Offer a WebRTC call with a client secret: the only way Azure has."""
        url, headers = self.endpoint.rest("calls"), {"Authorization": f"Bearer {secret}"}
        return _answer(await self._post_once(url, _offer(sdp), headers))

    async def accept(self, call_id: str, session: Mapping[str, Any]) -> None:
        """Take a call that rings at the service; it may still fail without a word."""
        await self._post(self._of(call_id, "accept"), _json(self._whole(session)))

    async def reject(self, call_id: str, status_code: int = 603) -> None:
        """Turn a call away, with the SIP status the caller gets."""
        await self._post(self._of(call_id, "reject"), _json({"status_code": status_code}))

    async def refer(self, call_id: str, target_uri: str) -> None:
        """Have the caller call somebody else; whether they do is never told."""
        await self._post(self._of(call_id, "refer"), _json({"target_uri": target_uri}))

    async def hangup(self, call_id: str) -> None:
        """End a call that the service holds."""
        await self._post(self._of(call_id, "hangup"), _Content("application/json", b""))

    async def close(self) -> None:
        """Let go of the connections; nothing is asked for after that."""
        self._is_closed = True
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    def _whole(self, session: Mapping[str, Any]) -> dict[str, Any]:
        """Name the kind and the model: no socket's address says them here."""
        named = {"model": self.endpoint.model} if self.endpoint.model else {}
        return {"type": "realtime"} | named | dict(session)

    def _of(self, call_id: str, verb: str) -> str:
        if self._front_door == "live":
            return self.endpoint.live(call_id, verb)
        return self.endpoint.rest("calls", call_id, verb)

    async def _post(self, url: str, content: _Content) -> _Reply:
        return await self.endpoint.admit(lambda headers: self._post_once(url, content, headers))

    async def _post_once(self, url: str, content: _Content, headers: Mapping[str, str]) -> _Reply:
        where = _place(url)
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._session().post(
                    url,
                    data=content.body,
                    headers={**headers, "Content-Type": content.type},
                    allow_redirects=False,
                    proxy=proxy_of(self.endpoint),
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
            is_plain = isinstance(error, aiohttp.ClientConnectorError)  # others may show the query
            told = str(error) if is_plain else type(error).__name__
            raise LinkError(f"{where} cannot be reached: {told}") from error
        if not 200 <= response.status < 300:
            raise explain_status(response.status, body, where)
        return _Reply(response.status, response.headers, body)

    def _session(self) -> aiohttp.ClientSession:
        if self._is_closed:
            raise LinkError("the service is not asked for anything any more", retryable=False)
        if self._http is None:
            connector = aiohttp.TCPConnector(ssl=tls_context())
            self._http = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._http


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise ValueError("an answer without end")
    return bytes(body)


def _json(message: Mapping[str, Any]) -> _Content:
    return _Content("application/json", msgspec.json.encode(message))


def _offer(sdp: str) -> _Content:
    return _Content("application/sdp", sdp.encode())


def _form(sdp: str, session: _Content) -> _Content:
    """Return an offer and its session as ``multipart/form-data`` (RFC 7578)."""
    boundary = secrets.token_hex(16)
    lines = []
    for name, part in (("sdp", _offer(sdp)), ("session", session)):
        lines += [
            f"--{boundary}".encode(),
            f'Content-Disposition: form-data; name="{name}"'.encode(),
            f"Content-Type: {part.type}".encode(),
            b"",
            part.body,
        ]
    lines += [f"--{boundary}--".encode(), b""]
    return _Content(f"multipart/form-data; boundary={boundary}", b"\r\n".join(lines))


def _answer(reply: _Reply) -> Answer:
    """Read an answer; where it says the call is may be a path that is not under our address."""
    location = reply.headers.get("Location", "")
    call_id = location.partition("?")[0].rstrip("/").rpartition("/")[2]
    sdp = reply.body.decode(errors="replace")
    if not sdp.startswith("v=0"):
        raise LinkError(f"the service answered {reply.status} without a session description")
    return Answer(sdp, call_id)


def _place(url: str) -> str:
    """Return the address without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
