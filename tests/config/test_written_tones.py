"""What a tone may be: the same to the configuration as to those who play it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from voicecodecs.cadence import NAMED, Cadence

from gateway.config.tones import TONES, fault_of_tone

WRITTEN = [
    "425/480,0/480",
    "440+480/2000,0/4000",
    "1+2+3+4/1",
    "1+2+3+4+5/1",
    "3900/1",
    "3901/1",
    "0/0",
    "0/60000",
    "0/60000,0/1",
    ",".join(["1/1"] * 32),
    ",".join(["1/1"] * 33),
    "",
    "/",
    "1/",
    "/1",
    "bsuy",
    " 1/1 , 2/2",
    "1/1,",
    "1.5/2",
    "\u0661/1",
]


def is_played(text: str) -> bool:
    try:
        Cadence.parse(text)
    except ValueError:
        return False
    return True


def test_the_names_are_those_that_can_be_played() -> None:
    assert set(TONES) == set(NAMED)


@pytest.mark.parametrize("text", WRITTEN)
def test_what_cannot_be_played_is_refused_and_nothing_else(text: str) -> None:
    assert (fault_of_tone(text) == "") is is_played(text)


@given(st.text("0123456789+/, ", max_size=14))
def test_the_two_agree_whatever_is_written(text: str) -> None:
    assert (fault_of_tone(text) == "") is is_played(text)
