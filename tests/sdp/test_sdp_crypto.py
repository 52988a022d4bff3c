"""Lines of ``a=crypto`` (RFC 4568), those of the RFC's own examples among them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import CountedIds, RandomIds
from gateway.sdp.crypto import OFFERED, SUITES, CryptoLine, SrtpKeys, new_key

KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
USUAL = f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"


def key_of(suite: str) -> str:
    return base64.b64encode(bytes(range(SUITES[suite]))).decode()


@pytest.mark.parametrize("suite", SUITES)
def test_a_line_of_each_suite_is_read_and_written_back(suite: str) -> None:
    text = f"7 {suite} inline:{key_of(suite)}"
    line = CryptoLine.parse(text)
    assert line is not None
    assert (line.tag, line.suite, line.key) == (7, suite, bytes(range(SUITES[suite])))
    assert str(line) == text


@pytest.mark.parametrize(
    "text",
    [
        f"{USUAL}|2^20|1:32",  # RFC 4568 section 4.1
        f"{USUAL}|1048576|1:4",
        f"{USUAL}|2^31",
        f"{USUAL}|2^48",
        f"{USUAL}|1:1",
        f"{USUAL} WSH=128",
        f"{USUAL} -ours=1",
        f"  {USUAL}  ",
        USUAL.replace("inline", "INLINE").replace("AES", "aes"),
    ],
)
def test_lifetimes_names_of_keys_and_hints_are_read(text: str) -> None:
    line = CryptoLine.parse(text)
    assert line is not None
    assert line.key == base64.b64decode(KEY)


@pytest.mark.parametrize(("suffix", "mki"), [("|2^20|1:4", b"\0\0\0\1"), ("|66051:3", b"\1\2\3")])
def test_the_name_of_a_key_has_the_length_that_was_told(suffix: str, mki: bytes) -> None:
    line = CryptoLine.parse(USUAL + suffix)
    assert line is not None
    assert line.mki == mki


@pytest.mark.parametrize("suite", ["AES_CM_256_HMAC_SHA1_80", "AES_CM_256_HMAC_SHA1_32"])
def test_a_suite_that_many_spell_otherwise_is_answered_in_their_spelling(suite: str) -> None:
    text = f"2 {suite} inline:{key_of('AES_256_CM_HMAC_SHA1_80')}"
    line = CryptoLine.parse(text)
    assert line is not None
    assert line.suite == f"AES_256_CM_HMAC_SHA1_{suite[-2:]}"
    assert str(line) == text


@pytest.mark.parametrize("suite", ["AES_256_CM_HMAC_SHA1_80", "AEAD_AES_128_GCM"])
def test_padding_that_was_left_out_is_not_missed(suite: str) -> None:
    line = CryptoLine.parse(f"1 {suite} inline:{key_of(suite).rstrip('=')}")
    assert line is not None
    assert line.key == bytes(range(SUITES[suite]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        f"1 F8_128_HMAC_SHA1_80 inline:{KEY}",
        f"1 AES_CM_128_NULL_AUTH inline:{KEY}",
        f"x AES_CM_128_HMAC_SHA1_80 inline:{KEY}",
        f"1234567890 AES_CM_128_HMAC_SHA1_80 inline:{KEY}",
        f"1 AEAD_AES_256_GCM inline:{KEY}",  # too short for it
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY[:-4]}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY[:-1]}!",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY[:-3]}",
        f"1 AES_CM_128_HMAC_SHA1_80 uri:{KEY}",
        f"{USUAL};inline:{KEY}",  # two keys, told apart by their names
        f"{USUAL}|2^20|1:4;inline:{KEY}|2^20|2:4",
        f"{USUAL}|2^49",
        f"{USUAL}|0",
        f"{USUAL}|1:0",
        f"{USUAL}|256:1",
        f"{USUAL}|1:129",
        f"{USUAL} KDR=1",
        f"{USUAL} UNENCRYPTED_SRTP",
        f"{USUAL} UNENCRYPTED_SRTCP",
        f"{USUAL} UNAUTHENTICATED_SRTP",
        f"{USUAL} FEC_ORDER=FEC_SRTP",
        f"{USUAL} WSH=64 something-new",
    ],
)
def test_what_is_not_done_here_is_as_if_it_were_not_there(text: str) -> None:
    assert CryptoLine.parse(text) is None


def test_keys_are_seen_in_no_printed_object() -> None:
    line = CryptoLine.parse(USUAL)
    assert line is not None
    keys = SrtpKeys(line.suite, bytearray(line.key), bytearray(line.key))
    for shown in (repr(line), repr(keys)):
        assert KEY not in shown
        assert repr(line.key)[2:10] not in shown


def test_keys_are_as_long_as_their_suite_asks_and_never_the_same() -> None:
    assert set(OFFERED) <= set(SUITES)
    for suite, size in SUITES.items():
        assert len(new_key(suite, RandomIds())) == len(new_key(suite, CountedIds())) == size
    assert new_key(OFFERED[0], RandomIds()) != new_key(OFFERED[0], RandomIds())


@given(st.text(max_size=120) | st.text(max_size=40).map(USUAL.__add__))
def test_any_line_is_read_or_passed_over(text: str) -> None:
    line = CryptoLine.parse(text)
    assert line is None or CryptoLine.parse(str(line)) is not None
