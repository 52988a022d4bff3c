"""Those who look on at every call: told one after the other, and none of them harms a call."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from ..control.timeline import TimelineEntry

if TYPE_CHECKING:
    from .notices import Observer
    from .registry import CallRecord

__all__ = ["Audience"]


class Audience:
    """All observers of a gateway, as one."""

    def __init__(self) -> None:
        self.faults = 0
        self._observers: list[Observer] = []
        self._log = structlog.get_logger()

    def __len__(self) -> int:
        return len(self._observers)

    def add(self, observer: "Observer") -> None:
        """Have somebody look on at the calls that begin from now on."""
        self._observers.append(observer)

    def call_began(self, record: "CallRecord") -> None:
        """Tell of a call that begins."""
        self._tell(lambda observer: observer.call_began(record))

    def call_told(self, call_id: str, entry: TimelineEntry) -> None:
        """Tell of what happened in it."""
        self._tell(lambda observer: observer.call_told(call_id, entry))

    def call_ended(self, record: "CallRecord") -> None:
        """Tell of its end."""
        self._tell(lambda observer: observer.call_ended(record))

    def _tell(self, tell: Callable[["Observer"], None]) -> None:
        for observer in self._observers:
            try:
                tell(observer)
            except Exception:
                self.faults += 1
                self._log.exception("fault of an onlooker")
