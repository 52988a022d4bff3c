"""The base times of SIP (RFC 3261, section 17.1.1.1), from which all its timers follow."""

from dataclasses import dataclass

__all__ = ["Timers"]


@dataclass(frozen=True, slots=True)
class Timers:
    """Seconds: round trip, longest wait between copies, longest life of a message."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    trying: float = 0.2  # how long an INVITE may go unanswered before a 100 (17.2.1)
    silence: float = 5.0  # how long a target may say nothing while there are others to turn to

    @property
    def patience(self) -> float:
        """64 × T1: when to give up, or to stop expecting copies."""
        return 64 * self.t1
