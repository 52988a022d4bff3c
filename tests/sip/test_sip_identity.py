"""Whom a certificate speaks for (RFC 5922)."""

from typing import Any

import pytest

from gateway.sip.identity import is_named, names_in


def certificate(*names: tuple[str, str]) -> dict[str, Any]:
    return {"subject": ((("commonName", "common.example"),),), "subjectAltName": names}


def test_domains_addresses_and_sip_domains_are_names_and_the_common_name_is_not() -> None:
    names = names_in(
        certificate(
            ("DNS", "PBX.example"),
            ("IP Address", "192.0.2.1"),
            ("IP Address", "2001:DB8:0:0:0:0:0:1"),
            ("URI", "sip:Example.org"),
            ("URI", "sip:alice@example.org"),
            ("URI", "https://web.example"),
            ("email", "a@example.org"),
            ("DNS", "pbx.example"),
        )
    )
    assert names == ("pbx.example", "192.0.2.1", "2001:db8::1", "example.org")


def test_no_certificate_has_no_names() -> None:
    assert names_in(None) == names_in({}) == names_in({"subject": ()}) == ()


def test_a_certificate_of_a_thousand_names_is_not_kept_whole() -> None:
    assert len(names_in(certificate(*(("DNS", f"h{n}.example") for n in range(1000))))) == 256


@pytest.mark.parametrize(
    ("domain", "name", "is_meant"),
    [
        ("example.org", "example.org", True),
        ("EXAMPLE.org.", "example.org", True),
        ("sip.example.org", "example.org", False),
        ("example.org", "sip.example.org", False),
        ("trunk.pstn.example", "*.pstn.example", True),
        ("a.b.pstn.example", "*.pstn.example", False),
        ("pstn.example", "*.pstn.example", False),
        ("pstn.example", "*.example", False),  # too much for one certificate
        ("192.0.2.1", "*.0.2.1", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("[2001:db8::1]", "2001:db8::1", True),
        ("localhost", "localhost", True),
        ("", "", False),
    ],
)
def test_a_domain_is_meant_by_its_own_name_and_a_wildcard_of_one_label(
    domain: str, name: str, is_meant: bool
) -> None:
    assert is_named(domain, [name]) == is_meant
