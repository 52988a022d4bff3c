"""The variables of a call: what was set, collected or told, and texts that name them.

A text names a variable in braces, ``{account}``; ``{{`` stands for a brace.  A sealed
variable is shown as ``•`` in every text.
"""

import string
from collections.abc import Mapping

from .sealed import HIDDEN, Sealed

__all__ = ["Variables"]


class Variables:
    """Texts by name; those of ``sealed`` names are shown to nobody."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.values: dict[str, str] = dict(values or {})
        self._sealed: set[str] = set()

    def set(self, name: str, value: str, *, is_sealed: bool = False) -> None:
        """Give a variable its value."""
        self.values[name] = value
        if is_sealed:
            self._sealed.add(name)
        else:
            self._sealed.discard(name)

    def get(self, name: str) -> str:
        """Return a variable as it may be shown; empty where it was not set."""
        return HIDDEN if name in self._sealed else self.values.get(name, "")

    def shown(self) -> dict[str, str]:
        """Return all as they may be shown."""
        return {name: self.get(name) for name in self.values}

    def sealed(self) -> Sealed:
        """Return those that may not be shown, for their receiver."""
        return Sealed({name: self.values[name] for name in self._sealed if name in self.values})

    def render(self, text: str, *, is_spoken: bool = False) -> str:
        """Return a text with the variables that it names; unknown ones are empty.

        In a text that is spoken, digits of a variable stand apart, so that each is heard.
        """
        if "{" not in text and "}" not in text:
            return text
        try:
            pieces = string.Formatter().parse(text)
            return "".join(
                before + (self._read(name, is_spoken=is_spoken) if name else "")
                for before, name, _, _ in pieces
            )
        except ValueError:  # a brace that stands for itself
            return text

    def _read(self, name: str, *, is_spoken: bool) -> str:
        value = self.get(name)
        is_number = is_spoken and value.strip("*#").isdecimal()
        return " ".join(value) if is_number else value
