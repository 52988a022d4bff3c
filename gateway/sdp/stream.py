"""What one media section says about its stream: which ways, where to, how much per packet."""

import ipaddress
from typing import Final, Literal, NamedTuple, TypeAlias

from ..errors import NegotiationError, SdpError
from .description import MediaDescription, SessionDescription

__all__ = ["Address", "Destination", "Direction", "Ways", "destination", "offered_ways", "ptime"]

Address: TypeAlias = tuple[str, int]
Direction: TypeAlias = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

PTIME: Final = 20
LONGEST_PTIME: Final = 60


class Ways(NamedTuple):
    """A direction taken apart."""

    sends: bool
    receives: bool

    @classmethod
    def of(cls, direction: str) -> "Ways":
        """Return the ways that a direction attribute stands for."""
        return cls(direction in ("sendrecv", "sendonly"), direction in ("sendrecv", "recvonly"))

    @property
    def direction(self) -> Direction:
        """The name of the direction attribute."""
        if self.sends:
            return "sendrecv" if self.receives else "sendonly"
        return "recvonly" if self.receives else "inactive"


class Destination(NamedTuple):
    """Where a section wants its packets, as far as that can be reached."""

    rtp: Address | None
    rtcp: Address | None
    is_blackhole: bool
    """The address is 0.0.0.0, the old way to put on hold (RFC 3264 section 8.4)."""


def offered_ways(description: SessionDescription, section: MediaDescription) -> Ways:
    """Return whether the other side will send and will receive; both unless it says less."""
    for scope in (section, description):
        for direction in ("inactive", "sendonly", "recvonly", "sendrecv"):
            if scope.attributes(direction):
                return Ways.of(direction)
    return Ways(True, True)


def ptime(section: MediaDescription, *, unless: int = PTIME) -> int:
    """Return the milliseconds per packet the other side asks for, 10 to 60, a multiple of 10.

    ``unless`` it asks for any, that many.
    """
    wanted = _milliseconds(section.attribute("ptime"), unless)
    longest = _milliseconds(section.attribute("maxptime"), LONGEST_PTIME)
    return max(10, min(wanted, longest, LONGEST_PTIME) // 10 * 10)


def _milliseconds(text: str | None, default: int) -> int:
    """Read a count of milliseconds; what cannot be read, and zero, mean the default."""
    whole = (text or "").partition(".")[0].strip()
    if not (whole.isascii() and whole.isdigit() and len(whole) < 6):
        return default
    return int(whole) or default


def _usable(host: str, *, like: str) -> bool:
    """Say whether a socket of ``like``'s family can send to ``host`` without asking DNS."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if address.is_multicast:
        raise NegotiationError(f"media to the multicast address {host} is not sent")
    return (address.version == 6) == (":" in like)


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def destination(
    description: SessionDescription, section: MediaDescription, *, local_host: str
) -> Destination:
    """Return where to send, seen from ``local_host``.

    A name, or an address of the other family, cannot be sent to: there the
    packets that arrive must show the way (RFC 4961).

    Raises:
        SdpError: No ``c=`` line says where.
        NegotiationError: The address is a multicast group.

    """
    host = section.connection or description.connection
    if host is None:
        raise SdpError("no connection line")
    if _is_unspecified(host):
        return Destination(None, None, is_blackhole=True)
    if not _usable(host, like=local_host):
        return Destination(None, None, is_blackhole=False)
    rtcp = (host, section.port + 1) if section.port < 65_535 else None
    fields = (section.attribute("rtcp") or "").split()  # port [IN IP4 host] (RFC 3605)
    if fields and fields[0].isascii() and fields[0].isdigit() and 0 < int(fields[0][:6]) < 65_536:
        own = len(fields) == 4 and not _is_unspecified(fields[3])
        own = own and _usable(fields[3], like=local_host)
        rtcp = (fields[3] if own else host, int(fields[0]))
    return Destination((host, section.port), rtcp, is_blackhole=False)
