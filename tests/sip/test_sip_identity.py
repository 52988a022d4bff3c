"""Whom a certificate speaks for (RFC 5922)."""

import pytest

from gateway.sip.ways.identity import is_named, names_in


def test_domains_addresses_and_sip_domains_are_names() -> None:
    names = names_in(
        [
            ("DNS", "PBX.example"),
            ("IP", "192.0.2.1"),
            ("IP", "2001:DB8:0:0:0:0:0:1"),
            ("URI", "sip:Example.org"),
            ("URI", "sip:alice@example.org"),
            ("URI", "https://web.example"),
            ("email", "a@example.org"),
            ("DNS", "pbx.example"),
        ]
    )
    assert names == ("pbx.example", "192.0.2.1", "2001:db8::1", "example.org")


def test_a_certificate_of_a_thousand_names_is_not_kept_whole() -> None:
    assert len(names_in(("DNS", f"h{n}.example") for n in range(1000))) == 256


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
