"""Whom a certificate speaks for: the names it holds, and whether one of them is meant (RFC 5922).

Only the subjectAltName counts, never the common name: domains, addresses, and
SIP URIs without a user.  Against section 7.2 a wildcard may stand for the first
label of a domain, for large providers have certificates of no other kind.
"""

import ipaddress
from collections.abc import Iterable
from typing import Final

__all__ = ["is_named", "names_in"]

_MOST_NAMES: Final = 256


def names_in(alternatives: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the names of a verified certificate in lower case.

    ``alternatives`` are the kinds (``DNS``, ``IP``, ``URI``) and values of its subjectAltName.
    """
    names = (_name(kind, value) for kind, value in alternatives)
    return tuple(dict.fromkeys(name for name in names if name))[:_MOST_NAMES]


def is_named(domain: str, names: Iterable[str]) -> bool:
    """Whether ``domain``, or an address, is one of the names."""
    wanted = _plain(domain)
    _, dot, parent = wanted.partition(".")
    is_host = dot and not _is_address(wanted)
    accepted = {wanted, f"*.{parent}"} if is_host and "." in parent else {wanted}
    return bool(wanted) and not accepted.isdisjoint(_plain(name) for name in names)


def _name(kind: str, value: str) -> str:
    match kind:
        case "DNS" | "IP":
            return _plain(value)
        case "URI" if value[:4].lower() == "sip:" and "@" not in value:
            return _plain(value[4:].partition(";")[0].partition("?")[0])
        case _:
            return ""


def _plain(name: str) -> str:
    name = name.strip("[]").rstrip(".").lower()
    return str(ipaddress.ip_address(name)) if _is_address(name) else name


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
