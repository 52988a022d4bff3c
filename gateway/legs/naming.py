"""Who is at the other end, and why a call ended, as people read it."""

from ..sip.wire.reason import NORMAL_CAUSE, Reason
from ..sip.wire.status import REASONS
from ..sip.wire.uri import Uri

__all__ = ["name_of", "words_of"]


def name_of(uri: Uri) -> str:
    """Return who an address is: a number or a name, else the whole of it."""
    return uri.username or str(uri)


def words_of(status: int, reason: Reason | None) -> str:
    """Return why a call ended, in the words of who ended it if there are any."""
    if reason is not None and reason.text:
        return reason.text
    if reason is not None and (reason.protocol.upper(), reason.cause) == ("SIP", 200):
        return "answered elsewhere"
    if status >= 300:
        return REASONS.get(status, str(status))
    if reason is None or reason.cause == NORMAL_CAUSE:
        return "hung up"
    return f"{reason.protocol} {reason.cause}"
