"""What of the caller nobody may see or hear: a secret number, and what is pressed just after it.

A number is over for the gateway before it is for the caller: they press one key too many, pause
in the middle of it, or type it again at once as it was wrong.  So a grace follows its end, and
each digit in it begins it anew; such digits are hidden as the number was, and do nothing.
"""

from typing import Final

from .actions import Conceal
from .context import Context
from .sealed import is_secret

__all__ = ["Concealment"]

_GRACE: Final = 3.0  # seconds, the least
_OVERFLOW: Final = 1.5  # seconds in which a digit is taken for one more of the number


class Concealment:
    """Keeps ``Context.is_concealed``: whether a digit that comes now is to be hidden."""

    def __init__(self, context: Context) -> None:
        self.deadline: float | None = None  # the grace's end
        self._context = context
        self._is_open = False  # a place for a secret number
        self._is_told = False  # the call hides the caller's sound
        self._is_sure = False  # the caller said that there was no more of it
        self._grace = _GRACE
        self._overflows_until = 0.0

    def open(self) -> bool:
        """A secret number is waited for; tell whether that is news."""
        is_new, self._is_open = not self._is_open, True
        self.deadline = None
        self._context.is_concealed = True
        self._tell()
        return is_new

    def end_number(self, pause: float, *, is_sure: bool) -> None:
        """A secret number is over.

        Args:
            pause: Seconds that there may be between two of its digits.
            is_sure: Whether the caller said so, by a key of their own for it.

        """
        self._grace = max(pause, _GRACE)
        self._is_sure = is_sure
        self._overflows_until = self._context.now + (0.0 if is_sure else _OVERFLOW)

    def end_overflow(self) -> None:
        """The caller pressed the key that ends the number, behind one that was complete."""
        self._is_sure, self._overflows_until = True, self._context.now

    def close(self) -> None:
        """No secret number is waited for any more; the grace begins."""
        if self._is_open:
            self._is_open = False
            self.deadline = self._context.now + self._grace

    def look(self, *, is_live: bool, has_begun: bool) -> None:
        """See whether digits are to be hidden now.

        Args:
            is_live: Whether a menu or a collection takes keys.
            has_begun: Whether its prompt has begun, so that the caller may know of it.

        """
        self.wake()
        is_over = self._is_sure or (has_begun and self._context.now >= self._overflows_until)
        is_grace = self.deadline is not None and not (is_live and is_over)
        self._context.is_concealed = self._is_open or is_grace

    def takes(self, key: str, *, is_live: bool) -> bool:
        """Tell whether a key belongs to a secret number that is not being taken now."""
        context = self._context
        if not (context.is_concealed and is_secret(key)):
            return False
        if self._is_open and context.now >= self._overflows_until:
            return not is_live
        self._is_sure, self._overflows_until = False, context.now + _OVERFLOW
        if self.deadline is not None:
            self.deadline = context.now + self._grace
        return True

    def wake(self) -> tuple[()]:
        """End the grace when its time has come."""
        if self.deadline is not None and self._context.now >= self.deadline:
            self.deadline = None
            self._context.is_concealed = False
            self._tell()
        return ()

    def _tell(self) -> None:
        """Tell the call once, each time that it changes, whether sound is hidden."""
        is_on = self._context.is_concealed
        if is_on is not self._is_told:
            self._is_told = is_on
            self._context.act(Conceal(is_on))
