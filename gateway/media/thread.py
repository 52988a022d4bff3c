"""The media thread: a metronome, the core's ticks, and one call over to the loop after each."""

import asyncio
import sys
import threading
import time
from typing import Final

from .core import GROUPS, MediaCore
from .outbox import Parcel
from .playout import FRAME_MS
from .stats import EngineStats

__all__ = ["MediaThread"]

_BEAT: Final = FRAME_MS / 1000 / GROUPS
_MOST_LATE: Final = 0.060
"""Seconds a stall may last for its ticks to be made up; after a longer one they are skipped."""
_MOST_PARCELS: Final = 200
"""Parcels the loop may be behind, a second's worth; then sound is dropped until it catches up."""
_SWITCH_INTERVAL: Final = 0.0005
"""Seconds the loop may keep the interpreter when a tick is due."""


class MediaThread:
    """Runs a core in real time."""

    def __init__(self, core: MediaCore, loop: asyncio.AbstractEventLoop) -> None:
        self.stats = EngineStats()
        self._core = core
        self._loop = loop
        self._thread = threading.Thread(target=self._run, name="media", daemon=True)
        self._is_over = False
        self._awake = threading.Event()
        self._posted = 0  # counted here alone
        self._delivered = 0  # counted on the loop alone

    def start(self) -> None:
        """Begin to tick."""
        self._core.outbox.on_late = self.wake
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_INTERVAL))
        self._thread.start()

    def wake(self) -> None:
        """Say that there is something to do."""
        if not self._awake.is_set():
            self._awake.set()

    def stop(self) -> None:
        """Finish the present tick, and return when the thread has ended."""
        self._is_over = True
        self._awake.set()
        self._thread.join()

    def _run(self) -> None:
        clock, core, stats = time.monotonic, self._core, self.stats
        start = clock()
        beat = 0
        while not self._is_over:
            if core.is_idle:
                self._awake.clear()
                if core.is_idle:
                    self._awake.wait()
                start, beat = clock(), 0
            due = start + beat * _BEAT
            wait = due - clock()
            if wait > 0:
                time.sleep(wait)
            now = clock()
            late = now - due
            stats.ticks += 1
            stats.lateness_sum += late
            stats.lateness_max = max(stats.lateness_max, late)
            try:
                parcel = core.tick(beat % GROUPS, now)
            except Exception as error:  # the clock of every call must go on
                stats.faults += 1
                parcel = [(self._report_fault, error)]
            if parcel:
                self._post(parcel)
            beat += 1
            if late > _MOST_LATE:  # whole rounds, so that no group loses its turn
                rounds = int(late / _BEAT) // GROUPS
                beat += rounds * GROUPS
                stats.skipped += rounds * GROUPS
                core.skip(rounds)

    def _post(self, parcel: Parcel) -> None:
        if self._posted - self._delivered > _MOST_PARCELS:
            self.stats.dropped_parcels += 1
            parcel = [(call, what) for call, what in parcel if not isinstance(what, bytes)]
            if not parcel:
                return
        self._posted += 1
        try:
            self._loop.call_soon_threadsafe(self._deliver, parcel)
        except RuntimeError:  # the loop is closed: nobody is left to tell
            self._is_over = True

    def _report_fault(self, error: Exception) -> None:
        self._loop.call_exception_handler({"message": "a media tick failed", "exception": error})

    def _deliver(self, parcel: Parcel) -> None:
        self._delivered += 1
        for call, what in parcel:
            try:
                call(what)
            except Exception as error:
                self._loop.call_exception_handler(
                    {"message": "a lane's callback failed", "exception": error}
                )
