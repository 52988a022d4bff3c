"""Our certificate and those we believe, read from files, and read anew when these change."""

import os
import ssl
from dataclasses import dataclass
from typing import Final, TypeAlias

import structlog

from ...config import TlsSettings
from ...errors import ConfigError

__all__ = ["Certificates"]

_Stamp: TypeAlias = tuple[tuple[int, int, int] | None, ...]

_CLIENTS: Final = {
    "ignore": ssl.CERT_NONE,
    "ask": ssl.CERT_OPTIONAL,
    "require": ssl.CERT_REQUIRED,
}


@dataclass(frozen=True, slots=True)
class _Contexts:
    client: ssl.SSLContext
    server: ssl.SSLContext | None  # none without a certificate
    web_server: ssl.SSLContext | None


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
    def client(self) -> ssl.SSLContext:
        """For connections that we open."""
        return self._current().client

    def server(self, *, is_web: bool) -> ssl.SSLContext:
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
                self._contexts = self._read()
            except ConfigError as error:
                self.failures += 1
                structlog.get_logger().warning("certificate not replaced", problem=str(error))
            else:
                structlog.get_logger().info("certificate replaced", file=self._settings.certificate)
        assert self._contexts is not None
        return self._contexts

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
        client = self._context(ssl.PROTOCOL_TLS_CLIENT, ssl.CERT_REQUIRED)
        if not settings.certificate:
            return _Contexts(client, None, None)
        server = self._context(ssl.PROTOCOL_TLS_SERVER, _CLIENTS[settings.clients])
        is_required = settings.clients == "require"
        web_server = self._context(
            ssl.PROTOCOL_TLS_SERVER, ssl.CERT_REQUIRED if is_required else ssl.CERT_NONE
        )
        return _Contexts(client, server, web_server)

    def _context(self, protocol: int, verify_mode: ssl.VerifyMode) -> ssl.SSLContext:
        settings = self._settings
        context = ssl.SSLContext(protocol)
        context.check_hostname = False  # names we judge ourselves: RFC 5922 knows more kinds
        context.verify_mode = verify_mode
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        # A certificate that is named among the authorities is believed, whoever signed it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if settings.certificate:
            _check_readable("certificate", settings.certificate)
            _check_readable("key", settings.key)
            _load_own(context, settings.certificate, settings.key)
        if settings.authorities:
            _check_readable("authorities", settings.authorities)
            try:
                context.load_verify_locations(settings.authorities)
            except ssl.SSLError:
                raise ConfigError(
                    f"sip.tls.authorities: {settings.authorities}: no certificate in PEM;"
                    " convert it, or name another file"
                ) from None
        elif verify_mode is not ssl.CERT_NONE:
            context.load_default_certs()
        return context


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def _check_readable(setting: str, path: str) -> None:
    if not path:
        return
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        problem = error.strerror or str(error)
        raise ConfigError(f"sip.tls.{setting}: {path}: {problem}; name another file") from None


def _load_own(context: ssl.SSLContext, certificate: str, key: str) -> None:
    asked = []

    def refuse() -> str:
        """Stand in for the question that OpenSSL would put to the terminal."""
        asked.append(True)
        return ""

    try:
        context.load_cert_chain(certificate, key or None, password=refuse)
    except ssl.SSLError as error:
        fault = "the key needs a password; write it out without one" if asked else _fault(error)
        raise ConfigError(f"sip.tls.certificate: {certificate}: {fault}") from None


def _fault(error: ssl.SSLError) -> str:
    match error.reason:
        case "KEY_VALUES_MISMATCH":
            return "the key is that of another certificate; name the one that belongs to it"
        case "EE_KEY_TOO_SMALL" | "CA_MD_TOO_WEAK" | "CA_KEY_TOO_SMALL":
            return "key or signature are too weak to be believed; make a new certificate"
        case _:
            return "no certificate and key in PEM; convert it, or name another file"
