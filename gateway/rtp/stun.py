"""STUN messages of connectivity checks (RFC 8489, RFC 8445 section 7.1); the parser is aioice's."""

import struct

from aioice import stun
from aioice.stun import Class, Message, Method

from ..errors import RtpError

__all__ = ["Class", "Message", "Method", "ends_with_fingerprint", "is_stun", "parse"]

_COOKIE = struct.pack("!I", stun.COOKIE)
_HEADER = 20
_FINGERPRINT = b"\x80\x28\x00\x04"  # its type and length, of the eight bytes it has


def is_stun(datagram: bytes) -> bool:
    """Say whether a datagram on a shared port is STUN (RFC 7983)."""
    return len(datagram) >= _HEADER and datagram[0] < 4 and datagram[4:8] == _COOKIE


def ends_with_fingerprint(datagram: bytes) -> bool:
    """Say whether a message has its fingerprint where it must be (RFC 8489 section 14.7)."""
    return datagram[-8:-4] == _FINGERPRINT


def parse(datagram: bytes) -> Message:
    """Read a message; a fingerprint in it is right, integrity is for the caller to check.

    Raises:
        RtpError: It is none that can be read.

    """
    if not is_stun(datagram):
        raise RtpError("not a STUN message")
    try:
        return stun.parse_message(datagram)
    except (ValueError, IndexError, struct.error) as error:
        raise RtpError(f"a STUN message that cannot be read: {error}") from error
