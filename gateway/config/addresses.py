"""Addresses that the gateway itself calls: whole, and never in clear but on this machine."""

from urllib.parse import SplitResult, urlsplit

from .sections import is_loopback

__all__ = ["is_in_clear", "posting_address", "split_address"]


def split_address(url: str, *schemes: str) -> SplitResult | None:
    """Return the parts of an address with a host and one of ``schemes``, or nothing."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    is_whole = url.startswith(tuple(f"{scheme}://" for scheme in schemes)) and bool(host)
    return parts if is_whole else None


def is_in_clear(parts: SplitResult) -> bool:
    """Tell whether what goes there could be read on its way."""
    return parts.scheme in ("ws", "http") and not is_loopback(parts.hostname or "")


def posting_address(url: str) -> str:
    """Return an address that may be posted to.

    Raises:
        ValueError: It is none, is in clear, or holds a password; says how to mend it.

    """
    parts = split_address(url, "http", "https")
    if parts is None or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("is not an address to post to; write https://HOST/PATH")
    if parts.username or parts.password:
        raise ValueError("holds a user or password; secrets stay out of files: use secret_env")
    if is_in_clear(parts):
        raise ValueError(f"{url!r} would send the call's data in clear; write https://")
    return url
