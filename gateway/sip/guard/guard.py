"""Who is heard at all: asked of every message before it is read.

Everybody but the configured neighbours is a stranger, and has little: few messages a second each,
few of all of them together, no memory beyond a count, and after some refusals none for a while.
A neighbour has a rate of its own and is never banned, since whoever forges its address could
otherwise shut it out.  Between the two stand the *vouched*: strangers we spoke to ourselves, or
whose request was let in for its credentials or for the call it belongs to; for an hour they have
a neighbour's rate and cannot be banned either.

What comes in datagrams, whose sender anybody may forge, is counted apart from what comes by
connections: it takes nothing from them, and no ban for it cuts them off.

Sans-I/O.  All that is kept is bounded, and what a message costs that is dropped is a few look-ups.
"""

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeVar

from ...config.sip import GuardSettings
from ..flow import Flow
from .scanners import scanner_watch

__all__ = ["Ban", "Guard", "GuardStats", "Notice", "block_of"]

_BURST: Final = 2.0  # seconds' worth that may come at once
_ALL_STRANGERS: Final = 10  # times what one may ask: what all of them may ask together
_WINDOW: Final = 60.0  # seconds in which refusals add up to a ban, and between two notices
_JUDGED_FOR: Final = 60.0  # seconds until it is asked again who an address belongs to
_VOUCHED_FOR: Final = 3600.0
_MOST_SOURCES: Final = 16_384
_MOST_BANS: Final = 4096
_MOST_VOUCHED: Final = 4096
_MOST_NOTICES: Final = 1.0  # a second, of all sources

_Name = TypeVar("_Name")


@dataclass(slots=True)
class GuardStats:
    """What was kept out, and why; and what became of the strangers that were heard."""

    dropped_banned: int = 0
    dropped_scanner: int = 0
    dropped_stranger_rate: int = 0  # one stranger asked too much
    dropped_stranger_flood: int = 0  # all of them did
    dropped_neighbour_rate: int = 0
    dropped_connections: int = 0  # of strangers, who had too many
    strangers_answered: int = 0
    strangers_unanswered: int = 0
    bans: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth a line in the log; one a minute for each source.

    Attributes:
        source: an address, or an IPv6 network of 64 bits; empty for all strangers together.
        why: what is held against it, in words.
        count: how many messages, since the last time, that this is about.
        ban_seconds: for how long it is banned from now on; 0 where it is not.

    """

    source: str
    why: str
    count: int
    ban_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Ban:
    """A source that is not heard until ``until``.

    ``over`` says by what it came: a ban for datagrams is for these alone, since they may be
    forged; one for what came by connections is for both.
    """

    source: str
    until: float
    why: str
    over: Literal["datagrams", "connections"]


class _Bucket:
    """Lets through so many a second, and two seconds' worth at once."""

    __slots__ = ("_at", "_tokens")

    def __init__(self) -> None:
        self._tokens = math.inf  # full, whatever its size
        self._at = 0.0

    def takes(self, rate: float, now: float) -> bool:
        tokens = min(max(1.0, rate * _BURST), self._tokens + (now - self._at) * rate)
        self._at = now
        is_open = tokens >= 1.0
        self._tokens = tokens - 1.0 if is_open else tokens
        return is_open


class _Stranger(NamedTuple):
    """Who is counted apart."""

    block: str
    is_connected: bool


class _Source(_Bucket):
    """What is remembered of one source."""

    __slots__ = ("count", "refusals", "since", "told_at", "until")

    def __init__(self) -> None:
        super().__init__()
        self.until = math.inf  # when it must be judged again, or is no longer vouched for
        self.refusals = 0
        self.since = -math.inf  # when the first of these was
        self.count = 0  # messages that no notice has told of yet
        self.told_at = -math.inf


class Guard:
    """Keeps strangers in bounds and scanners out.

    Args:
        settings: What is configured.
        knows: Tells whether a flow comes from a neighbour.
        report: Is given what should be logged; it is called seldom.

    """

    def __init__(
        self,
        settings: GuardSettings,
        *,
        knows: Callable[[Flow], bool],
        report: Callable[[Notice], None],
    ) -> None:
        self.stats = GuardStats()
        self.is_stealthy = settings.stealth
        self._rate = settings.requests_per_second
        self._neighbour_rate = settings.trunk_requests_per_second
        self._ban_after = settings.ban_after
        self._ban_seconds = settings.ban_seconds
        self._knows = knows
        self._report = report
        self._is_scanner = scanner_watch(settings.scanners)
        self._judged: OrderedDict[str, float] = OrderedDict()  # strangers' hosts, until when
        self._neighbours: OrderedDict[str, _Source] = OrderedDict()
        self._vouched: OrderedDict[str, _Source] = OrderedDict()
        self._strangers: OrderedDict[_Stranger, _Source] = OrderedDict()
        self._bans: OrderedDict[_Stranger, Ban] = OrderedDict()
        self._everybody = {False: _Source(), True: _Source()}  # by whether they are connected
        self._notices = _Bucket()

    def admits(self, data: bytes, flow: Flow, now: float) -> bool:
        """Decide whether a message, yet unread, is to be read."""
        source = self._neighbour(flow, now)
        if source is not None:
            return self._takes_known(source, flow.remote[0], now)
        stranger = _stranger(flow)
        if self._is_banned(stranger, now):
            self.stats.dropped_banned += 1
            return False
        vouched = self._vouched.get(stranger.block)
        if vouched is not None and now < vouched.until:
            return self._takes_known(vouched, stranger.block, now)
        return self._takes_stranger(data, stranger, now)

    def is_stranger(self, flow: Flow, now: float) -> bool:
        """Tell whether a flow comes from somebody who is no neighbour, vouched for or not."""
        return self._neighbour(flow, now) is None

    def is_vouched(self, flow: Flow, now: float) -> bool:
        """Tell whether a stranger is one of those that are trusted for a while."""
        vouched = self._vouched.get(block_of(flow.remote[0]))
        return vouched is not None and now < vouched.until

    def is_banned(self, flow: Flow, now: float) -> bool:
        """Tell whether nothing that a stranger sends by this way is read at present."""
        return self._is_banned(_stranger(flow), now)

    def vouch(self, flow: Flow, now: float) -> None:
        """Trust a stranger for a while: we speak to it, or it has shown that it may speak."""
        if self._neighbour(flow, now) is None:
            block = block_of(flow.remote[0])
            _keep(self._vouched, block, _MOST_VOUCHED).until = now + _VOUCHED_FOR
            for is_connected in (False, True):
                self._strangers.pop(_Stranger(block, is_connected), None)

    def refused(self, flow: Flow, why: str, now: float) -> None:
        """Take note that a message was refused; strangers are banned after some."""
        stranger = _stranger(flow)
        if (neighbour := self._neighbour(flow, now)) is not None:
            self._tell(neighbour, flow.remote[0], why, now)
        elif self.is_vouched(flow, now):
            self._tell(self._vouched[stranger.block], stranger.block, why, now)
        else:
            source = _keep(self._strangers, stranger, _MOST_SOURCES)
            self._hold_against(source, stranger, why, now)

    def bans(self, now: float) -> list[Ban]:
        """Return who is not heard at present, the latest first."""
        return [ban for ban in reversed(self._bans.values()) if now < ban.until]

    def _is_banned(self, stranger: _Stranger, now: float) -> bool:
        bans = self._bans.get(stranger), self._bans.get(_Stranger(stranger.block, True))
        return any(ban is not None and now < ban.until for ban in bans)

    def _neighbour(self, flow: Flow, now: float) -> _Source | None:
        """Return what is remembered of a neighbour, or nothing for a stranger."""
        host = flow.remote[0]
        if not flow.is_reliable:  # behind one address, connections may prove to be several people
            source = self._neighbours.get(host)
            if source is not None and now < source.until:
                return source
            if now < self._judged.get(host, -math.inf):
                return None
        if self._knows(flow):
            source = _keep(self._neighbours, host, _MOST_SOURCES)
            source.until = now + _JUDGED_FOR
            return source
        if not flow.is_reliable:
            self._judged[host] = now + _JUDGED_FOR
            if len(self._judged) > _MOST_SOURCES:
                self._judged.popitem(last=False)
        return None

    def _takes_known(self, source: _Source, name: str, now: float) -> bool:
        if source.takes(self._neighbour_rate, now):
            return True
        self.stats.dropped_neighbour_rate += 1
        self._tell(source, name, "more messages than trunk_requests_per_second", now)
        return False

    def _takes_stranger(self, data: bytes, stranger: _Stranger, now: float) -> bool:
        source = self._strangers.get(stranger)
        if source is not None and not source.takes(self._rate, now):
            self.stats.dropped_stranger_rate += 1
            self._tell(source, stranger.block, "more messages than requests_per_second", now)
            return False
        everybody = self._everybody[stranger.is_connected]
        if not everybody.takes(self._rate * _ALL_STRANGERS, now):
            self.stats.dropped_stranger_flood += 1
            self._tell(everybody, "", "too many messages of strangers", now)
            return False
        if source is None:
            source = _keep(self._strangers, stranger, _MOST_SOURCES)
            source.takes(self._rate, now)
        else:
            self._strangers.move_to_end(stranger)
        if self._is_scanner(data):
            self.stats.dropped_scanner += 1
            self._hold_against(source, stranger, "a scanner", now)
            return False
        return True

    def _hold_against(self, source: _Source, stranger: _Stranger, why: str, now: float) -> None:
        if now - source.since > _WINDOW:
            source.since, source.refusals = now, 0
        source.refusals += 1
        if source.refusals < self._ban_after or not self._ban_seconds:
            self._tell(source, stranger.block, why, now)
            return
        self.stats.bans += 1
        self._strangers.pop(stranger, None)
        over: Final = "connections" if stranger.is_connected else "datagrams"
        self._bans[stranger] = Ban(stranger.block, now + self._ban_seconds, why, over)
        self._bans.move_to_end(stranger)
        if len(self._bans) > _MOST_BANS:
            self._bans.popitem(last=False)
        self._write(Notice(stranger.block, why, source.count + 1, self._ban_seconds), now)

    def _tell(self, source: _Source, name: str, why: str, now: float) -> None:
        source.count += 1
        if now - source.told_at >= _WINDOW and self._write(Notice(name, why, source.count), now):
            source.count, source.told_at = 0, now

    def _write(self, notice: Notice, now: float) -> bool:
        is_written = self._notices.takes(_MOST_NOTICES, now)
        if is_written:
            self._report(notice)
        return is_written


def block_of(host: str) -> str:
    """Return what counts as one source: an IPv4 address, or an IPv6 network of 64 bits."""
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{ipaddress.IPv6Address(int(address) >> 64 << 64)}/64"


def _stranger(flow: Flow) -> _Stranger:
    return _Stranger(block_of(flow.remote[0]), flow.is_reliable)


def _keep(sources: OrderedDict[_Name, _Source], name: _Name, most: int) -> _Source:
    """Return the entry of a source, made if need be; of too many the oldest is forgotten."""
    source = sources.get(name)
    if source is None:
        source = sources[name] = _Source()
        if len(sources) > most:
            sources.popitem(last=False)
    else:
        sources.move_to_end(name)
    return source
