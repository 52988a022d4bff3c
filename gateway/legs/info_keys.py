"""Keys in the body of an INFO request: ``application/dtmf-relay`` and ``application/dtmf``."""

import re
from typing import Final, NamedTuple

__all__ = ["KEYS", "RELAY", "InfoKey", "read_key", "write_key"]

FLASH: Final = "flash"
RELAY: Final = "application/dtmf-relay"
_PLAIN: Final = "application/dtmf"

_FIELD: Final = re.compile(
    r"^[ \t]*(signal|duration)[ \t]*=[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE
)
_NUMBERED: Final = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D", "16": FLASH}
KEYS: Final = frozenset("0123456789*#ABCD")
_LONGEST_MS: Final = 60_000


class InfoKey(NamedTuple):
    """A key and how long it was pressed; 0 ms where that was not said."""

    key: str
    duration_ms: int


def read_key(content_type: str, body: bytes) -> InfoKey | None:
    """Return the key of an INFO body; ``None`` when it holds none."""
    text = body.decode("ascii", "replace")
    fields = {m[1].lower(): m[2] for m in _FIELD.finditer(text)}
    if content_type not in (RELAY, _PLAIN):
        return None
    plain = text.strip().upper() if content_type == _PLAIN else ""
    signal = fields.get("signal", "").upper()
    key = _NUMBERED.get(signal, signal) if signal else plain
    if key not in KEYS and key != FLASH:
        return None
    duration = fields.get("duration", "")
    milliseconds = int(duration[:6]) if duration.isascii() and duration.isdigit() else 0
    return InfoKey(key, min(milliseconds, _LONGEST_MS))


def write_key(key: str, duration_ms: int) -> bytes:
    """Return the ``application/dtmf-relay`` body for a key."""
    return f"Signal={'16' if key == 'flash' else key}\r\nDuration={duration_ms}\r\n".encode()
