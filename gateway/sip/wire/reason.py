"""Why a call ended: the Reason header (RFC 3326) and the hang-up causes of Q.850 (RFC 6432)."""

from dataclasses import dataclass
from typing import Final

from ...errors import SipError
from .message import Request, Response

__all__ = ["NORMAL", "NORMAL_CAUSE", "Reason", "cause_of", "cause_of_status", "status_of_cause"]

_STATUS_CAUSES: Final = {
    400: 127,
    401: 57,
    402: 21,
    403: 21,
    404: 1,
    405: 63,
    406: 79,
    407: 21,
    408: 102,
    410: 22,
    413: 127,
    414: 127,
    415: 79,
    416: 127,
    420: 127,
    480: 18,
    481: 41,
    482: 25,
    483: 25,
    484: 28,
    485: 1,
    486: 17,
    487: 16,
    488: 65,
    500: 41,
    501: 79,
    502: 38,
    503: 41,
    504: 102,
    505: 127,
    600: 17,
    603: 21,
    604: 1,
    606: 88,
}
_CAUSE_STATUSES: Final = {
    1: 404,
    2: 404,
    3: 404,
    17: 486,
    18: 408,
    19: 480,
    20: 480,
    21: 403,
    22: 410,
    26: 404,
    27: 502,
    28: 484,
    29: 501,
    34: 503,
    38: 503,
    41: 503,
    42: 503,
    47: 503,
    55: 403,
    57: 403,
    58: 503,
    65: 488,
    70: 488,
    79: 501,
    87: 403,
    88: 503,
    102: 504,
    111: 500,
    127: 500,
}
_INTERWORKING: Final = 127
_UNAVAILABLE: Final = 480


@dataclass(frozen=True, slots=True)
class Reason:
    """One value of a Reason header, e.g. ``Q.850;cause=16;text="Normal call clearing"``."""

    protocol: str
    cause: int | None = None
    text: str = ""

    @classmethod
    def parse(cls, value: str) -> "Reason":
        """Read one value; what is not understood is left out, for a reason only informs."""
        protocol, *params = _split(value)
        cause, text = None, ""
        for param in params:
            name, _, content = param.partition("=")
            match name.strip().lower():
                case "cause" if content.strip().isascii() and content.strip().isdigit():
                    cause = int(content.strip()[:4])
                case "text":
                    text = content.strip().removeprefix('"').removesuffix('"').replace('\\"', '"')
        return cls(protocol.strip(), cause, text)

    @classmethod
    def of(cls, message: Request | Response) -> "Reason | None":
        """Return the most telling reason of a message: Q.850 before all others."""
        try:
            reasons = [cls.parse(value) for value in message.headers.values("Reason")]
        except SipError:  # one that cannot be cut into its values says nothing
            return None
        return min(reasons, key=lambda r: r.protocol.upper() != "Q.850", default=None)

    def __str__(self) -> str:
        cause = "" if self.cause is None else f";cause={self.cause}"
        quoted = self.text.replace("\\", "\\\\").replace('"', '\\"')
        return f"{self.protocol}{cause}" + (f';text="{quoted}"' if quoted else "")


NORMAL_CAUSE: Final = 16
NORMAL: Final = Reason("Q.850", NORMAL_CAUSE, "Normal call clearing")


def cause_of_status(status: int) -> int:
    """Return the Q.850 cause that a final SIP status stands for (RFC 3398 section 8.2.6.1)."""
    return _STATUS_CAUSES.get(status, 16 if status < 300 else _INTERWORKING)


def cause_of(status: int, reason: Reason | None) -> int:
    """Return the Q.850 cause of an end: as it was told, else what a SIP status stands for."""
    if reason is None or reason.cause is None:
        return cause_of_status(status)
    match reason.protocol.upper():
        case "Q.850":
            return reason.cause
        case "SIP":
            return cause_of_status(reason.cause)
    return cause_of_status(status)


def status_of_cause(cause: int | None) -> int:
    """Return the status that refuses a call for a Q.850 cause (RFC 3398 section 7.2.4.1)."""
    return _UNAVAILABLE if cause is None else _CAUSE_STATUSES.get(cause, _UNAVAILABLE)


def _split(value: str) -> list[str]:
    """Cut at semicolons outside quotes."""
    parts, start, is_quoted = [], 0, False
    for index, char in enumerate(value):
        if char == '"' and value[index - 1 : index] != "\\":
            is_quoted = not is_quoted
        elif char == ";" and not is_quoted:
            parts.append(value[start:index])
            start = index + 1
    return [*parts, value[start:]]
