"""What lies above a way that was found: DTLS, the keys of the sound, and the data channel."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..rtp.association import Association, Secured
from ..rtp.dtls import Identity
from ..sdp.crypto import SrtpKeys
from ..sdp.dtls import Dtls
from .tunnel import Tunnel

__all__ = ["Hearers", "Layers"]

_PROVED: Final = ("", 0)
"""Whoever ICE found, at whatever address: one and the same to a handshake."""


@dataclass(frozen=True, slots=True)
class Hearers:
    """Who is told what: keys, that messages can be sent, each message, and the end in words."""

    on_keys: Callable[[SrtpKeys], None]
    on_open: Callable[[], None]
    on_message: Callable[[str], None]
    on_gone: Callable[[str], None]


class Layers:
    """One association with whoever is proved to be the other side, by ``send``."""

    def __init__(
        self, identity: Identity, send: Callable[[bytes], None], hearers: Hearers, label: str
    ) -> None:
        self.tunnel: Tunnel | None = None
        self._identity = identity
        self._send = send
        self._hearers = hearers
        self._label = label
        self._association: Association | None = None
        self._is_client = False
        self._sctp: tuple[int, int] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def dropped(self) -> int:
        """Datagrams that led to nothing."""
        return self._association.dropped if self._association is not None else 0

    def begin(self, dtls: Dtls, sctp: tuple[int, int] | None) -> None:
        """Wait for the handshake; ``sctp`` is a port and the longest message taken there."""
        self._is_client, self._sctp = dtls.is_client, sctp
        self._association = Association(
            self._identity,
            dtls.fingerprints,
            is_client=dtls.is_client,
            now=self._loop.time(),
            carries_data=sctp is not None,
        )
        self._follow()

    def aim(self) -> None:
        """Say that there is somebody to shake hands with."""
        if self._association is not None:
            self._association.aim(_PROVED, self._loop.time())
            self._follow()

    def receive(self, datagram: bytes) -> None:
        """Take in DTLS of who is proved to be the other side."""
        if self._association is not None:
            self._association.receive(datagram, _PROVED, self._loop.time(), is_proved=True)
            self._follow()

    def send(self, message: str) -> bool:
        """Queue a message; ``False`` where it cannot be."""
        return self.tunnel is not None and self.tunnel.send(message)

    async def close(self) -> None:
        """Say goodbye on each."""
        if self._timer is not None:
            self._timer.cancel()
        if self.tunnel is not None:
            await self.tunnel.close()
        if self._association is not None:
            self._association.close()
            self._flush(self._association)
            self._association = None

    def _follow(self) -> None:
        """Do what the association asks for."""
        association, hearers = self._association, self._hearers
        if association is None:
            return
        self._flush(association)
        for event in association.events():
            if isinstance(event, Secured):
                keys = event.keys
                hearers.on_keys(SrtpKeys(keys.suite, keys.local, keys.remote))
                self._dig()
            else:
                hearers.on_gone(event.reason)
        for data in association.data_received():
            if self.tunnel is not None:
                self.tunnel.receive(data)
        if association.is_closed:
            hearers.on_gone("the other side said goodbye")
        self._arm(association.deadline)

    def _flush(self, association: Association) -> None:
        for datagram, _ in association.data_to_send():
            self._send(datagram)

    def _arm(self, deadline: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._wake)

    def _wake(self) -> None:
        if self._association is not None:
            self._association.wake(self._loop.time())
            self._follow()

    def _dig(self) -> None:
        """Begin the data channel, if one was agreed on."""
        if self._sctp is None:
            return
        self.tunnel = Tunnel(
            self._encrypt,
            is_client=self._is_client,
            label=self._label,
            on_open=self._hearers.on_open,
            on_message=self._hearers.on_message,
            on_gone=self._hearers.on_gone,
        )
        self.tunnel.begin(*self._sctp)

    def _encrypt(self, data: bytes) -> None:
        if self._association is not None:
            self._association.send(data)
            self._flush(self._association)
