"""Faults on demand: what the service is told to do wrong, so that its clients can be tested.

A fault of a moment strikes the sessions there are.  A lasting one also strikes those that
begin while it lasts; it ends by itself or when faults are cleared.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..clock import Clock, Ids
from ..realtime.items import ErrorDetail
from .protocol.checks import Check, Refused, choice, integer, number, record, text
from .session_faults import SessionFaults

if TYPE_CHECKING:
    from .live import LiveSession

__all__ = ["Faults", "Refusal", "inflict"]

_LONGEST: Final = 3600.0  # seconds
_MOST_BYTES: Final = 64 << 20
_WHERE: Final[dict[str, Check]] = {"fault": text, "session": text}
_LASTING: Final[dict[str, Check]] = {**_WHERE, "seconds": number(0.0, _LONGEST)}
_NAMED: Final[dict[str, Check]] = {"code": text, "type": text, "message": text}
_SHAPES: Final[dict[str, Check]] = {
    "close": record({**_WHERE, "code": integer(1000, 4999), "reason": text}),
    "error": record({**_WHERE, **_NAMED}),
    "frame": record({**_WHERE, "data": text}),
    "malformed": record(_WHERE),
    "unknown": record(_WHERE),
    "oversized": record({**_WHERE, "bytes": integer(1, _MOST_BYTES)}),
    "duplicate": record({**_WHERE, "count": integer(1, 10_000)}),
    "stall": record(_LASTING),
    "slow_audio": record({**_LASTING, "delay_ms": integer(1, 60_000)}),
    "fail_responses": record({**_LASTING, **_NAMED}),
    "refuse": record({**_LASTING, "status": integer(400, 599), "code": text}),
    "accept_fails": record({**_LASTING, "status": integer(400, 699)}),
    "refer_ignored": record(_LASTING),
    "webhook": record({**_LASTING, "how": choice("twice", "forged", "stale", "live")}),
}

_CAN_LAST: Final = frozenset(
    {"refuse", "accept_fails", "refer_ignored", "webhook", "stall", "slow_audio", "fail_responses"}
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a request is turned away."""

    status: int
    code: str


@dataclass(slots=True)
class _Lasting:
    options: dict[str, Any]
    until: float


@dataclass(slots=True)
class Faults:
    """The lasting faults of the whole service, by name; the last of a name counts."""

    _lasting: dict[str, _Lasting] = field(default_factory=dict)

    def clear(self) -> None:
        """Behave from here on."""
        self._lasting.clear()

    def last(self, options: dict[str, Any], now: float) -> None:
        """Let a fault last for its ``seconds``, an hour where none are named."""
        until = now + options.get("seconds", _LONGEST)
        self._lasting[options["fault"]] = _Lasting(options, until)

    def refusal(self, now: float) -> Refusal | None:
        """Return how everybody is turned away, if they are."""
        options = self._find("refuse", now)
        if options is None:
            return None
        return Refusal(options.get("status", 503), options.get("code", "server_error"))

    def late_refusal(self, now: float) -> int | None:
        """Return the SIP status by which a call fails although its acceptance was taken."""
        options = self._find("accept_fails", now)
        return None if options is None else int(options.get("status", 400))

    def ignores_refer(self, now: float) -> bool:
        """Whether a transfer is taken and nothing is done."""
        return self._find("refer_ignored", now) is not None

    def webhook(self, now: float) -> str:
        """Return what is wrong with webhooks; nothing, mostly."""
        options = self._find("webhook", now)
        return "" if options is None else str(options.get("how", "twice"))

    def of_session(self, now: float) -> SessionFaults:
        """Return what a session that begins now does wrong."""
        faults = SessionFaults()
        for name in ("stall", "slow_audio", "fail_responses"):
            options = self._find(name, now)
            if options is not None:
                _apply(faults, options, self._lasting[name].until)
        return faults

    def _find(self, name: str, now: float) -> dict[str, Any] | None:
        lasting = self._lasting.get(name)
        return lasting.options if lasting is not None and now < lasting.until else None


def inflict(
    asked: Any, faults: Faults, sessions: list["LiveSession"], ids: Ids, clock: Clock
) -> int:
    """Do what an order says; return how many sessions it strikes at once.

    Raises:
        Refused: There is no such fault, or it cannot be had like that.

    """
    if not isinstance(asked, dict) or not isinstance(asked.get("fault"), str):
        raise Refused("invalid_value", "Name a 'fault'.", "fault")
    name = choice(*_SHAPES)(asked["fault"], "fault")
    options = _SHAPES[name](asked, "fault")
    now = clock()
    struck = sessions
    if wanted := options.get("session"):
        struck = [each for each in sessions if each.session.id == wanted]
    elif name in _CAN_LAST:
        faults.last(options, now)
    for live in struck:
        _strike(live, options, now, ids)
    return len(struck)


def _strike(live: "LiveSession", options: dict[str, Any], now: float, ids: Ids) -> None:
    """Let one session have a fault."""
    match options["fault"]:
        case "close":
            for viewer in live.viewers:
                viewer.drop(options.get("code", 1011), options.get("reason", ""))
        case "error" | "frame" | "malformed" | "unknown" | "oversized":
            frame = _frame(options, ids)
            for viewer in live.viewers:
                viewer.inject(frame)
        case "duplicate":
            live.faults.duplicates = options.get("count", 1)
        case _:
            _apply(live.faults, options, now + options.get("seconds", _LONGEST))
            live.wake_after(options.get("seconds", _LONGEST))


def _apply(faults: SessionFaults, options: dict[str, Any], until: float) -> None:
    match options["fault"]:
        case "stall":
            faults.stalled_until = until
        case "slow_audio":
            faults.slow_until, faults.slow_seconds = until, options.get("delay_ms", 1000) / 1000
        case "fail_responses":
            faults.failing_until, faults.problem = until, _detail(options, "server_error")


def _detail(options: dict[str, Any], code: str) -> ErrorDetail:
    return ErrorDetail(
        type=options.get("type", "server_error"),
        code=options.get("code", code),
        message=options.get("message", "The server had an error."),
    )


def _frame(options: dict[str, Any], ids: Ids) -> bytes:
    """Return something a service should not send, or would rather not."""
    event_id = f"event_{ids.token(96)}"
    match options["fault"]:
        case "error":
            detail = msgspec.to_builtins(_detail(options, "server_error"))
            event = {"type": "error", "event_id": event_id, "error": detail}
            return msgspec.json.encode(event)
        case "frame":
            return str(options.get("data", "")).encode()
        case "malformed":
            return b'{"type":"response.output_audio.delta","delta":"not base64 !'
        case "unknown":
            return msgspec.json.encode({"type": "embedded.unheard_of", "event_id": event_id})
        case _:
            padding = "x" * options.get("bytes", 20_000_000)
            event = {"type": "embedded.oversized", "event_id": event_id, "padding": padding}
            return msgspec.json.encode(event)
