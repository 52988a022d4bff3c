"""`POST /v1/calls`: somebody with the token has the gateway call somebody."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import msgspec
from aiohttp import web

from ..calls.call import Call
from ..calls.dialling import Wish
from ..errors import CapacityError, DialError, GatewayError, SipError
from .bodies import read_body
from .problems import problem

__all__ = ["DialRoute"]

Dial: TypeAlias = Callable[[Wish], Awaitable[Call]]

_SCHEME: Final = "bearer"
_NO_WAY: Final = 502


class _Order(msgspec.Struct, forbid_unknown_fields=True):
    """The body of the request."""

    to: str
    profile: str = ""
    variables: dict[str, str] = {}


class DialRoute:
    """Places calls for whoever shows the token; without one configured, for nobody.

    Args:
        token: What ``Authorization: Bearer`` must say.
        dial: Places the call.
        retry_after: Says how many seconds to wait where there is no room.

    """

    def __init__(self, token: str, dial: Dial, *, retry_after: Callable[[], int]) -> None:
        self._token = token
        self._dial = dial
        self._retry_after = retry_after

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request: 201 with the call, which then goes its way."""
        if (refusal := self._refuse(request)) is not None:
            return refusal
        try:
            order = msgspec.json.decode(await read_body(request) or b"", type=_Order)
        except msgspec.MsgspecError as error:
            return problem(400, "Bad Request", f"the body is no such order: {error}")
        try:
            call = await self._dial(Wish(order.to, order.profile, order.variables))
        except GatewayError as error:
            return self._explain(error)
        body: dict[str, Any] = {"call_id": call.call_id, "called": call.called}
        headers = {"Location": f"/v1/calls/{call.call_id}"}
        return web.json_response(body, status=201, headers=headers)

    def _refuse(self, request: web.Request) -> web.Response | None:
        """Return the refusal of whoever may not dial."""
        if not self._token:
            remedy = "set http.token_env to the name of the variable that holds a token"
            return problem(403, "Forbidden", f"nobody may place calls here: {remedy}")
        scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
        is_right = hmac.compare_digest(
            shown.strip().encode(errors="surrogateescape"), self._token.encode()
        )
        if scheme.lower() == _SCHEME and is_right:
            return None
        refusal = problem(401, "Unauthorized", "show the token: Authorization: Bearer TOKEN")
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal

    def _explain(self, error: GatewayError) -> web.Response:
        if isinstance(error, DialError):
            title = "Forbidden" if error.status == 403 else "Unprocessable Content"
            return problem(error.status, title, str(error))
        if isinstance(error, CapacityError):
            refusal = problem(503, "Service Unavailable", str(error))
            refusal.headers["Retry-After"] = str(self._retry_after())
            return refusal
        what = "there is no way to it" if isinstance(error, SipError) else "the call failed"
        return problem(_NO_WAY, "Bad Gateway", f"{what}: {error}")
