"""DTLS 1.2 for the keys of SRTP (RFC 5763, RFC 5764, RFC 6347), one handshake at a time, sans-I/O.

Who a peer is, the fingerprint of its certificate in the description says; no authority is asked.
That it is where it says, it proves by a cookie (section 4.2.1 of RFC 6347), before a handshake
with it costs anything.

OpenSSL does the cryptography, between two buffers in memory.  It has a retransmission timer of
its own, which goes by the machine's clock; asked for when ours is over, it sends its flight under
new record numbers.  Where its time has not come (in a test of minutes that takes no time), or a
peer sends again what it sent because our last flight is lost, the flight goes out as it was.
"""

import contextlib
import datetime
import enum
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_ASN1, X509, dump_certificate

from .records import APPLICATION_DATA, HANDSHAKE, MTU, datagrams_of, moved, records_of

__all__ = ["Digest", "DtlsState", "Handshake", "Identity", "Keys"]

Digest: TypeAlias = tuple[str, bytes]
"""The name of a hash as descriptions write it, "sha-256", and what it makes of a certificate."""

FIRST_WAIT: Final = 1.0
"""Seconds until a flight is sent again (RFC 6347 section 4.2.4.1); each time twice as long,"""
LONGEST_WAIT: Final = 4.0
"""but no longer than this: a caller listens."""
LIMIT: Final = 30.0
"""Seconds from the first datagram until a handshake is given up."""
LINGER: Final = 30.0
"""Seconds after it in which a peer that lost our last flight is sent it again."""
MOST_SENT: Final = 16_384
"""Bytes one handshake sends: whoever gave a false address does not get more to be sent there."""
MOST_RECEIVED: Final = 200
"""Datagrams one handshake takes in."""

_LONGEST_RECORD: Final = 1 << 14
_DTLS_1_2: Final = 0xFEFD
_NO_QUERY_MTU: Final = 0x1000  # SSL_OP_NO_QUERY_MTU
_LABEL: Final = b"EXTRACTOR-dtls_srtp"  # RFC 5764 section 4.2
_CIPHERS: Final = b":".join(
    b"ECDHE-%s-%s" % (proof, cipher)
    for cipher in (b"AES128-GCM-SHA256", b"AES256-GCM-SHA384", b"CHACHA20-POLY1305", b"AES128-SHA")
    for proof in (b"ECDSA", b"RSA")
)
_FOREVER: Final = datetime.datetime(9999, 12, 31, 23, 59, 59)  # RFC 5280 section 4.1.2.5


@dataclass(frozen=True, slots=True)
class _Profile:
    suite: str  # its name in RFC 4568 and RFC 7714
    key: int  # bytes
    salt: int


_PROFILES: Final = {
    b"SRTP_AEAD_AES_128_GCM": _Profile("AEAD_AES_128_GCM", 16, 12),
    b"SRTP_AEAD_AES_256_GCM": _Profile("AEAD_AES_256_GCM", 32, 12),
    b"SRTP_AES128_CM_SHA1_80": _Profile("AES_CM_128_HMAC_SHA1_80", 16, 14),
    b"SRTP_AES128_CM_SHA1_32": _Profile("AES_CM_128_HMAC_SHA1_32", 16, 14),
}


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """What a handshake came to: a master key and salt each way, never to be shown to anybody.

    Whoever uses them overwrites them in the end.
    """

    suite: str
    local: bytearray
    remote: bytearray


class Identity:
    """Our certificate, and what every handshake is done with."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "voice-gateway")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.datetime(2000, 1, 1))
            .not_valid_after(_FOREVER)
            .sign(key, hashes.SHA256())
        )
        self.digest = _digest("sha-256", certificate.public_bytes(Encoding.DER))
        self.context = context = SSL.Context(SSL.DTLS_METHOD)
        context.set_min_proto_version(_DTLS_1_2)
        context.set_max_proto_version(_DTLS_1_2)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | _NO_QUERY_MTU)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        # The fingerprint says whom we believe: how long a peer's own key is matters little.
        context.set_cipher_list(_CIPHERS + b":@SECLEVEL=1")
        context.set_tlsext_use_srtp(b":".join(_PROFILES))
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _verify)
        context.use_certificate(certificate)
        context.use_privatekey(key)
        own = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        self._secret = hashlib.sha256(b"cookies" + own).digest()
        context.set_cookie_generate_callback(self._bake)
        context.set_cookie_verify_callback(self._taste)

    def _bake(self, connection: SSL.Connection) -> bytes:
        """Return what only who is at an address is told there."""
        handshake: Handshake = connection.get_app_data()
        return hmac.digest(self._secret, handshake.claim, "sha256")

    def _taste(self, connection: SSL.Connection, cookie: bytes) -> bool:
        return hmac.compare_digest(cookie, self._bake(connection))


def _digest(name: str, certificate: bytes) -> Digest:
    return name, hashlib.new(name.replace("-", ""), certificate).digest()


def _verify(connection: SSL.Connection, certificate: X509, error: int, depth: int, ok: int) -> bool:
    del error, ok
    handshake: Handshake = connection.get_app_data()
    try:
        return depth > 0 or handshake.believes(dump_certificate(FILETYPE_ASN1, certificate))
    except Exception as fault:  # what is raised here would come out of the handshake
        handshake.disbelieve(f"the certificate cannot be read: {fault}")
        return False


class DtlsState(enum.Enum):
    """How far a handshake has come."""

    SHAKING = enum.auto()
    DONE = enum.auto()
    FAILED = enum.auto()


class Handshake:
    """One handshake with one address; ``digests`` says who may be there, any of several.

    ``keys`` is set once the state is ``DONE``, and for the owner to take away; ``problem`` once
    it is ``FAILED``.  ``claim`` is what a cookie is good for.  Once it is done data may follow,
    both ways, until ``is_closed``.
    """

    def __init__(
        self,
        identity: Identity,
        digests: Iterable[Digest],
        *,
        is_client: bool,
        now: float,
    ) -> None:
        self.state = DtlsState.SHAKING
        self.keys: Keys | None = None
        self.problem = ""
        self.claim = b""
        self.is_mismatch = False  # it was somebody else's certificate
        self.is_late = False  # nobody ended it in time
        self.is_closed = False  # the other side said goodbye
        self.dropped = 0  # datagrams that are no records, or too many
        self._digests = frozenset(digests)
        self._is_client = is_client
        self._flight: list[bytes] = []  # what was sent last
        self._sends: list[bytes] = []
        self._data: list[bytes] = []
        self._sent = self._received = 0
        self._ahead = 0  # of OpenSSL's numbers of records in the clear
        self._wait = FIRST_WAIT
        self._resend_at: float | None = None
        self._expires_at: float | None = None
        self._ssl = connection = SSL.Connection(identity.context, None)
        connection.set_app_data(self)
        connection.set_ciphertext_mtu(MTU)
        if is_client:
            connection.set_connect_state()
            self._step(now)
        else:
            connection.set_accept_state()

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        return min((t for t in (self._resend_at, self._expires_at) if t is not None), default=None)

    def admit(self, datagram: bytes, claim: bytes, now: float) -> bool:
        """Begin as the server, with a hello that brings the cookie for what its sender claims.

        Any other is answered by a cookie, if at all, and nothing is kept of it: there may be
        another.  OpenSSL takes a hello in one piece only.
        """
        self.claim = claim
        self._ssl.bio_write(datagram)
        try:
            self._ssl.DTLSv1_listen()
        except SSL.Error:
            with contextlib.suppress(SSL.WantReadError):
                self._sends = [self._ssl.bio_read(MTU)]
            with contextlib.suppress(SSL.Error):
                self._ssl.DTLSv1_listen()  # to nothing: what was wrong is else left to be found
            return False
        self._received += 1
        # OpenSSL takes it that this is the second record it is sent, and counts its own from
        # there; the cookie had the number of the hello before, which may have been a later one.
        self._ahead = max(0, int.from_bytes(datagram[5:11]) - 1)
        self._step(now)
        return True

    def receive(self, datagram: bytes, now: float) -> None:
        """Take in a datagram of the peer; one that is no DTLS is dropped."""
        records = records_of(datagram)
        is_done = self.state is DtlsState.DONE
        is_data = is_done and bool(records) and records[0][0] == APPLICATION_DATA
        is_much = self._received >= MOST_RECEIVED and not is_data
        if not records or is_much or self.state is DtlsState.FAILED:
            self.dropped += 1
            return
        self._received += not is_data
        self._ssl.bio_write(datagram)
        self._step(now)
        # A server has the last word: a client that goes on has not heard it.
        is_last = self.state is DtlsState.DONE and not self._is_client and not self._sends
        if is_last and any(record[0] == HANDSHAKE for record in records):
            self._send(self._flight)

    def wake(self, now: float) -> None:
        """Run whatever timers are due at ``now``."""
        if self._expires_at is not None and now >= self._expires_at:
            self._expires_at = self._resend_at = None
            if self.state is DtlsState.SHAKING:
                self.is_late = True
                self._fail("nobody answered the DTLS handshake in time")
        elif self._resend_at is not None and now >= self._resend_at:
            self._wait = min(2 * self._wait, LONGEST_WAIT)
            self._resend_at = now + self._wait
            try:
                is_its_time = self._ssl.DTLSv1_handle_timeout()
            except SSL.Error as error:
                self._fail(_words(error))
                return
            if is_its_time:
                self._collect()
            else:
                self._send(self._flight)

    def data_to_send(self) -> list[bytes]:
        """Drain the datagrams waiting to go out."""
        sends, self._sends = self._sends, []
        return sends

    def send(self, data: bytes) -> None:
        """Encrypt data for the other side, once the handshake is done."""
        with contextlib.suppress(SSL.Error):  # who said goodbye is told nothing any more
            self._ssl.send(data)
        self._sends += self._written()

    def data_received(self) -> list[bytes]:
        """Drain the data that the other side sent."""
        data, self._data = self._data, []
        return data

    def close(self) -> None:
        """Say goodbye (RFC 5246 section 7.2.1)."""
        with contextlib.suppress(SSL.Error):
            self._ssl.shutdown()
        self._sends += self._written()

    @property
    def is_over(self) -> bool:
        """Whether nothing will ever come of it any more."""
        return self.state is not DtlsState.SHAKING and self._expires_at is None

    def believes(self, certificate: bytes) -> bool:
        """Say whether a certificate (DER) is one that the description told of."""
        is_known = any(one == _digest(one[0], certificate) for one in self._digests)
        if not is_known:
            self.disbelieve("the certificate is not the one that the description tells of")
        return is_known

    def disbelieve(self, problem: str) -> None:
        """Note why the other side is not who it should be."""
        self.is_mismatch = True
        self.problem = problem

    def _step(self, now: float) -> None:
        """Go on with what is in the buffer."""
        if self._expires_at is None:
            self._expires_at = now + LIMIT
        try:
            if self.state is DtlsState.DONE:
                self._hear()
            else:
                self._ssl.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            if self.state is DtlsState.SHAKING:
                self._fail(self.problem or _words(error))
        else:
            if self.state is DtlsState.SHAKING:
                self._finish(now)
        if self._collect() and self.state is DtlsState.SHAKING:
            self._wait = FIRST_WAIT
            self._resend_at = now + self._wait

    def _hear(self) -> None:
        """Take what is data out of the buffer, and note a goodbye."""
        try:
            while data := self._ssl.recv(_LONGEST_RECORD):
                self._data.append(data)
        except SSL.ZeroReturnError:
            self.is_closed = True

    def _finish(self, now: float) -> None:
        profile = _PROFILES.get(self._ssl.get_selected_srtp_profile())
        if profile is None:
            self._fail("the other side speaks DTLS, but no SRTP")
            return
        key, salt = profile.key, profile.salt
        secret = bytearray(self._ssl.export_keying_material(_LABEL, 2 * (key + salt)))
        salts = secret[2 * key :]
        client, server = secret[:key] + salts[:salt], secret[key : 2 * key] + salts[salt:]
        local, remote = (client, server) if self._is_client else (server, client)
        self.keys = Keys(profile.suite, local, remote)
        for used in (secret, salts):
            used[:] = bytes(len(used))
        self.state = DtlsState.DONE
        self._resend_at, self._expires_at = None, now + LINGER

    def _fail(self, problem: str) -> None:
        self.state = DtlsState.FAILED
        self.problem = problem
        self._resend_at = self._expires_at = None

    def _collect(self) -> bool:
        """Take what OpenSSL has to send; ``False`` where that is nothing."""
        flight = self._written()
        if flight:
            self._flight = flight
            self._send(flight)
        return bool(flight)

    def _written(self) -> list[bytes]:
        try:
            written = self._ssl.bio_read(MOST_SENT)
        except SSL.WantReadError:
            return []
        return datagrams_of([moved(r, self._ahead) for r in records_of(written)])

    def _send(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            if self._sent + len(datagram) <= MOST_SENT:
                self._sent += len(datagram)
                self._sends.append(datagram)


def _words(error: SSL.Error) -> str:
    """Return what OpenSSL says of its errors."""
    told = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reasons = "; ".join(str(entry[-1]) for entry in told if entry)
    return f"the DTLS handshake failed: {reasons or 'no reason given'}"
