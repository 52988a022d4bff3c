"""A group: the lanes that share a beat, sorted by what its tick must do with them."""

from typing import Protocol

import numpy as np

from .arrays import Rows
from .intake import Intake
from .outlet import Outlet
from .uplink import Source

__all__ = ["Group", "Member"]


class Member(Protocol):
    """What a group needs of a lane."""

    row: int
    is_active: bool
    intake: Intake
    source: Source
    outlet: Outlet

    def keep_up(self, now: float, timeout: float, hold_timeout: float, /) -> None:
        """Do what is due now and then."""
        ...


class Group:
    """The lanes of one beat, sorted by what a tick must do with them."""

    def __init__(self) -> None:
        self.seats: list[Member] = []
        self.is_stale = False  # some lane is new, or must be treated otherwise
        self.rows: Rows = np.zeros(0, np.intp)
        self.sources: list[Source] = []
        self.plain_rows: Rows = np.zeros(0, np.intp)
        self.plain: list[Outlet] = []
        self.guarded_rows: Rows = np.zeros(0, np.intp)  # of the plain ones
        self.guarded: list[Outlet] = []
        self.special: list[Outlet] = []
        self.taped: list[Outlet] = []  # of those that send nothing, and whose time goes on
        self.waking: set[Member] = set()  # with an open gap or a key down

    def sort(self) -> None:
        """Sort the lanes anew."""
        self.is_stale = False
        active = [seat for seat in self.seats if seat.is_active]
        self.rows = np.array([seat.row for seat in active], np.intp)
        self.sources = [seat.source for seat in active]
        sending = [seat for seat in active if seat.outlet.is_sending]
        for seat in sending:
            seat.outlet.is_plain = seat.outlet.may_be_plain
        plain = [seat for seat in sending if seat.outlet.is_plain]
        self.plain_rows = np.array([seat.row for seat in plain], np.intp)
        self.plain = [seat.outlet for seat in plain]
        guarded = [seat for seat in plain if seat.outlet.reference is not None]
        self.guarded_rows = np.array([seat.row for seat in guarded], np.intp)
        self.guarded = [seat.outlet for seat in guarded]
        self.special = [seat.outlet for seat in sending if not seat.outlet.is_plain]
        self.taped = [
            seat.outlet
            for seat in active
            if seat.outlet.tape is not None and not seat.outlet.is_sending
        ]
