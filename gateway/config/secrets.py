"""The service's key and the webhooks' secret, which only ever come from the environment."""

from collections.abc import Mapping
from typing import Any, Final

from ..errors import ConfigError

__all__ = ["with_secrets"]

_KEY_NAMES: Final = {"azure": "AZURE_OPENAI_API_KEY", "openai": "OPENAI_API_KEY"}
_WEBHOOK_NAME: Final = "OPENAI_WEBHOOK_SECRET"


def with_secrets(values: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration with the secrets it names.

    Raises:
        ConfigError: A variable that must hold one is missing or holds something odd.

    """
    realtime = values.get("realtime")
    if not isinstance(realtime, dict):
        return values
    secrets = {}
    if not realtime.get("api_key"):
        usual = _KEY_NAMES.get(str(realtime.get("provider")), "")
        usual = "" if realtime.get("auth") == "entra" else usual
        secrets["api_key"] = _read(realtime, "api_key_env", usual, "the service's key", env)
    if not realtime.get("webhook_secret"):
        usual = _WEBHOOK_NAME if realtime.get("link") == "sideband" else ""
        what = "the signing secret of the service's webhooks"
        secrets["webhook_secret"] = _read(realtime, "webhook_secret_env", usual, what, env)
    return values | {"realtime": {**realtime, **secrets}}


def _read(
    realtime: Mapping[str, Any], setting: str, usual: str, what: str, env: Mapping[str, str]
) -> str | None:
    variable = str(realtime.get(setting) or usual)
    if not variable:
        return None
    secret = env.get(variable, "").strip()
    if not secret:
        raise ConfigError(
            f"realtime.{setting}: the environment has no {variable}; export {what} under that name"
        )
    if any(not 32 < ord(letter) < 127 for letter in secret):
        raise ConfigError(
            f"realtime.{setting}: {variable} holds blanks or odd characters; export it anew"
        )
    return secret
