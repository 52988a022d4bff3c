"""RTCP for one lane: a report every five seconds, a goodbye, and what the other side reports."""

from typing import Final

from ..rtp.report import ReportSession
from ..sdp.negotiate import Negotiated
from .arrays import LaneArrays
from .cipher import Cipher
from .intake import Intake
from .ports import Address, PortPair

__all__ = ["Reporter"]

INTERVAL: Final = 5.0
"""Seconds between reports."""


class Reporter:
    """Sends and receives one lane's reports.

    Sound packets are counted in the arrays, many at a time; they are entered here when a
    report is due.
    """

    def __init__(
        self, arrays: LaneArrays, row: int, pair: PortPair, ssrc: int, intake: Intake
    ) -> None:
        self.session = ReportSession(ssrc, f"{ssrc:08x}@{pair.host}", 8000, intake.reception)
        self.errors = 0
        self.lacks_keys = False  # to encrypt, as it must
        self.cipher: Cipher | None = None
        self._arrays = arrays
        self._row = row
        self._pair = pair
        self._intake = intake
        self._port = pair.rtcp
        self._remote: Address | None = None
        self._due: float | None = None

    def configure(self, now: float, negotiated: Negotiated, clock: int) -> None:
        """Report as negotiated, ``clock`` being that of what is sent."""
        self.session.clock = clock
        self._port = self._pair.rtp if negotiated.is_rtcp_mux else self._pair.rtcp
        self._remote = negotiated.remote_rtcp
        if self._due is None:
            self._due = now + INTERVAL

    def receive(self, data: bytes, source: Address, now: float) -> None:
        """Take in a report, if it comes from the host that the sound comes from."""
        latch = self._intake.latch
        if latch.remote is None or source[0] != latch.remote[0]:
            latch.foreign += 1
            return
        self._remote = source
        self.session.receive(data, now)

    def keep_up(self, now: float) -> None:
        """Send the report that is due, if one is."""
        if self._due is None or now < self._due:
            return
        self._due = now + INTERVAL
        self._count(now)
        self._send(self.session.report(now))

    def leave(self, now: float) -> None:
        """Say goodbye."""
        if self._due is not None:
            self._count(now)
            self._send(self.session.goodbye(now))

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
