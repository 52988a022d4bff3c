"""What is said of the addresses that pages are told."""

from typing import Any

import pytest

from gateway.cli.browser_check import look_at_addresses
from gateway.config import Settings

BOTH = ["203.0.113.7", "2001:db8::7"]


def told(**webrtc: Any) -> list[tuple[str, bool, bool]]:
    found = look_at_addresses(Settings.model_validate({"webrtc": webrtc}))
    return [(finding.what, finding.is_good, finding.is_warning) for finding in found]


@pytest.mark.parametrize(
    ("host", "ignored"), [("0.0.0.0", BOTH[1]), ("192.0.2.1", BOTH[1]), ("::", BOTH[0])]
)
def test_an_address_of_the_other_family_is_said_to_be_left_out(host: str, ignored: str) -> None:
    expected = [(f"webrtc.external_ips ({ignored})", True, True)]
    assert told(host=host, external_ips=BOTH) == expected


def test_addresses_that_are_told_are_not_spoken_of() -> None:
    assert told(host="0.0.0.0", external_ips=BOTH[:1]) == []
    assert told(host="0.0.0.0", external_ips=BOTH, enabled=False) == []
