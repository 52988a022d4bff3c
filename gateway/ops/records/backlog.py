"""Calls that are over and not yet in the database: on their way, or waiting while it is away."""

import asyncio
from collections.abc import Collection
from typing import Any, Final

from ...calls.registry import CallRecord
from ...control.timeline import Timeline
from .database import Statement
from .redaction import Redactor
from .rows import WholeCall, add_call

__all__ = ["Backlog", "Parcel"]

_MOST: Final = 1_000  # calls that the database did not take; the oldest goes first


class Parcel:
    """A call that is over, as the database is to have it.

    Args:
        record: All that is known of it.
        node: The name of this machine.
        redactor: Leaves out what is not to be written.

    """

    def __init__(self, record: CallRecord, node: str, redactor: Redactor) -> None:
        self.call_id = record.call_id
        self._record = record
        self._said = record.transcript
        self._node = node
        self._redactor = redactor
        self._whole: WholeCall | None = None

    def statements(self) -> list[Statement]:
        """Return what keeps it; on another thread, as its timeline may be long."""
        return add_call(self.whole())

    def whole(self) -> WholeCall:
        """Return it as plain data; on another thread."""
        if self._whole is None:
            brief = self._record.as_dict(with_timeline=False)
            told = self._record.happened or Timeline()
            entries = [entry.as_dict() for entry in tuple(told.entries)]
            self._whole = WholeCall(
                self._redactor.record(brief),
                self._redactor.items(self._said, brief),
                self._redactor.entries(entries, brief),
                self._node,
                self._record.quality.as_list() if self._record.quality else (),
            )
        return self._whole


class Backlog:
    """The calls of one process that are over and not yet in the database.

    Attributes:
        dropped: How many there was no room for.

    """

    def __init__(self) -> None:
        self.dropped = 0
        self._under_way: dict[str, Parcel] = {}
        self._refused: dict[str, Parcel] = {}  # the one to be tried next comes first

    @property
    def refused(self) -> Collection[str]:
        """The names of the calls that the database did not take."""
        return self._refused.keys()

    def add(self, parcel: Parcel) -> None:
        """Take a call that is to be written for the first time."""
        self._under_way[parcel.call_id] = parcel

    def next_refused(self, count: int) -> list[Parcel]:
        """Return the first calls that are to be tried again."""
        return list(self._refused.values())[:count]

    def settle(self, parcel: Parcel, *, is_kept: bool) -> None:
        """Let a call go that is in the database, or put it behind the others that are not."""
        self._under_way.pop(parcel.call_id, None)
        self._refused.pop(parcel.call_id, None)
        if is_kept:
            return
        self._refused[parcel.call_id] = parcel
        while len(self._refused) > _MOST:
            del self._refused[next(iter(self._refused))]
            self.dropped += 1

    def holds(self, call_id: str) -> bool:
        """Tell whether a call of that name is here."""
        return call_id in self._under_way or call_id in self._refused

    async def get(self, call_id: str) -> dict[str, Any] | None:
        """Return a whole call as it will be in the database, ``None`` where it is not here."""
        parcel = self._under_way.get(call_id) or self._refused.get(call_id)
        if parcel is None:
            return None
        whole = await asyncio.to_thread(parcel.whole)
        return whole.as_dict()

    async def records(self) -> list[CallRecord]:
        """Return all of them as they will be in the database, without what happened."""
        parcels = [*self._refused.values(), *self._under_way.values()]
        return await asyncio.to_thread(lambda: [_record_of(one.whole()) for one in parcels])


class _Said(list[dict[str, Any]]):
    def as_list(self) -> list[dict[str, Any]]:
        return list(self)


def _record_of(whole: WholeCall) -> CallRecord:
    return CallRecord(**whole.record, said=_Said(dict(item) for item in whole.transcript))
