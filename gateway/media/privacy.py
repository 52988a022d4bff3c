"""What of a lane is encrypted, and under which keys; where they lack, nothing goes."""

from ..rtp.latch import Proof
from ..sdp.crypto import SrtpKeys
from ..sdp.negotiate import Negotiated
from .cipher import Cipher
from .group import Group
from .intake import Intake
from .line import Line
from .outlet import Outlet
from .ports import Address
from .reporter import Reporter

__all__ = ["Privacy"]


class Privacy:
    """Gives both directions of a lane, and its reports, the keys that were agreed on."""

    def __init__(self, intake: Intake, outlet: Outlet, reporter: Reporter, group: Group) -> None:
        self.line: Line | None = None  # while the lane is served
        self.cipher: Cipher | None = None
        self._intake = intake
        self._outlet = outlet
        self._reporter = reporter
        self._group = group
        self._negotiated: Negotiated | None = None

    @property
    def suite(self) -> str:
        """What is encrypted with, empty for nothing."""
        return self.cipher.keys.suite if self.cipher is not None else ""

    def configure(self, now: float, negotiated: Negotiated) -> None:
        """Take over what was negotiated; keys that are still to come are waited for."""
        self._negotiated = negotiated
        if negotiated.srtp is not None or not negotiated.is_secure:
            self.secure(now, negotiated.srtp)
        self._apply(negotiated)

    def secure(self, now: float, keys: SrtpKeys | None) -> None:
        """Encrypt under these keys from now on, or not at all."""
        del now
        cipher = self.cipher
        if cipher is not None and keys is not None:
            cipher.change(keys)
        elif cipher is None and keys is None:
            return
        else:
            if cipher is not None:
                cipher.close()
            self.cipher = cipher = Cipher(keys) if keys is not None else None
            if self.line is not None:
                self.line.encrypt(cipher)
            self._outlet.aim(self._outlet.remote)  # the socket it had is closed
        self._outlet.encrypt(cipher)
        if self._negotiated is not None:
            self._apply(self._negotiated)
        self._group.is_stale = True

    @property
    def proof(self) -> Proof:
        """What the packet that was opened last proves."""
        if self.cipher is None:
            return Proof.NONE
        return Proof.FORMER_KEY if self.cipher.is_former else Proof.KEY

    def open(self, data: bytes, source: Address, now: float) -> bytes | None:
        """Return what a datagram of anybody's holds, ``None`` if it is dropped."""
        cipher = self.cipher
        if cipher is None:
            return None if self._outlet.lacks_keys else data
        if self._intake.is_closed_to(source[:2], now):
            self._intake.latch.foreign += (
                1  # before it can spend the number of a packet that it copied
            )
            return None
        return cipher.open_copy(data)

    def close(self) -> None:
        """Forget every key."""
        self._outlet.encrypt(None)
        if self.cipher is not None:
            self.cipher.close()

    def _apply(self, negotiated: Negotiated) -> None:
        cipher, is_secure = self.cipher, negotiated.is_secure
        self._outlet.lacks_keys = is_secure and cipher is None
        is_alone = negotiated.dtls is not None and not negotiated.is_rtcp_mux
        self._reporter.encrypt(cipher, is_secure=is_secure, is_alone=is_alone)
        if cipher is not None:
            cipher.is_mux = negotiated.is_rtcp_mux
