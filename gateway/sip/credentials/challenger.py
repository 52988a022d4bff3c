"""The server side of digest authentication: challenges, and what is held against the answers.

A nonce carries the time it was made and a seal over it, so that a challenge costs no memory.
Remembered is only how often a nonce was used by somebody who knew the password.
"""

import base64
import enum
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ...clock import Ids
from ...errors import SipError
from ..wire.message import Request
from ..wire.uri import Uri
from .digest import ALGORITHMS, Credentials, Secret

__all__ = ["Challenger", "Proof", "Shown"]

_OFFERED: Final = ("SHA-256", "MD5")  # strongest first (RFC 8760 section 2.4)
_NONCE: Final = re.compile(r"([0-9a-f]{1,12})\.([0-9A-Za-z\-]{1,64})\.([0-9A-Za-z_\-]{16})")
_SEAL: Final = 12  # bytes: nobody guesses them, and challenges to strangers stay short
_COUNT: Final = re.compile(r"[0-9A-Fa-f]{8}")
_MOST_LINES: Final = 8  # of credentials in one request
_MOST_NONCES: Final = 4096


class Proof(enum.Enum):
    """What credentials prove."""

    NONE = enum.auto()  # there are none for us
    STALE = enum.auto()  # right but for the nonce, which is too old or was used like this before
    WRONG = enum.auto()
    GOOD = enum.auto()


class Shown(NamedTuple):
    """What a request shows of who sent it; name and algorithm are what it says itself."""

    proof: Proof
    username: str = ""
    algorithm: str = ""


class Challenger:
    """Asks for digest credentials in one realm, and judges them.

    Args:
        realm: What we call ourselves in challenges.
        secrets: Who may come, by username.
        ids: Where nonces come from, and the key that seals them.
        lifetime: Seconds for which a nonce may be used.

    """

    def __init__(
        self, realm: str, secrets: Mapping[str, Secret], ids: Ids, *, lifetime: float = 300.0
    ) -> None:
        self._realm = realm
        self._secrets = secrets
        self._nobody = Secret("nobody", ids.token(128))
        self._ids = ids
        self._key = ids.token(256).encode()
        self._lifetime = lifetime
        self._used: dict[str, int] = {}  # the highest count, by nonce, oldest use first
        self._floor = -1  # made at or before this: forgotten, so not to be used any more

    def challenges(
        self, now: float, algorithms: Sequence[str] = _OFFERED, *, is_stale: bool = False
    ) -> tuple[tuple[str, str], ...]:
        """Return the ``WWW-Authenticate`` headers of a 401, in the order of ``algorithms``."""
        made, salt = f"{int(now * 1000):x}", self._ids.token(32)
        nonce = f"{made}.{salt}.{self._seal(made, salt)}"
        stale = ", stale=true" if is_stale else ""
        return tuple(
            (
                "WWW-Authenticate",
                f'Digest realm="{self._realm}", nonce="{nonce}", algorithm={algorithm},'
                f' qop="auth"{stale}',
            )
            for algorithm in algorithms
        )

    def judge(self, request: Request, now: float) -> Shown:
        """Return what a request shows, and who is said to have sent it."""
        for line in request.headers.get_all("Authorization")[:_MOST_LINES]:
            try:
                credentials = Credentials.parse(line)
            except SipError:
                return Shown(Proof.WRONG)
            if credentials is not None and credentials.realm == self._realm:
                proof = self._judge(credentials, request, now)
                return Shown(proof, credentials.username, credentials.algorithm or "MD5")
        return Shown(Proof.NONE)

    def _judge(self, credentials: Credentials, request: Request, now: float) -> Proof:
        algorithm = credentials.algorithm or "MD5"
        is_known = algorithm.lower().removesuffix("-sess") in ALGORITHMS
        has_count = _COUNT.fullmatch(credentials.nc) is not None and bool(credentials.cnonce)
        is_whole = credentials.qop in ("auth", "auth-int") and has_count
        if not is_known or not (is_whole or not credentials.qop):
            return Proof.WRONG
        secret = self._secrets.get(credentials.username, self._nobody)
        expected = secret.prove(
            algorithm,
            credentials.realm,
            credentials.nonce,
            request.method,
            credentials.uri,
            qop=credentials.qop,
            nc=credentials.nc,
            cnonce=credentials.cnonce,
            body=request.body,
        )
        shown = credentials.response.lower().encode("utf-8", "surrogateescape")
        is_right = hmac.compare_digest(shown, expected.encode())
        if not is_right or secret is self._nobody or not _is_for(credentials.uri, request.uri):
            return Proof.WRONG
        count = int(credentials.nc, 16) if credentials.qop else 1
        return Proof.GOOD if self._may_use(credentials.nonce, count, now) else Proof.STALE

    def _may_use(self, nonce: str, count: int, now: float) -> bool:
        """Count the use of a nonce; one without a count may be used once."""
        made = self._made(nonce)
        if made is None:
            return False  # of before we were started anew
        is_old = now * 1000 - made > self._lifetime * 1000
        is_forgotten = nonce not in self._used and made <= self._floor
        if is_old or is_forgotten or count <= self._used.get(nonce, 0):
            return False
        self._used.pop(nonce, None)
        self._used[nonce] = count
        if len(self._used) > _MOST_NONCES:
            oldest = next(iter(self._used))
            del self._used[oldest]
            self._floor = max(self._floor, self._made(oldest) or 0)
        return True

    def _made(self, nonce: str) -> int | None:
        """Return when a nonce was made, in milliseconds; ``None`` where it is none of ours."""
        match = _NONCE.fullmatch(nonce)
        if match is None or not hmac.compare_digest(match[3], self._seal(match[1], match[2])):
            return None
        return int(match[1], 16)

    def _seal(self, made: str, salt: str) -> str:
        sealed = hmac.new(self._key, f"{made}.{salt}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(sealed.digest()[:_SEAL]).decode()


def _is_for(named: str, requested: str) -> bool:
    """Tell whether credentials were made for this address; on its way its host may change."""
    try:
        return named == requested or Uri.parse(named).username == Uri.parse(requested).username
    except SipError:
        return False
