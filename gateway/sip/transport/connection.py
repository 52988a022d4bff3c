"""One connection that carries SIP, from either side: TCP, and what may lie on top of it."""

import asyncio
import math
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from random import uniform
from typing import Final, Protocol, cast

from ...errors import SipError
from ..flow import Flow
from ..ways.identity import is_named
from ..wire.framing import Framer
from ..wire.keepalive import LONGEST_REST, SHORTEST_REST, KeepAlive
from .tls import TlsChannel

__all__ = ["CLOSED", "Connection", "Owner"]

CLOSED: Final = "connection closed"
"""The problem of a connection of whose end nothing more is known."""

_MOST_UNSENT: Final = 1 << 20  # bytes; a peer that reads no more is cut off
_HANDSHAKE: Final = 10.0  # seconds until messages may flow
_SILENCE: Final = 30  # seconds until what was sent must be acknowledged by the other machine
_PATIENCE: Final = 32.0  # seconds for the first message, or for the end of one that has begun


class Owner(Protocol):
    """Who keeps the connections."""

    def admit(self, connection: "Connection") -> bool:
        """Take in a connection that begins, unless there are too many."""
        ...

    def stand(self, connection: "Connection") -> None:
        """Take note that messages may flow."""
        ...

    def patience(self, connection: "Connection") -> float:
        """Return how many seconds a connection may say nothing."""
        ...

    def receive(self, message: bytes, connection: "Connection") -> None:
        """Take in a message."""
        ...

    def count(self, what: str) -> None:
        """Count a connection that was cut off, and why."""
        ...

    def dismiss(self, connection: "Connection") -> None:
        """Forget a connection that is gone."""
        ...


class Connection(asyncio.Protocol):
    """One connection.

    Args:
        owner: Who keeps it.
        flow: Its addresses and number; the far end's is learned.
        framer: How messages lie in it.
        tls: Makes the encryption around it, or nothing.
        is_ours: Whether we opened it.

    """

    def __init__(
        self,
        owner: Owner,
        flow: Flow,
        framer: Framer,
        tls: Callable[[], TlsChannel | None],
        *,
        is_ours: bool,
    ) -> None:
        self.flow = flow
        self.is_ours = is_ours
        self.is_standing = False
        self.alias: tuple[str, int] | None = None  # where its opener says that it listens
        self.uses: set[Flow] = set()  # the other names of flows that it is used for
        self.used_at = asyncio.get_running_loop().time()  # when a message last went either way
        self.problem = ""  # why it was closed, where that is known
        self.over = asyncio.get_running_loop().create_future()  # done when it stands, or is gone
        self._owner = owner
        self._framer = framer
        self._make_tls = tls
        self._tls: TlsChannel | None = None
        self._transport: asyncio.Transport | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._keep_alive: KeepAlive | None = None
        self._keep_alive_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # Event loops need not derive their transports from asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        remote = transport.get_extra_info("peername")
        if remote is None:  # gone already
            self._transport.abort()
            return
        self.flow = replace(self.flow, remote=(remote[0], remote[1]))
        if not self._owner.admit(self):
            self._transport.abort()
            return
        try:
            self._tls = self._make_tls()
            _notice_silence(transport)
        except Exception as error:  # descriptors or memory run out, a certificate is gone
            self._give_up(error)
            return
        self._watch(_HANDSHAKE)
        self._pump()
        self._check_standing()

    def data_received(self, data: bytes) -> None:
        """Take in bytes, and hand on the messages they complete."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._is_bare:
            self._give_up(SipError("it has no encryption"))
            return
        pongs = self._framer.pongs
        try:
            plain = data if self._tls is None else self._tls.receive_data(data)
            messages = self._framer.receive_data(plain)
        except SipError as error:
            self._pump()  # the other side is told why
            self._cut(str(error), is_fault=error.status != 0)
            return
        self._pump()
        self._check_standing()
        if self._keep_alive is not None and self._framer.pongs != pongs:
            self._keep_alive.answered()
        if messages:
            self.used_at = asyncio.get_running_loop().time()
        for message in messages:
            self._owner.receive(message, self)
        if self.is_standing:
            self._judge_pace(has_messages=bool(messages))

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note of the end."""
        if not self.problem:
            self.problem = getattr(exc, "strerror", None) or CLOSED
        for timer in (self._watchdog, self._keep_alive_timer):
            if timer is not None:
                timer.cancel()
        if not self.over.done():
            self.over.set_result(None)
        self._owner.dismiss(self)

    def proves(self, flow: Flow) -> bool:
        """Whether the far end is whom ``flow`` asks for; without TLS there is no telling."""
        if not self.flow.is_secure:
            return True
        names = self.flow.names
        return is_named(flow.domain or flow.remote[0], names) or not set(names).isdisjoint(
            flow.names
        )

    def write(self, message: bytes) -> None:
        """Send one message."""
        self.used_at = asyncio.get_running_loop().time()
        self._framer.send(message)
        self._pump()

    def close(self) -> None:
        """Close it, once what was written is out."""
        if self._transport is not None:
            self._framer.close()
            self._pump()
            self._transport.close()

    @property
    def _is_bare(self) -> bool:
        """Whether there should be encryption, and is none: nothing may pass either way."""
        return self.flow.is_secure and self._tls is None

    def _check_standing(self) -> None:
        is_open = self._framer.is_open and (self._tls is None or self._tls.is_open)
        if self.is_standing or not is_open:
            return
        if self._tls is not None:
            wanted = self.flow
            self.flow = replace(wanted, names=self._tls.names)
            if self.is_ours and not self.proves(wanted):
                asked = wanted.domain or wanted.remote[0]
                told = ", ".join(self.flow.names[:4]) or "nobody"
                self._cut(f"its certificate is that of {told}, not of {asked}")
                return
        self.is_standing = True
        if not self.is_ours:
            self._watch(_PATIENCE)
        else:
            if self._watchdog is not None:
                self._watchdog.cancel()
                self._watchdog = None
            now = asyncio.get_running_loop().time()
            self._keep_alive = KeepAlive(now, uniform(SHORTEST_REST, LONGEST_REST))
            self._arm_keep_alive(self._keep_alive)
        self._owner.stand(self)
        if not self.over.done():
            self.over.set_result(None)

    def _judge_pace(self, *, has_messages: bool) -> None:
        """Have a message that has begun end in time; only strangers must go on to the next."""
        if has_messages and self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        if has_messages and (patience := self._owner.patience(self)) < math.inf:
            self._watch(patience)
        if self._framer.is_amid and self._watchdog is None:
            self._watch(_PATIENCE)

    def _watch(self, seconds: float) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
        loop = asyncio.get_running_loop()
        self._watchdog = loop.call_later(seconds, self._cut, "it took too long")

    def _arm_keep_alive(self, keep_alive: KeepAlive) -> None:
        loop = asyncio.get_running_loop()
        self._keep_alive_timer = loop.call_at(keep_alive.deadline, self._wake, keep_alive)

    def _wake(self, keep_alive: KeepAlive) -> None:
        now = asyncio.get_running_loop().time()
        if keep_alive.is_dead(now):
            self._cut("it gives no sign of life")
            return
        if keep_alive.wake(now):
            self._framer.ping()
            self._pump()
        self._arm_keep_alive(keep_alive)

    def _pump(self) -> None:
        """Put on the wire what waits."""
        if self._transport is None or self._transport.is_closing() or self._is_bare:
            return
        data = b"".join(self._framer.data_to_send())
        if self._tls is not None:
            if data and self._tls.is_open:
                self._tls.encrypt(data)
            data = self._tls.data_to_send()
        if data:
            self._transport.write(data)
        if self._transport.get_write_buffer_size() > _MOST_UNSENT:
            self._cut("it does not read what is sent to it")

    def _give_up(self, error: Exception) -> None:
        """Abort a connection that could not begin: what comes by it is not to be believed."""
        self.problem = self.problem or getattr(error, "strerror", None) or str(error)
        self._owner.count("broken")
        if self._transport is not None:
            self._transport.abort()

    def _cut(self, problem: str, *, is_fault: bool = True) -> None:
        """End the connection, once what was written is out, if the other side takes it."""
        self.problem = self.problem or problem
        if is_fault:
            self._owner.count("broken")
        if self._transport is not None:
            unsent = self._transport.get_write_buffer_size()
            (self._transport.abort if unsent else self._transport.close)()


def _notice_silence(transport: asyncio.BaseTransport) -> None:
    """Have the system tell soon that the other machine has gone without a word (RFC 5482).

    Else a quarter of an hour passes until it does.
    """
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 2 * _SILENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _SILENCE // 3)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENCE * 1000)
