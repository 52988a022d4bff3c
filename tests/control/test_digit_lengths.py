"""What is known of the numbers that a regular expression fits: never too little."""

import itertools
import re

import pytest

from gateway.control.digit_lengths import digit_lengths

MOST = 4


@pytest.mark.parametrize(
    "pattern",
    [
        r"\d{2}",
        r"^[1-5]+$",
        r"(?:12|3*|4567)?",
        r"0?\d\d",
        r"[^0-8]{3}",
        r"[^0-9]",
        r"A\d",
        r"(12)+",
        r"(?i:1)?.",
        r"(?>1|22)3",
        r"[\w-]{2,3}?",
        r"\D*",
        r"(|1){9}",
        r"\d{5,}",
        r"",
    ],
)
def test_the_lengths_are_those_of_the_digits_that_fit(pattern: str) -> None:
    fitting = {
        length
        for length in range(MOST + 1)
        for digits in itertools.product("0123456789", repeat=length)
        if re.fullmatch(pattern, "".join(digits))
    }
    assert digit_lengths(pattern, MOST) == fitting


@pytest.mark.parametrize("pattern", [r"(?=1)\d\d", r"(\d)\1", r"(?!0)\d{3}", r"(1)?(?(1)2|34)"])
def test_what_is_not_understood_may_have_any_length(pattern: str) -> None:
    fitting = {
        length
        for length in range(MOST + 1)
        for digits in itertools.product("0123456789", repeat=length)
        if re.fullmatch(pattern, "".join(digits))
    }
    assert fitting <= digit_lengths(pattern, MOST)


def test_long_repetitions_take_no_time() -> None:
    assert digit_lengths(r"((\d{0,60000}){0,60000}){50000}", 64) == set(range(65))
    assert digit_lengths(r"\d{60000}", 64) == set()
