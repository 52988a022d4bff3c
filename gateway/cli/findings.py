"""What a self-test found, and what of it is not as it must be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rich.table import Table

from .line import LinkKind
from .output import complain, say, say_json, show

__all__ = ["ACCOUNT", "Findings", "tell"]

ACCOUNT: Final = "4711"
"""The number that is given by keys."""

_STOP_MS: Final = 250.0  # the old speech may be heard for so long, on a busy machine
# How far what the service holds for heard may be from what was. What it sends over WebRTC passes
# a buffer of the gateway, of which it knows nothing.
_TRUNCATE_MS: Final[Mapping[LinkKind, float]] = {
    "websocket": 20.0,
    "webrtc": 80.0,
    "sideband": 40.0,
}


@dataclass(slots=True)
class Findings:
    """What the self-test found; the figures are ``None`` where the thing did not happen."""

    link: LinkKind = "websocket"
    setup_ms: float | None = None
    greeting_heard: bool = False
    language_chosen: bool = False
    barge_in_stop_ms: float | None = None
    truncate_error_ms: float | None = None
    understood: bool | None = None  # None: no recogniser is installed
    account_taken: bool = False
    operator_heard: bool | None = None  # None: the service holds the call, which has one leg
    digits: str = ""
    goodbye_heard: bool = False
    ended_by: str = ""
    transcript_kept: bool = False
    codec: str = ""
    packets_received: int = 0
    packets_lost: int = 0
    mos: float | None = None
    seconds: float = 0.0

    @property
    def expected(self) -> str:
        """The keys that are pressed: English, back from sales, support, the account, the end."""
        back = "" if self.understood is None else "*"
        return f"1{back}2{ACCOUNT}#9"

    @staticmethod
    def _is_below(figure: float | None, limit: float) -> bool:
        return figure is not None and abs(figure) <= limit

    def faults(self) -> list[str]:
        """Say in words what did not happen as it must."""
        stops = self._is_below(self.barge_in_stop_ms, _STOP_MS)
        tells = self._is_below(self.truncate_error_ms, _TRUNCATE_MS[self.link])
        checks = {
            "the greeting was not heard": self.greeting_heard,
            "the menu was not heard in the language chosen": self.language_chosen,
            "the agent did not stop at once when the caller spoke": stops,
            "the service was not told exactly how much was heard": tells,
            "the word sales was not understood": self.understood is not False,
            "the account number was not taken": self.account_taken,
            "the caller was not put through to the operator": self.operator_heard is not False,
            f"the keys {self.expected} did not arrive": self.digits == self.expected,
            "the goodbye was not heard to its end": self.goodbye_heard,
            "the record does not hold what was said": self.transcript_kept,
            f"the call was ended by {self.ended_by or 'nobody'}": self.ended_by == "gateway",
        }
        return [fault for fault, is_well in checks.items() if not is_well]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {name: getattr(self, name) for name in Findings.__slots__}


def tell(findings: Findings, timeline: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print what was found, with the story of the call where a person reads it."""
    faults, figures = findings.faults(), findings.as_dict()
    if as_json:
        say_json({"ok": not faults, **figures, "faults": faults})
        return
    _draw(timeline)
    for name, figure in figures.items():
        say(f"  {name.replace('_', ' '):<20} {figure}")
    for fault in faults:
        complain(fault)
    say("Everything happened." if not faults else "It failed.", "green" if not faults else "red")


def _draw(timeline: list[dict[str, Any]]) -> None:
    """Show the call's story: what happened on the left, what was done on the right."""
    table = Table("seconds", "happened", "done", title="The call", title_justify="left")
    start = timeline[0]["at"] if timeline else 0.0
    for entry in timeline:
        if entry["kind"] == "timer":
            continue
        facts = entry["detail"].get("event") or entry["detail"].get("audio_end_ms") or ""
        text = f"{entry['name']} {facts}".strip()
        text += f" x{entry['count']}" if entry["count"] > 1 else ""
        row = ("", text) if entry["kind"] == "action" else (text, "")
        table.add_row(f"{entry['at'] - start:.3f}", *row)
    show(table)
