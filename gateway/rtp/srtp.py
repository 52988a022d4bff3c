"""SRTP and SRTCP (RFC 3711): what is sent is sealed, what comes is opened, where it lies.

The work is libsrtp's, which the wheel of pylibsrtp brings with it.  Its wrapper knows four of
our six suites, copies each packet three times, and lets the interpreter go for every one of
them; a busy event loop takes it, and the media thread gets it back a tenth of a millisecond
later.  So the suites are described to libsrtp here, and its functions are called on a packet
where it lies: under a microsecond each.

Whoever seals must begin with a sequence number below 2^15: a listener that misses the first
packets counts the roll-overs from what it hears (RFC 3711 section 3.3.1).
"""

import ctypes
import struct
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import pylibsrtp
from pylibsrtp._binding import ffi, lib

from ..errors import RtpError

__all__ = ["GROWTH", "Opener", "Place", "Sealer"]

GROWTH: Final = 4 + 16
"""The most bytes that sealing adds: the number of a report, and a tag."""

SOURCES: Final = 64
"""Sources under one key whose numbers are remembered; of more, the oldest is forgotten."""

WINDOW: Final = 1024
"""Packets back to which a late one is told from a repeated one."""


class _Suite(NamedTuple):
    """How libsrtp names a suite: its cipher, and bytes of key with salt and of the RTP tag."""

    cipher: int
    key: int
    tag: int
    is_aead: bool = False


_SUITES: Final = {
    "AES_CM_128_HMAC_SHA1_80": _Suite(1, 30, 10),
    "AES_CM_128_HMAC_SHA1_32": _Suite(1, 30, 4),
    "AES_256_CM_HMAC_SHA1_80": _Suite(5, 46, 10),
    "AES_256_CM_HMAC_SHA1_32": _Suite(5, 46, 4),
    "AEAD_AES_128_GCM": _Suite(6, 28, 16, is_aead=True),
    "AEAD_AES_256_GCM": _Suite(7, 44, 16, is_aead=True),
}
_HMAC_SHA1: Final = 3
_HMAC_KEY: Final = 20
_REPORT_TAG: Final = 10  # of SRTCP: never 32 bits, whatever the sound has (RFC 4568 section 6.2)
_BOTH_SERVICES: Final = 3  # confidentiality and authentication
_REPEATED: Final = (9, 10)  # srtp_err_status_replay_fail and _replay_old

_SSRC: Final = struct.Struct("=L")  # as it lies, which is how libsrtp knows it


def _direct(name: str) -> Callable[..., int]:
    """Return a function of libsrtp that is called without letting the interpreter go."""
    address = int(ffi.cast("intptr_t", ffi.addressof(lib, name)))
    return ctypes.PYFUNCTYPE(ctypes.c_int)(address)


_PROTECT: Final = _direct("srtp_protect")
_PROTECT_RTCP: Final = _direct("srtp_protect_rtcp")
_UNPROTECT: Final = _direct("srtp_unprotect")
_UNPROTECT_RTCP: Final = _direct("srtp_unprotect_rtcp")


def _closed(*_arguments: object) -> int:
    return 1  # srtp_err_status_fail


class Place:
    """Memory that packets are sealed or opened in; it must live as long as this."""

    __slots__ = ("address", "view")

    def __init__(self, view: memoryview) -> None:
        self.view = view
        self.address = ctypes.c_void_p(np.frombuffer(view, np.uint8).ctypes.data)


def _session(suite: str, key: bytes | bytearray, kind: int) -> Any:
    """Return a session of libsrtp for every source of one direction.

    Raises:
        RtpError: The suite is unknown, or the key is not as long as it must be.

    """
    known = _SUITES.get(suite)
    if known is None or len(key) != known.key:
        raise RtpError(f"{suite} with a key of {len(key)} bytes cannot be used")
    policy = ffi.new("srtp_policy_t *")
    for part, tag in ((policy.rtp, known.tag), (policy.rtcp, max(known.tag, _REPORT_TAG))):
        numbers = ffi.cast("int[6]", ffi.addressof(part))  # the members of srtp_crypto_policy_t
        auth = (0, 0) if known.is_aead else (_HMAC_SHA1, _HMAC_KEY)
        numbers[0:6] = [known.cipher, known.key, *auth, tag, _BOTH_SERVICES]
    copy = ffi.new("unsigned char[]", bytes(key))
    policy.key = copy
    policy.ssrc.type = kind
    policy.window_size = WINDOW
    made = ffi.new("srtp_t *")
    status = lib.srtp_create(made, policy)
    ffi.memmove(copy, bytes(len(key)), len(key))
    if status:
        raise RtpError(f"{suite}: {pylibsrtp.ERRORS[status]}")
    return ffi.gc(made[0], lib.srtp_dealloc)  # which overwrites its keys


class _Context:
    """One direction under one key."""

    def __init__(self, suite: str, key: bytes | bytearray, kind: int) -> None:
        self._session = _session(suite, key, kind)
        self._context = ctypes.c_void_p(int(ffi.cast("intptr_t", self._session)))
        self._length = ctypes.c_int()
        self._to_length = ctypes.byref(self._length)
        self._on_rtp = self._on_rtcp = _closed

    def close(self) -> None:
        """Forget the key; nothing can be done under it any more."""
        self._on_rtp = self._on_rtcp = _closed
        if self._session is not None:
            ffi.release(self._session)
            self._session = None


class Sealer(_Context):
    """Encrypts and authenticates what we send under one key.

    Raises:
        RtpError: The suite is unknown, or the key is not as long as it must be.

    """

    def __init__(self, suite: str, key: bytes | bytearray) -> None:
        super().__init__(suite, key, lib.ssrc_any_outbound)
        self._on_rtp, self._on_rtcp = _PROTECT, _PROTECT_RTCP
        self.tag = _SUITES[suite].tag  # bytes by which sound grows

    def seal(self, place: Place, size: int) -> int:
        """Seal the RTP packet of ``size`` bytes in its place.

        The place must have room for :data:`GROWTH` more.  Returns the new size, -1 where
        libsrtp refuses.
        """
        self._length.value = size
        if self._on_rtp(self._context, place.address, self._to_length):
            return -1
        return self._length.value

    def seal_report(self, place: Place, size: int) -> int:
        """As :meth:`seal`, for an RTCP compound."""
        self._length.value = size
        if self._on_rtcp(self._context, place.address, self._to_length):
            return -1
        return self._length.value


class Opener(_Context):
    """Checks and decrypts what comes under one key; the numbers of each source are remembered.

    ``mki`` names the key in each packet, where the other side asked for that.

    Raises:
        RtpError: The suite is unknown, or the key is not as long as it must be.

    """

    def __init__(self, suite: str, key: bytes | bytearray, mki: bytes = b"") -> None:
        super().__init__(suite, key, lib.ssrc_any_inbound)
        self._on_rtp, self._on_rtcp = _UNPROTECT, _UNPROTECT_RTCP
        self.forged = 0  # packets that are not what the other side sent
        self.repeated = 0
        self._sources: dict[int, None] = {}
        self._mki = mki
        known = _SUITES[suite]
        self._after_mki = 0 if known.is_aead else known.tag
        self._after_mki_of_report = 0 if known.is_aead else _REPORT_TAG

    def open(self, place: Place, size: int) -> int:
        """Open the SRTP packet of ``size`` bytes in its place.

        Returns the size of what is left, -1 for a packet to be dropped, which is counted.
        """
        if self._mki:
            size = self._without_mki(place, size, self._after_mki)
        if size < 12:
            self.forged += 1
            return -1
        self._length.value = size
        if status := self._on_rtp(self._context, place.address, self._to_length):
            return self._refuse(status)
        (ssrc,) = _SSRC.unpack_from(place.view, 8)
        if ssrc not in self._sources:
            self._remember(ssrc)
        return self._length.value

    def open_report(self, place: Place, size: int) -> int:
        """As :meth:`open`, for an SRTCP compound."""
        if self._mki:
            size = self._without_mki(place, size, self._after_mki_of_report)
        if size < 12:
            self.forged += 1
            return -1
        self._length.value = size
        if status := self._on_rtcp(self._context, place.address, self._to_length):
            return self._refuse(status)
        (ssrc,) = _SSRC.unpack_from(place.view, 4)
        if ssrc not in self._sources:
            self._remember(ssrc)
        return self._length.value

    def _refuse(self, status: int) -> int:
        if status in _REPEATED:
            self.repeated += 1
        else:
            self.forged += 1
        return -1

    def _remember(self, ssrc: int) -> None:
        self._sources[ssrc] = None
        if len(self._sources) > SOURCES:
            oldest = next(iter(self._sources))
            del self._sources[oldest]
            lib.srtp_remove_stream(self._session, oldest)

    def _without_mki(self, place: Place, size: int, after: int) -> int:
        """Take the name of the key out of a packet; return the size left, 0 for another key."""
        view, mki = place.view, self._mki
        start = size - after - len(mki)
        if start < 0 or view[start : start + len(mki)] != mki:
            return 0
        view[start : start + after] = bytes(view[size - after : size])
        return size - len(mki)
