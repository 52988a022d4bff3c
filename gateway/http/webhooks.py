"""`POST /webhooks/realtime`: the service tells of calls that it holds.

Who is told is a matter of signatures alone.  The answer goes out before anything is done about
the call: the service waits a few seconds for it and then asks again, while the caller's
telephone rings all the time.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from aiohttp import web

from ..clock import Clock, monotonic
from ..errors import WebhookError
from ..realtime.webhook import IncomingCall, OtherEvent, Replays, verify
from ..signing import HEADERS
from .bodies import read_body
from .operation import Answer, Operation

__all__ = ["WebhookDoor"]


class WebhookDoor:
    """Believes what one of ``secrets`` has signed, once, and hands calls on to ``take``.

    A webhook sent again by the service has its old identifier and a signature of its own time:
    it is answered 200, and that is all.  A copy with nothing fresh about it is refused.
    """

    def __init__(
        self,
        secrets: Sequence[str],
        take: Callable[[IncomingCall], None],
        *,
        clock: Clock = monotonic,
        unix_clock: Callable[[], float] = time.time,
    ) -> None:
        self.taken = 0
        self.repeated = 0
        self.refused = 0
        self._secrets = tuple(secrets)
        self._take = take
        self._clock = clock
        self._unix_clock = unix_clock
        self._deliveries = Replays()
        self._webhooks = Replays()
        self._log = structlog.get_logger()

    def operations(self) -> Sequence[Operation]:
        """Return what this door does: who is believed says the signature, not a token."""
        signed = "as Standard Webhooks have it"
        return (
            Operation(
                "POST",
                "/webhooks/realtime",
                self.handle,
                "Take what the service tells of the calls it holds",
                body=dict[str, Any],
                body_type="*/*",
                headers=dict.fromkeys(HEADERS, signed),
                answers={200: Answer("it is taken", media_type="")},
                is_signed=True,
            ),
        )

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one webhook.

        Raises:
            web.HTTPBadRequest: It is not to be believed; nothing is done.
            web.HTTPRequestTimeout: It does not come to its end.

        """
        try:
            event = self._believe(request, await read_body(request))
        except WebhookError as error:
            self.refused += 1
            self._log.warning("webhook refused", why=str(error), address=request.remote)
            raise web.HTTPBadRequest from None
        response = web.Response()
        if not self._webhooks.is_new(event.webhook_id, self._clock()):
            self.repeated += 1
            return response
        with contextlib.suppress(ConnectionError):  # the caller rings though nobody waits for this
            await response.prepare(request)
            await response.write_eof()
        self.taken += 1
        if isinstance(event, IncomingCall):
            self._take(event)
        else:
            self._log.info("webhook about something else", type=event.type)
        return response

    def _believe(self, request: web.Request, body: bytes | None) -> IncomingCall | OtherEvent:
        if body is None:
            raise WebhookError("the webhook is not packed as it says")
        event = verify(self._secrets, request.headers, body, self._unix_clock())
        delivery = f"{event.webhook_id} {request.headers['webhook-timestamp']}"
        if not self._deliveries.is_new(delivery, self._clock()):
            raise WebhookError("the webhook is a copy of one that came before")
        return event
