"""How many calls a second one neighbour may begin, and how many of anything."""

import ipaddress
from collections import OrderedDict
from typing import Final

__all__ = ["Pace", "Paces", "sharers_of"]

_MOST_HOSTS: Final = 4096  # whose pace is known; that of whoever was counted longest ago goes first


class Pace:
    """Lets so many through a second, and as many at once; time is an argument.

    ``at_once`` says how many at once where that is another number.
    """

    def __init__(self, per_second: float, at_once: float = 0.0) -> None:
        self._per_second = per_second
        self._most = max(1.0, at_once or per_second)
        self._left = self._most
        self._at = 0.0

    def takes(self, now: float) -> bool:
        """Count one more, if there is room for it."""
        if self.seconds_to_wait(now):
            return False
        self._left -= 1.0
        return True

    def seconds_to_wait(self, now: float) -> float:
        """Return how long it is until there is room for one more."""
        self._left = min(self._most, self._left + (now - self._at) * self._per_second)
        self._at = now
        return max(0.0, 1.0 - self._left) / self._per_second


class Paces:
    """A pace for each address: so many a minute, and as many at once."""

    def __init__(self, per_minute: float) -> None:
        self._per_minute = per_minute
        self._paces: OrderedDict[str, Pace] = OrderedDict()

    def __len__(self) -> int:
        return len(self._paces)

    def takes(self, address: str, now: float) -> bool:
        """Count one more of an address, if there is room for it."""
        host = sharers_of(address)
        pace = self._paces.pop(host, None) or Pace(self._per_minute / 60, self._per_minute)
        self._paces[host] = pace
        if len(self._paces) > _MOST_HOSTS:
            self._paces.popitem(last=False)
        return pace.takes(now)

    def seconds_to_wait(self, address: str, now: float) -> float:
        """Return how long it is until there is room for one more of an address."""
        pace = self._paces.get(sharers_of(address))
        return 0.0 if pace is None else pace.seconds_to_wait(now)


def sharers_of(address: str) -> str:
    """Return who shares a pace: an address, of IPv6 the network that one customer has."""
    try:
        host = ipaddress.ip_address(address)
    except ValueError:
        return address
    host = getattr(host, "ipv4_mapped", None) or host
    return (
        str(ipaddress.ip_network((int(host), 64), strict=False)) if host.version == 6 else str(host)
    )
