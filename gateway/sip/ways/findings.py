"""What the domain name system has answered, kept as long as it said, and a little bounded.

That something is not there is remembered too (RFC 2308).  When the servers of a
domain fall silent, what they said last goes on counting for a while (RFC 8767).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .locate import Question, Record

__all__ = ["Findings"]

_MOST: Final = 1024  # answers; the oldest is forgotten
_LEAST_TTL: Final = 5.0  # seconds: a TTL of 0 would have every request of a call ask anew
_LONGEST_TTL: Final = 3600.0
_LONGEST_NEGATIVE: Final = 300.0  # seconds that nothing, or no answer, is believed
_LONGEST_STALE: Final = 3600.0  # seconds past its time that an answer may have to serve
_RETRY: Final = 5.0  # seconds until servers that gave no answer are asked again


@dataclass(slots=True)
class _Finding:
    records: tuple[Record, ...]
    until: float
    stale_until: float


class Findings:
    """Answers by their questions."""

    def __init__(self) -> None:
        self._kept: dict[Question, _Finding] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, question: Question, now: float) -> tuple[Record, ...] | None:
        """Return what is known, which may be that there is nothing; ``None``: ask."""
        finding = self._kept.get(question)
        return finding.records if finding is not None and now < finding.until else None

    def put(self, question: Question, records: Sequence[Record], ttl: float, now: float) -> None:
        """Keep an answer for ``ttl`` seconds, which are held within bounds."""
        longest = _LONGEST_TTL if records else _LONGEST_NEGATIVE
        until = now + min(max(ttl, _LEAST_TTL), longest)
        self._keep(question, _Finding(tuple(records), until, until + _LONGEST_STALE))

    def fail(self, question: Question, now: float) -> tuple[Record, ...]:
        """Note that nobody answered; return what was known last, or nothing."""
        finding = self._kept.get(question)
        if finding is None or now >= finding.stale_until:
            finding = _Finding((), 0.0, 0.0)
        finding.until = now + _RETRY
        self._keep(question, finding)
        return finding.records

    def _keep(self, question: Question, finding: _Finding) -> None:
        self._kept.pop(question, None)
        if len(self._kept) >= _MOST:
            del self._kept[next(iter(self._kept))]
        self._kept[question] = finding
