"""The whole configuration, and how it is read from a file and the environment.

Precedence, highest first: ``GATEWAY_SECTION__KEY`` variables, the file (``GATEWAY_CONFIG_BODY``
holds its text, ``GATEWAY_CONFIG`` its name), the names other tools use for the service
(``OPENAI_*``, ``AZURE_OPENAI_*``), the defaults.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, PrivateAttr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from ..errors import ConfigError
from .flows import (
    BargeInSettings,
    CollectSettings,
    CustomTool,
    DialSettings,
    IdleSettings,
    MenuSettings,
    Profile,
    Target,
    WebhookSettings,
)
from .lines import line_of
from .records import RecordSettings
from .rules import Rule
from .secrets import Unneeded, with_secrets, written_secrets
from .sections import (
    CallSettings,
    LimitSettings,
    MediaSettings,
    check_session,
    table_at,
)
from .sense import nonsense
from .service import FallbackSettings, McpSettings, PriceSettings, RealtimeSettings
from .sip import LOOPBACK, GuardSettings, SipSettings, TrunkSettings
from .web import HttpSettings, WebRtcSettings

__all__ = ["Settings", "dotted", "load"]

_PREFIX: Final = "GATEWAY_"
_OWN_NAMES: Final = {"GATEWAY_CONFIG", "GATEWAY_CONFIG_BODY", "GATEWAY_TOKEN"}


class Settings(BaseSettings):
    """Everything a gateway is told before it starts; constructing one reads no environment."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_nested_delimiter="__")

    sip: SipSettings = SipSettings()
    trunks: list[TrunkSettings] = [TrunkSettings(name="local", hosts=list(LOOPBACK))]
    guard: GuardSettings = GuardSettings()
    media: MediaSettings = MediaSettings()
    realtime: RealtimeSettings = RealtimeSettings()
    session: dict[str, Any] = {}
    call: CallSettings = CallSettings()
    fallback: FallbackSettings = FallbackSettings()
    mcp: McpSettings = McpSettings()
    prices: PriceSettings = PriceSettings()
    barge_in: BargeInSettings = BargeInSettings()
    idle: IdleSettings = IdleSettings()
    targets: dict[str, Target] = {}
    dial: DialSettings = DialSettings()
    prompts: dict[str, Path] = {}
    rules: list[Rule] = []
    menus: dict[str, MenuSettings] = {}
    collects: dict[str, CollectSettings] = {}
    tools: dict[str, CustomTool] = {}
    webhooks: dict[str, WebhookSettings] = {}
    profiles: dict[str, Profile] = {}
    http: HttpSettings = HttpSettings()
    webrtc: WebRtcSettings = WebRtcSettings()
    records: RecordSettings = RecordSettings()
    limits: LimitSettings = LimitSettings()

    _name: str = PrivateAttr("the configuration")
    _text: str = PrivateAttr("")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what is handed in: :func:`load` gathers the rest."""
        return (init_settings,)

    @model_validator(mode="after")
    def _is_sound(self) -> "Settings":
        if problem := check_session(self.session):
            raise ValueError(f"session.{problem}")
        costs = (*self.prices.model_dump().values(), *(tool.cost for tool in self.tools.values()))
        if self.call.max_cost and not any(costs):
            raise ValueError("call.max_cost: nothing costs anything; say in [prices] what does")
        names = [trunk.name for trunk in self.trunks]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"trunks: the name {min(twice)!r} is used twice; rename one")
        users = [trunk.username for trunk in self.trunks if trunk.authenticate == "digest"]
        if twice := {user for user in users if users.count(user) > 1}:
            problem = f"trunks: two that authenticate are called {min(twice)!r}; rename one"
            raise ValueError(problem)
        unasked = [
            trunk.name
            for trunk in self.trunks
            if trunk.authenticate == "digest" and not (trunk.hosts or trunk.tls_names)
        ]
        if self.guard.stealth and unasked:
            raise ValueError(
                f"guard.stealth: nobody would be asked for the password of {unasked[0]!r};"
                " give it hosts or tls_names"
            )
        if problem := nonsense(self.sip, self.trunks, self.targets):
            raise ValueError(problem)
        return self

    @property
    def media_host(self) -> str:
        """The address RTP is bound to."""
        return self.media.host or self.sip.host

    def problem(self, path: tuple[str | int, ...], message: str) -> ConfigError:
        """Make the error for a setting whose fault shows only in a wider view."""
        where = f"{self._name}:{line_of(self._text, path)}" if self._text else self._name
        return ConfigError(f"{where}: {dotted(path)}: {message}")


def load(
    path: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    *,
    needs_secrets: bool = True,
) -> Settings:
    """Read the configuration from ``path`` (or what ``env`` names) under ``env``'s overrides.

    Unless it ``needs_secrets``, as when it is only looked at, those that are not there are made
    up.

    Raises:
        ConfigError: One line that says what is wrong, where, and how to mend it.

    """
    env = env or {}
    name, text = _body(path, env)
    try:
        written: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_not_toml(name, text, error)) from error
    overrides = _overrides(env)
    for secret, setting in written_secrets(written):
        raise ConfigError(
            f"{name}:{line_of(text, secret)}: {dotted(secret)}: secrets stay out of files; "
            f"export it and name the variable in {setting}"
        )
    asked = _merge(written, overrides)
    merged = _merge(_known_names(env, asked), asked)
    try:
        settings = Settings(**with_secrets(merged, env if needs_secrets else Unneeded(env)))
    except ValidationError as error:
        raise ConfigError(_one_line(error, name, text, overrides)) from None
    settings._name, settings._text = name, text
    return settings


def _body(path: str | Path | None, env: Mapping[str, str]) -> tuple[str, str]:
    if path is None and "GATEWAY_CONFIG_BODY" in env:
        return "GATEWAY_CONFIG_BODY", env["GATEWAY_CONFIG_BODY"]
    path = path or env.get("GATEWAY_CONFIG")
    if not path:
        return "the configuration", ""
    try:
        return str(path), Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}; name another with -c") from error


def _overrides(env: Mapping[str, str]) -> dict[str, Any]:
    ours = {
        name: value
        for name, value in env.items()
        if name.startswith(_PREFIX) and name not in _OWN_NAMES
    }
    sections = Settings.model_fields
    for name in ours:
        section = name.removeprefix(_PREFIX).split("__")[0].lower()
        if section not in sections:
            raise ConfigError(
                f"{name} in the environment: there is no section {section!r}; "
                f"write GATEWAY_SECTION__KEY with one of {', '.join(sections)}"
            )
    source = EnvSettingsSource(Settings, env_prefix=_PREFIX, env_nested_delimiter="__")
    source.env_vars = {name.lower(): value for name, value in ours.items()}
    try:
        return source()
    except ValueError as error:
        raise ConfigError(f"the environment: {error}; write lists and tables as JSON") from error


def _known_names(env: Mapping[str, str], asked: dict[str, Any]) -> dict[str, Any]:
    """Read the service asked for, or else chosen, from the variables that its own tools use."""
    known = {
        "azure": {
            "url": env.get("AZURE_OPENAI_ENDPOINT"),
            "model": env.get("AZURE_OPENAI_DEPLOYMENT"),
        },
        "openai": {"url": env.get("OPENAI_BASE_URL")},
    }
    provider = table_at(asked, "realtime").get("provider")
    if provider is None and known["azure"]["url"]:
        provider = "azure"
    elif provider is None and (env.get("OPENAI_API_KEY") or known["openai"]["url"]):
        provider = "openai"
    if not isinstance(provider, str) or provider not in known:
        return {}
    told = {key: value for key, value in known[provider].items() if value}
    return {"realtime": {"provider": provider, **told}}


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        is_table = isinstance(under, dict) and isinstance(value, dict)
        merged[key] = _merge(merged[key], value) if is_table else value
    return merged


def _not_toml(name: str, text: str, error: tomllib.TOMLDecodeError) -> str:
    """Say in one line where a text stops being TOML."""
    reason, _, where = str(error).partition(" (at ")
    number = re.match(r"line (\d+)", where)
    line = int(number[1]) if number else max(1, len(text.splitlines()))
    return f"{name}:{line}: not TOML: {reason}; mend this line, or the one before"


def _one_line(error: ValidationError, name: str, text: str, overrides: dict[str, Any]) -> str:
    """Say the first fault in one line: where, what, and how to mend it."""
    first = error.errors(include_url=False)[0]
    path = tuple(first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if not path and ": " in message:  # a fault between sections names its own place
        place, _, message = message.partition(": ")
        path = tuple(int(part) if part.isdecimal() else part for part in place.split("."))
    if _holds(overrides, path):
        variable = _PREFIX + "__".join(str(part).upper() for part in path)
        return f"{variable} in the environment: {_remedy(first['type'], path, message)}"
    where = f"{name}:{line_of(text, path)}" if text else name
    return f"{where}: {dotted(path)}: {_remedy(first['type'], path, message)}"


def _remedy(kind: str, path: tuple[str | int, ...], message: str) -> str:
    if kind == "missing":
        return f"is missing; add a line {path[-1]} = …"
    if kind in ("too_short", "string_too_short"):
        return "is empty; write something, or remove it"
    if kind != "extra_forbidden":
        return _worded(kind, message)
    siblings = _fields_beside(path)
    close = difflib.get_close_matches(str(path[-1]), siblings, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(siblings)}"
    return f"unknown setting{meant}"


def _worded(kind: str, message: str) -> str:
    """Return what a value should be as what is to be written."""
    what, _, reason = message.partition(", unable to parse")
    number = "a number " if kind.startswith(("less_", "greater_")) else ""
    told = what.replace("Input should be ", f"write {number}", 1)
    return f"{told}, which this is not" if reason else told


def _fields_beside(path: tuple[str | int, ...]) -> list[str]:
    """Return the settings that exist where ``path`` ends."""
    kind: Any = Settings
    for part in path[:-1]:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(part))
            kind = field.annotation if field is not None else None
        else:  # a list of tables, or tables by name
            kind = get_args(kind)[-1] if get_args(kind) else None
    is_table = isinstance(kind, type) and issubclass(kind, BaseModel)
    fields = kind.model_fields if is_table else {}
    return [field.alias or name for name, field in fields.items()]


def _holds(values: Any, path: tuple[str | int, ...]) -> bool:
    """Tell whether nested ``values`` reach as deep as ``path``."""
    for part in path:
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return bool(path)


def dotted(path: tuple[str | int, ...]) -> str:
    """Return where a setting is, as it is told: ``rules[0].do``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")
