"""TLS over bytes in memory: the handshake, what it proved, and what was wrong (RFC 5246, 8446).

By the library that lets us judge certificates ourselves: of who connects to us one
may be no more than a claim, and one made for servers is good all the same.
"""

import ipaddress
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from cryptography import x509
from OpenSSL import SSL

from ...errors import SipError
from ..ways.identity import names_in

__all__ = ["Claims", "TlsChannel", "judge_by"]

Claims: TypeAlias = Literal["ignore", "ask", "require"]  # what is made of certificates

_CHUNK: Final = 65_536
_OTHER_PURPOSE: Final = 26  # a certificate of servers, shown by a client: what carriers have

_FAULTS: Final = {
    9: "is not valid yet",
    10: "has expired",
    18: "is signed by itself alone, and not among our authorities",
    19: "comes from an authority that we do not know",
    20: "comes from an authority that we do not know",
    21: "comes from an authority that we do not know",
    23: "has been revoked",
    _OTHER_PURPOSE: "is not meant for servers",
    66: "has a key too weak to be believed",
    67: "has an authority whose key is too weak to be believed",
    68: "has a signature too weak to be believed",
}
_REASONS: Final = {
    "wrong version number": "it does not speak TLS there",
    "http request": "it does not speak TLS there",
    "unsupported protocol": "it speaks no TLS newer than 1.1",
    "alert protocol version": "it speaks no version of TLS that we do",
    "alert handshake failure": "it refuses every way of encryption we have, or our certificate",
    "alert certificate required": "it wants a certificate of ours",
    "did not return a certificate": "it showed no certificate",
    "alert unknown ca": "it does not know the authority of our certificate",
    "alert bad certificate": "it refuses our certificate",
    "alert certificate unknown": "it refuses our certificate",
    "alert certificate expired": "it says that our certificate has expired",
    "unrecognized name": "it knows nobody of that name",
}


class TlsChannel:
    """One side of one TLS connection.

    Args:
        context: What we show and whom we believe.
        is_server: Whether the other side connected to us.
        domain: Whom we call, told to the server (SNI).

    """

    def __init__(self, context: SSL.Context, *, is_server: bool, domain: str = "") -> None:
        self.is_open = False
        self._faults: list[int] = []  # of the other side's certificate
        self._tls = SSL.Connection(context, None)
        self._tls.set_app_data(self._faults)
        if is_server:
            self._tls.set_accept_state()
            return
        self._tls.set_connect_state()
        if name := _server_name(domain):
            self._tls.set_tlsext_host_name(name)
        self.receive_data(b"")

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the certificate that the other side showed, if it is good; may be none."""
        if not self.is_open or self._faults:
            return ()
        certificate = self._tls.get_peer_certificate(as_cryptography=True)
        return () if certificate is None else names_in(_alternatives(certificate))

    def receive_data(self, data: bytes) -> bytes:
        """Take in bytes off the connection; return what they say.

        Raises:
            SipError: The other side is not whom we believe, or breaks the rules: close it,
                when :meth:`data_to_send` has been sent.

        """
        plain = bytearray()
        try:
            if data:
                self._tls.bio_write(data)
            if not self.is_open:
                self._tls.do_handshake()
                self.is_open = True
            while True:
                plain += self._tls.recv(_CHUNK)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            pass  # it says goodbye, and will close the connection
        except SSL.Error as error:
            raise SipError(self._explain(error), status=503) from error
        return bytes(plain)

    def encrypt(self, data: bytes) -> None:
        """Take in what is to be said, once the channel is open."""
        self._tls.sendall(data)

    def data_to_send(self) -> bytes:
        """Drain the bytes waiting to go out."""
        data = bytearray()
        try:
            while True:
                data += self._tls.bio_read(_CHUNK)
        except SSL.WantReadError:
            return bytes(data)

    def _explain(self, error: SSL.Error) -> str:
        """Say in words what went wrong."""
        told = error.args[0] if error.args and isinstance(error.args[0], list) else []
        reason = str(told[-1][-1]) if told else "it broke off"
        if self._faults and "certificate verify failed" in reason:
            fault = self._faults[0]
            return f"its certificate {_FAULTS.get(fault, f'is not good (OpenSSL error {fault})')}"
        known = next((words for end, words in _REASONS.items() if reason.endswith(end)), None)
        return known or f"TLS failed: {reason}"


def judge_by(context: SSL.Context, claims: Claims, *, is_server: bool) -> None:
    """Have certificates looked at, asked for, or required; servers must always have a good one.

    Where one is asked for, one that is not good is as good as none.
    """

    def judge(tls: SSL.Connection, _certificate: object, fault: int, _depth: int, ok: int) -> bool:
        if ok or (is_server and fault == _OTHER_PURPOSE):
            return True
        tls.get_app_data().append(fault)
        return is_server and claims == "ask"

    mode = SSL.VERIFY_NONE if is_server and claims == "ignore" else SSL.VERIFY_PEER
    if not is_server or claims == "require":
        mode |= SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    context.set_verify(mode, judge)


def _alternatives(certificate: x509.Certificate) -> Iterator[tuple[str, str]]:
    """Yield the kinds and values of a certificate's subjectAltName, as far as it can be read."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return
    for name in names:
        match name:
            case x509.DNSName(value=value):
                yield "DNS", value
            case x509.IPAddress(value=address):
                yield "IP", str(address)
            case x509.UniformResourceIdentifier(value=value):
                yield "URI", value


def _server_name(domain: str) -> bytes:
    """Return what may be told of ``domain``: a name in letters of DNS, never an address."""
    name = domain.rstrip(".")
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        labels = name.split(".")
        is_fit = name.isascii() and len(name) < 254 and all(0 < len(x) < 64 for x in labels)
        return name.encode() if is_fit else b""
    return b""
