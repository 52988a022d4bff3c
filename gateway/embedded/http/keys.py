"""Who a request comes from: the holder of the key, or of a client secret."""

import hmac
from collections.abc import Iterator, Mapping

from .errors import HttpRefusal
from .secrets import ClientSecret, ClientSecrets

__all__ = ["Keys"]

_KEY_PROTOCOL = "openai-insecure-api-key."


class Keys:
    """Checks what clients show.

    Args:
        key: What they must show; without one any is accepted, or none.
        secrets: Those given out.

    """

    def __init__(self, key: str | None, secrets: ClientSecrets) -> None:
        self._key = key
        self._secrets = secrets

    def check(
        self, headers: Mapping[str, str], query: Mapping[str, str], now: float
    ) -> ClientSecret | None:
        """Let a client in; return the secret it showed, ``None`` where that was the key.

        Raises:
            HttpRefusal: It showed nothing we know, or a secret that has expired.

        """
        offered = [each for each in _offered(headers, query) if each]
        for each in offered:
            if (secret := self._secrets.find(each)) is not None:
                if secret.expires_at <= now:
                    raise HttpRefusal(401, "invalid_api_key", "Ephemeral token expired.")
                return secret
        self._refuse_stranger(offered)
        return None

    def check_key(self, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        """Let the holder of the key in, and nobody else.

        Raises:
            HttpRefusal: It is another's.

        """
        self._refuse_stranger([each for each in _offered(headers, query) if each])

    def _refuse_stranger(self, offered: list[str]) -> None:
        key = self._key
        if key is None:
            return
        # every one is compared, so that the time taken tells nothing
        matches = [hmac.compare_digest(_bytes(each), _bytes(key)) for each in offered]
        if not any(matches):
            raise HttpRefusal(401, "invalid_api_key", "Incorrect API key provided.")


def _offered(headers: Mapping[str, str], query: Mapping[str, str]) -> Iterator[str]:
    yield headers.get("api-key", "")
    yield query.get("api-key", "")
    yield headers.get("Authorization", "").removeprefix("Bearer ")
    for protocol in headers.get("Sec-WebSocket-Protocol", "").split(","):
        name = protocol.strip()
        if name.startswith(_KEY_PROTOCOL):
            yield name.removeprefix(_KEY_PROTOCOL)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")  # a header may hold any byte
