"""How well a caller is received, over time: a few figures every five seconds of a call."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from ..media.stats import LaneStats, opinion

__all__ = ["Quality", "QualityPoint", "QualityWatch"]

_EVERY: Final = 5.0  # seconds
_SHORTEST: Final = 1.0  # of the last piece of a call, to be told of
_MOST: Final = 500  # points; of a longer call each stands for more


@dataclass(frozen=True, slots=True)
class QualityPoint:
    """The seconds before ``at``, which counts from the call's beginning.

    Attributes:
        codec: what was received in.
        loss_percent: of the packets of these seconds.
        jitter_ms: at their end.
        mos: the score of these seconds alone; none where nothing was received.
        round_trip_ms: as last reported, if it was.

    """

    at: float
    codec: str
    loss_percent: float
    jitter_ms: float
    mos: float | None
    round_trip_ms: float | None


class Quality:
    """A call's points.  Where there are too many, two become one, which has the worse of both."""

    def __init__(self) -> None:
        self._points: list[QualityPoint] = []
        self._together = 1  # looks that make a point
        self._coming: QualityPoint | None = None
        self._looks = 0  # that the coming point is made of
        self._received = self._lost = 0

    def __len__(self) -> int:
        return len(self._points) + (self._coming is not None)

    def as_list(self) -> list[dict[str, Any]]:
        """Return the points as JSON-ready data."""
        coming = [] if self._coming is None else [self._coming]
        return [asdict(point) for point in (*self._points, *coming)]

    def note(self, at: float, stats: LaneStats) -> None:
        """Take the figures of a lane as they stand ``at`` seconds after the call began."""
        received = max(0, stats.packets_received - self._received)
        lost = max(0, stats.lost - self._lost)
        self._received, self._lost = stats.packets_received, stats.lost
        loss = lost / (received + lost) if received else 0.0
        score = opinion(stats.codec, loss=loss, round_trip=stats.round_trip)
        point = QualityPoint(
            at=round(at, 1),
            codec=stats.codec,
            loss_percent=round(100 * loss, 2),
            jitter_ms=round(1000 * stats.jitter, 2),
            mos=round(score, 2) if received else None,
            round_trip_ms=_thousandths(stats.round_trip),
        )
        self._coming = point if self._coming is None else _worse(self._coming, point)
        self._looks += 1
        if self._looks < self._together:
            return
        self._points.append(self._coming)
        self._coming, self._looks = None, 0
        if len(self._points) == _MOST:
            halves = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [_worse(one, other) for one, other in halves]
            self._together *= 2


class QualityWatch:
    """Looks at the figures of a call's lane now and then.

    Attributes:
        quality: What it saw.

    """

    def __init__(self, stats: Callable[[], LaneStats | None]) -> None:
        self.quality = Quality()
        self._stats = stats
        self._loop = asyncio.get_running_loop()
        self._began_at = self._looked_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, with the call."""
        self._began_at = self._looked_at = self._loop.time()
        self._timer = self._loop.call_later(_EVERY, self._look_on)

    def stop(self) -> None:
        """Look a last time."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        if self._loop.time() - self._looked_at >= _SHORTEST:
            self._look()

    def _look_on(self) -> None:
        self._look()
        self._timer = self._loop.call_later(_EVERY, self._look_on)

    def _look(self) -> None:
        self._looked_at = self._loop.time()
        if (stats := self._stats()) is not None:
            self.quality.note(self._looked_at - self._began_at, stats)


def _worse(one: QualityPoint, other: QualityPoint) -> QualityPoint:
    """Return both as one, the other being the later."""
    scores = [point.mos for point in (one, other) if point.mos is not None]
    trips = [point.round_trip_ms for point in (one, other) if point.round_trip_ms is not None]
    return QualityPoint(
        at=other.at,
        codec=other.codec,
        loss_percent=max(one.loss_percent, other.loss_percent),
        jitter_ms=max(one.jitter_ms, other.jitter_ms),
        mos=min(scores, default=None),
        round_trip_ms=max(trips, default=None),
    )


def _thousandths(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)
