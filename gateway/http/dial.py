"""`POST /v1/calls`: somebody who may has the gateway call somebody."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import msgspec
from aiohttp import web

from ..calls.call import Call
from ..calls.dialling import Wish
from ..errors import CapacityError, DialError, GatewayError, SipError
from .bodies import read_json
from .operation import JSON, Answer, Operation, Role
from .problems import Refusal

__all__ = ["DialDoor"]

Dial: TypeAlias = Callable[[Wish], Awaitable[Call]]

_NO_WAY: Final = 502


class _Order(msgspec.Struct, forbid_unknown_fields=True):
    """The body of the request."""

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
                answers={
                    201: Answer(
                        "the call, which then goes its way",
                        _Placed,
                        headers={"Location": "where the call is told of"},
                    )
                },
            ),
        )

    async def _place(self, request: web.Request) -> web.Response:
        order = await read_json(request, _Order)
        try:
            call = await self._dial(Wish(order.to, order.profile, order.variables))
        except GatewayError as error:
            raise self._refusal(error) from None
        return web.Response(
            body=msgspec.json.encode(_Placed(call.call_id, call.called)),
            status=201,
            content_type=JSON,
            headers={"Location": f"/v1/calls/{call.call_id}"},
        )

    def _refusal(self, error: GatewayError) -> Refusal:
        if isinstance(error, DialError):
            return Refusal(error.status, str(error))
        if isinstance(error, CapacityError):
            return Refusal(503, str(error), headers={"Retry-After": str(self._retry_after())})
        what = "there is no way to it" if isinstance(error, SipError) else "the call failed"
        return Refusal(_NO_WAY, f"{what}: {error}")
