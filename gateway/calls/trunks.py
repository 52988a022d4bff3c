"""Who is at the other end: the trunk of a request, or of an address, and how it is spoken to."""

from ..config import Settings, TrunkSettings
from ..sdp.terms import Terms
from ..sip.admission import Policy
from ..sip.flow import Flow
from ..sip.message import Request
from ..sip.uri import Uri

__all__ = ["Trunks"]


class Trunks:
    """The neighbours that are configured."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def of(self, request: Request, flow: Flow) -> TrunkSettings | None:
        """Return the trunk a request came from, or nothing for a stranger."""
        del request
        return next((t for t in self._settings.trunks if t.is_from(flow.remote[0])), None)

    def towards(self, uri: Uri) -> TrunkSettings | None:
        """Return the trunk that an address belongs to, or nothing where it belongs to none."""
        for trunk in self._settings.trunks:
            is_server = trunk.server and Uri.parse(trunk.server).host == uri.host
            if is_server or trunk.is_from(uri.address):
                return trunk
        return None

    def policy(self, trunk: TrunkSettings | None) -> Policy:
        """Return what the calls of a trunk are held to."""
        sip = self._settings.sip
        if trunk is None:
            return Policy(sip.session_expires, sip.min_se)
        return Policy(sip.session_expires, sip.min_se, trunk.prack, trunk.accepts_transfer)

    def terms(self, trunk: TrunkSettings | None) -> Terms:
        """Return what is offered and accepted of sound."""
        codecs = tuple(self._settings.media.codecs)
        if trunk is None:
            return Terms(codecs)
        return Terms(
            tuple(trunk.codecs) or codecs, trunk.srtp, trunk.srtp_keys, trunk.ptime, trunk.ice
        )
