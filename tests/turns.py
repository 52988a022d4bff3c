"""Keeps the processes that share the tests of one run out of each other's way.

They hold files locked in a folder that all of them know; the system takes back the locks of a
process that is gone.
"""

import fcntl
import os
from pathlib import Path

__all__ = ["Attendance"]


class Attendance:
    """Says that this process still has tests to run, and knows when no other one has."""

    def __init__(self, folder: Path) -> None:
        self._held = os.open(folder / "attendance", os.O_RDWR | os.O_CREAT)
        fcntl.flock(self._held, fcntl.LOCK_SH)

    def outstay(self) -> None:
        """Wait until all others have left, or wait for the same."""
        fcntl.flock(self._held, fcntl.LOCK_UN)
        fcntl.flock(self._held, fcntl.LOCK_EX)
        fcntl.flock(self._held, fcntl.LOCK_SH)

    def leave(self) -> None:
        os.close(self._held)
