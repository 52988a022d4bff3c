"""DTLS handshakes in virtual time: lost, late, doubled, hostile, and with somebody else's stack."""

import contextlib
import datetime
import functools
import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL, crypto

from gateway.rtp.dtls import (
    LIMIT,
    LINGER,
    MOST_RECEIVED,
    MOST_SENT,
    Digest,
    DtlsState,
    Handshake,
    Identity,
)
from gateway.rtp.records import MTU, is_dtls

OURS = Identity()
THEIRS = Identity()
WRONG: Digest = ("sha-256", bytes(32))


def pair(
    client_believes: tuple[Digest, ...] = (THEIRS.digest,),
    server_believes: tuple[Digest, ...] = (OURS.digest,),
) -> tuple[Handshake, Handshake]:
    client = Handshake(OURS, client_believes, is_client=True, now=0.0)
    return client, Handshake(THEIRS, server_believes, is_client=False, now=0.0)


def shake(
    client: Handshake,
    server: Handshake,
    carry: Callable[[list[bytes]], list[bytes]] = list,
    until: float = 60.0,
) -> float:
    """Let time pass until both are settled; ``carry`` says what of a flight arrives, and how."""
    now = 0.0
    while True:
        is_moving = False
        for sender, receiver in ((client, server), (server, client)):
            for datagram in carry(sender.data_to_send()):
                is_moving = True
                receiver.receive(datagram, now)
        if is_moving:
            continue
        if client.state is not DtlsState.SHAKING and server.state is not DtlsState.SHAKING:
            return now
        times = [t for t in (client.deadline, server.deadline) if t is not None]
        if not times or min(times) > until:
            return now
        now = max(now, min(times))
        client.wake(now)
        server.wake(now)


def assert_keyed(client: Handshake, server: Handshake) -> None:
    assert client.keys is not None
    assert server.keys is not None
    assert client.keys.suite == server.keys.suite
    assert client.keys.local == server.keys.remote
    assert client.keys.remote == server.keys.local
    assert client.keys.local != client.keys.remote


def test_both_sides_come_to_the_same_keys() -> None:
    client, server = pair()
    assert shake(client, server) == 0.0
    assert_keyed(client, server)
    assert client.keys is not None
    assert client.keys.suite == "AEAD_AES_128_GCM"
    assert len(client.keys.local) == 16 + 12
    assert client.keys.local.hex() not in repr(client.keys)


def test_when_all_is_said_both_are_silent() -> None:
    client, server = pair()
    sent = 0

    def carry(flight: list[bytes]) -> list[bytes]:
        nonlocal sent
        sent += len(flight)
        return flight

    shake(client, server, carry)
    assert sent == 4


def test_any_of_several_fingerprints_will_do_by_any_hash() -> None:
    certificate = _certificate(THEIRS)
    for algorithm in ("sha-256", "sha-384", "sha-512"):
        digest = _digest(certificate, algorithm)
        client, server = pair(client_believes=(WRONG, digest))
        shake(client, server)
        assert_keyed(client, server)


@pytest.mark.parametrize("wrong", ["client", "server"])
def test_somebody_elses_certificate_ends_it_for_both(wrong: str) -> None:
    client, server = pair(
        (WRONG,) if wrong == "client" else (THEIRS.digest,),
        (WRONG,) if wrong == "server" else (OURS.digest,),
    )
    shake(client, server)
    cheated = client if wrong == "client" else server
    assert cheated.state is DtlsState.FAILED
    assert cheated.is_mismatch
    assert "certificate" in cheated.problem
    assert client.keys is None or server.keys is None
    assert cheated.keys is None


@pytest.mark.parametrize("lost", range(1, 5))
def test_each_flight_may_be_lost_once(lost: int) -> None:
    count = 0

    def carry(flight: list[bytes]) -> list[bytes]:
        nonlocal count
        count += bool(flight)
        return [] if flight and count == lost else flight

    client, server = pair()
    assert shake(client, server, carry) == 1.0
    assert_keyed(client, server)


@pytest.mark.parametrize("seed", range(12))
def test_a_third_of_all_datagrams_may_be_lost_and_the_others_doubled_and_disordered(
    seed: int,
) -> None:
    chance = random.Random(seed)

    def carry(flight: list[bytes]) -> list[bytes]:
        arrives = [one for one in flight * 2 if chance.random() > 0.33]
        chance.shuffle(arrives)
        return arrives

    client, server = pair()
    assert shake(client, server, carry) < LIMIT
    assert_keyed(client, server)


def test_nobody_there_is_asked_again_and_given_up_in_bounded_time() -> None:
    client, _ = pair()
    client.data_to_send()
    sent = []
    while client.deadline is not None:
        now = client.deadline
        client.wake(now)
        sent += [now] * len(client.data_to_send())
    assert sent[:4] == [1.0, 3.0, 7.0, 11.0]
    assert client.state is DtlsState.FAILED
    assert now == LIMIT
    assert client.is_over
    assert client.problem == "nobody answered the DTLS handshake in time"


def test_a_server_waits_for_the_first_word_as_long_as_it_must() -> None:
    _, server = pair()
    assert server.deadline is None
    assert server.data_to_send() == []


def test_a_false_address_is_not_sent_more_than_so_much() -> None:
    client, server = pair()
    (hello,) = client.data_to_send()
    sent = 0
    for now in range(300):
        server.receive(hello, float(now))
        server.wake(float(now))
        sent += sum(map(len, server.data_to_send()))
    assert 0 < sent <= MOST_SENT
    assert server.dropped >= 300 - MOST_RECEIVED


def test_no_datagram_is_longer_than_a_path_carries() -> None:
    client, server = pair()

    def carry(flight: list[bytes]) -> list[bytes]:
        assert all(len(datagram) <= MTU for datagram in flight)
        return flight

    shake(client, server, carry)
    assert_keyed(client, server)


def test_a_peer_that_lost_the_last_flight_gets_it_again_for_a_while() -> None:
    client, server = pair()
    server.receive(client.data_to_send()[0], 0.0)
    for datagram in server.data_to_send():
        client.receive(datagram, 0.0)
    (flight,) = client.data_to_send()
    server.receive(flight, 0.0)
    last = server.data_to_send()
    assert server.state is DtlsState.DONE
    server.receive(flight, 5.0)
    assert server.data_to_send() == last
    assert not server.is_over
    server.wake(LINGER)
    assert server.is_over


def test_junk_between_is_no_matter() -> None:
    junk = [
        b"",
        b"\x16",
        b"\x16\xfe\xfd" + bytes(8) + b"\xff\xff",
        b"\x80" * 200,
        b"GET / HTTP/1.0",
    ]

    def carry(flight: list[bytes]) -> list[bytes]:
        return [*junk, *flight, *junk] if flight else []

    client, server = pair()
    shake(client, server, carry)
    assert_keyed(client, server)
    assert server.dropped >= 2 * len(junk)


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=200), max_size=8), st.sampled_from([20, 21, 22, 23, 25, 63]))
def test_hostile_records_come_to_nothing_but_an_end_in_words(
    bodies: list[bytes], kind: int
) -> None:
    _, server = pair()
    for number, body in enumerate(bodies):
        header = bytes([kind]) + b"\xfe\xfd" + bytes(2) + number.to_bytes(6)
        server.receive(header + len(body).to_bytes(2) + body, 0.0)
        sent = sum(map(len, server.data_to_send()))
        assert sent <= 200
    assert server.keys is None
    assert (server.state is DtlsState.FAILED) == bool(server.problem)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_hello_with_a_byte_changed_ends_well_or_in_words(at: int, change: int) -> None:
    client, server = pair()
    hello = bytearray(client.data_to_send()[0])
    hello[at % len(hello)] ^= change
    server.receive(bytes(hello), 0.0)
    assert server.keys is None
    assert (server.state is DtlsState.FAILED) == bool(server.problem)


def test_what_is_no_dtls_is_told_by_its_first_byte() -> None:
    assert is_dtls(b"\x16\xfe\xfd")
    assert not any(
        is_dtls(first) for first in (b"", b"\x00", b"\x13", b"\x40", b"\x80\x00", b"\xff")
    )


@pytest.mark.parametrize("is_client", [True, False])
@pytest.mark.parametrize(
    ("profile", "suite"),
    [
        (b"SRTP_AES128_CM_SHA1_80", "AES_CM_128_HMAC_SHA1_80"),
        (b"SRTP_AES128_CM_SHA1_32", "AES_CM_128_HMAC_SHA1_32"),
        (b"SRTP_AEAD_AES_256_GCM", "AEAD_AES_256_GCM"),
    ],
)
def test_openssl_by_itself_comes_to_our_keys(is_client: bool, profile: bytes, suite: str) -> None:
    ours, other = _with_openssl(is_client=is_client, profile=profile)
    assert ours.keys is not None
    assert ours.keys.suite == suite
    size = len(ours.keys.local)
    secret = other.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * size)
    salt = 12 if "GCM" in suite else 14
    key = size - salt
    client = secret[:key] + secret[2 * key : 2 * key + salt]
    assert client == (ours.keys.local if is_client else ours.keys.remote)


def test_a_peer_without_srtp_is_refused_in_words() -> None:
    ours, _ = _with_openssl(is_client=False, profile=b"")
    assert ours.state is DtlsState.FAILED
    assert ours.problem == "the other side speaks DTLS, but no SRTP"


def test_a_peer_that_hides_its_certificate_is_refused() -> None:
    ours, _ = _with_openssl(is_client=False, profile=b"SRTP_AES128_CM_SHA1_80", is_bare=True)
    assert ours.state is DtlsState.FAILED
    assert "certificate" in ours.problem


@pytest.mark.parametrize("is_client", [True, False])
@pytest.mark.parametrize("version", [3, 7, -5])
def test_a_certificate_that_others_cannot_read_is_not_believed(
    version: int, is_client: bool, tmp_path: Path
) -> None:
    der = _of_version(version)
    with pytest.raises((x509.InvalidVersion, ValueError)):
        x509.load_der_x509_certificate(der)
    shown = tmp_path / "certificate"
    shown.write_bytes(der)
    ours, _ = _with_openssl(is_client=is_client, profile=b"SRTP_AES128_CM_SHA1_80", shown=shown)
    assert ours.state is DtlsState.FAILED
    assert ours.is_mismatch
    assert ours.problem == "the certificate is not the one that the description tells of"


def test_what_goes_wrong_at_a_certificate_ends_the_handshake_in_words() -> None:
    unknown: Digest = ("sha-0", bytes(20))
    ours, _ = _with_openssl(is_client=False, profile=b"SRTP_AES128_CM_SHA1_80", digest=unknown)
    assert ours.state is DtlsState.FAILED
    assert ours.is_mismatch
    assert ours.problem == "the certificate cannot be read: unsupported hash type sha0"


def test_what_is_wrong_in_a_hello_is_left_for_nobody_else_to_find() -> None:
    client, server = pair()
    (hello,) = client.data_to_send()
    assert not server.admit(hello[:-3], b"", 0.0)
    assert server.data_to_send() == []
    with pytest.raises(crypto.Error) as caught:
        crypto.load_certificate(crypto.FILETYPE_ASN1, b"none")  # raises whatever lies about
    assert "SSL routines" not in str(caught.value)


def _with_openssl(
    *,
    is_client: bool,
    profile: bytes,
    is_bare: bool = False,
    digest: Digest | None = None,
    shown: Path | None = None,
) -> tuple[Handshake, SSL.Connection]:
    """Shake hands with a bare OpenSSL, as old as DTLS 1.2."""
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_max_proto_version(0xFEFD)
    context.set_verify(SSL.VERIFY_NONE)
    if not is_bare:
        key, certificate = _rsa()
        context.use_privatekey(key)
        if shown is None:
            context.use_certificate(certificate)
        else:
            context.use_certificate_file(str(shown), crypto.FILETYPE_ASN1)
    if profile:
        context.set_tlsext_use_srtp(profile)
    other = SSL.Connection(context, None)
    other.set_accept_state() if is_client else other.set_connect_state()
    if digest is None:
        digest = WRONG if is_bare or shown else _digest(_der(_rsa()[1]), "sha-256")
    ours = Handshake(OURS, [digest], is_client=is_client, now=0.0)
    for _ in range(6):
        for datagram in ours.data_to_send():
            other.bio_write(datagram)
        with contextlib.suppress(SSL.Error):
            other.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            ours.receive(other.bio_read(8000), 0.0)
    return ours, other


@functools.cache
def _rsa() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    """Return a key as old stacks have them, and its certificate."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "old")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    day = datetime.datetime(2001, 1, 1)  # long over, which is no matter
    certificate = builder.not_valid_before(day).not_valid_after(day).sign(key, hashes.SHA256())
    return key, certificate


def _of_version(version: int) -> bytes:
    """Return the certificate of an old stack that says to be of another version."""
    der = _der(_rsa()[1])
    said = b"\xa0\x03\x02\x01"
    assert der.count(said + b"\x02") == 1
    return der.replace(said + b"\x02", said + version.to_bytes(1, signed=True))


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _digest(der: bytes, algorithm: str) -> Digest:
    return algorithm, hashlib.new(algorithm.replace("-", ""), der).digest()


def _certificate(identity: Identity) -> bytes:
    """Return an identity's certificate as it shows it."""
    shown = SSL.Connection(identity.context, None).get_certificate(as_cryptography=True)
    assert shown is not None
    return _der(shown)
