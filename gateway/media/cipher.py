"""A lane's encryption: what it sends is sealed, what it gets is opened, both where they lie."""

from typing import Final

from ..rtp.srtp import GROWTH, Opener, Place, Sealer
from ..sdp.crypto import SrtpKeys
from .arrays import PACKET

__all__ = ["Cipher"]

_GRACE: Final = 250  # packets that may still come under a key that was given up
_LONGEST: Final = 2048  # what we send in 60 ms of the widest codec
_RTP: Final = 2  # the first two bits of RTP and RTCP; STUN and DTLS have others (RFC 7983)


class Cipher:
    """Both directions under the keys of one exchange, and those that came before them."""

    def __init__(self, keys: SrtpKeys) -> None:
        self.keys = keys
        self.is_mux = False  # reports share the port of the sound
        self._sealer = Sealer(keys.suite, keys.local)
        self._opener = Opener(keys.suite, keys.remote, keys.remote_mki)
        self._former: Opener | None = None  # until the first packet under the new key,
        self._grace = 0  # or so many under the old one
        self.is_former = False  # the packet opened last was made with that
        self._forged = self._repeated = 0  # under the keys before
        self._sending = Place(memoryview(bytearray(_LONGEST + GROWTH)))
        self._receiving = Place(memoryview(bytearray(PACKET)))

    @property
    def forged(self) -> int:
        """Packets that the other side did not send as they came."""
        return self._forged + self._opener.forged

    @property
    def repeated(self) -> int:
        """Packets that had come before, or came too late to tell."""
        return self._repeated + self._opener.repeated

    def change(self, keys: SrtpKeys) -> None:
        """Go over to other keys; a direction whose key stays keeps its numbers too.

        What the other side still sends under its old key is opened until it uses the new one,
        but not for long.
        """
        old, self.keys = self.keys, keys
        is_same = old.suite == keys.suite
        if not is_same or old.local != keys.local:
            self._sealer.close()
            self._sealer = Sealer(keys.suite, keys.local)
        if not is_same or (old.remote, old.remote_mki) != (keys.remote, keys.remote_mki):
            self._end_former()
            self._forged, self._repeated = self.forged, self.repeated
            self._former, self._grace = self._opener, _GRACE
            self._opener = Opener(keys.suite, keys.remote, keys.remote_mki)
        if old is not keys:
            old.wipe()

    def close(self) -> None:
        """Forget every key."""
        self._sealer.close()
        self._opener.close()
        self._end_former()
        self.keys.wipe()

    def seal(self, packet: memoryview | bytes) -> memoryview:
        """Return a packet of sound as it goes out; the next one will lie in the same memory.

        What libsrtp refuses, because the key is used up, comes back empty.
        """
        size = len(packet)
        self._sending.view[:size] = packet
        return self._sending.view[: max(0, self._sealer.seal(self._sending, size))]

    def seal_report(self, report: bytes) -> memoryview:
        """As :meth:`seal`, for an RTCP compound."""
        size = len(report)
        self._sending.view[:size] = report
        return self._sending.view[: max(0, self._sealer.seal_report(self._sending, size))]

    def place_of(self, packet: memoryview) -> memoryview:
        """Return where a packet of sound will lie once it is sealed."""
        return self._sending.view[: len(packet) + self._sealer.tag]

    def open(self, place: Place, size: int) -> int:
        """Open a packet in its place; return what is left of it, -1 for one to be dropped.

        What is neither sound nor a report is left as it is.
        """
        view = place.view
        if view[0] >> 6 != _RTP:
            return size
        is_report = self.is_mux and 192 <= view[1] <= 223
        if self._former is not None:
            return self._open_either(place, size, is_report)
        opener = self._opener
        return opener.open_report(place, size) if is_report else opener.open(place, size)

    def open_copy(self, data: bytes) -> bytes | None:
        """Return what a datagram at the port of the sound holds, ``None`` if it is dropped."""
        place, size = self._receiving, len(data)
        place.view[:size] = data
        left = self.open(place, size)
        return None if left < 0 else bytes(place.view[:left])

    def open_report(self, data: bytes) -> bytes | None:
        """As :meth:`open_copy`, for a datagram at the port of the reports."""
        place, size = self._receiving, len(data)
        place.view[:size] = data
        if self._former is not None:
            left = self._open_either(place, size, True)
        else:
            left = self._opener.open_report(place, size)
        return None if left < 0 else bytes(place.view[:left])

    def _open_either(self, place: Place, size: int, is_report: bool) -> int:
        """Open a packet under the new key, or else under the old one."""
        assert self._former is not None
        packet = bytes(place.view[:size])
        opener = self._opener
        left = opener.open_report(place, size) if is_report else opener.open(place, size)
        if left >= 0 or not self._grace:
            self._end_former()
            return left
        self._grace -= 1
        place.view[:size] = packet  # some suites decrypt before they know whose it is
        opener = self._former
        left = opener.open_report(place, size) if is_report else opener.open(place, size)
        self.is_former = left >= 0
        self._opener.forged -= self.is_former
        return left

    def _end_former(self) -> None:
        self.is_former = False
        if self._former is not None:
            self._former.close()
            self._former = None
