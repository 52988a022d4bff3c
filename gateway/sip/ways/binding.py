"""Asking a STUN server under which address it sees us (RFC 8489 sections 3 and 6.2).

Sans-I/O.  It is asked again and again, for a NAT may give us another address.
"""

import struct
from typing import Final, TypeAlias

from aioice import stun

from ...clock import Ids

__all__ = ["PERIOD", "Binding", "is_stun"]

Address: TypeAlias = tuple[str, int]

PERIOD: Final = 300.0  # seconds between two questions
_RTO: Final = 0.5
_MOST_SENT: Final = 5  # copies of one question: at 0, 0.5, 1.5, 3.5 and 7.5 s
_COOKIE: Final = struct.pack("!I", stun.COOKIE)
_HEADER: Final = 20


def is_stun(data: bytes) -> bool:
    """Tell STUN from SIP, which begins with a letter (RFC 8489 section 5)."""
    return len(data) >= _HEADER and data[0] < 4 and data[4:8] == _COOKIE


class Binding:
    """What one server says of one socket of ours, asked for every five minutes."""

    def __init__(self, ids: Ids, now: float) -> None:
        self.seen: Address | None = None
        self.is_silent = False  # it does not answer any more: nothing follows
        self.deadline = now  # when wake() must next be called
        self._ids = ids
        self._question: stun.Message | None = None
        self._sent = 0
        self._sends: list[bytes] = []

    def wake(self, now: float) -> None:
        """Ask, ask again, or give up."""
        if now < self.deadline or self.is_silent:
            return
        if self._question is None:
            token = self._ids.number(1 << 96).to_bytes(12, "big")
            kind, method = stun.Class.REQUEST, stun.Method.BINDING
            self._question, self._sent = stun.Message(method, kind, token), 0
        if self._sent >= _MOST_SENT:
            self.is_silent = True
            return
        self._sends.append(bytes(self._question))
        self.deadline = now + _RTO * 2**self._sent
        self._sent += 1

    def receive(self, data: bytes, now: float) -> None:
        """Take in a message; one that is no answer to our question is ignored."""
        try:
            message = stun.parse_message(data)
        except (ValueError, IndexError, struct.error):
            return
        question = self._question
        if question is None or message.transaction_id != question.transaction_id:
            return
        told = message.attributes
        seen = told.get("XOR-MAPPED-ADDRESS") or told.get("MAPPED-ADDRESS")
        if message.message_class == stun.Class.RESPONSE and seen is not None:
            self.seen, self._question = seen, None
            self.deadline = now + PERIOD

    def data_to_send(self) -> list[bytes]:
        """Drain the questions waiting to go out."""
        sends, self._sends = self._sends, []
        return sends
