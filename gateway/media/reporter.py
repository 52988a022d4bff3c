"""RTCP for one lane: reports, a goodbye, and what the other side reports."""

from typing import Final

from ..clock import Ids
from ..rtp.packet import is_rtcp
from ..rtp.report import ReportSession
from ..sdp.crypto import SrtpKeys
from ..sdp.negotiate import Negotiated
from .arrays import LaneArrays
from .cipher import Cipher
from .intake import Intake
from .ports import Address, PortPair

__all__ = ["Reporter"]

INTERVAL: Final = 5.0
"""Seconds between reports, half as much more or less by chance (RFC 3550 section 6.3.1).

So calls that began together do not report together.
"""


class Reporter:
    """Sends and receives one lane's reports.

    Sound packets are counted in the arrays, many at a time; they are entered here when a
    report is due.
    """

    def __init__(
        self, arrays: LaneArrays, row: int, pair: PortPair, ssrc: int, ids: Ids, intake: Intake
    ) -> None:
        self.cname = ids.token(96)  # by chance: it tells of nobody's address (RFC 7022 section 4.2)
        self.session = ReportSession(ssrc, self.cname, 8000, intake.reception)
        self.errors = 0
        self.lacks_keys = False  # to encrypt, as it must
        self.cipher: Cipher | None = None
        self._own_cipher: Cipher | None = None  # of a handshake for the reports alone
        self._is_settled = False  # with whom reports are exchanged
        self._arrays = arrays
        self._row = row
        self._pair = pair
        self._ids = ids
        self._intake = intake
        self._port = pair.rtcp
        self._announced: Address | None = None
        self._remote: Address | None = None
        self._due: float | None = None

    def configure(self, now: float, negotiated: Negotiated, clock: int) -> None:
        """Report as negotiated, ``clock`` being that of what is sent."""
        self.session.clock = clock
        self._port = self._pair.rtp if negotiated.is_rtcp_mux else self._pair.rtcp
        announced = negotiated.remote_rtcp if negotiated.ice is None else None
        if announced != self._announced or not self._is_settled:
            self._announced = self._remote = announced
            self._is_settled = False
        if self._due is None:
            self._due = self._next_due(now)

    @property
    def host(self) -> str:
        """Where reports go, if anywhere."""
        return self._remote[0] if self._remote is not None else ""

    def settle(self, now: float, address: Address) -> None:
        """Exchange reports with whom was proved to be the other side."""
        del now
        self._remote, self._is_settled = address, True

    def secure(self, now: float, keys: SrtpKeys) -> None:
        """Encrypt reports under keys of their own from now on."""
        del now
        if self._own_cipher is not None:
            self._own_cipher.close()
        self.cipher = self._own_cipher = Cipher(keys)
        self.lacks_keys = False

    def encrypt(self, cipher: Cipher | None, *, is_secure: bool, is_alone: bool) -> None:
        """Encrypt reports as the sound is, or ``is_alone`` under keys of their own."""
        self.cipher = self._own_cipher if is_alone else cipher
        self.lacks_keys = is_secure and self.cipher is None

    def open(self, data: bytes) -> bytes | None:
        """Return what a datagram at the port of the reports holds, ``None`` if it is dropped."""
        if self.cipher is None:
            return None if self.lacks_keys else data
        return self.cipher.open_report(data)

    def receive(self, data: bytes, source: Address, now: float) -> None:
        """Take in a report, if it comes from where the sound comes from."""
        if self._is_theirs(source[:2]) and is_rtcp(data):
            self._remote, self._is_settled = source[:2], True
            self.session.receive(data, now)
        else:
            self._intake.latch.foreign += 1

    def _is_theirs(self, source: Address) -> bool:
        """Say whether a source is the announced one, or the first of the sound's host."""
        sound = self._intake.latch.remote
        if source == self._remote:
            return True
        if self._port is self._pair.rtp:
            return source == sound
        return not self._is_settled and sound is not None and source[0] == sound[0]

    def keep_up(self, now: float) -> None:
        """Send the report that is due, if one is."""
        if self._due is None or now < self._due:
            return
        self._due = self._next_due(now)
        self._count(now)
        self._send(self.session.report(now))

    def leave(self, now: float) -> None:
        """Say goodbye."""
        if self._due is not None:
            self._count(now)
            self._send(self.session.goodbye(now))
        if self._own_cipher is not None:
            self._own_cipher.close()
            self.cipher = self._own_cipher = None
            self.lacks_keys = True

    def _next_due(self, now: float) -> float:
        return now + INTERVAL * (0.5 + self._ids.number(1001) / 1000)

    def _count(self, now: float) -> None:
        """Enter what was sent and received since the last report."""
        self._intake.settle()
        arrays, row, session = self._arrays, self._row, self.session
        count = int(arrays.sent[row])
        if count > session.packets_sent:
            session.sent(int(arrays.timestamp[row]), 0, now)
            session.packets_sent = count
            session.octets_sent = int(arrays.octets[row])

    def _send(self, report: bytes) -> None:
        if self._remote is None or self.lacks_keys:
            return
        sealed = report if self.cipher is None else self.cipher.seal_report(report)
        try:
            self._port.sendto(sealed, self._remote)
        except OSError:
            self.errors += 1
