"""A lane's way to the network: its port, and a socket of its own for the one it speaks with.

Until it is certain who that is, packets come and go by the port.  Then the kernel keeps the
peer's packets apart from everybody else's: it need not be told, and does not tell, an address
with each of them.  What strangers send still arrives at the port, is looked at, and counted.
"""

from functools import partial
from typing import Final

from ..rtp.srtp import Place
from .arrays import PACKET
from .cipher import Cipher
from .ports import Address, Link, Port, link_udp
from .receiver import Handler, Inlet, Receiver

__all__ = ["Line"]

_MOST_LEFT_OVER: Final = 1000


class Line:
    """One lane's RTP port while the lane is served.

    ``handle`` takes what may be anybody's, as it came; ``rest`` what is the peer's, decrypted
    if it was encrypted, and not as expected.
    """

    def __init__(
        self, receiver: Receiver, port: Port, row: int, handle: Handler, rest: Handler
    ) -> None:
        self.peer: Address | None = None
        self._receiver = receiver
        self._port = port
        self._row = row
        self._handle = handle
        self._link: Link | None = None
        self._cipher: Cipher | None = None
        empty(port)
        self._inlet: Inlet = receiver.add(port, row, handle, rest)

    @property
    def may_settle(self) -> bool:
        """Whether there is time for it; if not, the peer's next packet will do as well."""
        return self._receiver.may_link

    def settle_on(self, peer: Address, now: float) -> Link | None:
        """Speak with ``peer`` alone from now on; return the socket to send by if there is one."""
        self.part()
        self.peer = peer
        self._link = link = link_udp(self._port, peer)
        if link is None:
            self._inlet.source = peer
            self._cover(self._inlet)
            return None
        self._cover(self._receiver.link(link, self._inlet, peer))
        # Between the two steps of linking it took whatever came.
        buffer = memoryview(bytearray(PACKET))
        for _ in range(_MOST_LEFT_OVER):
            try:
                size, source = link.recvfrom_into(buffer)
            except OSError:
                break
            if source == peer:
                self._handle(bytes(buffer[:size]), source, now)
        return link

    def part(self) -> None:
        """Listen to whoever comes."""
        self._receiver.take()  # while it is known whose the packets are
        self.peer = self._inlet.source = None
        if self._link is not None:
            self._receiver.unlink(self._link, self._inlet)
            self._link.close()
            self._link = None

    def encrypt(self, cipher: Cipher | None) -> None:
        """Decrypt what the peer sends from now on, or leave it as it is."""
        self.part()
        self._cipher = cipher

    def _cover(self, inlet: Inlet) -> None:
        cipher = self._cipher
        inlet.open = None if cipher is None else partial(cipher.open, Place(inlet.buffer))

    def leave(self) -> None:
        """Serve nobody any more; what still comes is thrown away."""
        self.part()
        self._receiver.drain_only(self._port)


def empty(port: Port) -> None:
    """Throw away what came for the lane that had this port before."""
    scratch = memoryview(bytearray(PACKET))
    for _ in range(_MOST_LEFT_OVER):
        try:
            port.recvfrom_into(scratch)
        except OSError:
            return
