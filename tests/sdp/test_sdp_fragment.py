"""Fragments of descriptions: addresses that come later, and searches begun anew (RFC 8840)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import SdpError
from gateway.sdp.fragment import IceFragment
from gateway.sdp.ice import Credentials

TRICKLED = b"""a=ice-ufrag:EsAw\r
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r
m=audio 9 RTP/AVP 0\r
a=mid:0\r
a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw\r
a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r
a=end-of-candidates\r
"""


def test_the_example_of_the_rfc_is_read() -> None:
    read = IceFragment.parse(TRICKLED, "0")
    assert read.credentials == Credentials("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
    assert [candidate.split()[4:6] for candidate in read.candidates] == [
        ["192.0.2.1", "61764"],
        ["192.0.2.1", "9"],
    ]
    assert read.is_complete


def test_what_is_told_of_another_section_is_passed_over() -> None:
    read = IceFragment.parse(TRICKLED, "1")
    assert (read.candidates, read.is_complete) == ((), False)
    assert read.credentials is not None


def test_what_we_write_we_can_read() -> None:
    ours = IceFragment(
        Credentials("abcd", "p" * 24), ("1 1 udp 2130706431 203.0.113.9 10000 typ host",), True
    )
    assert IceFragment.parse(ours.written("0", ("audio", "UDP/TLS/RTP/SAVPF")), "0") == ours


def test_what_we_write_names_the_section_as_the_offer_did() -> None:
    ours = IceFragment(None, ("1 1 udp 2130706431 203.0.113.9 10000 typ host",))
    written = ours.written("2", ("application", "UDP/DTLS/SCTP"))
    assert b"\r\nm=application 9 UDP/DTLS/SCTP 0\r\na=mid:2\r\n" in written


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"a=ice-ufrag:EsAw\r\n",
        b"a=ice-ufrag:EsAw\r\na=ice-pwd:short\r\n",
        b"m=audio 99999 RTP/AVP 0\r\n",
        b"a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n" * 400,
    ],
)
def test_what_is_no_fragment_is_refused(body: bytes) -> None:
    with pytest.raises(SdpError):
        IceFragment.parse(body, "0")


def test_addresses_are_bounded() -> None:
    lines = b"".join(b"a=candidate:%d 1 udp 1 192.0.2.1 9 typ host\r\n" % n for n in range(200))
    assert len(IceFragment.parse(lines, "0").candidates) == 64


@given(st.binary(max_size=300))
def test_garbage_is_refused_or_read_and_nothing_else(body: bytes) -> None:
    try:
        read = IceFragment.parse(b"a=ice-options:trickle\r\n" + body, "0")
    except SdpError:
        return
    assert len(read.candidates) <= 64
