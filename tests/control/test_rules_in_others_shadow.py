"""When a pattern surely fits all that another one does, and when that is not sure."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.control.rule_lint import covers_patterns


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("5*", "55"),
        ("5?", "55"),
        ("[4-6]5", "55"),
        ("5*", "5?*"),
        ("*@pbx", "1*@pbx"),
        ("*", "[!a]"),
    ],
)
def test_a_wider_pattern_covers_a_narrower_one(first: str, second: str) -> None:
    assert covers_patterns([first], [second])
    assert covers_patterns([], [second])
    assert covers_patterns(["x", first], [second, "x"])


@pytest.mark.parametrize(
    ("first", "second"), [("55", "5*"), ("5?", "5*"), ("5*", "*5"), ("5*", "65"), ("5*", "")]
)
def test_a_pattern_that_may_miss_something_covers_nothing(first: str, second: str) -> None:
    assert not covers_patterns([first], [second] if second else [])


PATTERNS = st.text("ab*?[]!-", max_size=5)


@given(PATTERNS, PATTERNS, st.text("ab", max_size=5))
def test_what_fits_a_covered_pattern_fits_the_one_that_covers_it(
    first: str, second: str, text: str
) -> None:
    if covers_patterns([first], [second]) and fnmatchcase(text, second):
        assert fnmatchcase(text, first)
