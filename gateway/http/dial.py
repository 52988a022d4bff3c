"""`POST /v1/calls`: somebody who may has the gateway call somebody."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import msgspec
from aiohttp import web

from ..calls.call import Call
from ..calls.dialling import Wish
from ..errors import CapacityError, DialError, GatewayError, SipError
from .bodies import read_json
from .operation import JSON, VISITOR, Answer, Header, Operation, Role
from .problems import Refusal
from .repeats import KEY, KEY_PATTERN, Kept, Repeats

__all__ = ["Dial", "DialDoor"]

Dial: TypeAlias = Callable[[Wish], Awaitable[Call]]

_NO_WAY: Final = 502
_REPLAYED: Final = "Idempotency-Replayed"


class _Order(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to call, and how.

    Attributes:
        to: a name in [targets], or an address that dial.allow lets through
        profile: who speaks there; empty for the one who always does
        variables: what the call begins with

    """

    to: str
    profile: str = ""
    variables: dict[str, str] = {}


class _Placed(msgspec.Struct, frozen=True):
    call_id: str
    called: str


class DialDoor:
    """Places calls for admins.

    Args:
        dial: Places the call.
        retry_after: Says how many seconds to wait where there is no room.

    """

    def __init__(self, dial: Dial, *, retry_after: Callable[[], int]) -> None:
        self._dial = dial
        self._retry_after = retry_after
        self._repeats = Repeats()

    def operations(self) -> Sequence[Operation]:
        """Return what this door does."""
        return (
            Operation(
                "POST",
                "/v1/calls",
                self._place,
                "Place a call",
                role=Role.ADMIN,
                body=_Order,
                headers={
                    KEY: Header("with the same one, the same request is done once", KEY_PATTERN)
                },
                answers={
                    201: Answer(
                        "the call, which then goes its way",
                        _Placed,
                        headers={
                            "Location": "where the call is told of",
                            _REPLAYED: "true where this is the answer of an earlier request",
                        },
                    ),
                    403: Answer("the token's role, or the configuration, does not allow it"),
                    409: Answer("a request with this key is still being served"),
                    422: Answer("no such profile, or the key was given with another body"),
                    502: Answer("there is no way to whoever is to be called"),
                    503: Answer("there is no room", headers={"Retry-After": "seconds to wait"}),
                },
            ),
        )

    async def _place(self, request: web.Request) -> web.Response:
        key, who = request.headers.get(KEY), request[VISITOR].name
        order = await read_json(request, _Order)
        if key is None:
            return _answer(await self._call(order))
        known = self._repeats.begin(who, key, await request.read())
        if known is not None:
            return _answer(known, is_again=True)
        try:
            answer = await self._call(order)
        except BaseException:
            self._repeats.forget(who, key)
            raise
        self._repeats.finish(who, key, answer)
        return _answer(answer)

    async def _call(self, order: _Order) -> Kept:
        try:
            call = await self._dial(Wish(order.to, order.profile, order.variables))
        except GatewayError as error:
            raise self._refusal(error) from None
        body = msgspec.json.encode(_Placed(call.call_id, call.called))
        return Kept(body, f"/v1/calls/{call.call_id}")

    def _refusal(self, error: GatewayError) -> Refusal:
        if isinstance(error, DialError):
            return Refusal(error.status, str(error), kind="not-permitted")
        if isinstance(error, CapacityError):
            return Refusal(
                503, str(error), kind="no-room", headers={"Retry-After": str(self._retry_after())}
            )
        what = "there is no way to it" if isinstance(error, SipError) else "the call failed"
        return Refusal(_NO_WAY, f"{what}: {error}", kind="no-way")


def _answer(kept: Kept, *, is_again: bool = False) -> web.Response:
    headers = {"Location": kept.location}
    if is_again:
        headers[_REPLAYED] = "true"
    return web.Response(body=kept.body, status=201, content_type=JSON, headers=headers)
