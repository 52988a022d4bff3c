"""Certificates for servers on loopback, made on the spot by an authority of our own."""

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Authority"]

_HOUR = datetime.timedelta(hours=1)


class Authority:
    """Signs what it is asked to; trusted by who is told the name of its file."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, *hosts: str, is_expired: bool = False) -> ssl.SSLContext:
        """Return what a server that calls itself by these names shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate(*hosts, is_expired=is_expired))
        return context

    def certificate(
        self,
        *hosts: str,
        is_expired: bool = False,
        common_name: str = "",
        purpose: x509.ObjectIdentifier | None = None,
        file: str = "",
    ) -> Path:
        """Write a certificate and its key for these names, and return their file."""
        key = ec.generate_private_key(ec.SECP256R1())
        named = x509.NameAttribute(NameOID.COMMON_NAME, common_name or hosts[0])
        subject = x509.Name([named])
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            self._builder(subject, key.public_key(), is_expired=is_expired)
            .add_extension(x509.SubjectAlternativeName([_name(host) for host in hosts]), False)
            .add_extension(authority, critical=False)
        )
        if purpose is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        path = self._folder / (file or f"{'+'.join(hosts).replace(':', '-')}.pem")
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return path

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, is_expired: bool = False
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * _HOUR)
            .not_valid_after(now - _HOUR if is_expired else now + _HOUR)
        )


def _name(host: str) -> x509.GeneralName:
    if host.startswith("sip:"):
        return x509.UniformResourceIdentifier(host)
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
