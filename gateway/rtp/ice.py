"""ICE-lite (RFC 8445 sections 2.5 and 7.3): connectivity checks are answered, and none are made.

We have one address that the whole world reaches, so the other side finds a pair that works and
names it.  A check is signed with a password that only the description told: where it comes from
is proved to be the caller.
"""

import hmac
from typing import Final, TypeAlias

from ..errors import RtpError
from .stun import Class, Message, Method, ends_with_fingerprint, parse

__all__ = ["Address", "IceLite"]

Address: TypeAlias = tuple[str, int]

SOURCES: Final = 16
"""Addresses of one side whose checks are answered; an agent has a few of each family."""

_ROLE_CONFLICT: Final = (487, "Role Conflict")


class IceLite:
    """The passive side of ICE for one component.

    ``remote`` is where to send: the pair the other side named, before that the first it tried.
    What is asked must be signed with our password, under both sides' names (RFC 8839 section 5.4).
    """

    def __init__(self, ufrag: str, password: str, remote_ufrag: str) -> None:
        self.remote: Address | None = None
        self.is_nominated = False
        self.refused = 0  # unsigned, wrongly signed or unreadable messages
        self._key = password.encode()
        self._username = f"{ufrag}:{remote_ufrag}".encode()
        self._priorities: dict[Address, int] = {}  # of each address that was proved
        self._named = -1  # the priority of the pair that was named

    def is_proved(self, source: Address) -> bool:
        """Say whether a signed check came from there."""
        return source in self._priorities

    def receive(self, datagram: bytes, source: Address) -> bytes | None:
        """Take in a STUN message and return what is to be answered, if anything is."""
        try:
            message = parse(datagram)
        except RtpError:
            self.refused += 1
            return None
        if message.message_method is not Method.BINDING:
            self.refused += 1
            return None
        if message.message_class is Class.INDICATION:
            return None  # a keep-alive
        is_request = message.message_class is Class.REQUEST and ends_with_fingerprint(datagram)
        if not is_request or not self._is_signed(message):
            self.refused += 1
            return None
        if not self.is_proved(source) and len(self._priorities) >= SOURCES:
            self.refused += 1
            return None
        if "ICE-CONTROLLED" in message.attributes:  # section 7.3.1.1: we cannot but be controlled
            return self._sealed(message, Class.ERROR, {"ERROR-CODE": _ROLE_CONFLICT})
        self._prove(source, message)
        return self._sealed(message, Class.RESPONSE, {"XOR-MAPPED-ADDRESS": source})

    def _is_signed(self, message: Message) -> bool:
        username = str(message.attributes.get("USERNAME", ""))
        is_ours = hmac.compare_digest(username.encode(), self._username)
        return is_ours and message.check_message_integrity(self._key)

    def _prove(self, source: Address, message: Message) -> None:
        priority = int(message.attributes.get("PRIORITY", 0))
        self._priorities[source] = priority
        if "USE-CANDIDATE" in message.attributes:
            # One that names every pair means the best of those that work.
            if priority >= self._named:
                self._named, self.remote, self.is_nominated = priority, source, True
        elif self.remote is None:
            self.remote = source

    def _sealed(self, request: Message, kind: Class, attributes: dict[str, object]) -> bytes:
        answer = Message(Method.BINDING, kind, request.transaction_id, attributes)
        answer.add_message_integrity(self._key)
        return bytes(answer)
