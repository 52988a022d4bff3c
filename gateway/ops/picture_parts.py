"""What all parts of a call's picture share: colours, letters, and the axis of time."""

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

__all__ = ["GROUP_COLOURS", "Page", "PictureTheme", "clock", "fitting"]

PictureTheme: TypeAlias = Literal["light", "dark"]

_COLOURS: Final[dict[str, tuple[str, str]]] = {
    "canvas": ("#f7f6f3", "#101315"),
    "surface": ("#ffffff", "#181c1f"),
    "ink": ("#1b1f24", "#eceeef"),
    "muted": ("#5b626a", "#a3abb1"),
    "line": ("#e2dfd8", "#2a3034"),
    "caller": ("#2c5aa8", "#96b9ff"),
    "agent": ("#0b6e5f", "#5cd3ba"),
    "callee": ("#7444aa", "#cdaaf7"),
    "supervisor": ("#8f5200", "#f0b968"),
    "danger": ("#b3261e", "#ff9187"),
    "warn": ("#855600", "#efc064"),
    "good": ("#18713f", "#70d69d"),
}
GROUP_COLOURS: Final[dict[str, str]] = {
    "call": "ink",
    "speech": "caller",
    "answer": "agent",
    "keys": "caller",
    "menu": "callee",
    "tool": "warn",
    "transfer": "callee",
    "service": "muted",
    "people": "supervisor",
    "time": "muted",
}
_STEPS: Final = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200)
_MOST_TICKS: Final = 18
_FONT: Final = "DejaVu Sans"  # comes with matplotlib: pictures look the same everywhere


class Page:
    """A picture's looks.

    Args:
        theme: Light or dark.
        duration: Seconds of the call.

    """

    def __init__(self, theme: PictureTheme, duration: float) -> None:
        from matplotlib.font_manager import findfont, get_font

        self.duration = max(duration, 0.5)
        self._theme = theme
        self._letters = frozenset(get_font(findfont(_FONT)).get_charmap())

    def colour(self, name: str) -> str:
        """Return a colour by what it is for."""
        return _COLOURS[name][self._theme == "dark"]

    def legible(self, text: str) -> str:
        """Return a text with a square in the place of every letter that there is none to draw."""
        return "".join(one if ord(one) in self._letters else "□" for one in " ".join(text.split()))

    def write(self, axes: "Axes", x: float, y: float, text: str, **style: Any) -> "Text":
        """Write a text, whatever is in it: nothing of it is taken for a formula."""
        looks: dict[str, Any] = {
            "color": self.colour("ink"),
            "fontsize": 9,
            "family": _FONT,
        } | style
        return axes.text(x, y, self.legible(text), parse_math=False, **looks)

    def timed(self, axes: "Axes", name: str, colour: str, *, is_last: bool = False) -> None:
        """Give a part the axis of time, with its name on the left."""
        self.bare(axes)
        axes.set_facecolor(self.colour("surface"))
        axes.set_xlim(0, self.duration)
        step = next((one for one in _STEPS if self.duration / one <= _MOST_TICKS), _STEPS[-1])
        ticks = [step * number for number in range(int(self.duration / step) + 1)]
        axes.set_xticks(ticks)
        axes.grid(visible=True, axis="x", color=self.colour("line"), linewidth=0.8)
        axes.set_axisbelow(True)
        if is_last:
            labels = [clock(tick) for tick in ticks]
            axes.set_xticklabels(labels, fontsize=8.5, color=self.colour("muted"), family=_FONT)
        self.write(
            axes,
            -0.008,
            0.5,
            name,
            transform=axes.transAxes,
            ha="right",
            va="center",
            fontsize=11,
            fontweight="bold",
            color=self.colour(colour),
        )

    def bare(self, axes: "Axes") -> None:
        """Take frame, marks and numbers away."""
        axes.set_facecolor("none")
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.tick_params(length=0, labelbottom=True, labelleft=False, pad=4)
        axes.set_xticklabels([])
        axes.set_yticks([])


def clock(seconds: float) -> str:
    """Return a time as people read it: ``1:05``, and under ten seconds with a tenth if need be."""
    if seconds % 1 and seconds < 60:
        return f"0:{seconds:04.1f}"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def fitting(text: str, width: float, letter: float) -> str:
    """Return as much of a text as ``width`` has room for, letters being ``letter`` wide."""
    most = int(width / letter)
    if len(text) <= most:
        return text
    return f"{text[: most - 1].rstrip()}…" if most >= 4 else ""
