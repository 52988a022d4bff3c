"""How many digits a regular expression may match: to find those that no number can fit.

The lengths are worked out over the parsed expression, from the inside out: of a sequence the
sums, of alternatives the union, of a repetition the sums of as many.  What is not understood
(a look around, a reference to a group) may have any length, so that none is missing.
"""

from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any, Final

__all__ = ["digit_lengths"]

_DIGITS: Final = range(ord("0"), ord("9") + 1)
_REPEATS: Final = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)
_EMPTY: Final = (_constants.AT, _constants.ASSERT, _constants.ASSERT_NOT)
_WITH_DIGITS: Final = (
    _constants.CATEGORY_DIGIT,
    _constants.CATEGORY_WORD,
    _constants.CATEGORY_NOT_SPACE,
)


def digit_lengths(pattern: str, most: int) -> set[int]:
    """Return at least all lengths, up to ``most``, of texts of digits that a pattern fits whole."""
    return _of_sequence(_parser.parse(pattern), most)


def _of_sequence(items: Any, most: int) -> set[int]:
    lengths = {0}
    for kind, argument in items:
        lengths = _sums(lengths, _of_item(kind, argument, most), most)
    return lengths


def _of_item(kind: Any, argument: Any, most: int) -> set[int]:
    if kind is _constants.LITERAL:
        return {1} if argument in _DIGITS else set()
    if kind in (_constants.ANY, _constants.NOT_LITERAL):
        return {1}
    if kind is _constants.IN:
        return {1} if any(_is_in(digit, argument) for digit in _DIGITS) else set()
    if kind is _constants.BRANCH:
        return set().union(*(_of_sequence(each, most) for each in argument[1]))
    if kind is _constants.SUBPATTERN:
        return _of_sequence(argument[-1], most)
    if kind is _constants.ATOMIC_GROUP:
        return _of_sequence(argument, most)
    if kind in _REPEATS:
        least, limit, items = argument
        return _of_repeat(least, limit, _of_sequence(items, most), most)
    return {0} if kind in _EMPTY else set(range(most + 1))


def _of_repeat(least: int, limit: int, once: set[int], most: int) -> set[int]:
    lengths = {0}
    for _ in range(min(least, most + 1)):  # more of what is not empty is too long anyhow
        lengths = _sums(lengths, once, most)
    for _ in range(min(limit - least, most)):
        lengths |= _sums(lengths, once, most)
    return lengths


def _sums(first: set[int], second: set[int], most: int) -> set[int]:
    return {one + other for one in first for other in second if one + other <= most}


def _is_in(digit: int, members: Any) -> bool:
    """Tell whether a digit is one of the characters of a class."""
    is_negated, is_member = False, False
    for kind, argument in members:
        if kind is _constants.NEGATE:
            is_negated = True
        elif kind is _constants.LITERAL:
            is_member |= argument == digit
        elif kind is _constants.RANGE:
            is_member |= argument[0] <= digit <= argument[1]
        else:
            is_member |= argument in _WITH_DIGITS
    return is_member is not is_negated
