"""What goes after its time: recordings first, then the records themselves."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .archive import remove_recording
from .database import Database, Statement

__all__ = ["Retention", "Swept"]

_AT_A_TIME: Final = 200
_PAUSE: Final = 0.05  # seconds between two batches: calls that end go first
_DAY: Final = 86_400.0
_OTHERS_DAYS: Final = 2.0  # longer for what is on another machine, which sees to it itself

_RECORDED: Final = f"""SELECT call_id, recording FROM calls
    WHERE recording <> '' AND ended_at < $1 AND (node = $2 OR ended_at < $3)
    ORDER BY ended_at LIMIT {_AT_A_TIME}"""
_OLD: Final = f"""SELECT call_id, recording FROM calls
    WHERE ended_at < $1 AND (recording = '' OR node = $2 OR ended_at < $3)
    ORDER BY ended_at LIMIT {_AT_A_TIME}"""
_UNRECORDED: Final = "UPDATE calls SET recording = '' WHERE call_id = $1"
_FORGET: Final = "DELETE FROM calls WHERE call_id = $1"


@dataclass(slots=True)
class Swept:
    """What has gone since the start."""

    records: int = 0
    recordings: int = 0


class Retention:
    """Removes what is older than the settings allow; 0 days are for ever.

    Args:
        database: Where the calls are.
        recordings: The folder of their recordings.
        node: The name of this machine.
        keep_days: For a record.
        keep_recordings_days: For a recording.

    """

    def __init__(
        self,
        database: Database,
        recordings: Path | None,
        *,
        node: str,
        keep_days: float,
        keep_recordings_days: float,
    ) -> None:
        self.swept = Swept()
        self._database = database
        self._recordings = recordings
        self._node = node
        self._days = keep_days
        self._recordings_days = keep_recordings_days

    async def sweep(self, now: float) -> None:
        """Remove what has had its time at ``now``, in unix seconds.

        Raises:
            RecordError: The database does not let go of it.

        """
        if self._recordings_days:
            self.swept.recordings += await self._remove(
                _RECORDED, _UNRECORDED, now - self._recordings_days * _DAY
            )
        if self._days:
            self.swept.records += await self._remove(_OLD, _FORGET, now - self._days * _DAY)

    async def _remove(self, which: str, then: str, before: float) -> int:
        """Remove recordings, and do the rest, batch by batch; returns of how many calls."""
        count = 0
        values = (before, self._node, before - _OTHERS_DAYS * _DAY)
        while rows := await self._database.read(which, values):
            await asyncio.to_thread(self._remove_files, [name for _, name in rows])
            done = Statement(then, [(call_id,) for call_id, _ in rows])
            await self._database.write(lambda done=done: [done])  # type: ignore[misc]
            count += len(rows)
            await asyncio.sleep(_PAUSE)
        return count

    def _remove_files(self, names: list[str]) -> None:
        for name in names:
            remove_recording(self._recordings, name)
