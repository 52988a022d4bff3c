"""Hours of the week, as rules name them: ``mon-fri 08:00-18:00``."""

import re
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

__all__ = ["Hours", "Window", "read_window"]

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES: Final = 24 * 60
_WINDOW: Final = re.compile(r"(?:([a-z,\- ]+?)\s+)?(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d)")


@dataclass(frozen=True, slots=True)
class Window:
    """Minutes of some days; one that ends before it begins goes on into the next day."""

    days: frozenset[int]  # 0 is Monday
    begins: int  # minutes of the day; the end is not part of it
    ends: int

    def holds(self, day: int, minute: int) -> bool:
        """Tell whether a minute of a day of the week lies inside."""
        if self.begins < self.ends:
            return day in self.days and self.begins <= minute < self.ends
        is_before = (day - 1) % 7 in self.days and minute < self.ends
        return is_before or (day in self.days and minute >= self.begins)


@dataclass(frozen=True, slots=True)
class Hours:
    """Windows of a week in one time zone."""

    windows: tuple[Window, ...]
    zone: tzinfo

    def hold(self, unix_time: float) -> bool:
        """Tell whether a moment lies in one of them."""
        there = datetime.fromtimestamp(unix_time, self.zone)
        minute = there.hour * 60 + there.minute
        return any(window.holds(there.weekday(), minute) for window in self.windows)


def read_window(text: str) -> Window:
    """Read a window.

    Raises:
        ValueError: It is none; says why.

    """
    match = _WINDOW.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is no time; write such as 'mon-fri 08:00-18:00'")
    named, *numbers = match.groups()
    from_hour, from_minute, to_hour, to_minute = map(int, numbers)
    begins, ends = from_hour * 60 + from_minute, to_hour * 60 + to_minute
    if max(from_minute, to_minute) > 59 or begins >= _DAY_MINUTES or ends > _DAY_MINUTES:
        raise ValueError(f"{text!r}: a day has the times 00:00 to 24:00")
    if begins == ends:
        raise ValueError(f"{text!r} is empty: it ends as it begins; a whole day is 00:00-24:00")
    return Window(_days(named, text), begins, ends)


def _days(named: str | None, text: str) -> frozenset[int]:
    if named is None:
        return frozenset(range(7))
    days: set[int] = set()
    for part in named.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            raise ValueError(f"{text!r}: {part!r} is no day; write {', '.join(_DAYS)}")
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        days |= {(start + step) % 7 for step in range((end - start) % 7 + 1)}
    return frozenset(days)
