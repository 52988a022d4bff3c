"""The waterfall of a call's picture: what each wait of the caller's was made of."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from .picture_parts import Page, clock
from .story import Turn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_waits", "rows_of"]

_MOST: Final = 16
_PARTS: Final = (
    ("committed_ms", "turn taken", "muted", 0.45),
    ("created_ms", "answer begun", "caller", 0.55),
    ("tool_ms", "tool called", "warn", 0.75),
    ("delta_ms", "first sound", "agent", 0.5),
    ("packet_ms", "first packet", "agent", 1.0),
)


def rows_of(turns: Sequence[Turn]) -> list[Turn]:
    """Return the turns there is room for: the longest waits, in order; words before keys."""
    waits = sorted(turns, key=lambda turn: (turn.by != "speech", -_length(turn)))[:_MOST]
    return sorted(waits, key=lambda turn: turn.at)


def draw_waits(page: Page, axes: "Axes", turns: Sequence[Turn], left_out: int) -> None:
    """Draw a row for each wait, from the end of the caller's words or their key to our packet."""
    page.bare(axes)
    axes.set_ylim(max(len(turns), 1) - 0.3, -2.0)
    longest = max((_length(turn) for turn in turns), default=0.0) or 1.0
    axes.set_xlim(0, longest * 1.12)
    page.write(
        axes, 0, -1.25, "How long the caller waited", fontsize=11, fontweight="bold", va="center"
    )
    _draw_legend(page, axes, longest)
    if not turns:
        page.write(axes, 0, 0, "No answer was waited for.", color=page.colour("muted"), va="center")
    for number, turn in enumerate(turns):
        _draw_turn(page, axes, number, turn, longest)
    if left_out:
        more = f"and {left_out} shorter waits"
        page.write(
            axes,
            longest * 1.12,
            -1.25,
            more,
            ha="right",
            va="center",
            fontsize=8,
            color=page.colour("muted"),
        )


def _draw_turn(page: Page, axes: "Axes", number: int, turn: Turn, longest: float) -> None:
    page.write(
        axes,
        -0.008,
        number,
        f"{clock(turn.at)}  {'words' if turn.by == 'speech' else 'key'}",
        transform=axes.get_yaxis_transform(),
        ha="right",
        va="center",
        fontsize=8.5,
        color=page.colour("muted"),
    )
    axes.barh(number, longest * 1.12, 0.72, 0, color=page.colour("surface"), linewidth=0)
    reached = 0.0
    for name, _, colour, alpha in _PARTS:
        ms = getattr(turn, name)
        if ms is not None and ms > reached:
            axes.barh(number, ms - reached, 0.5, reached, color=page.colour(colour), alpha=alpha)
            reached = ms
    page.write(
        axes,
        reached + longest * 0.008,
        number,
        f"{_length(turn):.0f} ms",
        va="center",
        fontsize=8.5,
    )


def _draw_legend(page: Page, axes: "Axes", longest: float) -> None:
    x = longest * 0.3
    for _, words, colour, alpha in _PARTS:
        axes.barh(-1.25, longest * 0.014, 0.3, x, color=page.colour(colour), alpha=alpha)
        page.write(
            axes,
            x + longest * 0.02,
            -1.25,
            words,
            fontsize=8,
            va="center",
            color=page.colour("muted"),
        )
        x += longest * 0.115


def _length(turn: Turn) -> float:
    known = [getattr(turn, name) for name, *_ in _PARTS]
    return max((ms for ms in known if ms is not None), default=0.0)
