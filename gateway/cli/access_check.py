"""What `voice-gateway check` says of who may see and do what over HTTP."""

import datetime
from datetime import UTC, timedelta
from typing import Final

from ..config import Settings, is_loopback
from .neighbours import Finding

__all__ = ["look_at_access"]

_SOON: Final = timedelta(days=14)  # a token should be replaced


def look_at_access(settings: Settings) -> list[Finding]:
    """Look at the tokens, one finding for each that ends, and at whom they let in."""
    http = settings.http
    if not http.bind:
        return []
    findings = []
    now = datetime.datetime.now(UTC)
    for token in http.tokens:
        if token.expires is None:
            continue
        ends = token.expires if token.expires.tzinfo else token.expires.replace(tzinfo=UTC)
        what, detail = f"token of {token.name}", f"good until {ends:%Y-%m-%d}"
        if ends <= now:
            findings.append(Finding(what, False, f"it has ended ({ends:%Y-%m-%d}); make another"))
        else:
            findings.append(Finding(what, True, detail, ends - now < _SOON))
    is_open = not _has_tokens(settings) and not http.trusted_proxies
    is_open = is_open and is_loopback(http.bind.rpartition(":")[0].strip("[]"))
    return [Finding("access", True, _who_may(settings), is_open), *findings]


def _has_tokens(settings: Settings) -> bool:
    http = settings.http
    return http.token is not None or bool(http.tokens) or http.signing_key is not None


def _who_may(settings: Settings) -> str:
    http = settings.http
    if http.token is not None or http.tokens:
        count = len(http.tokens) + (http.token is not None)
        return f"{http.bind}: for {count} token{'' if count == 1 else 's'}"
    if http.signing_key is not None:
        return f"{http.bind}: for tokens that were signed with the key of http.signing_key_env"
    host = http.bind.rpartition(":")[0].strip("[]")
    if is_loopback(host) and not http.trusted_proxies:
        return (
            f"{http.bind}: no token is configured, so who sits at this machine may look,"
            " and others too where a proxy here passes them on as itself;"
            " behind any proxy name the variable with a token in http.token_env"
        )
    return (
        f"{http.bind}: no token is configured, so others see health and the pages alone;"
        " to let them do more, name the variable with a token in http.token_env"
    )
