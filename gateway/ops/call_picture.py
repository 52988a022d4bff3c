"""A call's story as a picture (PNG): both voices, what happened and how long answers took.

One axis of time for menus, voices, keys and what was done; below it, every wait of the caller's.
Drawn with matplotlib (``pip install 'voice-gateway[report]'``), which is imported when the first
picture is.
"""

import importlib.util
import io
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .picture_parts import Page, PictureTheme
from .story import Story

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PictureTheme", "draw", "is_drawable"]

_WIDTH = 16.0  # inches
_DPI = 120


def is_drawable() -> bool:
    """Tell whether there is anything to draw with."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(story: Story, theme: PictureTheme = "light") -> bytes:
    """Return a picture of a call as a PNG.

    Raises:
        ConfigError: matplotlib is not installed; says how to get it.

    """
    if not is_drawable():
        raise ConfigError("pictures need matplotlib; pip install 'voice-gateway[report]'")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from . import picture_lanes, picture_quality, picture_waits

    page = Page(theme, story.duration)
    others: list[str] = [lane.name for lane in story.lanes if lane.name not in ("caller", "agent")]
    waits = picture_waits.rows_of(story.turns)
    figures = picture_quality.figures_of(story.quality.points)
    heights: dict[str, float] = {
        "head": 1.15,
        "spans": 0.34,
        "caller": 1.5,
        "agent": 1.5,
        **dict.fromkeys(others, 0.6),
        **({"quality": 0.2 * len(figures)} if figures else {}),
        "steps": 1.15,
        "waits": 0.95 + 0.3 * max(1, len(waits)),
    }
    figure = Figure(
        figsize=(_WIDTH, sum(heights.values()) + 1.0), dpi=_DPI, facecolor=page.colour("canvas")
    )
    grid = figure.add_gridspec(
        len(heights),
        1,
        height_ratios=list(heights.values()),
        left=0.085,
        right=0.975,
        top=1 - 0.2 / figure.get_figheight(),
        bottom=0.45 / figure.get_figheight(),
        hspace=0.11,
    )
    axes: dict[str, Axes] = {
        name: figure.add_subplot(grid[row, 0]) for row, name in enumerate(heights)
    }
    picture_lanes.draw_head(page, axes["head"], story)
    picture_lanes.draw_spans(page, axes["spans"], story.spans)
    for lane in story.lanes:
        if lane.name in axes:
            picture_lanes.draw_lane(page, axes[lane.name], lane)
    picture_lanes.draw_keys(page, axes["caller"], story.keys)
    voices = [axes[name] for name in ("caller", "agent", *others)]
    picture_lanes.draw_interruptions(page, voices, story.interruptions)
    if figures:
        picture_quality.draw_quality(page, axes["quality"], story.quality.points, figures)
    picture_lanes.draw_steps(page, axes["steps"], story)
    picture_waits.draw_waits(page, axes["waits"], waits, len(story.turns) - len(waits))
    FigureCanvasAgg(figure)
    image = io.BytesIO()
    figure.savefig(image, format="png", metadata={"Title": f"Call {story.call_id}"})
    return image.getvalue()
