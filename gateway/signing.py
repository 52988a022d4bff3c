"""Signed messages over HTTP, as Standard Webhooks has them: HMAC-SHA256 over ``id.timestamp.body``.

A secret is base64 behind ``whsec_``, or any text; a signature is base64 behind ``v1,``.  The
service signs its webhooks so, and the gateway what it posts.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

from .errors import WebhookError

__all__ = ["HEADERS", "is_signed", "key_of", "sign"]

HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
"""The headers of a signed message, in the order in which they are signed with its body."""

_MOST_SIGNATURES: Final = 16


def key_of(secret: str) -> bytes:
    """Return the key a secret stands for: base64 behind ``whsec_``, otherwise its own bytes.

    Raises:
        WebhookError: What follows ``whsec_`` is not base64, or there is nothing.

    """
    if not secret.startswith("whsec_"):
        key = secret.encode(errors="surrogateescape")  # as an environment holds odd bytes
    else:
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            raise WebhookError("the webhook secret is not base64 behind whsec_") from None
    if not key:
        raise WebhookError("the webhook secret is empty")
    return key


def sign(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the ``webhook-signature`` of a message, as a sender writes it."""
    digest = _digest(key_of(secret), webhook_id, str(timestamp), body)
    return "v1," + base64.b64encode(digest).decode()


def is_signed(
    secrets: Iterable[str], webhook_id: str, timestamp: str, signatures: str, body: bytes
) -> bool:
    """Tell whether one of ``signatures`` (between blanks) is that of one of ``secrets``.

    Raises:
        WebhookError: A secret is none.

    """
    keys = [key_of(secret) for secret in secrets]
    wanted = [_digest(key, webhook_id, timestamp, body) for key in keys]
    return _is_among(signatures.split()[:_MOST_SIGNATURES], wanted)


def _digest(key: bytes, webhook_id: str, timestamp: str, body: bytes) -> bytes:
    """Sign what was written, to the letter: a timestamp in other digits is another message."""
    signed = f"{webhook_id}.{timestamp}.".encode(errors="surrogateescape") + body
    return hmac.digest(key, signed, hashlib.sha256)


def _is_among(signatures: Iterable[str], wanted: Iterable[bytes]) -> bool:
    """Compare every signature with every wanted one, in the same time wherever they differ."""
    found = False
    for signature in signatures:
        version, comma, encoded = signature.partition(",")
        if comma and version != "v1":
            continue
        try:
            given = base64.b64decode(encoded if comma else version, validate=True)
        except (binascii.Error, ValueError):
            continue
        for each in wanted:
            found |= hmac.compare_digest(given, each)
    return found
