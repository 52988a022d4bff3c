"""The parts of a call's flow that are configured by name: menus, collections, targets, tools.

Each is a table of the file; what they name is checked against the rest by call control.
"""

import re
from typing import Any, Final, Literal, TypeAlias

from pydantic import Field, SecretStr, field_validator, model_validator

from .addresses import posting_address
from .rules import Patterns, Rule
from .sections import Table
from .steps import KEYS, Steps, TransferMode

__all__ = [
    "BargeInSettings",
    "CollectSettings",
    "CustomTool",
    "DialSettings",
    "IdleSettings",
    "MenuSettings",
    "Posted",
    "Profile",
    "Prompted",
    "Target",
    "WebhookSettings",
    "Worded",
]

_CALLABLE: Final = ("sip:", "sips:", "tel:")
_WHOLE: Final = re.compile(
    r"sips?:([^@\s]+@)?(\[[\d:a-f.]+\]|[^@:;?\s\[\]]+)(:\d+)?([;?]\S*)?|tel:[^;\s]+(;\S*)?",
    re.IGNORECASE,
)
_ENTRY: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_ENDS: Final = "#*ABCD"

Worded: TypeAlias = str | dict[str, str]
"""A text for all languages, or one for each, by the name the variable ``language`` has."""


class Target(Table):
    """``[targets]``: somebody a caller may be sent to; a bare address is short for ``uri``."""

    uri: str
    mode: TransferMode = "blind"
    description: str = ""  # what the model is told of it
    whisper: str = ""  # what the human is told first; "" for a summary by the service
    accept: str = ""  # a key the human must press to take the caller
    agent: Literal["leaves", "silent", "stays"] = "leaves"
    seconds: float = Field(default=40.0, gt=0, le=300)

    @model_validator(mode="before")
    @classmethod
    def _address(cls, value: object) -> object:
        return {"uri": value} if isinstance(value, str) else value

    @field_validator("uri")
    @classmethod
    def _reachable(cls, uri: str) -> str:
        if not uri.lower().startswith(_CALLABLE):
            raise ValueError(f"{uri!r} cannot be called; write sip:USER@HOST or tel:+NUMBER")
        if _WHOLE.fullmatch(uri) is None:
            what = "number" if uri.lower().startswith("tel:") else "host"
            raise ValueError(f"{uri!r} names no {what}; write sip:USER@HOST or tel:+NUMBER")
        return uri


class Prompted(Table):
    """What the caller hears first: words of the service, or a file where it is away or preferred.

    With both, the service speaks while it is there, and the file is played while it is not.
    """

    prompt: Worded = ""
    say: Worded = ""
    barge_in: bool = True  # a key cuts it
    timeout_ms: int = Field(default=6000, ge=500, le=120_000)  # to the first key
    retries: int = Field(default=2, ge=0, le=10)
    no_input: list[Steps] = []  # what is done at the first silence, the second, …
    invalid: list[Steps] = []  # at the first wrong input, the second, …
    failed: Steps = []  # when the retries are used up; goodbye, if not given


class MenuSettings(Prompted):
    """``[menus.NAME]``: keys, and what each does."""

    keys: dict[str, Steps] = Field(min_length=1)
    listens: bool = False  # the service hears the caller meanwhile, and may answer

    @field_validator("keys")
    @classmethod
    def _known(cls, keys: dict[str, Steps]) -> dict[str, Steps]:
        for key in keys:
            if len(key) != 1 or key not in KEYS:
                raise ValueError(f"{key!r} is not a key; choose from {KEYS}")
        return keys


class CollectSettings(Prompted):
    """``[collects.NAME]``: several keys that make one number."""

    min: int = Field(default=1, ge=1, le=64)
    max: int = Field(default=16, ge=1, le=64)
    terminator: str = "#"  # "" for none: then ``max`` keys, or a pause, end it
    inter_digit_ms: int = Field(default=3000, ge=200, le=60_000)
    pattern: str = ""  # a regular expression that the whole number must fit
    check: Literal["", "luhn"] = ""
    keys: dict[str, Steps] = {}  # "*" and the like: ways out
    into: str = ""  # the variable that takes it; the collection's name, if not given
    to: Literal["model", "webhook", "nowhere"] = "model"
    webhook: str = ""
    sensitive: bool = False  # nothing of it to the model, a recording, a log or a timeline
    then: Steps = []

    @field_validator("pattern")
    @classmethod
    def _readable(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return pattern

    @field_validator("terminator")
    @classmethod
    def _key(cls, key: str) -> str:
        if len(key) > 1 or key not in _ENDS:
            raise ValueError(f"{key!r} ends no number; write one of {_ENDS}, or nothing")
        return key


class Profile(Table):
    """``[profiles.NAME]``: what is different for the calls of some trunks or numbers.

    Its rules come before the common ones; its tables go over those of the same name.
    """

    trunks: Patterns = []  # shell patterns; no patterns at all: only by transfer
    called: Patterns = []
    session: dict[str, Any] = {}
    call: dict[str, Any] = {}
    barge_in: dict[str, Any] = {}
    idle: dict[str, Any] = {}
    variables: dict[str, str] = {}
    rules: list[Rule] = []


class BargeInSettings(Table):
    """``[barge_in]``: who may cut the agent short, when, and how surely."""

    by: list[Literal["service", "voice", "key"]] = ["service", "key"]  # none: never
    mode: Literal["cut", "pause"] = "cut"  # pause: wait until it is known to be meant
    confirm_ms: int = Field(default=500, ge=100, le=3000)  # speech as long as this is meant
    transcript_ms: int = Field(default=600, ge=0, le=5000)  # how long its words are waited for
    back_channels: list[str] = [
        "mhm", "mm-hmm", "uh-huh", "hm", "yeah", "yes", "yep", "okay", "ok", "right", "ja", "genau",
    ]  # fmt: skip
    protect_greeting: bool = False
    protect_ms: int = Field(default=0, ge=0, le=60_000)  # of each answer
    voice: Literal["energy", "silero"] = "energy"
    voice_ms: int = Field(default=120, ge=20, le=1000)  # speech as long as this is a voice
    echo_guard: Literal["off", "gate", "cancel"] = "gate"
    round_trip: bool = True  # what is still on its way to the caller was not heard


class IdleSettings(Table):
    """``[idle]``: the ladder of a caller who says nothing."""

    seconds: float = Field(default=0.0, ge=0, le=600)  # our own timer; 0: the service's alone
    limit: int = Field(default=3, ge=0)  # unanswered prompts before the goodbye; 0: no limit
    ladder: list[Steps] = []  # what is done at the first, the second, …; then the goodbye


class Posted(Table):
    """What is told of a call by HTTP: where, signed with what, and how patiently."""

    url: str
    secret_env: str = ""  # the variable with the key that requests are signed with
    secret: SecretStr | None = Field(default=None, exclude=True)  # what that variable holds
    timeout_seconds: float = Field(gt=0, le=120)  # of one try
    retries: int = Field(ge=0, le=5)

    @field_validator("url")
    @classmethod
    def _reachable(cls, url: str) -> str:
        return posting_address(url)

    @property
    def patience(self) -> float:
        """Seconds that all tries together may take, with the pauses between them."""
        return 2 * self.timeout_seconds * (self.retries + 1)


class CustomTool(Posted):
    """``[tools.NAME]``: a function of the writer's own that the model may call."""

    description: str = Field(min_length=1)
    parameters: dict[str, Any] = {"type": "object", "properties": {}}
    url: str = ""
    entry: str = ""  # "package.module:function", of Python
    timeout_seconds: float = Field(default=10.0, gt=0, le=120)
    retries: int = Field(default=1, ge=0, le=5)
    most: int = Field(default=20, ge=1)  # times in one call
    cost: float = Field(default=0.0, ge=0)  # of one use, counted towards call.max_cost

    @model_validator(mode="after")
    def _one(self) -> "CustomTool":
        if bool(self.url) == bool(self.entry):
            raise ValueError("name a url or an entry, one of the two")
        if self.entry and self.secret_env:
            raise ValueError("nothing is sent to an entry; remove secret_env")
        return self

    @field_validator("entry")
    @classmethod
    def _importable(cls, entry: str) -> str:
        if entry and _ENTRY.fullmatch(entry) is None:
            raise ValueError(f"{entry!r} names no function; write package.module:function")
        return entry


class WebhookSettings(Posted):
    """``[webhooks.NAME]``: where news of a call is posted to, signed."""

    timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    retries: int = Field(default=2, ge=0, le=5)


class DialSettings(Table):
    """``[dial]``: calls that the gateway places."""

    allow: Patterns = []  # shell patterns of addresses besides those in [targets]
    caller: str = ""  # whose call it is said to be; empty: the gateway's own address
    seconds: float = Field(default=60.0, gt=0, le=300)
    answering_machine: bool = True  # listen for one, and for its beep
