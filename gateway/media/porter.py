"""STUN and DTLS of one lane on the media thread: told apart from sound, and handed on (RFC 7983).

What they ask for costs far more than a tick has time for, so the event loop does it.
"""

from collections.abc import Callable
from typing import Final

from .outbox import Outbox
from .path import Datagram
from .ports import Address, PortPair

__all__ = ["Porter"]

MOST: Final = 40
"""Datagrams handed on between two looks, half a second, of whom is known; of all others as many."""

_FIRST_OF_SOUND: Final = 128


class Porter:
    """Hands over what must be proved before there is sound, and sends what is answered."""

    def __init__(self, pair: PortPair, outbox: Outbox) -> None:
        self.on_datagram: Callable[[Datagram], None] | None = None  # while anything is wanted
        self.on_time: Callable[[float], None] | None = None  # while something is to be done in time
        self.dropped = 0
        self.errors = 0
        self._pair = pair
        self._outbox = outbox
        self._left = [MOST, MOST]  # of strangers, of the known

    def takes(
        self, data: bytes, source: Address, now: float, *, is_known: bool, is_report: bool = False
    ) -> bool:
        """Say whether a datagram is none of sound or reports, and hand it on if it is wanted."""
        if self.on_datagram is None or not data or data[0] >= _FIRST_OF_SOUND:
            return False
        if self._left[is_known]:
            self._left[is_known] -= 1
            datagram = Datagram(data, source[:2], is_report, now)
            self._outbox.parcel.append((self.on_datagram, datagram))
        else:
            self.dropped += 1
        return True

    def serve(
        self,
        now: float,
        on_datagram: Callable[[Datagram], None] | None,
        on_time: Callable[[float], None] | None,
    ) -> None:
        """Hand datagrams to the one and the time to the other from now on, or to nobody."""
        del now
        self.on_datagram, self.on_time = on_datagram, on_time

    def keep_up(self, now: float) -> None:
        """Tell the time, and take as many datagrams again."""
        self._left = [MOST, MOST]
        if self.on_time is not None:
            self._outbox.parcel.append((self.on_time, now))

    def send(self, now: float, data: bytes, address: Address, is_report: bool) -> None:
        """Send a datagram from one of the ports."""
        del now
        port = self._pair.rtcp if is_report else self._pair.rtp
        try:
            port.sendto(data, address)
        except (OSError, OverflowError):  # a port of the other side that does not exist
            self.errors += 1
