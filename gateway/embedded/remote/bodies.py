"""Reading what an HTTP server answers, within bounds."""

from collections.abc import AsyncIterator

import aiohttp

from ...errors import ProtocolError

__all__ = ["chunks_of", "read_all"]


async def chunks_of(response: aiohttp.ClientResponse, most: int) -> AsyncIterator[bytes]:
    """Yield an answer as it comes.

    Raises:
        ProtocolError: It is longer than ``most`` bytes.

    """
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > most:
            raise ProtocolError(f"an answer of more than {most} bytes")
        yield chunk


async def read_all(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Return a whole answer.

    Raises:
        ProtocolError: It is longer than ``most`` bytes.

    """
    return b"".join([chunk async for chunk in chunks_of(response, most)])
