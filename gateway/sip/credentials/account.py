"""Our side of digest authentication: who we are to one neighbour, and the nonces it gave us.

A nonce is used again, its count raised, until the neighbour wants another: most requests are
then taken at once (RFC 7616 section 3.4).  What a 401 and a 407 ask for is kept apart.
"""

from dataclasses import dataclass, field
from typing import Final

from ...clock import Ids
from ...errors import SipError
from ..wire.message import Request, Response
from .digest import Challenge, Credentials, Secret, best_per_realm

__all__ = ["Account", "Tries"]

_HEADERS: Final = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}
_MOST_REALMS: Final = 4  # of each kind; the one learnt first is forgotten
_MOST_ROUNDS: Final = 4  # of challenges to one request


@dataclass(slots=True)
class Tries:
    """What has been done so far to have one request accepted."""

    rounds: int = 0
    answered: set[tuple[int, str]] = field(default_factory=set)  # status and realm
    renewed: set[tuple[int, str]] = field(default_factory=set)  # the same, for stale nonces


@dataclass(slots=True)
class _Space:
    """A challenge in use, and how often it was."""

    challenge: Challenge
    count: int = 0


class Account:
    """A name and a password at one neighbour."""

    def __init__(self, username: str, password: str) -> None:
        self._secret = Secret(username, password)
        self._spaces: dict[tuple[int, str], _Space] = {}

    @property
    def username(self) -> str:
        """The name."""
        return self._secret.username

    def authorize(self, request: Request, ids: Ids) -> None:
        """Give a request the credentials for every challenge known, in place of those it has."""
        for _, header in _HEADERS.values():
            request.headers.remove(header)
        for (status, _), space in self._spaces.items():
            request.headers.add(_HEADERS[status][1], str(self._answer(space, request, ids)))

    def learn(self, response: Response, tries: Tries) -> bool:
        """Take in a 401 or 407; return whether its request is worth sending again.

        A realm is answered once, and once more if it says that only the nonce was too old:
        whoever asks again has been told a wrong password (RFC 3261 section 22.2).
        """
        names = _HEADERS.get(response.status)
        if names is None:
            return False
        tries.rounds += 1
        if tries.rounds > _MOST_ROUNDS:
            return False
        try:
            challenges = Challenge.parse_all(response.headers.get_all(names[0]))
        except SipError:
            return False
        is_new = False
        for challenge in best_per_realm(challenges)[:_MOST_REALMS]:
            place = (response.status, challenge.realm)
            if place not in tries.answered:
                tries.answered.add(place)
            elif challenge.is_stale and place not in tries.renewed:
                tries.renewed.add(place)
            else:
                self._spaces.pop(place, None)
                continue
            is_new = True
            self._keep(place, challenge)
        return is_new

    def _keep(self, place: tuple[int, str], challenge: Challenge) -> None:
        self._spaces.pop(place, None)
        alike = [other for other in self._spaces if other[0] == place[0]]
        if len(alike) >= _MOST_REALMS:
            del self._spaces[alike[0]]
        self._spaces[place] = _Space(challenge)

    def _answer(self, space: _Space, request: Request, ids: Ids) -> Credentials:
        space.count += 1
        challenge, qop = space.challenge, space.challenge.qop
        needs_cnonce = qop or challenge.algorithm.lower().endswith("-sess")
        cnonce = ids.token() if needs_cnonce else ""
        nc = f"{space.count:08x}" if qop else ""
        response = self._secret.prove(
            challenge.algorithm or "MD5",
            challenge.realm,
            challenge.nonce,
            request.method,
            request.uri,
            qop=qop,
            nc=nc,
            cnonce=cnonce,
            body=request.body,
        )
        return Credentials(
            self.username,
            challenge.realm,
            challenge.nonce,
            request.uri,
            response,
            challenge.algorithm,
            cnonce,
            nc,
            qop,
            challenge.opaque,
        )

    def __repr__(self) -> str:
        return f"Account({self.username!r}, …)"
