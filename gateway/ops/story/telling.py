"""Makes the story of a call out of its record."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from .happenings import interventions_of, keys_of, spans_of
from .lanes import interruptions_of, spans_by_lane
from .record import Told, number_of
from .shapes import Envelope, Lane, LaneName, Line, Quality, QualityPoint, Span, Story, Take
from .steps import steps_of
from .turns import turns_of

__all__ = ["tell"]

_MOST_LINES: Final = 2000
_TOOLS: Final = ("function_call", "mcp_call")


def tell(
    told: Told, sounds: Mapping[LaneName, Envelope] | None = None, takes: Sequence[Take] = ()
) -> Story:
    """Tell the story of a call.

    Args:
        told: The record.
        sounds: How loud each speaker was, as far as that is known.
        takes: The recordings there are.

    """
    entries, end = told.timeline, told.duration
    lanes = spans_by_lane(entries, end, _words_by_response(told.transcript))
    lines = _lines(told.transcript, lanes)
    steps, left_out = steps_of(entries)
    return Story(
        call_id=told.call_id,
        caller=told.caller,
        caller_name=told.caller_name,
        called=told.called,
        trunk=entries[0].text("trunk") if entries else "",
        started_at=told.started_at,
        duration=round(end, 3),
        state=told.state,
        is_live=told.goes_on,
        ended_by=told.ended_by or "",
        reason=told.reason or "",
        codec=told.codec,
        transport=told.transport,
        lanes=[
            Lane(name=name, spans=spans, sound=(sounds or {}).get(name))
            for name, spans in lanes.items()
            if spans or name in ("caller", "agent")
        ],
        spans=spans_of(entries, end),
        interruptions=interruptions_of(entries, lines),
        keys=keys_of(entries),
        interventions=interventions_of(entries),
        lines=lines,
        turns=turns_of(entries),
        steps=steps,
        steps_left_out=left_out,
        quality=_quality(told.media),
        usage=told.usage,
        takes=list(takes),
        recording_problem=told.recording_problem,
    )


def _words_by_response(transcript: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {
        response: str(row.get("heard", row.get("text", "")))
        for row in transcript
        if (response := str(row.get("response_id", ""))) and row.get("type") == "message"
    }


def _lines(
    transcript: Sequence[Mapping[str, Any]], lanes: Mapping[LaneName, Sequence[Span]]
) -> list[Line]:
    """Return the transcript, each turn where it is heard, a tool's answer beside its question."""
    results = {
        row.get("call_id"): str(row.get("output", ""))
        for row in transcript
        if row.get("type") == "function_call_output"
    }
    heard = {span.id: span for spans in lanes.values() for span in spans if span.id}
    lines = [
        line
        for row in transcript[:_MOST_LINES]
        if not row.get("is_deleted") and (line := _line(row, heard, results)) is not None
    ]
    return sorted(lines, key=lambda line: line.at)


def _line(
    row: Mapping[str, Any], heard: Mapping[str, Span], results: Mapping[Any, str]
) -> Line | None:
    told_at = number_of(row.get("at")) or 0.0
    item_id, text = str(row.get("item_id", "")), str(row.get("text", ""))
    if row.get("type") in _TOOLS:
        return Line(
            at=told_at,
            who="tool",
            text=str(row.get("arguments", "")),
            heard=results.get(row.get("call_id"), str(row.get("output", ""))),
            item_id=item_id,
            tool=str(row.get("name", "")),
        )
    role = row.get("role")
    if row.get("type") != "message" or role not in ("user", "assistant"):
        return None
    key = str(row.get("response_id", "")) if role == "assistant" else item_id
    span = heard.get(key)
    return Line(
        at=span.start if span is not None else told_at,
        end=span.end if span is not None else None,
        who="agent" if role == "assistant" else "caller",
        text=text,
        heard=str(row.get("heard", text)),
        is_cut=bool(row.get("is_cut", False)),
        item_id=item_id,
    )


def _quality(media: Mapping[str, Any]) -> Quality:
    """Return the figures of a record as people read them; what is none is left out."""
    received, lost = (
        number_of(media.get("packets_received")) or 0.0,
        number_of(media.get("lost")) or 0.0,
    )
    expected = received + lost
    round_trip, remote = number_of(media.get("round_trip")), number_of(media.get("remote_loss"))
    return Quality(
        packets_received=round(received),
        packets_sent=round(number_of(media.get("packets_sent")) or 0.0),
        lost=round(lost),
        loss_percent=round(100 * lost / expected, 2) if expected else 0.0,
        jitter_ms=round(1000 * (number_of(media.get("jitter")) or 0.0), 2),
        round_trip_ms=None if round_trip is None else round(1000 * round_trip, 1),
        remote_loss_percent=None if remote is None else round(100 * remote, 2),
        mos=number_of(media.get("mos")),
        is_encrypted=bool(media.get("srtp")),
        points=_points(media.get("series")),
    )


def _points(series: Any) -> list[QualityPoint]:
    try:
        return msgspec.convert(series or [], list[QualityPoint])
    except msgspec.ValidationError:
        return []
