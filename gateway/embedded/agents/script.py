"""Reading an agent script: a conversation written as states in a TOML file.

A script is checked whole when it is read, so that no call can run into a
mistake in it: every error names the file, the line and the remedy.
"""

import difflib
import re
import string
import tomllib
from collections.abc import Callable, Iterable
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from ...errors import ConfigError
from .states import REPEAT, Script, State
from .tomlline import line_of

__all__ = ["load_script", "parse_script"]

_KEYS: Final = frozenset("0123456789*#ABCD")
_WORD: Final = re.compile(r"[a-z']+")
_FIELD: Final = re.compile(r" - at `\$\.?(.*)`$")
_T = TypeVar("_T")


def load_script(name: str | Path, knows: Callable[[str], bool] | None = None) -> Script:
    """Read and check a script.

    Args:
        name: The path of a ``.toml`` file, or the bare name of a script shipped
            with the package, such as ``"demo"``.
        knows: Whether the recogniser's dictionary has a word; without it words are
            not checked.

    Raises:
        ConfigError: The script is missing or wrong; says where, and how to mend it.

    """
    shipped = resources.files("gateway.embedded") / "scripts" / f"{name}.toml"
    source = Path(name) if str(name).endswith(".toml") else shipped
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as why:
        raise ConfigError(f"{name}: cannot be read ({why}); give the path of a .toml file") from why
    return parse_script(text, str(name), knows)


def parse_script(
    text: str, where: str = "script", knows: Callable[[str], bool] | None = None
) -> Script:
    """Check the text of a script; ``where`` is what errors call it.

    Raises:
        ConfigError: The script is wrong; says where, and how to mend it.

    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as why:
        raise ConfigError(f"{where}: {why}; mend the TOML there") from why
    return _Check(text, where, knows).read(tables)


class _Check:
    """One reading of one script, with what it takes to say where an error stands."""

    def __init__(self, text: str, where: str, knows: Callable[[str], bool] | None) -> None:
        self._text = text
        self._where = where
        self._knows = knows
        self._states: dict[str, State] = {}

    def read(self, tables: dict[str, Any]) -> Script:
        states = tables.get("states")
        if not isinstance(states, dict) or not states:
            raise self._error((), "there are no states; add a table [states.NAME]")
        for name, table in states.items():
            self._states[name] = self._convert(table, State, ("states", name))
        script = self._convert(tables, Script, ())

        self._targets(script)
        self._ladders(script)
        for name, state in script.states.items():
            self._shape(("states", name), state)
            self._phrases(("states", name), state)
            self._texts(("states", name), script, state)
        self._reachable(script)
        return script

    def _convert(self, table: object, kind: type[_T], at: tuple[str, ...]) -> _T:
        try:
            return msgspec.convert(table, kind)
        except msgspec.ValidationError as why:
            problem = str(why)
            inner: tuple[str, ...] = ()
            if field := _FIELD.search(problem):
                problem = problem[: field.start()]
                inner = tuple(p for p in re.split(r"\.|\[[^\]]*\]", field[1]) if p)
            if unknown := re.search(r"unknown field `([^`]+)`", problem):
                inner += (unknown[1],)
            remedy = "remove it" if unknown else "see the shipped demo script for its form"
            raise self._error(at + inner, f"{problem}; {remedy}") from why

    def _targets(self, script: Script) -> None:
        """Every place a state, a ladder or the start leads to must exist."""
        places: list[tuple[tuple[str, ...], str]] = [(("start",), script.start)]
        for name, state in script.states.items():
            places += [(("states", name, *keys), target) for keys, target in state.targets()]
        for name, ladder in (("idle", script.idle), ("no_match", script.no_match)):
            if ladder:
                places.append(((name, "then"), ladder.then))
        places += [(("remarks", target), target) for target in script.remarks]
        for at, target in places:
            if target in self._states or (target == REPEAT and at[0] == "states"):
                continue
            raise self._error(at, f'there is no state "{target}"; {self._nearest(target)}')

    def _nearest(self, target: str) -> str:
        close = difflib.get_close_matches(target, self._states, 1)
        return f'did you mean "{close[0]}"?' if close else f"add a table [states.{target}]"

    def _ladders(self, script: Script) -> None:
        if script.idle and not 5000 <= script.idle.timeout_ms <= 30000:
            raise self._error(("idle", "timeout_ms"), "must lie from 5000 to 30000; change it")
        if REPEAT in self._states:
            raise self._error(("states", REPEAT), f'"{REPEAT}" is a reserved target; rename it')

    def _shape(self, at: tuple[str, ...], state: State) -> None:
        """A state does one thing after speaking: goes on, listens or calls."""
        ways = [n for n, has in (("then", state.then), ("call", state.call)) if has]
        ways += ["dtmf, intents or collect"] if state.listens else []
        if len(ways) > 1:
            raise self._error(at, f"has both {' and '.join(ways)}; keep one of them")
        if not ways:
            raise self._error(at, "leads nowhere; add then, dtmf, intents, collect or call")
        if (state.ok or state.error or state.args) and not state.call:
            raise self._error(at, "has ok, error or args but no call; add call or remove them")
        for key in state.dtmf:
            if key not in _KEYS:
                raise self._error((*at, "dtmf", key), f'"{key}" is no key; use 0-9 * # A-D')
        if state.collect:
            self._digits(at, state)
        self._circle(at)

    def _digits(self, at: tuple[str, ...], state: State) -> None:
        assert state.collect
        digits = state.collect.digits
        if not 1 <= digits.min <= digits.max <= 40:
            raise self._error((*at, "collect"), "needs 1 <= min <= max <= 40; change the digits")
        if digits.end and digits.end not in _KEYS:
            raise self._error((*at, "collect"), f'end "{digits.end}" is no key; use # or *')
        if taken := sorted(set(state.dtmf) & (set("0123456789") | {digits.end})):
            raise self._error(
                (*at, "dtmf", taken[0]),
                f'"{taken[0]}" is collected here; remove it from dtmf',
            )

    def _circle(self, at: tuple[str, ...]) -> None:
        """States that only go on must not go round for ever."""
        seen: list[str] = []
        name = at[-1]
        while (state := self._states[name]).then:
            seen.append(name)
            name = state.then if state.then != REPEAT else name
            if name in seen:
                raise self._error((*at, "then"), "goes round for ever; lead it elsewhere")

    def _phrases(self, at: tuple[str, ...], state: State) -> None:
        """What the caller may say is words the recogniser can know, each meaning one thing."""
        meaning: dict[str, str] = {}
        for target, phrases in state.intents.items():
            here = (*at, "intents", target)
            if not phrases:
                raise self._error(here, "has no phrases; give at least one")
            for phrase in phrases:
                if " ".join(_WORD.findall(phrase)) != phrase:
                    raise self._error(here, f'"{phrase}" is not lower-case words; write it so')
                if meaning.setdefault(phrase, target) != target:
                    raise self._error(here, f'"{phrase}" also means {meaning[phrase]}; keep one')
                self._words(here, phrase.split())

    def _words(self, at: tuple[str, ...], words: Iterable[str]) -> None:
        for word in words:
            if self._knows and not self._knows(word):
                raise self._error(
                    at, f'"{word}" is not in the recogniser\'s dictionary; use another word'
                )

    def _texts(self, at: tuple[str, ...], script: Script, state: State) -> None:
        """A placeholder names something that is collected somewhere."""
        collected = {s.collect.name for s in script.states.values() if s.collect}
        texts = {("say",): state.say} | {("args", k): v for k, v in state.args.items()}
        for keys, text in texts.items():
            try:
                names = [name for _, name, _, _ in string.Formatter().parse(text)]
            except ValueError as why:
                raise self._error((*at, *keys), f"{why}; write {{{{ and }}}} for braces") from why
            for name in names:
                if name is not None and name not in collected:
                    raise self._error(
                        (*at, *keys), f'nothing collects "{{{name}}}"; collect it, or mend the name'
                    )

    def _reachable(self, script: Script) -> None:
        waiting = [script.start, *(x.then for x in (script.idle, script.no_match) if x)]
        waiting += script.remarks
        reached: set[str] = {REPEAT}
        while waiting:
            if (name := waiting.pop()) not in reached:
                reached.add(name)
                waiting += [target for _, target in script.states[name].targets()]
        for name in script.states:
            if name not in reached:
                raise self._error(("states", name), "no state leads here; link it or remove it")

    def _error(self, at: tuple[str, ...], problem: str) -> ConfigError:
        line = line_of(self._text, at)
        return ConfigError(f"{self._where}:{line}: {'.'.join(at) or 'script'}: {problem}")
