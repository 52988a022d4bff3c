"""How long the caller waited for each answer, and for what: the waterfall of every turn."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from .record import Entry
from .shapes import Turn

__all__ = ["turns_of"]

_MOST: Final = 1000  # the first ones
_DELTAS: Final = ("response.output_audio.delta", "response.audio.delta")


@dataclass(slots=True)
class _Wait:
    """A turn that is not answered yet; seconds since the call began."""

    at: float
    by: Literal["speech", "key"]
    committed: float | None = None
    created: float | None = None
    tool: float | None = None
    delta: float | None = None
    packet: float | None = None
    responses: set[str] = field(default_factory=set)

    def take(self, entry: Entry) -> bool:
        """Take in what comes after; tells whether the answer is heard by now."""
        at, name = entry.at, entry.name
        if name == "input_audio_buffer.committed":
            self.committed = at if self.committed is None else self.committed
        elif name == "response.created":
            self.created = at if self.created is None else self.created
            self.responses.add(_response(entry))
        elif name == "response.function_call_arguments.done":
            self.tool = at if self.tool is None else self.tool
        elif _response(entry) not in self.responses:
            return False
        elif name in _DELTAS:
            self.delta = at if self.delta is None else self.delta
        elif name == "output_audio_buffer.started":
            self.packet = at
            return True
        return False

    @property
    def turn(self) -> Turn:
        return Turn(
            at=round(self.at, 3),
            by=self.by,
            committed_ms=self._since(self.committed),
            created_ms=self._since(self.created),
            tool_ms=self._since(self.tool),
            delta_ms=self._since(self.delta),
            packet_ms=self._since(self.packet),
        )

    def _since(self, at: float | None) -> float | None:
        return None if at is None else round((at - self.at) * 1000, 1)


def turns_of(entries: Iterable[Entry]) -> list[Turn]:
    """Return every wait that an answer was begun for, in order.

    A wait begins with the end of the caller's speech, or with a key; it is over with the first
    packet of an answer that was begun after it, or when the caller does something else first.
    While somebody has the agent's place there is none.
    """
    turns: list[Turn] = []
    wait: _Wait | None = None
    in_charge: set[str] = set()  # people in the agent's place: nobody waits for the agent
    for entry in entries:
        if entry.name == "supervision.changed":
            is_in_charge = entry.text("mode") == "takeover"
            (in_charge.add if is_in_charge else in_charge.discard)(entry.text("supervisor"))
        if in_charge:
            wait = None
            continue
        begun = _begun(entry)
        if wait is not None and (begun is not None or _is_end(entry) or wait.take(entry)):
            if wait.created is not None and len(turns) < _MOST:
                turns.append(wait.turn)
            wait = None
        wait = begun or wait
    if wait is not None and wait.created is not None and len(turns) < _MOST:
        turns.append(wait.turn)
    return turns


def _begun(entry: Entry) -> _Wait | None:
    if entry.name == "input_audio_buffer.speech_stopped":
        return _Wait(entry.at, "speech")
    if entry.name == "input_audio_buffer.dtmf_event_received":
        return _Wait(entry.at, "key")
    return None


def _is_end(entry: Entry) -> bool:
    return entry.name in ("input_audio_buffer.speech_started", "input_audio_buffer.cleared")


def _response(entry: Entry) -> str:
    """Return the response that an entry is of, empty where it is of none."""
    response = entry.detail.get("response")
    named = response.get("id") if isinstance(response, dict) else None
    return entry.text("response_id") or (named if isinstance(named, str) else "")
