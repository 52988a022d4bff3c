"""Who keeps a lane's ways on the event loop: what they answer is sent, what they prove is used."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, assert_never

from ..clock import Clock
from ..rtp.dtls import Identity
from ..sdp.negotiate import Negotiated
from .path import Datagram, Found, Keyed, Path, PathEvent, Refused
from .ports import Address

if TYPE_CHECKING:
    from .seat import Seat

__all__ = ["Warden"]


class _Orders(Protocol):
    def __call__(self, order: Callable[..., None], /, *args: object) -> None:
        """Have something done on the media thread."""
        ...


class Warden:
    """Has the other side of a lane proved, as far as that was negotiated.

    ``order`` has something done on the media thread.
    """

    def __init__(self, seat: "Seat", identity: Identity, clock: Clock, order: _Orders) -> None:
        self._seat = seat
        self._clock = clock
        self._order = order
        self._paths = {
            is_report: Path(identity, is_report=is_report) for is_report in (False, True)
        }
        self._keeper: Callable[[bytes, Address], None] | None = None  # somebody else's
        self._on_refused: Callable[[str], None] | None = None
        self._serves = False, False  # datagrams, and the time

    @property
    def refused(self) -> int:
        """Datagrams that led to nothing."""
        return sum(path.refused for path in self._paths.values())

    def hand_over(self, keeper: Callable[[bytes, Address], None]) -> None:
        """Have somebody else prove the other side: they are handed what is no sound."""
        self._keeper = keeper
        self._serve()

    def configure(self, negotiated: Negotiated, on_refused: Callable[[str], None] | None) -> None:
        """Take over what was negotiated; ``on_refused`` is told why nobody could be proved."""
        if self._keeper is not None:
            return
        self._on_refused = on_refused
        now = self._clock()
        for path in self._paths.values():
            path.configure(negotiated, now)
        self._follow()

    def _take(self, datagram: Datagram) -> None:
        if self._keeper is not None:
            if not datagram.is_report:
                self._keeper(datagram.data, datagram.source)
            return
        self._paths[datagram.is_report].receive(datagram)
        self._follow()

    def _wake(self, now: float) -> None:
        for path in self._paths.values():
            path.wake(now)
        self._follow()

    def _follow(self) -> None:
        """Do what the ways ask for."""
        for path in self._paths.values():
            for event in path.events():
                self._act(event, path.is_report)
            for data, address in path.data_to_send():
                self._order(self._seat.porter.send, data, address, path.is_report)
        self._serve()

    def _serve(self) -> None:
        paths = self._paths.values()
        is_wanted = self._keeper is not None or any(p.is_wanted for p in paths)
        serves = is_wanted, any(p.deadline is not None for p in paths)
        if serves != self._serves:
            self._serves = serves
            take, wake = (self._take if serves[0] else None), (self._wake if serves[1] else None)
            self._order(self._seat.porter.serve, take, wake)

    def _act(self, event: PathEvent, is_report: bool) -> None:
        seat = self._seat
        match event:
            case Found(address):
                self._order(seat.settle, address, is_report)
            case Keyed(keys, address):
                self._order(seat.settle, address, is_report)
                self._order(seat.reporter.secure if is_report else seat.privacy.secure, keys)
            case Refused(reason):
                if self._on_refused is not None and not is_report:  # a call can do without those
                    self._on_refused(reason)
            case _:
                assert_never(event)
