"""Who asks, where proxies pass on what they are asked."""

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gateway.http import Proxies

OURS = ("127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48")


def asker(peer: str, *headers: tuple[str, str], proxies: tuple[str, ...] = OURS) -> str:
    request = make_mocked_request("GET", "/", CIMultiDict([("Host", "h"), *headers]))
    return Proxies(proxies).asker(request.clone(remote=peer))


def xff(*hops: str) -> tuple[str, str]:
    return "X-Forwarded-For", ", ".join(hops)


def test_nobody_is_believed_who_is_not_named() -> None:
    assert asker("192.0.2.9", xff("203.0.113.1")) == "192.0.2.9"
    assert asker("127.0.0.1", xff("203.0.113.1"), proxies=()) == "127.0.0.1"
    assert asker("192.0.2.9", ("Forwarded", "for=203.0.113.1")) == "192.0.2.9"


def test_the_last_hop_that_is_no_proxy_of_ours_is_who_asks() -> None:
    assert asker("127.0.0.1", xff("203.0.113.1")) == "203.0.113.1"
    assert asker("127.0.0.1", xff("198.51.100.7", "203.0.113.1")) == "203.0.113.1"
    assert asker("::ffff:127.0.0.1", xff("203.0.113.1", "10.1.2.3")) == "203.0.113.1"
    assert asker("127.0.0.1", xff("198.51.100.7"), xff("203.0.113.1")) == "203.0.113.1"
    assert asker("127.0.0.1", xff("10.1.1.1", "10.2.2.2")) == "10.1.1.1"
    assert asker("127.0.0.1") == "127.0.0.1"


@pytest.mark.parametrize(
    ("told", "who"),
    [
        ("for=203.0.113.1", "203.0.113.1"),
        ("For=203.0.113.1:4711;proto=https", "203.0.113.1"),
        ("proto=https;for=203.0.113.1", "203.0.113.1"),
        ('for="[2001:db8:2::1]:4711";by=10.0.0.1', "2001:db8:2::1"),
        ("for=198.51.100.7, for=203.0.113.1", "203.0.113.1"),
        ('for="x, for=203.0.113.1', "203.0.113.1"),
        ("for=203.0.113.1, for=10.0.0.5", "203.0.113.1"),
        ("for=203.0.113.1, by=10.0.0.5", "127.0.0.1"),
        ("for=203.0.113.1, for=unknown", "127.0.0.1"),
        ("for=203.0.113.1, for=_hidden, for=10.0.0.5", "10.0.0.5"),
        ("", "127.0.0.1"),
    ],
)
def test_forwarded_is_read_as_the_rfc_writes_it(told: str, who: str) -> None:
    assert asker("127.0.0.1", ("Forwarded", told)) == who


@pytest.mark.parametrize(
    ("told", "who"),
    [
        ("203.0.113.1:80", "203.0.113.1"),
        ("[2001:db8:2::1]:80", "2001:db8:2::1"),
        ("2001:db8:2::1", "2001:db8:2::1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
        ("203.0.113.1, unknown", "127.0.0.1"),
        ("203.0.113.999", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_an_address_may_have_a_port_and_what_is_none_ends_what_is_believed(
    told: str, who: str
) -> None:
    assert asker("127.0.0.1", ("X-Forwarded-For", told)) == who


def test_a_header_that_a_proxy_let_through_is_not_believed_against_its_own() -> None:
    ours, forged = xff("203.0.113.1"), ("Forwarded", "for=198.51.100.7")
    assert asker("127.0.0.1", ours, forged) == "127.0.0.1"
    assert asker("127.0.0.1", ours, ("Forwarded", "for=203.0.113.1")) == "203.0.113.1"


@given(st.text(st.characters(codec="latin-1"), max_size=300))
def test_whatever_is_told_somebody_asks(told: str) -> None:
    for name in ("X-Forwarded-For", "Forwarded"):
        assert asker("127.0.0.1", (name, told))
