"""`POST /v1/tokens`: an admin has the gateway make a token for somebody else."""

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from .bodies import read_json
from .keyring import Keyring
from .operation import Answer, Operation, Role

__all__ = ["TokensDoor"]


class _TokenWish(msgspec.Struct, forbid_unknown_fields=True):
    """What it is to be good for.

    Attributes:
        role: what its holder may do
        seconds: how long
        name: who that is, as timelines tell it

    """

    role: Literal["caller", "viewer", "supervisor", "admin"]
    seconds: Annotated[float, msgspec.Meta(ge=1, le=366 * 86_400)] = 3600
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] = "guest"


class _Token(msgspec.Struct, frozen=True):
    """A token, shown this once."""

    token: str
    name: str
    role: str
    until: int  # unix seconds


class TokensDoor:
    """Makes tokens that end by themselves."""

    def __init__(self, keyring: Keyring, *, unix_clock: Callable[[], float] = time.time) -> None:
        self._keyring = keyring
        self._unix_clock = unix_clock

    def operations(self) -> Sequence[Operation]:
        """Return what this door does."""
        return (
            Operation(
                "POST",
                "/v1/tokens",
                self._make,
                "Make a token for somebody, such as for the page of a caller",
                role=Role.ADMIN,
                body=_TokenWish,
                answers={201: Answer("the token, which is kept nowhere", _Token)},
            ),
        )

    async def _make(self, request: web.Request) -> web.Response:
        wish = await read_json(request, _TokenWish)
        until = int(self._unix_clock() + wish.seconds)
        token = self._keyring.make(wish.name, Role[wish.role.upper()], until)
        body = msgspec.json.encode(_Token(token, wish.name, wish.role, until))
        return web.Response(body=body, status=201, content_type="application/json")
