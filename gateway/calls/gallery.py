"""Who supervises one call: what they hear, and whom of them the caller hears."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..control.actions import Supervising
from ..media.engine import Lane
from ..media.live import LiveFrom

__all__ = ["Gallery"]


@dataclass(slots=True)
class _Seat:
    """One supervisor's lane, and what they do: nothing yet, or no longer, if that is to leave."""

    lane: Lane
    on_leave: Callable[[], None]
    mode: Supervising = "leave"


class Gallery:
    """The supervisors of a call, by their connections.

    Their lanes belong to those connections: they are only written to here.
    """

    def __init__(self) -> None:
        self._seats: dict[str, _Seat] = {}

    def __len__(self) -> int:
        return len(self._seats)

    def __contains__(self, supervisor: object) -> bool:
        return supervisor in self._seats

    @property
    def is_taken_over(self) -> bool:
        """Whether one of them has the agent's place."""
        return any(seat.mode == "takeover" for seat in self._seats.values())

    @property
    def is_listening(self) -> bool:
        """Whether anybody is to hear the call."""
        return any(True for _ in self._present())

    def admit(self, supervisor: str, lane: Lane, on_leave: Callable[[], None]) -> None:
        """Keep a seat for somebody; they hear nothing until they are told to do something.

        ``on_leave`` is called once they are to go, or the call is over.
        """
        self._seats[supervisor] = _Seat(lane, on_leave)

    def set(self, supervisor: str, mode: Supervising) -> None:
        """Have somebody do something else; one who leaves has no seat any more."""
        if (seat := self._seats.get(supervisor)) is None:
            return
        seat.mode = mode
        if mode == "leave":
            del self._seats[supervisor]
            seat.on_leave()

    def is_heard(self, supervisor: str) -> bool:
        """Tell whether somebody speaks to the caller."""
        seat = self._seats.get(supervisor)
        return seat is not None and seat.mode in ("speak", "takeover")

    def has_taken_over(self, supervisor: str) -> bool:
        """Tell whether somebody has the agent's place."""
        seat = self._seats.get(supervisor)
        return seat is not None and seat.mode == "takeover"

    def hear(self, chunk: bytes, source: LiveFrom, but: str = "") -> None:
        """Let all of them but one hear 20 ms of somebody."""
        for supervisor, seat in self._present():
            if supervisor != but:
                seat.lane.stream(chunk, source)

    def close(self) -> None:
        """The call is over: nobody is left here."""
        for supervisor in tuple(self._seats):
            self.set(supervisor, "leave")

    def _present(self) -> Iterator[tuple[str, _Seat]]:
        return ((name, seat) for name, seat in self._seats.items() if seat.mode != "leave")
