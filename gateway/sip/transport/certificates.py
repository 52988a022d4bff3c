"""Our certificate and those we believe, read from files, and read anew when these change."""

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from OpenSSL import SSL, crypto

from ...config import TlsSettings
from ...errors import ConfigError
from .tls import Claims, judge_by

__all__ = ["Certificates", "Validity", "validity_of"]

_Key: TypeAlias = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)
_Stamp: TypeAlias = tuple[tuple[int, int, int] | None, ...]


_KEY: Final = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)


class Validity(NamedTuple):
    """From when until when a certificate is any good."""

    since: datetime
    until: datetime

    def fault(self, now: datetime) -> str:
        """Return in words why it is no good; empty where it is."""
        if now > self.until:
            return f"expired on {self.until:%Y-%m-%d at %H:%M} UTC"
        return f"is not valid before {self.since:%Y-%m-%d at %H:%M} UTC" if now < self.since else ""


@dataclass(frozen=True, slots=True)
class _Contexts:
    validity: Validity | None  # none without a certificate
    client: SSL.Context
    server: SSL.Context | None  # none without a certificate
    web_server: SSL.Context | None


class Certificates:
    """What TLS connections are made with; every new one sees the files as they are now.

    Files that have become unreadable or do not fit each other change nothing, and
    are told to the log once.
    """

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self._stamp: _Stamp = ()
        self._contexts: _Contexts | None = None
        self.failures = 0

    def check(self) -> None:
        """Read the files, where any are named.

        Raises:
            ConfigError: One is missing or no good; says which, and why.

        """
        if self._look():
            self._load()

    @property
    def client(self) -> SSL.Context:
        """For connections that we open."""
        return self._current().client

    def server(self, *, is_web: bool) -> SSL.Context:
        """Return what connections are taken with; ``is_web``: those of browsers.

        Browsers ask their users when they are asked for a certificate, so that one
        is only asked for where it is required.
        """
        contexts = self._current()
        context = contexts.web_server if is_web else contexts.server
        if context is None:
            raise ConfigError("sip.tls.certificate: there is none; name the PEM file that holds it")
        return context

    def _current(self) -> _Contexts:
        stamp = self._look()
        if self._contexts is None:
            self._load()
        elif stamp != self._stamp:
            self._stamp = stamp
            try:
                self._contexts = self._successor(self._contexts)
            except ConfigError as error:
                self.failures += 1
                structlog.get_logger().warning("certificate not replaced", problem=str(error))
            else:
                structlog.get_logger().info("certificate replaced", file=self._settings.certificate)
        assert self._contexts is not None
        return self._contexts

    def _successor(self, before: _Contexts) -> _Contexts:
        """Read the files anew.

        Raises:
            ConfigError: They are no good, or no longer are while what they were before still is.

        """
        after, now = self._read(), datetime.now(UTC)
        fault = after.validity.fault(now) if after.validity else ""
        if fault and before.validity is not None and not before.validity.fault(now):
            raise ConfigError(
                f"sip.tls.certificate: {self._settings.certificate}: it {fault},"
                " and the one before is still good; renew it"
            )
        return after

    def _load(self) -> None:
        self._stamp = self._look()
        self._contexts = self._read()

    def _look(self) -> _Stamp:
        """Note when each file was last changed."""
        settings = self._settings
        return tuple(
            _stamp(path)
            for path in (settings.certificate, settings.key, settings.authorities)
            if path
        )

    def _read(self) -> _Contexts:
        settings = self._settings
        client = self._context("require", is_server=False)
        if not settings.certificate:
            return _Contexts(None, client, None, None)
        of_browsers: Claims = "require" if settings.clients == "require" else "ignore"
        return _Contexts(
            validity_of(settings),
            client,
            self._context(settings.clients, is_server=True),
            self._context(of_browsers, is_server=True),
        )

    def _context(self, claims: Claims, *, is_server: bool) -> SSL.Context:
        settings = self._settings
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        # Who is taken up again later is not judged again: everybody begins anew.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        judge_by(context, claims, is_server=is_server)
        if settings.certificate:
            _load_own(context, settings.certificate, settings.key)
        if claims != "ignore":
            _load_authorities(context, settings.authorities)
        return context


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def _content(setting: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        problem = error.strerror or str(error)
        raise ConfigError(f"sip.tls.{setting}: {path}: {problem}; name another file") from None


def validity_of(settings: TlsSettings) -> Validity | None:
    """Return from when until when our certificate is good; nothing where there is none.

    Raises:
        ConfigError: It cannot be read.

    """
    if not settings.certificate:
        return None
    own, *_ = _chain(settings.certificate)
    return Validity(own.not_valid_before_utc, own.not_valid_after_utc)


def _chain(path: str) -> list[x509.Certificate]:
    """Read our certificate, and those behind it in the file."""
    try:
        return x509.load_pem_x509_certificates(_content("certificate", path))
    except ValueError:
        problem = "no certificate in PEM; convert it, or name another file"
        raise ConfigError(f"sip.tls.certificate: {path}: {problem}") from None


def _load_own(context: SSL.Context, certificate: str, key: str) -> None:
    """Have a context show a certificate, and those behind it in the file."""
    where = f"sip.tls.certificate: {certificate}"
    own, *chain = _chain(certificate)
    private = _private_key("key" if key else "certificate", key or certificate)
    try:
        context.use_certificate(own)
        for other in chain:
            context.add_extra_chain_cert(other)
        context.use_privatekey(private)
    except SSL.Error as error:
        raise ConfigError(f"{where}: {_fault(error)}") from None


def _private_key(setting: str, path: str) -> _Key:
    where = f"sip.tls.{setting}: {path}"
    block = _KEY.search(_content(setting, path))
    try:
        if block is None:
            raise ValueError
        key = serialization.load_pem_private_key(block[0], None)
        if not isinstance(key, _Key):
            raise ValueError
        return key
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{where}: no key in PEM; convert it, or name another file") from None
    except TypeError:
        problem = "the key needs a password; write it out without one"
        raise ConfigError(f"{where}: {problem}") from None


def _load_authorities(context: SSL.Context, path: str) -> None:
    if not path:
        context.set_default_verify_paths()
        return
    _content("authorities", path)
    try:
        context.load_verify_locations(path)
    except SSL.Error:
        problem = "no certificate in PEM; convert it, or name another file"
        raise ConfigError(f"sip.tls.authorities: {path}: {problem}") from None
    # A certificate that is named is believed, whoever signed it.
    store = context.get_cert_store()
    assert store is not None
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)


def _fault(error: SSL.Error) -> str:
    match error.args[0][-1][-1] if error.args and error.args[0] else "":
        case "key values mismatch" | "key type mismatch":
            return "the key is that of another certificate; name the one that belongs to it"
        case reason:
            return f"{reason or 'it is refused'}; make a new certificate"
