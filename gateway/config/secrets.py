"""Keys and signing secrets, which only ever come from the environment."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from ..errors import ConfigError, WebhookError
from ..signing import key_of
from .sections import table_at

__all__ = ["Unneeded", "with_secrets", "written_secrets"]

Path: TypeAlias = tuple[str | int, ...]

_KEY_NAMES: Final = {"azure": "AZURE_OPENAI_API_KEY", "openai": "OPENAI_API_KEY"}
_ANYTHING: Final = "bm90IG5lZWRlZCwgYXMgbm90aGluZyBpcyBzaWduZWQ="  # base64, for what must be
_WEBHOOK_NAME: Final = "OPENAI_WEBHOOK_SECRET"
_DATABASE: Final = "DATABASE_URL"
_SINGLE: Final = (
    ("http", "token", "token_env"),
    ("http", "signing_key", "signing_key_env"),
    ("records", "database_secret", "database_env"),
)
_SHORTEST_KEY: Final = 32  # characters
_SHORTEST_TOKEN: Final = 16
_SINGLE_WORDS: Final = {
    "token": "a token of your choice",
    "signing_key": "a key of 32 characters or more to sign tokens with",
    "database_secret": "the database's address",
}
_LISTED: Final = (
    ("http", "tokens", "token", "token_env", "a token of your choice"),
    ("webrtc", "ice_servers", "credential", "credential_env", "the TURN server's password"),
)
_SIGNED: Final = ("webhooks", "tools")  # tables of tables, each with a secret_env


def written_secrets(written: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield each secret that stands in a file, with the setting that should name its variable."""
    places: list[tuple[Path, Any, str, str]] = [
        (("realtime",), table_at(written, "realtime"), secret, f"realtime.{secret}_env")
        for secret in ("api_key", "webhook_secret")
    ]
    for section, secret, setting in _SINGLE:
        places.append(((section,), table_at(written, section), secret, f"{section}.{setting}"))
    for section, key, secret, setting, _ in _LISTED:
        rows = table_at(written, section).get(key)
        for number, row in enumerate(rows if isinstance(rows, list) else ()):
            place = f"{section}.{key}.{setting}"
            places.append(((section, key, number), row, secret, place))
    tools = table_at(written, "session").get("tools")
    for number, tool in enumerate(tools if isinstance(tools, list) else ()):
        places.append((("session", "tools", number), tool, "authorization", "authorization_env"))
    trunks = written.get("trunks")
    for number, trunk in enumerate(trunks if isinstance(trunks, list) else ()):
        places.append((("trunks", number), trunk, "password", "trunks.password_env"))
    for kind in _SIGNED:
        for name, table in table_at(written, kind).items():
            places.append(((kind, name), table, "secret", "secret_env"))
    for path, table, secret, setting in places:
        if isinstance(table, dict) and secret in table:
            yield (*path, secret), setting


class Unneeded(dict[str, str]):
    """An environment for a look at a configuration: what would be secret is there, and is none."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return something in the place of any secret."""
        return super().get(name) or _ANYTHING


def with_secrets(values: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration with the secrets it names.

    Raises:
        ConfigError: A variable that must hold one is missing or holds something odd.

    """
    for with_some in (
        _with_single,
        _with_listed,
        _with_tool_keys,
        _with_passwords,
        _with_signing_keys,
    ):
        values = with_some(values, env)
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


def _with_single(values: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """Give tables the secrets that a setting of theirs names."""
    records = table_at(values, "records")
    if (
        _DATABASE in env
        and env[_DATABASE]
        and not records.get("database")
        and not records.get("database_env")
    ):
        values = values | {"records": records | {"database_env": _DATABASE}}
    for section, secret, setting in _SINGLE:
        table = table_at(values, section)
        if table.get(setting) and not table.get(secret):
            where, variable = f"{section}.{setting}", str(table[setting])
            value = _read(where, variable, _SINGLE_WORDS[secret], env)
            if secret == "token":
                _check_token(where, variable, value or "")
            if secret == "signing_key" and len(value or "") < _SHORTEST_KEY:
                raise ConfigError(
                    f"{where}: whoever has a token could guess the key that {variable} holds; "
                    f"export one of {_SHORTEST_KEY} characters or more"
                )
            values = values | {section: table | {secret: value}}
    return values


def _with_listed(values: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """Give each table of a list the secret that it names."""
    for section, key, secret, setting, what in _LISTED:
        table = table_at(values, section)
        rows = table.get(key)
        if not isinstance(rows, list):
            continue
        filled = []
        for number, row in enumerate(rows):
            if isinstance(row, dict) and row.get(setting) and not row.get(secret):
                where = f"{section}.{key}[{number}].{setting}"
                value = _read(where, str(row[setting]), what, env)
                if secret == "token":
                    _check_token(where, str(row[setting]), value or "")
                row = row | {secret: value}
            filled.append(row)
        values = values | {section: table | {key: filled}}
    return values


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


def _with_passwords(values: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """Give the trunks the passwords that their ``password_env`` names."""
    trunks = values.get("trunks")
    if not isinstance(trunks, list):
        return values
    filled = []
    for number, trunk in enumerate(trunks):
        if isinstance(trunk, dict) and trunk.get("password_env"):
            where, variable = f"trunks[{number}].password_env", str(trunk["password_env"])
            trunk = trunk | {"password": _read(where, variable, "the trunk's password", env)}
        filled.append(trunk)
    return values | {"trunks": filled}


def _with_signing_keys(values: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """Give webhooks and tools the secrets that their ``secret_env`` names."""
    keyed = {}
    for kind in _SIGNED:
        tables = dict(table_at(values, kind))
        for name, table in tables.items():
            if isinstance(table, dict) and table.get("secret_env") and not table.get("secret"):
                where, variable = f"{kind}.{name}.secret_env", str(table["secret_env"])
                secret = _read(where, variable, "the secret to sign with", env)
                _check_signing_key(where, variable, secret or "")
                tables[name] = table | {"secret": secret}
        if tables:
            keyed[kind] = tables
    return values | keyed


def _check_token(where: str, variable: str, token: str) -> None:
    if len(token) < _SHORTEST_TOKEN:
        raise ConfigError(
            f"{where}: the token that {variable} holds could be guessed; export one of "
            f'{_SHORTEST_TOKEN} characters or more: export {variable}="$(openssl rand -hex 24)"'
        )


def _check_signing_key(where: str, variable: str, secret: str) -> None:
    try:
        key_of(secret)
    except WebhookError:
        problem = f"{variable} holds no base64 behind whsec_; export the secret as it was given"
        raise ConfigError(f"{where}: {problem}") from None


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
