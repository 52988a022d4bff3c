"""The gateway's side of SIP: its sockets, who is let in, and the neighbours it keeps up with."""

import asyncio
import errno
import itertools
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from ..calls.neighbours import Neighbours
from ..calls.reception import Reception
from ..calls.trunks import Trunks
from ..clock import Ids
from ..config import Settings
from ..errors import ConfigError
from ..sip.agent import UserAgent
from ..sip.guard.guard import Guard, Notice
from ..sip.transport.address import Advertiser
from ..sip.transport.certificates import validity_of
from ..sip.transport.endpoint import SipEndpoint
from ..sip.transport.outside import Outside
from ..sip.transport.resolver import Resolver

__all__ = ["Telephony"]

_MOST_TOLD: Final = 100  # bans
_NOT_OURS: Final = "write an address of this machine, or 0.0.0.0 for all it has"


class Telephony:
    """Everything of SIP that one process has.

    Args:
        settings: The gateway's.
        ids: Where names come from that nobody guesses.
        door: Returns who judges requests and takes calls; made later than this.
        is_full: Says whether new calls are turned away.
        retry_after: Says how many seconds they are told to wait then.

    """

    def __init__(
        self,
        settings: Settings,
        ids: Ids,
        *,
        door: Callable[[], Reception],
        is_full: Callable[[], bool],
        retry_after: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._log = structlog.get_logger()
        resolver = Resolver(settings.sip.nameservers, ids=ids)
        external = settings.sip.external_ip
        is_asked_for = external.startswith("stun:")
        self.advertise = Advertiser(
            None if is_asked_for else external or None,
            settings.sip.tls.host,
            settings.sip.local_networks,
        )
        self._outside = (
            Outside(external, resolver, self.advertise, ids, self._move) if is_asked_for else None
        )
        self.trunks = Trunks(settings, ids=ids)
        self._guard = Guard(settings.guard, knows=self.trunks.knows, report=self._tell_of)
        self.agent = UserAgent(
            ids,
            advertise=self.advertise,
            accepts=lambda request, flow: door().accepts(request, flow),
            guard=self._guard,
            overloaded=is_full,
            retry_after=retry_after,
            has_streams=any(bind.startswith("tcp:") for bind in settings.sip.bind),
        )
        self.endpoint = SipEndpoint(
            self.agent,
            settings.sip.bind,
            lambda session: door().take(session, self.endpoint),
            settings.sip.tls,
            settings.sip.origins,
            resolver,
        )
        self.trunks.sessions = self.agent.sessions.values
        self.neighbours = Neighbours(settings, self.trunks, self.endpoint)

    def uri(self, user: str) -> str:
        """Return the address under which a caller nearby reaches ``user``."""
        transport, _, where = self.endpoint.addresses[0].partition(":")
        named = "ws" if transport == "wss" else transport
        suffix = "" if named == "udp" else f";transport={named}"
        return f"sip:{user}@{where}{suffix}"

    async def start(self) -> None:
        """Open every socket.

        Raises:
            ConfigError: An address cannot be bound; says which, and what to set.

        """
        try:
            await self.endpoint.start()
        except OSError as error:
            cause = _cause(error)
            is_taken = cause.errno in (errno.EADDRINUSE, errno.EACCES)
            remedy = "free the port or choose another" if is_taken else _NOT_OURS
            where, problem = ", ".join(self._settings.sip.bind), cause.strerror or cause
            raise ConfigError(f"sip.bind: {where}: {problem}; {remedy}") from cause
        if self._outside is not None:
            await self._outside.start(self.endpoint.datagram_sockets)

    def begin(self) -> None:
        """Get in touch with the neighbours."""
        self._look_at_certificate()
        self.neighbours.begin()

    def banned(self) -> list[dict[str, Any]]:
        """Return who is not listened to at the moment, the first of them."""
        now = self.endpoint.now()
        return [
            {
                "source": ban.source,
                "over": ban.over,
                "why": ban.why,
                "seconds_left": math.ceil(ban.until - now),
            }
            for ban in itertools.islice(self._guard.bans(now), _MOST_TOLD)
        ]

    async def settle(self) -> None:
        """Give the last BYEs, and the ends of registrations, a moment to be answered."""
        for _ in range(20):
            if not (self.agent.has_calls or self.agent.duties.is_busy):
                return
            await asyncio.sleep(0.025)

    async def close(self) -> None:
        """Close every socket."""
        if self._outside is not None:
            await self._outside.close()
        await self.endpoint.close()

    def _look_at_certificate(self) -> None:
        """Tell the log of a certificate that nobody will believe."""
        tls = self._settings.sip.tls
        validity = validity_of(tls)
        if validity is not None and (fault := validity.fault(datetime.now(UTC))):
            self._log.warning("certificate is no good", file=tls.certificate, problem=f"it {fault}")

    def _move(self) -> None:
        """Register anew: the outside world sees us at another address."""
        self.agent.duties.move(self.endpoint.now())
        self.endpoint.flush()

    def _tell_of(self, notice: Notice) -> None:
        """Log what the guard has to say: of each source once a minute at most."""
        self._log.warning(
            "banned" if notice.ban_seconds else "refused",
            source=notice.source or "strangers",
            why=notice.why,
            messages=notice.count,
            seconds=notice.ban_seconds,
        )


def _cause(error: OSError) -> OSError:
    """Return the error of the system itself, which some event loops wrap in one of their own."""
    cause = error.__cause__
    return cause if error.errno is None and isinstance(cause, OSError) else error
