"""`/whip`: browsers call, and people who watch join, by WHIP (RFC 9725).

What is made has an address that nobody guesses and that stands nowhere else: who knows it may
change the connection and end it, with a token or without, so that a page whose token has run out
can still hang up.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, Protocol
from weakref import WeakKeyDictionary

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from ..calls.browsers import Guest
from ..calls.pace import Pace
from ..clock import Clock, monotonic
from ..config import WebRtcSettings
from ..errors import CapacityError, DialError, GatewayError, NegotiationError, RtcError, SdpError
from ..legs.web_connection import WebConnection
from .bodies import read_body, read_query
from .operation import VISITOR, Answer, Operation, Role
from .problems import Refusal

__all__ = ["Join", "Mode", "WhipDoor"]

Mode = Literal["listen", "speak", "takeover"]

_SDP: Final = "application/sdp"
_FRAGMENT: Final = "application/trickle-ice-sdpfrag"
_TAG: Final = re.compile(r'(?:W/)?"[^"]*"|\*')
_ANY: Final = ("*", '"*"')  # the RFC's own example has it in quotes
_PATCHES_PER_SECOND: Final = 1.0
_PATCHES_AT_ONCE: Final = 20.0
_TOLD: Final = ("User-Agent", "Origin")
_LONGEST: Final = 256  # characters of such a header
_SIP_ONLY: Final = 488


class _Query(msgspec.Struct, frozen=True):
    call: str = ""
    mode: Mode | None = None


class Reception(Protocol):
    """Makes calls of offers (:class:`~gateway.calls.browsers.BrowserReception`)."""

    @property
    def connections(self) -> Mapping[str, WebConnection]:
        """All that are not over, by the names that nobody guesses."""
        ...

    async def take(self, offer: bytes, guest: Guest, /) -> WebConnection:
        """Make a call.

        Raises:
            GatewayError: It is not possible.

        """
        ...


class Join(Protocol):
    """Has somebody join a call in progress."""

    async def __call__(self, call_id: str, mode: Mode, offer: bytes, guest: Guest) -> WebConnection:
        """Return their connection.

        Raises:
            LookupError: There is no such call.
            GatewayError: It is not possible.

        """
        ...


class WhipDoor:
    """Makes connections of offers, changes them and ends them.

    Args:
        reception: Makes calls.
        settings: ``[webrtc]``.
        retry_after: Says how many seconds to wait where there is no room.
        join: Has people who watch join; without it, nobody does.

    """

    def __init__(
        self,
        reception: Reception,
        settings: WebRtcSettings,
        *,
        retry_after: Callable[[], int],
        join: Join | None = None,
        clock: Clock = monotonic,
    ) -> None:
        self._reception = reception
        self._settings = settings
        self._retry_after = retry_after
        self._join = join
        self._clock = clock
        self._paces: WeakKeyDictionary[WebConnection, Pace] = WeakKeyDictionary()

    def operations(self) -> Sequence[Operation]:
        """Return what this door does."""
        made = {"Location": "the connection's own address", "ETag": "of its addresses"}
        servers = {"Link": "STUN and TURN servers, rel=ice-server"}
        return (
            Operation(
                "OPTIONS",
                "/whip",
                self._tell,
                "Tell what is taken, and by which servers",
                answers={200: Answer("nothing more", headers=servers)},
            ),
            Operation(
                "POST",
                "/whip",
                self._call,
                "Call from a browser, or join a call",
                role=Role.NOBODY if self._settings.public else Role.CALLER,
                body=str,
                body_type=_SDP,
                query=_Query,
                answers={
                    201: Answer("our answer", str, _SDP, headers={**made, **servers}),
                    406: Answer("the offer has nothing that we can agree to"),
                    422: Answer("the offer has no sound"),
                },
            ),
            Operation(
                "PATCH",
                "/whip/{id}",
                self._change,
                "Tell more addresses, or look for each other anew",
                body=str,
                body_type=_FRAGMENT,
                headers={"If-Match": "the ETag, or * to begin anew"},
                answers={
                    200: Answer(
                        "our new addresses", str, _FRAGMENT, headers={"ETag": made["ETag"]}
                    ),
                    204: Answer("taken"),
                },
            ),
            Operation(
                "DELETE",
                "/whip/{id}",
                self._end,
                "Hang up",
                answers={200: Answer("it is over")},
            ),
            Operation(
                "OPTIONS",
                "/whip/{id}",
                self._tell_more,
                "Tell what a connection takes",
                answers={200: Answer("nothing more")},
            ),
        )

    async def _tell(self, request: web.Request) -> web.Response:
        may_call = self._settings.public or request[VISITOR].role >= Role.CALLER
        headers = CIMultiDict({"Accept-Post": _SDP, "Allow": "OPTIONS, POST"})
        if may_call:
            headers.extend(self._servers())
        return web.Response(headers=headers)

    async def _tell_more(self, request: web.Request) -> web.Response:
        self._find(request)
        headers = {"Accept-Patch": _FRAGMENT, "Allow": "DELETE, OPTIONS, PATCH"}
        return web.Response(headers=headers)

    async def _call(self, request: web.Request) -> web.Response:
        query = read_query(request, _Query)
        if query.call:
            _admit_to_listen(request)
        elif query.mode is not None:
            raise Refusal(400, "mode says how to join a call: say which, call=ID", kind="field")
        offer = await _read(request)
        visitor = request[VISITOR]
        guest = Guest(
            visitor.name, request.remote or "", visitor.until, headers=_told(request.headers)
        )
        try:
            if not query.call:
                connection = await self._reception.take(offer, guest)
            elif self._join is not None:
                connection = await self._join(query.call, query.mode or "listen", offer, guest)
            else:
                raise LookupError
        except LookupError:
            raise Refusal(404, f"no call {query.call!r} is in progress") from None
        except GatewayError as error:
            raise self._refusal(error) from None
        headers = CIMultiDict(
            {
                "Location": f"/whip/{connection.id}",
                "ETag": f'"{connection.entity_tag}"',
                "Accept-Patch": _FRAGMENT,
            }
        )
        headers.extend(self._servers())
        return web.Response(body=connection.answer, status=201, content_type=_SDP, headers=headers)

    async def _change(self, request: web.Request) -> web.Response:
        connection = self._find(request)
        pace = self._paces.setdefault(connection, Pace(_PATCHES_PER_SECOND, _PATCHES_AT_ONCE))
        if not pace.takes(self._clock()):
            raise Refusal(429, "too many changes", headers={"Retry-After": "1"})
        wanted = request.headers.get("If-Match")
        if wanted is None:
            raise Refusal(428, "say which addresses you know: If-Match")
        is_any = wanted.strip() in _ANY
        if not is_any and f'"{connection.entity_tag}"' not in _TAG.findall(wanted):
            raise Refusal(412, "the search for each other was begun anew since then")
        body = await _read(request)
        try:
            fragment = connection.change(body, is_any=is_any)
        except RtcError as error:
            raise Refusal(409, f"not now: {error}") from None
        except GatewayError as error:
            raise self._refusal(error) from None
        if fragment is None:
            return web.Response(status=204)
        headers = {"ETag": f'"{connection.entity_tag}"'}
        return web.Response(body=fragment, content_type=_FRAGMENT, headers=headers)

    async def _end(self, request: web.Request) -> web.Response:
        connection = self._find(request)
        connection.leave()
        await connection.released()
        return web.Response()

    def _find(self, request: web.Request) -> WebConnection:
        connection = self._reception.connections.get(request.match_info["id"])
        if connection is None:
            raise Refusal(404, "there is no such connection, or it is over")
        return connection

    def _servers(self) -> list[tuple[str, str]]:
        """Return the links to STUN and TURN servers (RFC 9725 section 4.6)."""
        links = []
        for server in self._settings.ice_servers:
            more = ""
            if server.username and server.credential is not None:
                secret = server.credential.get_secret_value()
                more = f"; username={_quoted(server.username)}; credential={_quoted(secret)}"
                more += '; credential-type="password"'
            links += [("Link", f'<{url}>; rel="ice-server"{more}') for url in server.urls]
        return links

    def _refusal(self, error: GatewayError) -> Refusal:
        match error:
            case SdpError():
                return Refusal(400, f"the description cannot be read: {error}")
            case NegotiationError():
                return Refusal(422 if error.status == _SIP_ONLY else error.status, str(error))
            case DialError():
                wait = {"Retry-After": "60"} if error.status == 429 else {}
                return Refusal(error.status, str(error), headers=wait)
            case CapacityError() | RtcError():
                wait = {"Retry-After": str(self._retry_after())}
                return Refusal(503, str(error), headers=wait)
            case _:
                return Refusal(502, str(error))


def _admit_to_listen(request: web.Request) -> None:
    """Refuse whoever may not listen to others' calls.

    Raises:
        Refusal: They are no supervisor.

    """
    visitor = request[VISITOR]
    if visitor.role >= Role.SUPERVISOR:
        return
    challenge = {"WWW-Authenticate": 'Bearer realm="voice-gateway"'}
    if visitor.role is Role.NOBODY:
        raise Refusal(401, "show a supervisor's token", headers=challenge)
    raise Refusal(403, "to join a call is for the role supervisor", headers=challenge)


async def _read(request: web.Request) -> bytes:
    """Return what was sent.

    Raises:
        Refusal: It is nothing, or cannot be read.

    """
    body = await read_body(request)
    if body is None:
        raise Refusal(400, "the body is compressed, or breaks off")
    if not body.strip():
        raise Refusal(400, "the body is empty")
    return body


def _told(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name][:_LONGEST] for name in _TOLD if name in headers}


def _quoted(text: str) -> str:
    """Write a quoted string (RFC 9110 section 5.6.4)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
