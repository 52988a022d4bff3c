"""The bodies of requests, which come from anybody."""

import asyncio
from typing import Final

from aiohttp import web

__all__ = ["read_body"]

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
