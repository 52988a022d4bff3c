"""The parts of a call's picture that lie on its axis of time."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from .picture_parts import GROUP_COLOURS, Page, clock, fitting
from .story import Interruption, Key, Lane, Quality, Span, Story

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "draw_head",
    "draw_interruptions",
    "draw_keys",
    "draw_lane",
    "draw_spans",
    "draw_steps",
]

_ACROSS: Final = 14.2  # inches that the axis of time takes
_SPAN_COLOURS: Final = {
    "menu": "callee",
    "hold": "muted",
    "transfer": "supervisor",
    "callee": "callee",
    "outage": "danger",
    "private": "muted",
}
_MOST_COLUMNS: Final = 1700
_ROWS: Final = ("call", "keys", "menu", "speech", "answer", "tool", "transfer", "service", "people")


def draw_head(page: Page, axes: "Axes", story: Story) -> None:
    """Write who, when, and how well."""
    page.bare(axes)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    began = datetime.fromtimestamp(story.started_at, UTC)
    title = fitting(f"{story.caller or 'unknown'}  →  {story.called or 'unknown'}", 64, 1)
    page.write(axes, 0, 0.72, title, fontsize=19, fontweight="bold", va="center")
    ended = f"ended by {story.ended_by}" if story.ended_by else story.state
    why = f" ({story.reason})" if story.reason else ""
    facts = [
        f"{began:%A %d %B %Y, %H:%M:%S} UTC",
        clock(story.duration),
        ended + why,
        *([f"trunk {story.trunk}"] if story.trunk else []),
        story.call_id,
    ]
    page.write(
        axes, 0, 0.3, "   ·   ".join(facts), fontsize=9.5, va="center", color=page.colour("muted")
    )
    for number, (name, value, colour) in enumerate(reversed(_figures(story))):
        x = 1 - 0.078 * number
        page.write(axes, x, 0.72, value, ha="right", va="center", fontsize=13, color=colour(page))
        page.write(
            axes, x, 0.44, name, ha="right", va="center", fontsize=8, color=page.colour("muted")
        )


def _figures(story: Story) -> list[tuple[str, str, "_Colour"]]:
    """Return what is told at the top right: name, value, colour."""
    quality = story.quality
    plain = _Colour("ink")
    timed = [turn for turn in story.turns if turn.packet_ms is not None]
    spoken = [turn for turn in timed if turn.by == "speech"]
    waits = [turn.packet_ms or 0.0 for turn in spoken or timed]
    cost = story.usage.get("cost")
    figures = [("codec", story.codec or "–", plain)]
    if quality.mos is not None:
        figures.append(("MOS", f"{quality.mos:.2f}", _Colour(_judge(quality))))
    if quality.packets_received:
        figures.append(("loss", f"{quality.loss_percent:g} %", plain))
        figures.append(("jitter", f"{quality.jitter_ms:.1f} ms", plain))
    if waits:
        figures.append(("median wait", f"{float(np.median(waits)):.0f} ms", plain))
    if isinstance(cost, int | float) and cost:
        figures.append(("cost", f"{cost:.4f}", plain))
    return figures


class _Colour:
    """A colour that is known only on the page."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, page: Page) -> str:
        return page.colour(self._name)


def _judge(quality: Quality) -> str:
    mos = quality.mos or 0.0
    return "good" if mos >= 4.0 else "warn" if mos >= 3.1 else "danger"


def draw_spans(page: Page, axes: "Axes", spans: Iterable[Span]) -> None:
    """Draw menus, holds and transfers as bars."""
    page.timed(axes, "", "muted")
    axes.set_facecolor("none")
    axes.grid(visible=False)
    axes.set_ylim(0, 1)
    inch = page.duration / _ACROSS
    for span in spans:
        colour = page.colour(_SPAN_COLOURS.get(span.kind, "muted"))
        width = max(span.end - span.start - 0.03 * inch, 0.02 * inch)
        axes.barh(0.5, width, 0.8, span.start, color=colour, alpha=0.16, linewidth=0)
        axes.barh(0.14, width, 0.08, span.start, color=colour, linewidth=0)
        words = span.label or span.kind
        text = fitting(
            words if span.kind == "menu" else f"{span.kind}: {words}", width / inch - 0.1, 0.073
        )
        page.write(
            axes, span.start + 0.06 * inch, 0.55, text, va="center", fontsize=8.5, color=colour
        )


def draw_lane(page: Page, axes: "Axes", lane: Lane) -> None:
    """Draw one voice: how loud it was, and when it spoke."""
    page.timed(axes, lane.name, lane.name)
    axes.set_ylim(-1.45, 1.25)
    colour = page.colour(lane.name)
    spoken = [span for span in lane.spans if span.kind != "voice"] or lane.spans
    for span in spoken:
        axes.axvspan(span.start, span.end, color=colour, alpha=0.09, linewidth=0)
    for span in lane.spans:
        if span.kind == "voice" and lane.name == "caller":
            axes.barh(-1.13, span.end - span.start, 0.05, span.start, color=colour, alpha=0.5)
    if lane.sound is not None:
        _draw_sound(page, axes, lane, colour)
    inch = page.duration / _ACROSS
    for span in spoken:
        width = span.end - span.start
        axes.barh(-1.24, max(width, 0.02 * inch), 0.09, span.start, color=colour, linewidth=0)
        if span.is_cut:
            axes.plot(
                [span.end], [-1.24], marker="|", markersize=9, mew=2.4, color=page.colour("danger")
            )
        text = fitting(span.label, width / inch - 0.08, 0.061)
        page.write(
            axes, span.start + 0.05 * inch, 1.02, text, va="center", fontsize=7.5, color=colour
        )


def _draw_sound(page: Page, axes: "Axes", lane: Lane, colour: str) -> None:
    assert lane.sound is not None
    peaks = np.asarray(lane.sound.peaks, np.float64) / 255
    factor = max(1, -(-len(peaks) // _MOST_COLUMNS))
    peaks = np.pad(peaks, (0, -len(peaks) % factor)).reshape(-1, factor).max(axis=1)
    # Softer than a square root: quiet speech is seen, and loud speech keeps its shape.
    loud = 0.9 * peaks**0.65
    times = (np.arange(len(loud)) + 0.5) * lane.sound.step * factor
    axes.fill_between(times, -loud, loud, color=colour, alpha=0.85, linewidth=0)
    axes.plot([0, page.duration], [0, 0], color=colour, linewidth=0.6, alpha=0.6)


def draw_keys(page: Page, axes: "Axes", keys: Sequence[Key]) -> None:
    """Draw every key as it looks on a telephone."""
    for key in keys:
        axes.axvline(key.at, color=page.colour("caller"), linewidth=0.8, alpha=0.5)
        page.write(
            axes,
            key.at,
            0.98,
            key.key,
            ha="center",
            va="center",
            fontsize=9,
            fontweight="bold",
            color=page.colour("surface"),
            bbox={
                "boxstyle": "round,pad=0.28,rounding_size=0.3",
                "facecolor": page.colour("caller"),
                "edgecolor": page.colour("surface"),
                "linewidth": 1,
            },
        )


def draw_interruptions(
    page: Page, voices: Sequence["Axes"], interruptions: Iterable[Interruption]
) -> None:
    """Draw a line where the agent was cut short by the caller's voice, and say how fast it was."""
    for one in interruptions:
        if one.by != "speech":
            continue
        for axes in voices:
            axes.axvline(one.at, color=page.colour("danger"), linewidth=1.3, linestyle=(0, (4, 2)))
        heard = "" if one.heard_ms is None else f" after {one.heard_ms / 1000:.1f} s of it"
        inch = page.duration / _ACROSS
        is_late = one.at > page.duration - 3 * inch
        page.write(
            voices[1],
            one.at + (-0.06 if is_late else 0.06) * inch,
            -0.92,
            f"cut in {(one.silent_at - one.at) * 1000:.0f} ms{heard}",
            ha="right" if is_late else "left",
            va="center",
            fontsize=8,
            color=page.colour("danger"),
        )


def draw_steps(page: Page, axes: "Axes", story: Story) -> None:
    """Draw what happened and what was done as marks, a row for each kind."""
    page.timed(axes, "", "muted", is_last=True)
    steps = [step for step in story.steps if not step.is_minor and step.group in _ROWS]
    rows = [group for group in _ROWS if any(step.group == group for step in steps)]
    axes.set_ylim(len(rows) - 0.3, -0.7)
    for number, group in enumerate(rows):
        colour = page.colour(GROUP_COLOURS[group])
        for kinds, marker, size in (
            (("event", "derived"), "o", 3.4),
            (("action", "request"), "D", 4.2),
        ):
            times = [step.at for step in steps if step.group == group and step.kind in kinds]
            face = colour if marker == "D" else page.colour("surface")
            axes.plot(
                times,
                [number] * len(times),
                linestyle="none",
                marker=marker,
                markersize=size,
                markerfacecolor=face,
                markeredgecolor=colour,
                markeredgewidth=1,
            )
        page.write(
            axes,
            -0.008,
            number,
            group,
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="center",
            fontsize=8,
            color=colour,
        )
    note = "○ happened   ◆ was done"
    page.write(
        axes,
        1,
        1.06,
        note,
        transform=axes.transAxes,
        ha="right",
        va="bottom",
        fontsize=8,
        color=page.colour("muted"),
    )
