"""One POST: no redirects, no cookies, and no answer that takes more than its share of memory."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from ..config import is_loopback
from .delivery import Answer

__all__ = ["MOST_BYTES", "HttpPost"]

MOST_BYTES: Final = 64 * 1024
"""The longest answer that is taken; the connection of a longer one is dropped."""

_TOO_MANY_REQUESTS: Final = 429


class HttpPost:
    """The connections to those who are told of calls; one for the whole process.

    An address on another machine is reached through the proxy that the environment names.
    """

    def __init__(self) -> None:
        self._near: aiohttp.ClientSession | None = None
        self._far: aiohttp.ClientSession | None = None

    async def __call__(
        self, url: str, body: bytes, headers: Mapping[str, str], *, is_answer_wanted: bool
    ) -> Answer:
        """Make one try; whatever becomes of it is an answer."""
        headers = {**headers, "Accept-Encoding": "identity"}  # nothing that could unfold
        request = self._client(url).post(url, data=body, headers=headers, allow_redirects=False)
        try:
            async with request as response:
                answer = _judge(response)
                if answer.problem or not is_answer_wanted:
                    return answer
                return await _read(response)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _fault(error)

    async def close(self) -> None:
        """Let go of the connections."""
        for http in (self._near, self._far):
            if http is not None:
                await http.close()
        self._near = self._far = None

    def _client(self, url: str) -> aiohttp.ClientSession:
        if is_loopback(urlsplit(url).hostname or ""):
            self._near = self._near or _session(through_proxy=False)
            return self._near
        self._far = self._far or _session(through_proxy=True)
        return self._far


def _session(*, through_proxy: bool) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),  # who calls us bounds them
        timeout=aiohttp.ClientTimeout(),  # likewise
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=through_proxy,
    )


def _judge(response: aiohttp.ClientResponse) -> Answer:
    """Return what the status says."""
    status = response.status
    if 200 <= status < 300:
        return Answer(status)
    if 300 <= status < 400:
        return Answer(status, problem=f"it answered {status}, and redirects are not followed")
    may_pass = status == _TOO_MANY_REQUESTS or status >= 500
    retry_after = response.headers.get("Retry-After", "") if may_pass else ""
    return Answer(
        status, problem=f"it answered {status}", may_pass=may_pass, retry_after=retry_after
    )


async def _read(response: aiohttp.ClientResponse) -> Answer:
    """Return the whole answer, or a problem where it is more than we take."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return Answer(response.status, problem="its answer is compressed, which was not asked for")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MOST_BYTES:
            response.close()
            problem = f"its answer is longer than {MOST_BYTES} bytes"
            return Answer(response.status, problem=problem)
    return Answer(response.status, bytes(body))


def _fault(error: Exception) -> Answer:
    """Say what went wrong in words of ours: those of the library may show the address."""
    match error:
        case aiohttp.ClientSSLError():
            return Answer(problem="its certificate is not to be trusted")
        case aiohttp.ClientResponseError():
            return Answer(problem="its answer is not HTTP as it should be")
        case aiohttp.ClientConnectorError():
            return Answer(problem="it cannot be reached", may_pass=True)
        case aiohttp.InvalidURL():
            return Answer(problem="its address cannot be used")
        case _:
            return Answer(problem="the connection to it broke off", may_pass=True)
