"""What tables that are each well written do not make sense of together, about SIP."""

import ipaddress
from collections.abc import Mapping, Sequence

from .flows import Target
from .sip import SipSettings, TrunkSettings

__all__ = ["nonsense"]


def nonsense(
    sip: SipSettings, trunks: Sequence[TrunkSettings], targets: Mapping[str, Target]
) -> str:
    """Return where something cannot work, why, and how to mend it; empty where all may."""
    for number, trunk in enumerate(trunks):
        if trunk.tls_names and not (_sees_names(sip) or trunk.server):
            return (
                f"trunks.{number}.tls_names: nobody shows us a certificate; bind tls:HOST:PORT,"
                ' with clients = "ask" or "require" in [sip.tls]'
            )
        if (other := _shadow(trunk, trunks[:number])) is not None:
            return (
                f"trunks.{number}.hosts: all of them belong to trunk {other.name!r} before;"
                f" put {trunk.name!r} first, or remove it"
            )
    if not any(trunk.server for trunk in trunks):
        for name, target in targets.items():
            if target.mode != "blind" and target.uri.lower().startswith("tel:"):
                return (
                    f"targets.{name}: {target.uri} is a number, and no trunk has a server to call"
                    ' it by; give one server = "sip:HOST", or write sip:NUMBER@HOST'
                )
    return ""


def _sees_names(sip: SipSettings) -> bool:
    """Tell whether anybody who connects is asked for a certificate; browsers are if all must."""
    asked = {"ignore": (), "ask": ("tls:",), "require": ("tls:", "wss:")}[sip.tls.clients]
    return any(bind.startswith(asked) for bind in sip.bind)


def _shadow(trunk: TrunkSettings, before: Sequence[TrunkSettings]) -> TrunkSettings | None:
    """Return a trunk that all senders of a later one are taken for.

    One that is called, or known otherwise too, is of use all the same; and of all trunks that
    ask for a password the one whose it is is found.
    """
    if not trunk.hosts or trunk.tls_names or trunk.server:
        return None
    for other in before:
        are_asked = other.authenticate == trunk.authenticate == "digest"
        if not are_asked and all(_holds(other.hosts, host) for host in trunk.hosts):
            return other
    return None


def _holds(hosts: Sequence[str], host: str) -> bool:
    inner = ipaddress.ip_network(host, strict=False)
    for outer in (ipaddress.ip_network(each, strict=False) for each in hosts):
        low, high = outer.network_address, outer.broadcast_address
        is_alike = outer.version == inner.version
        if is_alike and int(low) <= int(inner.network_address) <= int(
            inner.broadcast_address
        ) <= int(high):
            return True
    return False
