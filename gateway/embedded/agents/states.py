"""What an agent script is made of: states, and what leads from one to the next.

A state says something, then goes on (``then``), listens (``dtmf``,
``intents``), collects digits (``collect``) or calls a tool (``call``).
"""

from collections.abc import Iterator
from typing import Final

import msgspec

__all__ = ["REPEAT", "Collect", "Digits", "IdleLadder", "NoMatch", "Script", "State"]

REPEAT: Final = "repeat"
"""The target that enters the present state again."""


class NoMatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to say to a caller who was not understood, ``max`` times, and where to go then."""

    say: str
    then: str
    max: int = 2


class IdleLadder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to say to a silent caller, ``max`` times, and where to go after that."""

    say: str
    then: str
    max: int = 2
    timeout_ms: int = 6000


class Digits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many digits to collect, and what ends them: a key, ``max`` digits, or a pause."""

    min: int = 1
    max: int = 20
    end: str = "#"
    inter_digit_ms: int = 3000


class Collect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Digits to collect, the name they are kept under, and the state that follows."""

    then: str
    name: str = msgspec.field(name="as")
    digits: Digits = Digits()


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One state: what is said, and what may happen next."""

    say: str = ""
    then: str = ""
    dtmf: dict[str, str] = {}
    intents: dict[str, list[str]] = {}
    no_match: NoMatch | None = None
    collect: Collect | None = None
    call: str = ""
    args: dict[str, str] = {}
    ok: str = ""
    error: str = ""
    barge_in: bool | None = None

    @property
    def listens(self) -> bool:
        """Whether the caller is expected to say or press something here."""
        return bool(self.dtmf or self.intents or self.collect)

    def targets(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield every place this state leads to, with the keys it is written under."""
        for name in ("then", "ok", "error"):
            if target := getattr(self, name):
                yield (name,), target
        for key, target in self.dtmf.items():
            yield ("dtmf", key), target
        for target in self.intents:
            yield ("intents", target), target
        if self.no_match:
            yield ("no_match", "then"), self.no_match.then
        if self.collect:
            yield ("collect", "then"), self.collect.then


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole conversation; ``remarks`` are states, and what a gateway tells that leads there."""

    name: str
    start: str
    states: dict[str, State]
    voice: str = "rms"
    barge_in: bool = True
    idle: IdleLadder | None = None
    no_match: NoMatch | None = None
    remarks: dict[str, list[str]] = {}

    def prompts(self) -> list[str]:
        """Return every text the script can say, with placeholders as they are written."""
        ladders = [self.idle, self.no_match, *(s.no_match for s in self.states.values())]
        said = [s.say for s in self.states.values()] + [each.say for each in ladders if each]
        return list(dict.fromkeys(text for text in said if text))
