"""SRTP held against RFC 3711, RFC 6188 and RFC 7714, worked out a second time from the text."""

import hmac
import struct
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RtpError
from gateway.rtp.packet import RtpPacket
from gateway.rtp.srtp import GROWTH, SOURCES, Opener, Place, Sealer
from gateway.sdp.crypto import SUITES

# RFC 3711, appendix B.3.
MASTER_KEY = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139")
MASTER_SALT = bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")

TAGS = {name: 16 if "GCM" in name else int(name[-2:]) // 8 for name in SUITES}


def keystream(key: bytes, block: int, size: int) -> bytes:
    counter = Cipher(algorithms.AES(key), modes.CTR(block.to_bytes(16))).encryptor()
    return counter.update(bytes(size))


def derive(master_key: bytes, master_salt: bytes, label: int, size: int) -> bytes:
    """RFC 3711 section 4.3; a salt of 96 bits is followed by zeros (RFC 7714 section 11)."""
    salt = int.from_bytes(master_salt.ljust(14, b"\0"))
    return keystream(master_key, (salt ^ label << 48) << 16, size)


def seal_by_the_text(suite: str, key: bytes, packet: bytes, roc: int) -> bytes:
    """Return the SRTP packet that the RFCs ask for."""
    salt_size = 12 if "GCM" in suite else 14
    master, salt = key[:-salt_size], key[-salt_size:]
    session_key = derive(master, salt, 0, len(master))
    session_salt = derive(master, salt, 2, salt_size)
    header, payload = packet[:12], packet[12:]
    ssrc, sequence = int.from_bytes(packet[8:12]), int.from_bytes(packet[2:4])
    if "GCM" in suite:
        iv = ssrc << 48 | roc << 16 | sequence
        nonce = (iv ^ int.from_bytes(session_salt)).to_bytes(12)
        return header + AESGCM(session_key).encrypt(nonce, payload, header)
    iv = int.from_bytes(session_salt) << 16 ^ ssrc << 64 ^ (roc << 16 | sequence) << 16
    stream = keystream(session_key, iv, len(payload))
    sealed = header + bytes(a ^ b for a, b in zip(payload, stream, strict=True))
    auth = hmac.new(derive(master, salt, 1, 20), sealed + roc.to_bytes(4), "sha1").digest()
    return sealed + auth[: TAGS[suite]]


def key_of(suite: str, first: int = 1) -> bytes:
    return bytes((first + i) % 256 for i in range(SUITES[suite]))


def rtp(sequence: int, ssrc: int = 0xDEADBEEF, payload: bytes = b"sound" * 32) -> bytes:
    return bytes(RtpPacket(0, sequence, sequence * 160, ssrc, payload))


def report(ssrc: int = 0xDEADBEEF) -> bytes:
    return struct.pack("!BBHL", 0x80, 201, 1, ssrc)


class End:
    """One side: what it sends, and what it takes."""

    def __init__(self, suite: str, key: bytes, mki: bytes = b"") -> None:
        self.sealer = Sealer(suite, key)
        self.opener = Opener(suite, key, mki)
        self.place = Place(memoryview(bytearray(1500 + GROWTH)))

    def seal(self, packet: bytes) -> bytes:
        self.place.view[: len(packet)] = packet
        return bytes(self.place.view[: self.sealer.seal(self.place, len(packet))])

    def seal_report(self, packet: bytes) -> bytes:
        self.place.view[: len(packet)] = packet
        return bytes(self.place.view[: self.sealer.seal_report(self.place, len(packet))])

    def open(self, packet: bytes) -> bytes | None:
        self.place.view[: len(packet)] = packet
        size = self.opener.open(self.place, len(packet))
        return None if size < 0 else bytes(self.place.view[:size])

    def open_report(self, packet: bytes) -> bytes | None:
        self.place.view[: len(packet)] = packet
        size = self.opener.open_report(self.place, len(packet))
        return None if size < 0 else bytes(self.place.view[:size])


@pytest.fixture(params=SUITES)
def suite(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def end(suite: str) -> Iterator[End]:
    end = End(suite, key_of(suite))
    yield end
    end.sealer.close()
    end.opener.close()


def test_our_reading_of_the_text_gives_the_session_keys_of_appendix_b3() -> None:
    cipher = derive(MASTER_KEY, MASTER_SALT, 0, 16)
    auth = derive(MASTER_KEY, MASTER_SALT, 1, 20)
    salt = derive(MASTER_KEY, MASTER_SALT, 2, 14)
    assert cipher.hex().upper() == "C61E7A93744F39EE10734AFE3FF7A087"
    assert auth.hex().upper() == "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"
    assert salt.hex().upper() == "30CBBC08863D8C85D49DB34A9AE1"


def test_the_keystream_is_that_of_appendix_b2() -> None:
    session_key = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")
    first = keystream(session_key, 0xF0F1F2F3F4F5F6F7F8F9FAFBFCFD0000, 16)
    assert first.hex().upper() == "E03EAD0935C95E80E166B16DD92B4EB4"


def test_a_packet_under_the_key_of_appendix_b3_is_the_one_the_text_gives() -> None:
    packet = bytes.fromhex("800f1234decafbadcafebabe" + "ab" * 16)
    key = MASTER_KEY + MASTER_SALT
    sealed = End("AES_CM_128_HMAC_SHA1_80", key).seal(packet)
    # The reference packet that libsrtp's own test has for that key.
    assert sealed.hex() == "800f1234decafbadcafebabe" + (
        "4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb"
    )
    assert sealed == seal_by_the_text("AES_CM_128_HMAC_SHA1_80", key, packet, 0)


def test_every_suite_seals_as_its_text_says_before_and_after_the_wrap(suite: str, end: End) -> None:
    for sequence, roc in [(32_000, 0), (65_535, 0), (0, 1), (1, 1)]:
        packet = rtp(sequence)
        sealed = end.seal(packet)
        assert len(sealed) == len(packet) + TAGS[suite] == len(packet) + end.sealer.tag
        assert sealed == seal_by_the_text(suite, key_of(suite), packet, roc)
        assert end.open(sealed) == packet


def test_a_tag_of_32_bits_is_for_sound_alone_and_reports_keep_80(suite: str, end: End) -> None:
    sealed = end.seal_report(report())
    assert len(sealed) == len(report()) + 4 + max(TAGS[suite], 10)
    assert end.open_report(sealed) == report()
    assert end.opener.forged == 0


def test_what_is_not_the_other_sides_is_counted_and_dropped(suite: str, end: End) -> None:
    stranger = End(suite, key_of(suite, first=2))
    assert end.open(stranger.seal(rtp(1))) is None
    assert end.open_report(stranger.seal_report(report())) is None
    spoilt = bytearray(end.seal(rtp(2)))
    spoilt[20] ^= 1
    assert end.open(bytes(spoilt)) is None
    assert end.open(rtp(3)) is None
    assert (end.opener.forged, end.opener.repeated) == (4, 0)
    assert end.open(end.seal(rtp(4))) == rtp(4)


def test_a_repeated_packet_is_taken_once_and_a_late_one_once_as_well(end: End) -> None:
    sealed = [end.seal(rtp(n)) for n in range(100, 400)]
    assert end.open(sealed[0])
    assert end.open(sealed[299])
    assert end.open(sealed[299]) is None
    assert end.open(sealed[120]) == rtp(220)
    assert end.open(sealed[120]) is None
    assert (end.opener.forged, end.opener.repeated) == (0, 2)


def test_the_roll_over_is_counted_through_a_loss_of_thousands(suite: str, end: End) -> None:
    first, missed = end.seal(rtp(60_000)), 0
    assert end.open(first)
    for n in range(60_001, 60_001 + 20_000):
        missed = n % 65_536
        sealed = end.seal(rtp(missed))
    assert end.open(sealed) == rtp(missed)
    assert missed < 60_000


def test_each_source_has_its_own_numbers_and_the_oldest_is_forgotten(end: End) -> None:
    for ssrc in range(1, SOURCES + 1):
        assert end.open(end.seal(rtp(65_535, ssrc)))
        assert end.open(end.seal(rtp(0, ssrc)))
    again = end.seal(rtp(1, 1))
    assert end.open(again) == rtp(1, 1)
    assert end.open(end.seal(rtp(7, SOURCES + 1)))
    # Of the first nothing is known any more: neither how often it rolled over.
    assert end.open(end.seal(rtp(2, 1))) is None
    assert end.open(end.seal(rtp(1, 2))) == rtp(1, 2)


def test_the_name_of_a_key_is_taken_out_of_each_packet(suite: str) -> None:
    plain, named = End(suite, key_of(suite)), End(suite, key_of(suite), mki=b"\0\1")

    def with_mki(sealed: bytes, after: int) -> bytes:
        cut = len(sealed) - after
        return sealed[:cut] + b"\0\1" + sealed[cut:]

    is_aead = "GCM" in suite
    sound = plain.seal(rtp(5))
    assert named.open(with_mki(sound, 0 if is_aead else TAGS[suite])) == rtp(5)
    told = plain.seal_report(report())
    assert named.open_report(with_mki(told, 0 if is_aead else 10)) == report()
    assert named.open(plain.seal(rtp(6))) is None
    assert named.open(b"\x80") is None
    assert named.opener.forged == 2


def test_nothing_is_done_under_a_key_that_was_given_back(end: End) -> None:
    sealed = end.seal(rtp(1))
    end.sealer.close()
    end.opener.close()
    end.opener.close()
    assert end.sealer.seal(end.place, 172) == -1
    assert end.sealer.seal_report(end.place, 8) == -1
    assert end.open(sealed) is None


@pytest.mark.parametrize(("suite", "size"), [("AES_CM_128_HMAC_SHA1_80", 29), ("NULL", 30)])
def test_what_libsrtp_cannot_use_is_refused(suite: str, size: int) -> None:
    with pytest.raises(RtpError, match=suite):
        Sealer(suite, bytes(size))


@given(data=st.binary(max_size=200), suite=st.sampled_from(sorted(SUITES)))
def test_garbage_is_dropped_and_counted(data: bytes, suite: str) -> None:
    end = End(suite, key_of(suite))
    assert end.open(data) is None
    assert end.open_report(data) is None
    assert end.opener.forged == 2
