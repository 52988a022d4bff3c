"""Requests that are sent again because nobody knows whether they came: done once, answered twice.

As the IETF's draft on the Idempotency-Key header has it: the same key with the same body gets the
answer of the first time; with another body it is refused (422), and while the first is still
being done, too (409).  What came to nothing leaves no trace, and may be tried again.
"""

import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from ..clock import Clock, monotonic
from .problems import Refusal

__all__ = ["KEY", "KEY_PATTERN", "Kept", "Repeats"]

KEY: Final = "Idempotency-Key"
KEY_PATTERN: Final = "^[!-~]{1,255}$"
"""What a key looks like."""

_KEY: Final = re.compile(KEY_PATTERN)
_SECONDS: Final = 24 * 3600.0  # that an answer is kept
_MOST: Final = 1000  # answers; the oldest goes first


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer of the first time."""

    body: bytes
    location: str


@dataclass(slots=True)
class _Request:
    body: bytes  # its digest
    at: float
    answer: Kept | None = None


class Repeats:
    """Knows requests by who asked and the key they gave."""

    def __init__(
        self, *, clock: Clock = monotonic, seconds: float = _SECONDS, most: int = _MOST
    ) -> None:
        self.replayed = 0
        self._clock = clock
        self._seconds, self._most = seconds, most
        self._requests: OrderedDict[tuple[str, str], _Request] = OrderedDict()

    def __len__(self) -> int:
        return len(self._requests)

    def begin(self, who: str, key: str, body: bytes) -> Kept | None:
        """Return the answer that a request had before; ``None`` for one to be done now.

        That is then to be told to :meth:`finish` or :meth:`forget`.

        Raises:
            Refusal: The key is none, is another request's, or is being served.

        """
        if not _KEY.fullmatch(key):
            raise Refusal(400, f"{KEY} is to be 1 to 255 letters, digits or signs of ASCII")
        now, digest = self._clock(), hashlib.sha256(body).digest()
        self._trim(now)
        known = self._requests.get((who, key))
        if known is None:
            if len(self._requests) >= self._most:
                raise Refusal(
                    503, "too many requests are being served", headers={"Retry-After": "1"}
                )
            self._requests[who, key] = _Request(digest, now)
            return None
        if known.body != digest:
            raise Refusal(
                422, f"this {KEY} was given with another body; take a new one", kind="key-reused"
            )
        if known.answer is None:
            raise Refusal(
                409, f"the request with this {KEY} is still being served", kind="key-in-use"
            )
        self.replayed += 1
        return known.answer

    def finish(self, who: str, key: str, answer: Kept) -> None:
        """Keep the answer of a request that was done."""
        self._requests[who, key].answer = answer

    def forget(self, who: str, key: str) -> None:
        """Let go of a request that came to nothing."""
        del self._requests[who, key]

    def _trim(self, now: float) -> None:
        """Drop what is too old, and what there is no room for; never what is being served."""
        for name, request in list(self._requests.items()):
            is_full = len(self._requests) >= self._most
            if not is_full and now - request.at < self._seconds:
                return
            if request.answer is not None:
                del self._requests[name]
