"""What the caller and the client did since the last response, in order."""

from collections import deque
from dataclasses import dataclass
from typing import Final, TypeAlias

from ..agents.agent import AgentEvent, CallTool

__all__ = ["Approved", "Inbox", "News"]

_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class Approved:
    """The client agreed to a call that the agent wanted."""

    call: CallTool


News: TypeAlias = AgentEvent | Approved


@dataclass(slots=True)
class _Pending:
    event: News | None
    job: str = ""


class Inbox:
    """Events waiting to be told to the agent; some of them are still being understood.

    Where no answer is ever wanted nobody drains it: the oldest events are forgotten.
    """

    def __init__(self) -> None:
        self._pending: deque[_Pending] = deque(maxlen=_MOST)

    @property
    def is_ready(self) -> bool:
        """Whether everything in it is understood."""
        return all(each.event is not None for each in self._pending)

    def add(self, event: News) -> None:
        """Put an event at the end."""
        self._pending.append(_Pending(event))

    def expect(self, job: str) -> None:
        """Keep a place for what ``job`` will turn out to be."""
        self._pending.append(_Pending(None, job))

    def resolve(self, job: str, event: News) -> None:
        """Fill the place that was kept."""
        for each in self._pending:
            if each.job == job:
                each.event = event

    def drain(self) -> list[News]:
        """Take everything out."""
        events = [each.event for each in self._pending if each.event is not None]
        self._pending.clear()
        return events
