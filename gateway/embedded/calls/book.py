"""The calls a service holds: by WebRTC or by SIP, each under one name."""

from typing import Any, Protocol

from ..http.secrets import Preset
from ..live import LiveSession
from ..protocol.checks import Refused

__all__ = ["Call", "Calls", "Gone"]


class Gone(Refused):
    """There is no such call, or it is over."""

    def __init__(self) -> None:
        super().__init__("call_id_not_found", "No session found for the provided call_id.")


class Call(Protocol):
    """One call, as those who control it by HTTP see it.

    What cannot be done raises :exc:`~.checks.Refused`.
    """

    @property
    def id(self) -> str:
        """The call's name, ``rtc_…``."""
        ...

    @property
    def live(self) -> LiveSession | None:
        """Its session; none while it rings."""
        ...

    def accept(self, preset: Preset) -> None:
        """Answer it, with a session that begins like this."""
        ...

    def reject(self, status: int) -> None:
        """Turn it away with a SIP status."""
        ...

    def refer(self, target: str) -> None:
        """Ask the caller to call ``target`` instead."""
        ...

    def hang_up(self) -> None:
        """End it."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return what is worth knowing of it."""
        ...


class Calls:
    """The calls there are; whoever runs one sees to its end."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def all(self) -> tuple[Call, ...]:
        """Every call."""
        return tuple(self._calls.values())

    def add(self, call: Call) -> None:
        """Let a call be found."""
        self._calls[call.id] = call

    def remove(self, call: Call) -> None:
        """Let nobody find it any more."""
        self._calls.pop(call.id, None)

    def find(self, call_id: str) -> Call:
        """Return a call.

        Raises:
            Gone: There is none of that name.

        """
        call = self._calls.get(call_id)
        if call is None:
            raise Gone
        return call

    def session_of(self, call_id: str) -> LiveSession:
        """Return the session of a call that is up.

        Raises:
            Gone: There is none.

        """
        live = self.find(call_id).live
        if live is None or live.over.is_set():
            raise Gone
        return live
