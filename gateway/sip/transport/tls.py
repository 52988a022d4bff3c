"""TLS over bytes in memory: the handshake, what it proved, and what was wrong (RFC 5246, 8446)."""

import ssl
from typing import Final

from ...errors import SipError
from ..identity import names_in

__all__ = ["TlsChannel", "explain"]

_CHUNK: Final = 65_536

_VERIFICATION: Final = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is signed by itself alone, and not among our authorities",
    19: "its certificate comes from an authority that we do not know",
    20: "its certificate comes from an authority that we do not know",
    21: "its certificate comes from an authority that we do not know",
    23: "its certificate has been revoked",
    26: "its certificate is not meant for this use",
}
_ALERTS: Final = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS there",
    "HTTP_REQUEST": "it does not speak TLS there",
    "UNSUPPORTED_PROTOCOL": "it speaks no TLS newer than 1.1",
    "PROTOCOL_VERSION": "it speaks no version of TLS that we do",
    "HANDSHAKE_FAILURE": "it refuses every way of encryption we have, or our certificate",
    "CERTIFICATE_REQUIRED": "it wants a certificate of ours",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it showed no certificate",
    "UNKNOWN_CA": "it does not know the authority of our certificate",
    "BAD_CERTIFICATE": "it refuses our certificate",
    "CERTIFICATE_UNKNOWN": "it refuses our certificate",
    "CERTIFICATE_EXPIRED": "it says that our certificate has expired",
    "UNRECOGNIZED_NAME": "it knows nobody of that name",
}


class TlsChannel:
    """One side of one TLS connection.

    Args:
        context: What we show and whom we believe.
        is_server: Whether the other side connected to us.
        domain: Whom we call, told to the server (SNI).

    """

    def __init__(self, context: ssl.SSLContext, *, is_server: bool, domain: str = "") -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, is_server, _server_name(domain) or None
        )
        self.is_open = False
        if not is_server:
            self.receive_data(b"")

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the certificate that the other side showed, verified; may be none."""
        return names_in(self._tls.getpeercert()) if self.is_open else ()

    def receive_data(self, data: bytes) -> bytes:
        """Take in bytes off the connection; return what they say.

        Raises:
            SipError: The other side is not whom we believe, or breaks the rules: close it,
                when :meth:`data_to_send` has been sent.

        """
        self._incoming.write(data)
        plain = bytearray()
        try:
            if not self.is_open:
                self._tls.do_handshake()
                self.is_open = True
            while chunk := self._tls.read(_CHUNK):
                plain += chunk
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            pass  # it says goodbye, and will close the connection
        except ssl.SSLError as error:
            raise SipError(explain(error), status=503) from error
        return bytes(plain)

    def encrypt(self, data: bytes) -> None:
        """Take in what is to be said, once the channel is open."""
        self._tls.write(data)

    def data_to_send(self) -> bytes:
        """Drain the bytes waiting to go out."""
        return self._outgoing.read()


def explain(error: ssl.SSLError) -> str:
    """Say in words what went wrong."""
    if isinstance(error, ssl.SSLCertVerificationError):
        known = _VERIFICATION.get(error.verify_code)
        return known or f"its certificate is not good: {error.verify_message}"
    reason = error.reason or ""
    known = next((words for name, words in _ALERTS.items() if reason.endswith(name)), None)
    return known or f"TLS failed: {reason.lower().replace('_', ' ') or error}"


def _server_name(domain: str) -> str:
    """Return what may be told of ``domain``: a name that fits, in letters of DNS."""
    name = domain.rstrip(".")
    is_fit = name.isascii() and len(name) < 254 and all(0 < len(x) < 64 for x in name.split("."))
    return name if is_fit else ""
