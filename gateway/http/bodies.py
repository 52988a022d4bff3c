"""What requests say in their bodies and queries, which come from anybody."""

import asyncio
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from .problems import FieldFault, Refusal

__all__ = ["read_body", "read_json", "read_query"]

T = TypeVar("T")
Query = TypeVar("Query", bound=msgspec.Struct)

_SECONDS: Final = 10.0


async def read_body(request: web.Request) -> bytes | None:
    """Return the body of a request; ``None`` where it is compressed, or breaks off.

    Raises:
        web.HTTPRequestTimeout: It does not come to its end.
        web.HTTPRequestEntityTooLarge: It is longer than the server takes.

    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        return None
    try:
        async with asyncio.timeout(_SECONDS):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (web.RequestPayloadError, ConnectionError):
        return None


async def read_json(request: web.Request, shape: type[T]) -> T:
    """Return the body of a request as what it should be.

    Raises:
        Refusal: It is nothing of the kind; says which field is wrong.
        web.HTTPException: It is too long, or does not end.

    """
    body = await read_body(request)
    if body is None:
        raise Refusal(400, "the body is compressed, or breaks off")
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise _misfit("the body", error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, f"the body is no JSON: {error}") from None


def read_query(request: web.Request, shape: type[Query]) -> Query:
    """Return the query of a request as a struct.

    Raises:
        Refusal: A parameter is unknown, there twice, or not as it should be.

    """
    known = {field.encode_name for field in msgspec.structs.fields(shape)}
    found: dict[str, Any] = {}
    for name, value in request.query.items():
        if name not in known or name in found:
            what = "is there twice" if name in found else "is no parameter of this"
            raise Refusal(
                400, f"{name!r} {what}", kind="field", errors=(FieldFault(f"/{name}", what),)
            )
        found[name] = value
    try:
        return msgspec.convert(found, shape, strict=False)
    except msgspec.ValidationError as error:
        raise _misfit("the query", error) from None


def _misfit(what: str, error: msgspec.ValidationError) -> Refusal:
    """Say which field is wrong: msgspec tells its place as ``$.to``, or ``$[0].name``."""
    told, _, place = str(error).partition(" - at `$")
    path = place.rstrip("`").replace("[", ".").replace("]", "").replace(".", "/")
    return Refusal(
        400, f"{what} does not fit: {error}", kind="field", errors=(FieldFault(path, told),)
    )
