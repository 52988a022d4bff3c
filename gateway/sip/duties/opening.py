"""Keeps the way back open that a registration over UDP has made through a NAT.

RFC 5626 section 4.4.2 would have STUN, which a server must be known to speak.  A double CRLF does
as much for the NAT, and is nothing to a server (RFC 5626 section 3.5.1, RFC 3261 section 7.5).
"""

from typing import Final

from ..flow import Flow
from ..ways.courier import Courier

__all__ = ["Opening"]

_REST: Final = (24.0, 5.0)  # seconds between two, at least and more by chance (section 4.4.2)


class Opening:
    """The opening in whatever stands between us and one server."""

    def __init__(self, courier: Courier) -> None:
        self.deadline: float | None = None  # when :meth:`wake` must next be called
        self._courier = courier
        self._flow: Flow | None = None

    def keep(self, flow: Flow, now: float) -> None:
        """Hold the way back open that a request has just gone by; a connection needs no help."""
        self._flow = flow
        self.deadline = None if flow.is_reliable else now + self._rest()

    def wake(self, now: float) -> None:
        """Send a sign of life if it is due."""
        if self._flow is not None and self.deadline is not None and now >= self.deadline:
            self._courier.keep_open(self._flow)
            self.deadline = now + self._rest()

    def _rest(self) -> float:
        least, more = _REST
        return least + more * self._courier.ids.number(1001) / 1000
