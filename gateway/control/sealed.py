"""What is for the receiver's eyes alone: card numbers and the like."""

from collections.abc import Mapping

__all__ = ["HIDDEN", "HIDDEN_ECHO", "Sealed", "is_secret"]

HIDDEN = "•"
"""What is shown in the place of something sealed; of keys, one for each."""

HIDDEN_ECHO = "(•)"
"""What is shown where another detector sees a key that is shown already."""


class Sealed:
    """Values by name that no text, log or timeline shows."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})

    def reveal(self) -> dict[str, str]:
        """Return the values, for whoever they are for."""
        return dict(self._values)

    def __repr__(self) -> str:
        return HIDDEN if self._values else ""


def is_secret(key: str) -> bool:
    """Tell whether a key of a number that is secret would tell something of it."""
    return key.isdecimal() or key == HIDDEN
