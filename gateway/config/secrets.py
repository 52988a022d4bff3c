"""The service's key and the webhooks' secret, which only ever come from the environment."""

from collections.abc import Mapping
from typing import Any, Final

from ..errors import ConfigError
from .sections import table_at

__all__ = ["with_secrets"]

_KEY_NAMES: Final = {"azure": "AZURE_OPENAI_API_KEY", "openai": "OPENAI_API_KEY"}
_WEBHOOK_NAME: Final = "OPENAI_WEBHOOK_SECRET"


def with_secrets(values: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration with the secrets it names.

    Raises:
        ConfigError: A variable that must hold one is missing or holds something odd.

    """
    values = _with_tool_keys(values, env)
    realtime = values.get("realtime")
    if not isinstance(realtime, dict):
        return values
    secrets = {}
    if not realtime.get("api_key"):
        usual = _KEY_NAMES.get(str(realtime.get("provider")), "")
        usual = "" if realtime.get("auth") == "entra" else usual
        variable = str(realtime.get("api_key_env") or usual)
        secrets["api_key"] = _read("realtime.api_key_env", variable, "the service's key", env)
    if not realtime.get("webhook_secret"):
        usual = _WEBHOOK_NAME if realtime.get("link") == "sideband" else ""
        what = "the signing secret of the service's webhooks"
        variable = str(realtime.get("webhook_secret_env") or usual)
        secrets["webhook_secret"] = _read("realtime.webhook_secret_env", variable, what, env)
    return values | {"realtime": {**realtime, **secrets}}


def _with_tool_keys(values: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """Give the tools of MCP servers the keys that their ``authorization_env`` names."""
    tools = table_at(values, "session").get("tools")
    if not isinstance(tools, list):
        return values
    keyed = []
    for number, tool in enumerate(tools):
        if isinstance(tool, dict) and "authorization_env" in tool:
            where = f"session.tools[{number}].authorization_env"
            key = _read(where, str(tool["authorization_env"]), "the key of the MCP server", env)
            tool = {name: value for name, value in tool.items() if name != "authorization_env"}
            tool |= {"authorization": key} if key else {}
        keyed.append(tool)
    return values | {"session": {**values["session"], "tools": keyed}}


def _read(where: str, variable: str, what: str, env: Mapping[str, str]) -> str | None:
    if not variable:
        return None
    secret = env.get(variable, "").strip()
    if not secret:
        raise ConfigError(
            f"{where}: the environment has no {variable}; export {what} under that name"
        )
    if any(not 32 < ord(letter) < 127 for letter in secret):
        raise ConfigError(f"{where}: {variable} holds blanks or odd characters; export it anew")
    return secret
