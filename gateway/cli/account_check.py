"""How `voice-gateway check` finds out whether a trunk's server takes us for who we are.

It is asked which bindings it has for our user: a REGISTER without a Contact changes nothing
(RFC 3261 section 10.2.3), but is answered only to who knows the password.
"""

import asyncio
from typing import Final

from ..calls.trunks import account_of
from ..clock import RandomIds
from ..config import Settings, TrunkSettings
from ..errors import ConfigError, SipError
from ..sip.agent import UserAgent
from ..sip.dialogs.incoming import IncomingSession
from ..sip.duties.registration import address_of_record
from ..sip.transport.address import Advertiser, Bind
from ..sip.transport.endpoint import SipEndpoint
from ..sip.transport.resolver import Resolver
from ..sip.ways.posted import unheard
from ..sip.wire.message import Headers, Request, Response
from ..sip.wire.uri import Uri
from .neighbours import Finding

__all__ = ["reach_account"]

_PATIENCE: Final = 3.0
_PLAIN: Final = frozenset({"udp", "tcp"})  # by TLS one calls from no port of one's own
_NO_REGISTRAR: Final = frozenset({405, 501})


async def reach_account(settings: Settings, trunk: TrunkSettings) -> Finding:
    """Ask a trunk's server for the bindings of our name there."""
    what = f"account {trunk.username} (trunk {trunk.name})"
    agent = UserAgent(RandomIds(), advertise=Advertiser())
    host = settings.sip.host
    bound = f"[{host}]" if ":" in host else host
    ours = {Bind.parse(bind).transport for bind in settings.sip.bind}
    binds = [f"{transport}:{bound}:0" for transport in sorted(ours & _PLAIN or {"udp"})]
    resolver = Resolver(settings.sip.nameservers)
    endpoint = SipEndpoint(agent, binds, _refuse, settings.sip.tls, resolver=resolver)
    try:
        await endpoint.start()
        async with asyncio.timeout(_PATIENCE):
            response, words = await _ask(endpoint, trunk)
    except TimeoutError:
        return Finding(what, False, "no answer; check its address, its port and the firewall")
    except (OSError, SipError, ConfigError) as error:
        return Finding(what, False, f"{error}; check its address and transport")
    finally:
        await endpoint.close()
    is_good, detail = _verdict(trunk, response, words)
    return Finding(what, is_good, detail)


async def _ask(endpoint: SipEndpoint, trunk: TrunkSettings) -> tuple[Response, str]:
    """Return what came, or in words why nothing did."""
    server = Uri.parse(trunk.server)
    flows = await endpoint.resolve(server)
    answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def on_response(response: Response, now: float) -> None:
        del now
        if response.status >= 200 and not answer.done():
            answer.set_result(response)

    request, account = _request(server, trunk.username), account_of(trunk)
    posted = endpoint.agent.ask(request, flows, endpoint.now(), on_response, account)
    endpoint.flush()
    response = await answer
    return response, unheard(response.status, posted.flow) if posted.is_unheard else ""


def _request(server: Uri, user: str) -> Request:
    ids, own = RandomIds(), address_of_record(server, user)
    headers = Headers(
        ("Max-Forwards", "70"),
        ("From", f"<{own}>;tag={ids.token()}"),
        ("To", f"<{own}>"),
        ("Call-ID", ids.token(128)),
        ("CSeq", "1 REGISTER"),
    )
    return Request("REGISTER", str(Uri("sip", None, server.host, server.port)), headers)


def _verdict(trunk: TrunkSettings, response: Response, words: str) -> tuple[bool, str]:
    """Return whether all is well by an answer, and what it means; ``words`` where none came."""
    if words:
        return False, f"{words}; check its address, its port and the firewall"
    status, told = response.status, f"{response.status} {response.reason}".strip()
    if status < 300:
        count = len(response.contacts)
        bindings = f"{count} binding{'' if count == 1 else 's'} there now"
        return True, f"takes us for {trunk.username!r}; {bindings}"
    if status in (401, 407) and trunk.password is None:
        return False, f"asks for a password ({told}); name its variable in password_env"
    if status in (401, 407):
        return False, f"does not believe our password ({told}); check username and password_env"
    if status in _NO_REGISTRAR and not trunk.register_:
        return True, f"lives, but takes no registrations, which would show our password ({told})"
    if status == 408:
        return False, "no answer; check its address, its port and the firewall"
    return False, f"does not let {trunk.username!r} register ({told}); ask who runs it"


def _refuse(session: IncomingSession) -> None:
    """Take no calls: nobody knows this address."""
    del session
