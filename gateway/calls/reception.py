"""Taking calls in by SIP: who may call, whom they may reach, and what each call is made of."""

import fnmatch
from functools import partial
from typing import Final

import structlog

from ..clock import Ids
from ..config import TrunkSettings
from ..errors import CapacityError, NegotiationError, SdpError, SipError
from ..legs.sip_leg import OnRefer, SipLeg
from ..media.engine import MediaEngine
from ..sdp.negotiate import OfferAnswer
from ..sdp.terms import Terms
from ..sip.admission import Verdict
from ..sip.dialogs.incoming import IncomingSession
from ..sip.flow import Flow
from ..sip.transport.address import Advertiser
from ..sip.transport.endpoint import SipEndpoint
from ..sip.wire.message import Request
from .call import Call, Origin
from .facts import CallFacts, called_by
from .lanes import caller_options
from .links import Law, Links, law_of
from .refusals import Refusals
from .switchboard import Switchboard
from .trunks import Trunks

__all__ = ["Reception"]

_LONGEST: Final = 100  # characters of a number that is told to the log
_SOME_PORT: Final = 4  # stands in answers that nobody is sent


class Reception:
    """Turns invitations into calls."""

    def __init__(
        self,
        switchboard: Switchboard,
        links: Links,
        trunks: Trunks,
        *,
        engine: MediaEngine,
        advertise: Advertiser,
        ids: Ids,
        on_refer: OnRefer,
    ) -> None:
        self._switchboard = switchboard
        self._settings = switchboard.settings
        self._links = links
        self._trunks = trunks
        self._engine = engine
        self._advertise = advertise
        self._ids = ids
        self._on_refer = on_refer
        self._refusals = Refusals()
        self._log = structlog.get_logger()

    def accepts(self, request: Request, flow: Flow) -> Verdict:
        """Judge a request from outside any call."""
        trunk = self._trunks.of(request, flow)
        if trunk is None:
            shown = self._trunks.prove(request, flow)
            if isinstance(shown, Verdict):
                return shown  # the guard says so in the log, though not of each
            trunk = shown
        if request.method == "OPTIONS" and not (request.request_uri.user or request.to.uri.user):
            return Verdict(policy=self._trunks.policy(trunk))
        user = called_by(request, trunk)
        if not any(fnmatch.fnmatchcase(user, pattern) for pattern in trunk.users):
            self._refusals.tell(request, trunk.name, 404, f"no such user: {user[:_LONGEST]}")
            return Verdict(404)
        is_one_more = request.method == "INVITE" and "Replaces" not in request.headers
        if is_one_more and (why := self._trunks.is_full(trunk)):
            self._refusals.tell(request, trunk.name, 503, f"too many calls: {why}")
            return Verdict(503, headers=(("Retry-After", str(self._switchboard.retry_after)),))
        return Verdict(policy=self._trunks.policy(trunk))

    def take(self, session: IncomingSession, endpoint: SipEndpoint) -> None:
        """Make a call of an invitation and let it live."""
        try:
            call = self._make_call(session, endpoint)
        except NegotiationError as error:
            self._refuse(session, endpoint, error.status, str(error))
        except CapacityError as error:
            self._refuse(session, endpoint, 503, str(error))
        except SipError as error:
            self._refuse(session, endpoint, error.status, str(error))
        else:
            self._switchboard.begin(call)

    def _make_call(self, session: IncomingSession, endpoint: SipEndpoint) -> Call:
        trunk = self._trunks.named(session.policy.trunk)
        terms = self._trunks.terms(trunk)
        plan = self._links.plan(self._judge(session, terms))
        origin = self._origin(session.request, trunk)
        control = self._switchboard.control.for_call(origin.trunk, origin.called)
        call = self._switchboard.admit(plan)
        lane = None
        try:
            lane = self._engine.open(
                call.on_lane,
                call.on_audio,
                caller_options(self._settings, control, plan.lane_audio),
            )
            leg = SipLeg.incoming(
                session,
                endpoint,
                lane,
                terms,
                call.on_leg,
                host_towards=partial(self._advertise.host_towards, local=lane.host),
                on_refer=self._on_refer,
            )
        except BaseException:
            self._switchboard.dismiss(call)
            if lane is not None:
                lane.close()
            raise
        call.attach(leg, lane, origin)
        return call

    def _origin(self, request: Request, trunk: TrunkSettings | None) -> Origin:
        """Tell who calls whom, and what else is told."""
        if trunk is None:
            return Origin()
        facts = CallFacts.of(request, trunk)
        if facts.left_out:
            self._log.warning("headers left out", trunk=trunk.name, headers=facts.left_out)
        return Origin(
            trunk.name, facts.caller, facts.called, facts.behalf, variables=facts.variables
        )

    def _judge(self, session: IncomingSession, terms: Terms) -> Law:
        """Answer an offer for trial, before it costs a port; return the caller's own G.711.

        Raises:
            NegotiationError: The offer has no codec in common with us.
            SipError: The offer cannot be read.

        """
        if session.offer is None:
            return ""
        trial = OfferAnswer(
            self._advertise.host_towards(session.flow.remote[0], self._settings.media_host),
            _SOME_PORT,
            terms,
            ids=self._ids,
            is_private=session.flow.is_secure,
            fingerprint=self._engine.fingerprint,
        )
        try:
            trial.answer(session.offer)
        except SdpError as error:
            raise SipError(str(error), status=400) from error
        return law_of(trial.negotiated.codec.name) if trial.negotiated else ""

    def _refuse(
        self, session: IncomingSession, endpoint: SipEndpoint, status: int, why: str
    ) -> None:
        self._refusals.tell(session.request, session.policy.trunk, status, why)
        wait = self._switchboard.retry_after if status == 503 else None
        session.reject(status, endpoint.now(), retry_after=wait)
        endpoint.flush()
