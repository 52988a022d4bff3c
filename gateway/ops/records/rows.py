"""A call as rows: what a record becomes in the database, and what comes back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from .database import Row, Statement
from .packing import legible, pack, to_json, unpack

__all__ = ["WholeCall", "add_call", "brief_of", "drop_live", "whole_of"]

_MOST_WORDS: Final = 65_536  # characters that a call can be found by
_COLUMNS: Final = (
    "call_id", "node", "started_at", "ended_at", "duration", "caller", "called", "trunk", "leg",
    "ended_by", "reason", "q850", "codec", "transport", "mos", "loss", "cost", "recording",
    "words", "record", "transcript", "timeline", "quality",
)  # fmt: skip
_PLACES: Final = ", ".join(f"${number}" for number in range(1, len(_COLUMNS) + 1))
_TAKEN: Final = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
_ADD: Final = f"""INSERT INTO calls ({", ".join(_COLUMNS)}) VALUES ({_PLACES})
    ON CONFLICT (call_id) DO """


@dataclass(frozen=True, slots=True)
class WholeCall:
    """A call that is over, as plain data.

    Attributes:
        record: without its long parts.
        transcript: what was said.
        timeline: what happened.
        node: the machine it was on, where its recording is.
        quality: how well the caller was received, over time.

    """

    record: Mapping[str, Any]
    transcript: Sequence[Mapping[str, Any]]
    timeline: Sequence[Mapping[str, Any]]
    node: str
    quality: Sequence[Mapping[str, Any]] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as a record is told whole."""
        call = {**self.record, "transcript": self.transcript, "timeline": self.timeline}
        if self.quality:
            call["media"] = {**call["media"], "series": self.quality}
        return call


def add_call(call: WholeCall, *, is_last_word: bool = True) -> list[Statement]:
    """Return what keeps a call, and forgets what was noted of it while it was live.

    Unless it is the last word, one that is there already stays.
    """
    sql = _ADD + (f"UPDATE SET {_TAKEN}" if is_last_word else "NOTHING")
    return [Statement(sql, (_row(call),)), *drop_live((call.record["call_id"],))]


def drop_live(call_ids: Iterable[str]) -> list[Statement]:
    """Return what forgets calls in progress."""
    rows = [(call_id,) for call_id in call_ids]
    return [
        Statement("DELETE FROM live_calls WHERE call_id = $1", rows),
        Statement("DELETE FROM live_parts WHERE call_id = $1", rows),
    ]


def brief_of(record: str) -> dict[str, Any]:
    """Return a call without its long parts."""
    brief: dict[str, Any] = msgspec.json.decode(record)
    return brief


def whole_of(
    record: str, transcript: bytes | None, timeline: bytes | None, quality: bytes | None
) -> dict[str, Any]:
    """Return a call with its long parts."""
    said, happened, heard = (unpack(part) or [] for part in (transcript, timeline, quality))
    return WholeCall(brief_of(record), said, happened, "", heard).as_dict()


def _row(call: WholeCall) -> Row:
    record = call.record
    media = record.get("media") or {}
    received, lost = media.get("packets_received") or 0, media.get("lost") or 0
    started_at, duration = float(record["started_at"]), float(record["duration"])
    return (
        record["call_id"],
        call.node,
        started_at,
        started_at + duration,
        duration,
        *(legible(record.get(name) or "") for name in ("caller", "called", "trunk", "leg")),
        legible(record.get("ended_by") or ""),
        legible(record.get("reason") or ""),
        record.get("q850"),
        legible(record.get("codec") or ""),
        legible(record.get("transport") or ""),
        media.get("mos"),
        lost / (received + lost) if received + lost else None,
        (record.get("usage") or {}).get("cost"),
        legible(record.get("recording") or ""),
        _words(call),
        to_json(record).decode(),
        pack(call.transcript) if call.transcript else None,
        pack(call.timeline) if call.timeline else None,
        pack(call.quality) if call.quality else None,
    )


def _words(call: WholeCall) -> str:
    """Return what the call can be found by, in small letters."""
    names = ("call_id", "caller", "caller_name", "called", "trunk", "reason")
    said = [str(call.record.get(name) or "") for name in names]
    said += [str(item.get("text") or "") for item in call.transcript]
    return legible("\n".join(said)[:_MOST_WORDS].casefold())
