"""What one session is made to do wrong, so that its clients can be tested."""

from dataclasses import dataclass
from typing import Final

from ..realtime.items import ErrorDetail

__all__ = ["SessionFaults"]

_SOUND: Final = (b'"type":"response.output_audio.delta"', b'"type":"response.audio.delta"')
_HEAD: Final = 80  # bytes of a frame in which its type stands


@dataclass(slots=True)
class SessionFaults:
    """The lasting faults of one session; times are monotonic seconds.

    Attributes:
        stalled_until: Nothing is said before then.
        slow_until: Sound is slow until then.
        slow_seconds: The wait before each piece of slow sound.
        failing_until: Every response fails until then.
        problem: Why it does.
        duplicates: So many more frames are sent twice.

    """

    stalled_until: float = 0.0
    slow_until: float = 0.0
    slow_seconds: float = 0.0
    failing_until: float = 0.0
    problem: ErrorDetail | None = None
    duplicates: int = 0

    def is_stalled(self, now: float) -> bool:
        """Whether nothing is to be said."""
        return now < self.stalled_until

    def failure(self, now: float) -> ErrorDetail | None:
        """Return why a response fails, if it is to."""
        return self.problem if now < self.failing_until else None

    def wait_before(self, frame: bytes, now: float) -> float:
        """Return the seconds that a frame is held back."""
        if now < self.slow_until and any(name in frame[:_HEAD] for name in _SOUND):
            return self.slow_seconds
        return 0.0

    def copies(self) -> int:
        """Return how often the next frame is to be sent."""
        if self.duplicates:
            self.duplicates -= 1
            return 2
        return 1

    def clear(self) -> None:
        """Behave from here on."""
        self.stalled_until = self.slow_until = self.failing_until = 0.0
        self.duplicates = 0
