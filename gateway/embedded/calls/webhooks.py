"""Sends the webhook of a call that rings, signed, until somebody takes it or nobody waits."""

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp
import structlog

from ...clock import Clock, Ids
from ...errors import ConfigError, WebhookError
from ...signing import key_of, sign

__all__ = ["Webhooks"]

_TIMEOUT: Final = 10.0
_FIRST_WAIT: Final = 0.5  # seconds before the second attempt; doubled before each that follows
_LONGEST_WAIT: Final = 8.0
_MOST_ATTEMPTS: Final = 12
_STALE: Final = 400  # seconds: more than a receiver may put up with
_FORGED: Final = "whsec_Zm9yZ2Vk"


class Webhooks:
    """The sender (Standard Webhooks): same identifier in every attempt, no redirects.

    Args:
        url: Where to; settable, for a receiver may begin to listen later.
        secret: What both sides sign with: ``whsec_`` and base64, or any text.
        calendar: Unix seconds.
        ids: Names the webhooks.

    Raises:
        ConfigError: Nothing can be signed with that secret.

    """

    def __init__(self, url: str, secret: str, *, calendar: Clock, ids: Ids) -> None:
        try:
            key_of(secret)
        except WebhookError as error:
            raise ConfigError(f"webhook secret: {error}") from error
        self.url = url
        self._secret = secret
        self._calendar = calendar
        self._ids = ids
        self._http: aiohttp.ClientSession | None = None
        self._log = structlog.get_logger()

    async def deliver(
        self, body: bytes, is_wanted: Callable[[], bool], fault: Callable[[], str]
    ) -> bool:
        """Send ``body`` until it is taken, or ``is_wanted`` says no; tell whether it was taken.

        ``fault`` names what is to be wrong with an attempt, mostly nothing.
        """
        webhook_id = f"wh_{self._ids.token(96)}"
        wait = _FIRST_WAIT
        for _ in range(_MOST_ATTEMPTS):
            if not is_wanted():
                return False
            status = await self._send(webhook_id, body, fault())
            if 200 <= status < 300:
                return True
            self._log.warning("a webhook was not taken", status=status)
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
        return False

    async def close(self) -> None:
        """Let go of the connections."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def _send(self, webhook_id: str, body: bytes, fault: str) -> int:
        """Make one attempt; return the answer's status, 0 where there is none."""
        timestamp = int(self._calendar()) - (_STALE if fault == "stale" else 0)
        secret = _FORGED if fault == "forged" else self._secret
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "voice-gateway",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(secret, webhook_id, timestamp, body),
        }
        status = 0
        for _ in range(2 if fault == "twice" else 1):
            status = await self._post(body, headers)
        return status

    async def _post(self, body: bytes, headers: dict[str, str]) -> int:
        if self._http is None:
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
            self._http = aiohttp.ClientSession(
                timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=True
            )
        try:
            async with self._http.post(
                self.url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            self._log.warning("a webhook could not be sent", why=type(error).__name__)
            return 0
