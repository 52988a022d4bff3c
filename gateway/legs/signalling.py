"""What a leg needs of the SIP endpoint."""

from collections.abc import Callable, Sequence
from typing import Protocol

from ..sip.agent import UserAgent
from ..sip.dialogs.session import Session
from ..sip.dialogs.session_events import SessionEvent
from ..sip.flow import Flow
from ..sip.wire.uri import Uri

__all__ = ["Signalling"]


class Signalling(Protocol):
    """What a leg needs of the SIP endpoint."""

    @property
    def agent(self) -> UserAgent:
        """The user agent that places calls."""
        ...

    def now(self) -> float:
        """Return the time to give to sessions."""
        ...

    def flush(self) -> None:
        """Send what a session has to say."""
        ...

    def listen(self, session: Session, on_event: Callable[[SessionEvent], None], /) -> None:
        """Have ``on_event`` told what happens to a session."""
        ...

    async def resolve(self, uri: Uri, /) -> Sequence[Flow]:
        """Return the ways to an address, best first: at least one."""
        ...
