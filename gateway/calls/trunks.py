"""Who is at the other end: the trunk of a request, or of an address, and how it is spoken to."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import structlog

from ..clock import Clock, Ids, RandomIds, monotonic
from ..config import Settings, TrunkSettings
from ..errors import CapacityError, SipError
from ..sdp.terms import Terms
from ..sip.admission import Policy, Verdict
from ..sip.credentials.account import Account
from ..sip.credentials.challenger import Challenger, Proof
from ..sip.credentials.digest import Secret
from ..sip.dialogs.session import Session
from ..sip.duties.registration import Registration
from ..sip.flow import Flow
from ..sip.ways.identity import is_named
from ..sip.ways.routing import transport_of
from ..sip.wire.headers import NameAddr
from ..sip.wire.message import Request
from ..sip.wire.uri import Uri
from .pace import Pace

__all__ = ["Trunks", "WayOut", "account_of"]

_REALM: Final = "voice-gateway"
_LONGEST_TOLD: Final = 60  # characters of what a stranger calls itself
_SEPARATORS: Final = str.maketrans("", "", "-.()")


class WayOut(NamedTuple):
    """How an address is called.

    Attributes:
        target: what is asked for.
        trunk: whose address it is, if anybody's.
        next_hop: where the call goes first, if not to its target.
        headers: what its INVITE says besides.
        caller: whose call it is said to be; nothing for the gateway's own address.

    """

    target: Uri
    trunk: TrunkSettings | None
    next_hop: Uri | None
    headers: tuple[tuple[str, str], ...]
    caller: Uri | None


class Trunks:
    """The neighbours that are configured.

    Attributes:
        registrations: Ours at them, by the name of the trunk.
        sessions: Tells the calls that there are, to count those of a trunk.

    """

    def __init__(
        self, settings: Settings, *, ids: Ids | None = None, clock: Clock = monotonic
    ) -> None:
        self.registrations: dict[str, Registration] = {}
        self.sessions: Callable[[], Iterable[Session]] = lambda: ()
        self._settings = settings
        self._clock = clock
        self._log = structlog.get_logger()
        self._accounts = {trunk.name: account_of(trunk) for trunk in settings.trunks}
        self._paces = {
            trunk.name: Pace(trunk.calls_per_second)
            for trunk in settings.trunks
            if trunk.calls_per_second
        }
        secrets = {
            trunk.username: Secret(trunk.username, trunk.password.get_secret_value())
            for trunk in settings.trunks
            if trunk.authenticate == "digest" and trunk.password is not None
        }
        self._challenger = Challenger(_REALM, secrets, ids or RandomIds())

    def of(self, request: Request, flow: Flow) -> TrunkSettings | None:
        """Return the trunk a request came from by what its way tells; nothing for a stranger.

        Calls that a server sends us because we registered there come to the address that it alone
        was told, which also tells several accounts there apart.  Else the first trunk that the
        sender's address or certificate fits decides.  One that must show a password is not known
        by where it calls from: see :meth:`prove`.
        """
        told = self._told(request, flow)
        fitting = (trunk for trunk in self._settings.trunks if _fits(trunk, flow))
        trunk = told or next(fitting, None)
        if trunk is None or (trunk.authenticate == "digest" and _fits(trunk, flow)):
            return None
        return trunk

    def knows(self, flow: Flow) -> bool:
        """Tell whether a flow may come from a trunk, before anything that came by it is read."""
        return any(
            _fits(trunk, flow) or self._is_registrar(trunk, flow) for trunk in self._settings.trunks
        )

    def prove(self, request: Request, flow: Flow) -> TrunkSettings | Verdict:
        """Return the trunk whose password a request shows, or what it is refused with."""
        candidates = {
            trunk.username: trunk
            for trunk in self._settings.trunks
            if trunk.authenticate == "digest"
            and (_fits(trunk, flow) or not (trunk.hosts or trunk.tls_names))
        }
        if not candidates:
            return Verdict(403)
        now = self._clock()
        shown = self._challenger.judge(request, now)
        if shown.proof in (Proof.NONE, Proof.STALE):
            offered, is_stale = _common_digests(candidates.values()), shown.proof is Proof.STALE
            headers = self._challenger.challenges(now, offered, is_stale=is_stale)
            return Verdict(401, headers=headers)
        trunk = candidates.get(shown.username)
        used = shown.algorithm.upper().removesuffix("-SESS")
        if shown.proof is Proof.GOOD and trunk is not None and used in trunk.digests:
            return trunk
        user = shown.username[:_LONGEST_TOLD]
        return Verdict(403, why=f"a wrong password for {user!r}")

    def named(self, name: str) -> TrunkSettings | None:
        """Return the trunk of this name, if there is one."""
        return next((trunk for trunk in self._settings.trunks if trunk.name == name), None)

    def towards(self, uri: Uri) -> TrunkSettings | None:
        """Return the trunk that an address belongs to, or nothing where it belongs to none."""
        for trunk in self._settings.trunks:
            server = Uri.parse(trunk.server) if trunk.server else None
            if server is not None and (server.host, server.port) == (uri.host, uri.port):
                return trunk
        for trunk in self._settings.trunks:
            is_server = trunk.server and Uri.parse(trunk.server).host == uri.host
            if is_server or trunk.is_from(uri.address):
                return trunk
        return None

    def way_out(self, target: Uri) -> WayOut:
        """Return how an address is called, and count the call.

        Raises:
            SipError: It is no address that SIP reaches.
            CapacityError: Its trunk takes no more calls now.

        """
        trunk = self._owner(target)
        if target.scheme == "tel" and trunk is not None:
            target = _as_sip(target, Uri.parse(trunk.server))
        target = target.replace(headers={})  # RFC 3261 section 19.1.1: not in a Request-URI
        next_hop, headers = self._route(trunk)
        if target.scheme == "sips" and trunk is not None:
            # No trunk is known by SIPS, and some refuse it: encryption is all that is meant.
            if next_hop is not None and transport_of(next_hop) != "tls":
                problem = f"{target} wants encryption, and trunk {trunk.name} is not called by TLS"
                raise SipError(problem, status=502)
            target = target.replace(scheme="sip", params={**target.params, "transport": "tls"})
        if trunk is not None and (why := self.is_full(trunk)):
            raise CapacityError(f"trunk {trunk.name}: {why}")
        return WayOut(target, trunk, next_hop, headers, self._caller(trunk))

    def is_full(self, trunk: TrunkSettings) -> str:
        """Count one more call of a trunk; returns why it may not be, else nothing."""
        if trunk.max_calls:
            count = sum(s.is_live and s.policy.trunk == trunk.name for s in self.sessions())
            if count >= trunk.max_calls:
                return f"has {count} calls already, and max_calls is {trunk.max_calls}"
        pace = self._paces.get(trunk.name)
        if pace is not None and not pace.takes(self._clock()):
            return f"calls_per_second is {trunk.calls_per_second:g}, and more are asked for"
        return ""

    def policy(self, trunk: TrunkSettings | None) -> Policy:
        """Return what the calls of a trunk are held to."""
        sip = self._settings.sip
        if trunk is None:
            return Policy(sip.session_expires, sip.min_se)
        return Policy(
            sip.session_expires,
            sip.min_se,
            trunk.prack,
            trunk.accepts_transfer,
            trunk.name,
            self._accounts.get(trunk.name),
        )

    def terms(self, trunk: TrunkSettings | None) -> Terms:
        """Return what is offered and accepted of sound."""
        codecs = tuple(self._settings.media.codecs)
        if trunk is None:
            return Terms(codecs)
        return Terms(
            tuple(trunk.codecs) or codecs, trunk.srtp, trunk.srtp_keys, trunk.ptime, trunk.ice
        )

    def _told(self, request: Request, flow: Flow) -> TrunkSettings | None:
        """Return the trunk whose registrar alone was told the address that a request is for."""
        try:
            user = Uri.parse(request.uri).user
        except SipError:
            return None
        for trunk in self._settings.trunks:
            registration = self.registrations.get(trunk.name)
            if registration is not None and registration.token == user:
                is_there = self._is_registrar(trunk, flow) or _fits(trunk, flow)
                return trunk if is_there else None
        return None

    def _owner(self, target: Uri) -> TrunkSettings | None:
        """Return the trunk by which an address is called, if it is by one.

        Raises:
            SipError: It is no address that SIP reaches.

        """
        if target.scheme in ("sip", "sips"):
            return self.towards(target)
        if target.scheme != "tel":
            raise SipError(f"{target} is not reached by SIP as it is spoken here", status=416)
        trunk = next((trunk for trunk in self._settings.trunks if trunk.server), None)
        if trunk is None:
            problem = f"{target} is a number, and no trunk has a server to call it by"
            raise SipError(problem, status=416)
        return trunk

    def _is_registrar(self, trunk: TrunkSettings, flow: Flow) -> bool:
        registration = self.registrations.get(trunk.name)
        return registration is not None and flow.remote[0] in registration.addresses

    def _route(self, trunk: TrunkSettings | None) -> tuple[Uri | None, tuple[tuple[str, str], ...]]:
        """Return where calls by a trunk go first, and the way it wants them to take."""
        if trunk is None or not trunk.server:
            return None, ()
        registration = self.registrations.get(trunk.name)
        routes = registration.service_routes if registration is not None else []
        if not routes:
            return Uri.parse(trunk.server), ()
        return NameAddr.parse(routes[0]).uri, tuple(("Route", route) for route in routes)

    def _caller(self, trunk: TrunkSettings | None) -> Uri | None:
        """Return whose calls by a trunk they are said to be."""
        own = trunk.caller if trunk is not None else ""
        usual = self._settings.dial.caller
        if trunk is not None and trunk.server and not own and not usual:
            own = trunk.username
        if own and trunk is not None and ":" not in own:
            return Uri("sip", own, Uri.parse(trunk.server).host)
        return Uri.parse(own or usual) if own or usual else None


def account_of(trunk: TrunkSettings) -> Account | None:
    """Return who we are to a trunk that asks for a password, if we have one for it."""
    if trunk.password is None:
        return None
    return Account(trunk.username, trunk.password.get_secret_value())


def _common_digests(trunks: Iterable[TrunkSettings]) -> list[str]:
    """Return what all of several may prove themselves by, or else what the first may.

    Some give up at the first challenge that they do not know, whatever else is offered.
    """
    first, *others = trunks
    common = [one for one in first.digests if all(one in other.digests for other in others)]
    return common or first.digests


def _fits(trunk: TrunkSettings, flow: Flow) -> bool:
    """Tell whether a sender's address or certificate is that of a trunk."""
    is_named_so = any(is_named(name, flow.names) for name in trunk.tls_names)
    return is_named_so or trunk.is_from(flow.remote[0])


def _as_sip(number: Uri, server: Uri) -> Uri:
    """Return the SIP address of a telephone number (RFC 3261 section 19.1.6)."""
    digits = (number.user or "").translate(_SEPARATORS)
    params = "".join(f";{k}" if v is None else f";{k}={v}" for k, v in number.params.items())
    return Uri("sip", digits + params, server.host, server.port, {"user": "phone"})
