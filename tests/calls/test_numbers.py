"""Numbers as neighbours write them, and as the world does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.numbers import number_of, to_e164
from gateway.config import NumberSettings
from gateway.sip.wire.uri import Uri

GERMANY = NumberSettings(country="49")
AMERICA = NumberSettings(country="1", international_prefix="011", national_prefix="1")
SPAIN = NumberSettings(country="34", national_prefix="")


@pytest.mark.parametrize(
    ("numbers", "written", "meant"),
    [
        (GERMANY, "+49301234567", "+49301234567"),
        (GERMANY, "0049301234567", "+49301234567"),
        (GERMANY, "0301234567", "+49301234567"),
        (GERMANY, "0015550100999", "+15550100999"),
        (GERMANY, "030-123 45(67)", "+49301234567"),
        (GERMANY, "110", "110"),
        (GERMANY, "4711", "4711"),
        (GERMANY, "0123", "0123"),
        (GERMANY, "ann", "ann"),
        (GERMANY, "0049301234567890123", "0049301234567890123"),
        (AMERICA, "15550100999", "+15550100999"),
        (AMERICA, "011493012345", "+493012345"),
        (AMERICA, "+15550100999", "+15550100999"),
        (AMERICA, "911", "911"),
        (SPAIN, "912345678", "+34912345678"),
        (SPAIN, "100", "100"),
        (NumberSettings(), "0049301234567", "0049301234567"),
    ],
)
def test_a_number_is_written_with_its_country(
    numbers: NumberSettings, written: str, meant: str
) -> None:
    assert to_e164(written, numbers) == meant


@pytest.mark.parametrize(
    ("uri", "meant"),
    [
        ("sip:0301234567@192.0.2.1", "+49301234567"),
        ("sip:0301234567@192.0.2.1;user=phone", "+49301234567"),
        ("sip:+49301234567;npdi;rn=+4930@192.0.2.1;user=phone", "+49301234567"),
        ("sip:%2B49301234567@192.0.2.1", "+49301234567"),
        ("tel:+49-30-1234567", "+49301234567"),
        ("tel:0301234567;phone-context=+49", "+49301234567"),
        ("sip:ann;room=7@pbx.example", "ann;room=7"),
        ("sip:pbx.example", "sip:pbx.example"),
    ],
)
def test_the_number_of_an_address(uri: str, meant: str) -> None:
    assert number_of(Uri.parse(uri), GERMANY) == meant


@given(st.text(max_size=40))
def test_whatever_is_written_reading_it_twice_changes_nothing(written: str) -> None:
    for numbers in (GERMANY, AMERICA, SPAIN):
        once = to_e164(written, numbers)
        assert to_e164(once, numbers) == once
