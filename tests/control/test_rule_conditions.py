"""Every condition of a rule, written as TOML, where it holds and where it does not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest

from gateway.config import Rule, load
from gateway.control.actions import Log, Redirect, Reject, SetVariables, Transfer
from gateway.control.events import (
    OWN_EVENTS,
    AnswerClassified,
    BeepHeard,
    CalleeAnswered,
    CalleeEnded,
    CalleeProgress,
    CallStarted,
    ErrandDone,
    Event,
    KeyPressed,
    KeyReleased,
    LegAnswered,
    LegEnded,
    LegHeld,
    LegMoved,
    LegReferred,
    LinkLost,
    LinkReady,
    MediaTimeout,
    MenuClosed,
    MenuOpened,
    PlayoutFlushed,
    PlayoutStarted,
    PlayoutStopped,
    PromptStopped,
    SupervisionChanged,
    SupervisorLeft,
    TimerElapsed,
    TransferEnded,
    TransferProgress,
    VoiceStarted,
    VoiceStopped,
    name_of,
)
from gateway.realtime.events import SERVER_EVENTS
from gateway.testing.flow import Flow
from tests.control.test_every_event import CASES as SERVICE_CASES
from tests.control.test_every_event import name_of as name_of_case

KEY: Final = 'on = "input_audio_buffer.dtmf_event_received"'
BEEP: Final = BeepHeard(1000, 300)
MORE: Final = """
[[trunks]]
name = "pbx"
hosts = "127.0.0.0/8"
[[trunks]]
name = "local"
hosts = "192.0.2.0/24"
[targets]
operator = "sip:operator@pbx.example"
[menus.main]
say = "Main."
keys = { "1" = "stop" }
[[rules]]
on = "voice.started"
do = { menu = "main" }
"""


def call(rule: str, *, called: str = "sip:100@test", trunk: str = "pbx") -> Flow:
    text = f'{MORE}[[rules]]\n{rule}\ndo = {{ log = "fired" }}\n'
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": text}), called=called, trunk=trunk)
    flow.start()
    flow.run(2)
    return flow


def fired(flow: Flow) -> int:
    return flow.did(Log).count(Log("fired"))


def post(*events: Event) -> Callable[[Flow], None]:
    def do(flow: Flow) -> None:
        for event in events:
            flow.post(event)

    return do


def press(keys: str) -> Callable[[Flow], None]:
    return lambda flow: flow.press(keys)


def ask(request: Any) -> Callable[[Flow], None]:
    return lambda flow: flow.ask(request)


def together(*steps: Callable[[Flow], None]) -> Callable[[Flow], None]:
    def do(flow: Flow) -> None:
        for step in steps:
            step(flow)

    return do


@dataclass
class Case:
    """A rule, what makes it fire so many times, and what does not."""

    condition: str
    rule: str
    holds: Callable[[Flow], None]
    fails: Callable[[Flow], None]
    times: int = 1


CASES: Final = [
    Case("on", 'on = ["beep.heard", "leg.held"]', post(BEEP, LegHeld(is_held=True)), press("1"), 2),
    Case("digit", f'{KEY}\ndigit = "12"', press("3121"), press("3*"), 3),
    Case("digit", f'{KEY}\ndigit = ["1", "2"]', press("3121"), press("3*"), 3),
    Case("count", f"{KEY}\ncount = 2", press("123"), press("1")),
    Case("count", f'{KEY}\ncount = "2+"', press("123"), press("1"), 2),
    Case("state", 'on = "beep.heard"\nstate = "talking"', post(BEEP), ask(Transfer("operator"))),
    Case(
        "state",
        'on = "beep.heard"\nstate = ["setup", "transferring"]',
        together(ask(Transfer("operator")), lambda flow: flow.run(2), post(BEEP)),
        post(BEEP),
    ),
    Case("menu", 'on = "beep.heard"\nmenu = "main"', post(VoiceStarted(), BEEP), post(BEEP)),
    Case("menu", 'on = "beep.heard"\nmenu = ""', post(BEEP), post(VoiceStarted(), BEEP)),
    Case(
        "where",
        'on = "beep.heard"\nwhere = { hertz = 1000, leg = "call*r" }',
        post(BEEP),
        post(BeepHeard(1001, 300), BeepHeard(1000, 300, "callee")),
    ),
    Case(
        "where",
        'on = "beep.heard"\nwhere = { hertz = [440, 1000] }',
        post(BEEP),
        post(BeepHeard(441, 300)),
    ),
    Case(
        "variables",
        'on = "beep.heard"\nvariables = { language = ["d*", "e?"] }',
        together(ask(SetVariables({"language": "es"})), post(BEEP)),
        together(post(BEEP), ask(SetVariables({"language": "english"})), post(BEEP)),
    ),
    Case(
        "after_seconds",
        'on = "timer.elapsed"\nafter_seconds = 5',
        lambda flow: flow.run(10),
        lambda flow: flow.run(2.9),
    ),
]
BY_CALL: Final = {"trunk", "called", "caller", "time"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule.replace("\n", " "))
def test_a_rule_fires_where_its_condition_holds_and_only_there(case: Case) -> None:
    flow = call(case.rule)
    case.fails(flow)
    assert fired(flow) == 0
    flow = call(case.rule)
    case.holds(flow)
    assert fired(flow) == case.times


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('trunk = "p*"', True),
        ('trunk = ["local", "pb?"]', True),
        ('trunk = "local"', False),
        ('called = "1??"', True),
        ('called = "sip:100@*"', True),
        ('called = ["2*", "3*"]', False),
        ('caller = "call*"', True),
        ('caller = "sip:+49*"', False),
        ('time = "fri 07:55-08:05"', True),  # of 15 January 2027, the call's first day
        ('time = ["mon-thu 00:00-24:00", "thu 23:00-08:30"]', True),
        ('time = "mon-thu 00:00-24:00"', False),
        ('time = "sat-sun 00:00-24:00"', False),
        ('time = "18:00-07:00"', False),
    ],
)
def test_a_condition_on_the_call_holds_or_does_not(condition: str, holds: bool) -> None:
    assert fired(call(f'on = "leg.answered"\n{condition}')) == holds


def test_times_are_those_of_the_callers_zone() -> None:
    rule = f'{MORE}[call]\ntimezone = "America/New_York"\n[[rules]]\non = "leg.answered"\n'
    text = rule + 'time = "fri 02:55-03:05"\ndo = { log = "fired" }'
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": text}))
    flow.start()
    flow.run(1)
    assert fired(flow) == 1


def test_there_is_a_case_for_every_condition() -> None:
    tried = {case.condition for case in CASES} | BY_CALL
    assert tried == set(Rule.model_fields) - {"do", "go_on"}


def test_the_first_rule_that_fits_is_taken_and_go_on_has_the_next_ones_looked_at() -> None:
    text = "".join(
        f'[[rules]]\n{KEY}\ndigit = "{digit}"\ngo_on = {go_on}\ndo = {{ log = "{name}" }}\n'
        for name, digit, go_on in [
            ("a", "1", "true"),
            ("b", "12", "false"),
            ("c", "123", "true"),
            ("d", "12345", "true"),
        ]
    )
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": text}))
    flow.start()
    flow.run(2)
    for key, names in [("1", "ab"), ("2", "b"), ("3", "cd"), ("4", "d"), ("9", "")]:
        before = len(flow.did(Log))
        flow.press(key)
        assert "".join(one.text for one in flow.did(Log)[before:]) == names
    rows = [row for row in flow.controller.timeline.as_list() if row["kind"] == "decision"]
    assert [row["detail"]["outcome"] for row in rows] == [f"rules[{n}]" for n in (0, 1, 1, 2, 3, 3)]


@pytest.mark.parametrize(
    ("steps", "holds"),
    [
        ('{ set = { x = "1" } }', True),
        ('[{ set = { x = "1" } }, { say = "Hello." }]', True),
        ('[{ say = "Hello." }, { set = { x = "1" } }]', False),
    ],
    ids=["set", "set, then say", "say, then set"],
)
def test_the_next_rule_sees_the_variables_as_the_one_before_set_them(
    steps: str, holds: bool
) -> None:
    first = f'on = "beep.heard"\ngo_on = true\ndo = {steps}\n[[rules]]\n'
    flow = call(f'{first}on = "beep.heard"\nvariables = {{ x = "1" }}')
    flow.post(BEEP)
    flow.run(3)
    assert fired(flow) == holds
    assert flow.variable("x") == "1"


def test_the_next_rule_is_asked_in_the_state_in_which_the_event_came() -> None:
    first = 'on = "beep.heard"\ngo_on = true\ndo = "hangup"\n[[rules]]\n'
    flow = call(f'{first}on = "beep.heard"\nstate = "talking"')
    flow.post(BEEP)
    assert fired(flow) == 1


def test_the_rules_of_the_profile_come_first() -> None:
    text = f"""
    [[rules]]
    {KEY}
    do = {{ log = "common" }}
    [profiles.night]
    called = "900"
    [[profiles.night.rules]]
    {KEY}
    digit = "1"
    do = {{ log = "night" }}
    """
    for called, logs in [("sip:900@x", ["night", "common"]), ("sip:1@x", ["common", "common"])]:
        flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": text}), called=called)
        flow.start()
        flow.run(2)
        flow.press("12")
        assert [one.text for one in flow.did(Log)][-2:] == logs


# Any event


OWN: Final[list[Event]] = [
    CallStarted("call", "a", "b"),
    LegAnswered(),
    LegHeld(is_held=True),
    LinkReady(),
    LinkLost("gone"),
    KeyPressed("1", "info"),
    KeyReleased("1", "info", 80),
    MenuOpened("x"),
    MenuClosed("x", "closed"),
    TimerElapsed(3.0),
    VoiceStarted(),
    VoiceStopped(100),
    BEEP,
    AnswerClassified("human"),
    CalleeProgress(180),
    CalleeAnswered(),
    CalleeEnded(200),
    ErrandDone("x"),
    PlayoutStarted("r"),
    PlayoutStopped("r"),
    PlayoutFlushed(None),
    PromptStopped("x"),
    TransferProgress(180),
    TransferEnded(is_accepted=False, status=486),
    MediaTimeout(60.0),
    LegReferred("sip:operator@pbx.example"),
    LegMoved("operator"),
    SupervisorLeft("x"),
    SupervisionChanged("x", "ann", "listen"),
]


def test_there_is_one_of_every_event() -> None:
    assert {name_of(event) for event in OWN} == set(OWN_EVENTS) - {name_of(LegEnded("caller"))}
    assert {name_of_case(case) for case in SERVICE_CASES} == set(SERVER_EVENTS)


@pytest.mark.parametrize("event", [*OWN, *(case.event for case in SERVICE_CASES)], ids=name_of)
def test_a_rule_takes_any_event_by_its_name(event: Event) -> None:
    name = name_of(event)
    more = "\nafter_seconds = 3" if isinstance(event, TimerElapsed) else ""
    text = f'[[rules]]\non = "{name}"{more}\ndo = {{ log = "fired" }}\n'
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": text}))
    flow.start()
    flow.run(1)
    before = fired(flow)
    flow.post(event)
    assert fired(flow) == before + 1


@pytest.mark.parametrize("status", [400, 404, 480, 486, 503, 603, 699])
def test_a_call_is_refused_with_any_final_status(status: int) -> None:
    step = f'{{ reject = {{ status = {status}, reason = "Why" }} }}'
    text = f'[[rules]]\non = "call.started"\ndo = {step}'
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": text}))
    flow.start()
    flow.run(5)
    assert flow.did(Reject) == [Reject(status, "Why")]
    assert not flow.did(Redirect)
