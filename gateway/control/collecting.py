"""When keys make a number, and whether it is a right one."""

from .flow_plans import CheckedCollect
from .sealed import HIDDEN

__all__ = ["COLLECT", "RIGHT", "WRONG", "has_check_digit", "is_complete", "is_right"]

COLLECT = "collect."  # how decisions on numbers begin, before the collection's name
RIGHT = "right"
WRONG = "wrong"


def is_complete(keys: str, plan: CheckedCollect) -> bool:
    """Tell whether there can be no further key."""
    return len(keys) >= plan.max


def is_right(keys: str, plan: CheckedCollect) -> bool:
    """Tell whether the keys are the number that is wanted.

    Keys that are hidden, as in a call played again from its timeline, are right if there are
    enough of them.
    """
    if not plan.min <= len(keys) <= plan.max:
        return False
    if HIDDEN in keys:
        return True
    if plan.check == "luhn" and not has_check_digit(keys):
        return False
    return plan.pattern is None or plan.pattern.fullmatch(keys) is not None


def has_check_digit(digits: str) -> bool:
    """Tell whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    if not digits.isdecimal() or len(digits) < 2:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
