"""What a registrar's answer says: for how long it keeps us, and the way it wants requests to go."""

from typing import Final

from ...errors import SipError
from ..wire.grammar import parse_number
from ..wire.headers import NameAddr
from ..wire.message import Response

__all__ = ["granted", "routes"]

_LONGEST: Final = 7 * 86_400  # seconds that we believe in anything
_MOST_ROUTES: Final = 16


def granted(response: Response, user: str, instance: str, asked: int) -> int:
    """Return for how many seconds a server keeps our binding, 0 if it does not.

    It may list the bindings of others too, with theirs (RFC 3261 section 10.2.4).  Ours is that of
    ``user``, which nobody else has, or else of ``instance``.  Where none is recognised, whatever
    rewrote it on the way, the shortest time of all is safe.
    """
    usual = asked if response.expires is None else response.expires
    contacts = response.contacts

    def life(contact: NameAddr) -> int:
        told = parse_number((contact.params.get("expires") or "").strip('"'))
        return usual if told is None else told

    ours = [contact for contact in contacts if contact.uri.username == user]
    if not ours and instance:
        named = f'"<{instance}>"'.lower()
        ours = [c for c in contacts if (c.params.get("+sip.instance") or "").lower() == named]
    told = max(map(life, ours)) if ours else min(map(life, contacts), default=usual)
    return min(told, _LONGEST)


def routes(response: Response, name: str) -> list[str]:
    """Return the addresses in a header verbatim; none where one of them cannot be read."""
    try:
        values = response.headers.values(name)[:_MOST_ROUTES]
        for value in values:
            NameAddr.parse(value)
    except SipError:
        return []
    return values
