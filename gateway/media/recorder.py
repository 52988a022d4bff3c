"""Recording a call: a stereo file, the caller on the left, the gateway on the right.

The media thread only appends frames to a queue.  One thread of the recorder's own writes
all files, so a slow disk costs frames of the recording and never a beat of the call.
"""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from .soundfile import SoundFile, create

__all__ = ["Recorder", "Recording"]

_MAX_WAITING: Final = 4000
"""Half seconds, of all recordings, that may wait for the disk; what comes on top is dropped."""

Done: TypeAlias = Callable[["Recording", str], None]


class Recording:
    """One file being written.  The media thread hands frames in; all else is the writer's.

    It is as long as its right side, which comes with the clock; the tape keeps the left in step.
    """

    __slots__ = (
        "_done",
        "_file",
        "_left",
        "_right",
        "dropped",
        "path",
        "problem",
        "rate",
    )

    def __init__(self, path: str, rate: int, done: Done) -> None:
        self.path = path
        self.rate = rate
        self.dropped = 0  # half seconds that found the queue full
        self.problem = ""
        self._done = done
        self._file: SoundFile | None = None
        self._left = bytearray()
        self._right = bytearray()

    @property
    def has_file(self) -> bool:
        """Whether there is anything to hear."""
        return self._file is not None

    def open(self) -> None:
        """Create the file."""
        self._file = create(self.path, self.rate)

    def write(self, left: bytes, right: bytes) -> None:
        """Add samples of either side; each side keeps its own place in the stream."""
        self._left += left
        self._right += right
        self._interleave(min(len(self._left), len(self._right)))

    def close(self) -> None:
        """Write what is left over, complete the file, and say so."""
        length = len(self._right)
        self._left.extend(bytes(max(0, length - len(self._left))))
        try:
            if not self.problem:
                self._interleave(length)
        except OSError as error:
            self.fail(error)
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:
            self.fail(error)
        if self.problem:
            return
        problem = ""
        if self.dropped:
            problem = f"{self.dropped} half seconds were dropped: the disk is too slow"
        self._done(self, problem)

    def fail(self, error: OSError) -> None:
        """Write no more, and say why, once."""
        if not self.problem:
            self.problem = error.strerror or str(error) or "it cannot be written"
            self._done(self, self.problem)

    def _interleave(self, size: int) -> None:
        if self._file is None or not size:
            return
        both = np.empty((size // 2, 2), np.int16)
        both[:, 0] = np.frombuffer(bytes(self._left[:size]), np.int16)
        both[:, 1] = np.frombuffer(bytes(self._right[:size]), np.int16)
        self._file.write(both)
        del self._left[:size], self._right[:size]


@dataclass(slots=True)
class _Job:
    recording: Recording
    left: bytes = b""
    right: bytes = b""
    is_first: bool = False
    is_last: bool = False


class Recorder:
    """The thread that writes every recording of a process; it runs only while there is one."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self, path: str, rate: int, done: Done) -> Recording:
        """Begin a file; the writer's thread calls ``done(recording, problem)`` at its end.

        Where it cannot be written that is its end.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self.run, name="recorder", daemon=True)
            self._thread.start()
        recording = Recording(path, rate, done)
        self._jobs.put(_Job(recording, is_first=True))
        return recording

    def write(self, recording: Recording, left: bytes, right: bytes) -> None:
        """Hand in the next int16 samples of both sides, at the recording's rate; never blocks."""
        if self._jobs.qsize() > _MAX_WAITING:
            recording.dropped += 1
        else:
            self._jobs.put(_Job(recording, left, right))

    def stop(self, recording: Recording) -> None:
        """End a file."""
        self._jobs.put(_Job(recording, is_last=True))

    def close(self) -> None:
        """Write what is queued, and end the thread."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def run(self) -> None:
        """Write until told to stop."""
        while (job := self._jobs.get()) is not None:
            recording = job.recording
            try:
                if job.is_first:
                    recording.open()
                elif not (job.is_last or recording.problem):
                    recording.write(job.left, job.right)
            except OSError as error:
                recording.fail(error)
            if job.is_last:
                recording.close()
