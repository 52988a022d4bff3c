"""How well the caller was heard over time: a thin line for each figure in a call's picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .picture_parts import Page
from .story import QualityPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Figure", "draw_quality", "figures_of"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the points: what it is of, and between which values it is drawn."""

    name: str
    of: Callable[[QualityPoint], float | None]
    low: float
    high: float  # or more, where a value is
    colour: str


_FIGURES: Final = (
    Figure("MOS", lambda point: point.mos, 1.0, 4.5, "good"),
    Figure("loss", lambda point: point.loss_percent, 0.0, 5.0, "danger"),
    Figure("jitter", lambda point: point.jitter_ms, 0.0, 20.0, "warn"),
    Figure("round trip", lambda point: point.round_trip_ms, 0.0, 100.0, "muted"),
)


def figures_of(points: Sequence[QualityPoint]) -> list[Figure]:
    """Return the figures that are known of a call."""
    return [one for one in _FIGURES if any(one.of(point) is not None for point in points)]


def draw_quality(
    page: Page, axes: "Axes", points: Sequence[QualityPoint], figures: Sequence[Figure]
) -> None:
    """Draw the figures below each other, each point over the seconds that it stands for."""
    page.timed(axes, "", "muted")
    axes.set_ylim(len(figures) - 0.05, -0.05)
    begins = [0.0, *(point.at for point in points[:-1])]
    for number, figure in enumerate(figures):
        known = [
            (begin, point.at, value)
            for begin, point in zip(begins, points, strict=True)
            if (value := figure.of(point)) is not None
        ]
        high = max(figure.high, *(value for _, _, value in known))
        times = [time for begin, end, _ in known for time in (begin, end)]
        heights = [
            number + 0.9 - 0.8 * (value - figure.low) / (high - figure.low)
            for _, _, value in known
            for _ in range(2)
        ]
        colour = page.colour(figure.colour)
        axes.plot(times, heights, color=colour, linewidth=1.1)
        page.write(
            axes,
            -0.008,
            number + 0.5,
            figure.name,
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="center",
            fontsize=8,
            color=colour,
        )
