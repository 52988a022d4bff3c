"""INFO requests both ways (RFC 6086): keys, as far as we are concerned.

Ours go out one at a time, each after the answer to the one before, so that
keys arrive in the order they were pressed.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from ..ways.posted import OnResponse
from ..wire.message import Request, Response, response_to
from .line import Line
from .session_events import InfoReceived

__all__ = ["Infos"]

_MOST: Final = 64


class Infos:
    """The INFO requests of one call; of more than 64 that wait the newest are dropped."""

    def __init__(
        self, line: Line, tell: Callable[[InfoReceived], None], on_response: OnResponse
    ) -> None:
        self.dropped = 0
        self._line = line
        self._tell = tell
        self._on_response = on_response
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._is_busy = False

    def send(self, content_type: str, body: bytes, now: float) -> None:
        """Send one, or let it wait for those before it.

        Raises:
            SipError: There is no dialog.

        """
        if len(self._waiting) >= _MOST:
            self.dropped += 1
            return
        self._waiting.append((content_type, body))
        self._send_next(now)

    def stop(self) -> None:
        """Forget those that wait: the call is over."""
        self._waiting.clear()

    def receive(self, key: str, request: Request, now: float) -> None:
        """Take in one of the peer's; those of a package are refused, for we know none."""
        if request.headers.get("Info-Package") is not None:
            response = response_to(request, 469)
            response.headers.add("Recv-Info", "")
            self._line.courier.respond(key, response, now)
            return
        self._line.courier.respond(key, response_to(request, 200), now)
        if request.body:
            self._tell(InfoReceived(request.content_type or "", request.body))

    def _send_next(self, now: float) -> None:
        if self._is_busy or not self._waiting:
            return
        content_type, body = self._waiting.popleft()
        self._is_busy = True
        self._line.send(self._line.request("INFO", body, content_type), now, self._on_answer)

    def _on_answer(self, response: Response, now: float) -> None:
        if response.status >= 200:
            self._is_busy = False
            self._on_response(response, now)
            self._send_next(now)
