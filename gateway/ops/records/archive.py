"""The calls that a database holds, as whoever asks for them sees it."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ..archive import CallPage, CallQuery, cursor_after
from .database import Database, Statement
from .rows import brief_of, drop_live, whole_of
from .search import page_size, search

__all__ = ["DatabaseArchive", "remove_recording"]

_GET: Final = (
    "SELECT record, recording, transcript, timeline, quality FROM calls WHERE call_id = $1"
)
_HOLDS: Final = "SELECT 1 FROM calls WHERE call_id = $1"
_RECORDING: Final = "SELECT recording FROM calls WHERE call_id = $1"
_LONGEST_ID: Final = 128


class DatabaseArchive:
    """Finds, shows and forgets calls that are over.

    Args:
        recordings: The folder that recordings are in: no file anywhere else is ever removed.

    """

    def __init__(self, database: Database, recordings: Path | None = None) -> None:
        self._database = database
        self._recordings = recordings

    async def find(self, query: CallQuery) -> CallPage:
        """Return a page of calls.

        Raises:
            CursorError: The cursor is not one of ours.
            RecordError: The database cannot be asked, or does not find them in time.

        """
        sql, values = search(query, has_index_of_words=self._database.has_index_of_words)
        rows = await self._database.search(sql, values)
        shown = rows[: page_size(query)]
        is_last = len(rows) == len(shown)
        after = "" if is_last else cursor_after(float(shown[-1][2]), str(shown[-1][3]))
        return CallPage([brief_of(row[0]) | {"recording": row[1]} for row in shown], after)

    async def get(self, call_id: str) -> dict[str, Any] | None:
        """Return a whole call, ``None`` where there is none of that name.

        Raises:
            RecordError: The database cannot be asked.

        """
        if not _is_name(call_id):
            return None
        rows = await self._database.read(_GET, (call_id,))
        if not rows:
            return None
        record, recording, *long = rows[0]
        whole = await asyncio.to_thread(whole_of, record, *long)
        return whole | {"recording": recording}

    async def holds(self, call_id: str) -> bool:
        """Tell whether there is a call of that name.

        Raises:
            RecordError: The database cannot be asked.

        """
        return _is_name(call_id) and bool(await self._database.read(_HOLDS, (call_id,)))

    async def delete(self, call_id: str) -> bool:
        """Forget a call and its recording; ``False`` where there was none.

        Raises:
            RecordError: It stays.

        """
        rows = await self._database.read(_RECORDING, (call_id,)) if _is_name(call_id) else []
        if not rows:
            return False
        forget = Statement("DELETE FROM calls WHERE call_id = $1", ((call_id,),))
        await self._database.write(lambda: [forget, *drop_live((call_id,))])
        await asyncio.to_thread(remove_recording, self._recordings, rows[0][0])
        return True


def remove_recording(folder: Path | None, name: str) -> bool:
    """Remove a recording and its further takes from their folder; tells whether it was there."""
    if folder is None or not name or Path(name).name != name:
        return False
    path = folder / name
    is_there = path.is_file()
    with suppress(OSError):
        path.unlink(missing_ok=True)
        for take in folder.glob(f"{_literal(path.stem)}-[0-9]*{path.suffix}"):
            take.unlink(missing_ok=True)
    return is_there


def _literal(text: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)


def _is_name(call_id: str) -> bool:
    return 0 < len(call_id) <= _LONGEST_ID and "\0" not in call_id and call_id.isprintable()
