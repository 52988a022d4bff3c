"""The script engine: walks a caller through the states of an agent script.

Sans-I/O.  Each event gives the steps of one response; entering a state says
its text, and states that only go on are walked through at once.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, assert_never

from ..speech.phrases import words_of
from .agent import (
    AgentEvent,
    AgentStep,
    CallTool,
    Grammar,
    Idle,
    Interrupted,
    KeyPressed,
    Recalled,
    Remark,
    ResponseRequested,
    Say,
    SessionStarted,
    ToolReturned,
    TurnEnded,
)
from .states import REPEAT, NoMatch, Script, State

__all__ = ["ScriptAgent"]

_OPENING: Final = 4  # words by which a state's speech is known
_QUOTED: Final = re.compile(r'\bsay\b[^"“]*["“](.+)["”]', re.DOTALL | re.IGNORECASE)


class ScriptAgent:
    """One caller's walk through a script."""

    def __init__(self, script: Script) -> None:
        self._script = script
        start = script.states[script.start]
        # The state's name; empty until the greeting, where the script has one.
        self._at = script.start if start.listens and not start.say else ""
        self._tools: tuple[str, ...] | None = None  # None until the session tells
        self._misses = 0
        self._silences = 0
        self._digits = ""
        self._collected: dict[str, str] = {}
        self._tool = ""  # the tool whose answer is awaited
        self._is_over = False  # a last tool was called: there is nothing left to say
        self._deadline: float | None = None

    @property
    def state(self) -> str:
        """The name of the state the caller is in; empty before the greeting."""
        return self._at

    @property
    def grammar(self) -> Grammar | None:
        """What the caller may say in this state."""
        phrases = [p for each in self._state.intents.values() for p in each]
        return Grammar(tuple(phrases)) if phrases else None

    @property
    def barge_in(self) -> bool:
        """Whether the caller's speech may cut what is being said now."""
        own = self._state.barge_in
        return self._script.barge_in if own is None else own

    @property
    def idle_timeout_ms(self) -> int | None:
        """The silence after which the script would like to be told."""
        return self._script.idle.timeout_ms if self._script.idle else None

    @property
    def deadline(self) -> float | None:
        """When the pause between two digits becomes too long, or ``None``."""
        return self._deadline

    def handle(self, event: AgentEvent, now: float) -> list[AgentStep]:
        """Take in what happened; return the steps of the response, perhaps none."""
        if self._is_over:
            return []
        match event:
            case SessionStarted(tools):
                self._tools = tools
                return []
            case ResponseRequested(instructions):
                return self._requested(instructions)
            case TurnEnded(transcript):
                return self._spoken(transcript)
            case KeyPressed(key):
                return self._pressed(key, now)
            case Idle():
                return self._silence()
            case ToolReturned(name, output):
                return self._returned(name, output)
            case Interrupted():
                self._tool = ""
                return []
            case Recalled(text):
                self._recall(text)
                return []
            case Remark(text):
                return self._remarked(text)
            case _:
                assert_never(event)

    def wake(self, now: float) -> list[AgentStep]:
        """End the digits once the caller has paused for too long."""
        if self._deadline is None or now < self._deadline:
            return []
        return self._end_digits()

    def _recall(self, text: str) -> None:
        """Stand where the caller was when they heard ``text``, as far as it shows."""
        at = _speaker_of(self._script, text)
        while at and (state := self._script.states[at]).then and not state.listens:
            at = state.then
        self._at = at or self._at
        self._misses = self._silences = 0
        self._digits, self._deadline = "", None

    @property
    def _state(self) -> State:
        return self._script.states[self._at or self._script.start]

    def _enter(self, target: str) -> list[AgentStep]:
        """Go to ``target``, speaking on the way, until a state listens, calls or is awaited."""
        steps: list[AgentStep] = []
        self._deadline = None
        while target:
            if target != REPEAT:
                self._at = target
            state = self._state
            self._digits = self._tool = ""
            if state.say:
                steps.append(Say(self._fill(state.say, " ")))
            target = self._call(state, steps) if state.call else state.then
        return steps

    def _follow(self, target: str) -> list[AgentStep]:
        """Go where an understood caller wants to go."""
        self._misses = self._silences = 0
        return self._enter(target)

    def _call(self, state: State, steps: list[AgentStep]) -> str:
        """Add the state's tool call; return where to go if the tool cannot be called."""
        if self._tools is not None and state.call not in self._tools:
            return state.error
        self._tool = state.call
        arguments = {name: self._fill(value) for name, value in state.args.items()}
        steps.append(CallTool(state.call, arguments))
        return ""

    def _fill(self, text: str, between: str = "") -> str:
        """Put collected digits into ``text``; a blank between them has them spoken singly."""
        spaced = {name: between.join(digits) for name, digits in self._collected.items()}
        return text.format_map(defaultdict(str, spaced))

    def _requested(self, instructions: str | None) -> list[AgentStep]:
        if quoted := _QUOTED.search(instructions or ""):
            return [Say(quoted[1])]
        if not self._at:
            return self._enter(self._script.start)
        return [] if self._tool else self._enter(REPEAT)

    def _remarked(self, text: str) -> list[AgentStep]:
        """Go where what the gateway tells leads to; else it is a reason to speak."""
        if self._at and (target := _meaning(text, self._script.remarks)):
            return self._follow(target)
        return self._requested(None)

    def _spoken(self, transcript: str) -> list[AgentStep]:
        if not self._at:
            return self._enter(self._script.start)
        if self._tool:
            return []
        if self._digits and not transcript:
            return []  # a noise between two keys
        self._silences = 0
        target = _meaning(transcript, self._state.intents)
        return self._follow(target) if target else self._missed()

    def _pressed(self, key: str, now: float) -> list[AgentStep]:
        if not self._at:
            return self._enter(self._script.start)
        if self._tool:
            return []
        self._silences = 0
        if target := self._state.dtmf.get(key):
            return self._follow(target)
        if self._state.collect:
            return self._collect(key, now)
        return self._missed()

    def _collect(self, key: str, now: float) -> list[AgentStep]:
        assert self._state.collect
        digits = self._state.collect.digits
        if key == digits.end:
            return self._end_digits()
        if not key.isdigit():
            return self._missed()
        self._digits += key
        if len(self._digits) == digits.max:
            return self._end_digits()
        self._deadline = now + digits.inter_digit_ms / 1000
        return []

    def _end_digits(self) -> list[AgentStep]:
        collect = self._state.collect
        assert collect
        self._deadline = None
        if len(self._digits) < collect.digits.min:
            return self._missed()
        self._collected[collect.name] = self._digits
        return self._follow(collect.then)

    def _missed(self) -> list[AgentStep]:
        """Climb the no-match ladder: say so and ask again, then give up."""
        ladder: NoMatch | None = self._state.no_match or self._script.no_match
        self._digits, self._deadline = "", None
        if ladder is None or not self._state.listens:
            return self._enter(REPEAT)
        self._misses += 1
        if self._misses > ladder.max:
            return self._follow(ladder.then)
        return [Say(ladder.say), *self._enter(REPEAT)]

    def _silence(self) -> list[AgentStep]:
        ladder = self._script.idle
        if not self._at or ladder is None:
            return self._enter(self._at or self._script.start)
        if self._tool:
            return []
        self._silences += 1
        return [Say(ladder.say)] if self._silences <= ladder.max else self._enter(ladder.then)

    def _returned(self, name: str, output: str) -> list[AgentStep]:
        if name != self._tool:
            return []
        state, self._tool = self._state, ""
        if _is_failure(output):
            return self._enter(state.error)
        self._is_over = not state.ok
        return self._enter(state.ok)


def _meaning(text: str, targets: Mapping[str, Sequence[str]]) -> str:
    """Return the target of the longest phrase that ``text`` contains whole; empty for none."""
    heard = f" {' '.join(words_of(text))} "
    found = [
        (len(phrase), target)
        for target, phrases in targets.items()
        for phrase in phrases
        if f" {phrase} " in heard
    ]
    return max(found)[1] if found else ""


def _speaker_of(script: Script, text: str) -> str:
    """Return the state whose words come last in ``text``, which may be cut; empty for none."""
    heard = words_of(text)
    found = []
    for name, state in script.states.items():
        opening = words_of(state.say)[:_OPENING]
        starts = range(len(heard) - len(opening), -1, -1) if opening else ()
        at = next((at for at in starts if heard[at : at + len(opening)] == opening), None)
        if at is not None:
            found.append((at, name))
    return max(found)[1] if found else ""


def _is_failure(output: str) -> bool:
    """Whether a tool's output says that it failed: ``error`` or a false ``ok`` in a JSON object."""
    try:
        answer = json.loads(output)
    except ValueError:
        return False
    return isinstance(answer, dict) and (bool(answer.get("error")) or answer.get("ok") is False)
