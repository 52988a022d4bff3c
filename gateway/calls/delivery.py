"""Delivers a message over HTTP: signed, tried again while that may help, done with in time.

The signature is that of Standard Webhooks (:mod:`gateway.signing`).  Every try has the same
``webhook-id``, by which a receiver knows that it saw the message before, and a time of its own.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, Protocol

from ..clock import Ids
from ..config.flows import Posted
from ..signing import HEADERS, sign

__all__ = ["Answer", "Courier", "Post", "asked_pause", "pause_before"]

_FIRST_PAUSE: Final = 0.5  # seconds before the first repetition; doubled before each that follows
_LONGEST_PAUSE: Final = 8.0
_FINENESS: Final = 1 << 16  # of the chance in a pause


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one try, or of all: an answer, or a problem in words fit for anybody."""

    status: int = 0
    body: bytes = b""
    problem: str = ""
    may_pass: bool = False  # another try may go better
    retry_after: str = ""  # what the receiver asks for, as it was written


class Post(Protocol):
    """Makes one try; whoever calls it bounds its time."""

    async def __call__(
        self, url: str, body: bytes, headers: Mapping[str, str], *, is_answer_wanted: bool
    ) -> Answer:
        """Return what came of it; without ``is_answer_wanted``, its status alone."""
        ...


class Courier:
    """Makes tries until one is final, or the receiver's patience is used up.

    Args:
        post: Makes one.
        ids: Names the messages, and brings chance into the pauses.
        unix_clock: Unix seconds, which are signed.

    """

    def __init__(self, post: Post, *, ids: Ids, unix_clock: Callable[[], float]) -> None:
        self.retried = 0
        self._post = post
        self._ids = ids
        self._unix_clock = unix_clock

    async def deliver(self, to: Posted, body: bytes, *, is_answer_wanted: bool) -> Answer:
        """Return the last answer; it is there within ``to.patience`` seconds."""
        webhook_id = self.new_id()
        clock = asyncio.get_running_loop().time
        until = clock() + to.patience
        for attempt in range(1, to.retries + 2):
            seconds = min(to.timeout_seconds, until - clock())
            answer = await self.try_once(
                to, webhook_id, body, seconds=seconds, is_answer_wanted=is_answer_wanted
            )
            if not answer.may_pass or attempt > to.retries:
                break
            pause = self.pause(attempt, answer)
            if clock() + pause >= until:
                break
            self.retried += 1
            await asyncio.sleep(pause)
        return answer

    def new_id(self) -> str:
        """Return a name for a message that no other has."""
        return f"wh_{self._ids.token(96)}"

    async def try_once(
        self, to: Posted, webhook_id: str, body: bytes, *, seconds: float, is_answer_wanted: bool
    ) -> Answer:
        """Return what comes of one try; it is there within ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                headers = self._headers(to, webhook_id, body)
                return await self._post(to.url, body, headers, is_answer_wanted=is_answer_wanted)
        except TimeoutError:
            return Answer(problem="it did not answer in time", may_pass=True)

    def _headers(self, to: Posted, webhook_id: str, body: bytes) -> dict[str, str]:
        timestamp = int(self._unix_clock())
        signed = [webhook_id, str(timestamp)]
        if to.secret is not None:
            signed.append(sign(to.secret.get_secret_value(), webhook_id, timestamp, body))
        return {
            "Content-Type": "application/json",
            "User-Agent": "voice-gateway",
            **dict(zip(HEADERS, signed, strict=False)),
        }

    def pause(self, attempt: int, answer: Answer, longest: float = _LONGEST_PAUSE) -> float:
        """Return the seconds before the repetition of a try, from 1, that had this answer."""
        own = pause_before(attempt, self._ids.number(_FINENESS) / _FINENESS, longest)
        asked = asked_pause(answer.retry_after, self._unix_clock())
        return max(own, asked)


def pause_before(attempt: int, chance: float, longest: float = _LONGEST_PAUSE) -> float:
    """Return the seconds before a repetition, from 1; ``chance``, in [0, 1), spreads them."""
    return min(_FIRST_PAUSE * 2.0 ** min(attempt - 1, 32), longest) * (0.5 + chance)


def asked_pause(text: str, now: float) -> float:
    """Return the seconds that ``Retry-After`` asks for (RFC 9110 section 10.2.3), mostly none.

    ``now`` is in unix seconds, for one that names a date; what cannot be read asks for nothing.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError, OSError):
        return 0.0
