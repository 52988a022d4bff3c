"""Whether a process lives, as far as the files beside a database tell: each locks one of its own.

The lock goes with the process however it ends, and nobody has to wait until it is missed.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["SignOfLife"]


class SignOfLife:
    """The lock of this process beside a database, and those of others."""

    def __init__(self, database: Path, instance: str) -> None:
        self._database = database
        self._path = self._file_of(instance)
        self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def is_gone(self, instance: str) -> bool:
        """Tell whether the process of this name has ended; its file goes then."""
        path = self._file_of(instance)
        if path == self._path:
            return False
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        except OSError:
            return False  # it cannot be told
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        else:
            with suppress(OSError):
                path.unlink()
            return True
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Be gone."""
        with suppress(OSError):
            self._path.unlink()
        os.close(self._descriptor)

    def _file_of(self, instance: str) -> Path:
        return self._database.with_name(f"{self._database.name}-{instance}.lock")
