"""Whatever happened before: when a call is over, nothing of it goes on."""

from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.config import Settings
from gateway.control import CallState, HangUp, Reject
from gateway.control.actions import Redirect, Request, Respond, RunErrand, Say, Transfer
from gateway.control.events import (
    AnswerClassified,
    BeepHeard,
    CalleeAnswered,
    CalleeEnded,
    ErrandDone,
    LegEnded,
    LegHeld,
    MediaTimeout,
    TransferEnded,
    VoiceStarted,
    VoiceStopped,
)
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import FunctionCall, Reply

PLAN = Settings.model_validate(
    {
        "targets": {
            "blind": "sip:a@pbx.example",
            "bridge": {"uri": "sip:b@pbx.example", "mode": "bridge", "agent": "silent"},
            "asked": {"uri": "sip:c@pbx.example", "mode": "attended", "accept": "1"},
        },
        "call": {
            "menu": "main",
            "tools": ["transfer_call", "hang_up", "collect_digits", "hold_call", "open_menu"],
        },
        "barge_in": {"by": ["service", "voice", "key"], "mode": "pause"},
        "idle": {"seconds": 4, "ladder": [{"say": "Hello?"}]},
        "menus": {
            "main": {
                "say": "One.",
                "listens": True,
                "keys": {
                    "1": {"collect": "card"},
                    "2": {"transfer": "blind"},
                    "3": {"transfer": "bridge"},
                    "4": {"transfer": "asked"},
                    "5": {"menu": "close"},
                    "6": {"menu": "deaf"},
                    "9": "hangup",
                },
            },
            "deaf": {"say": "Two.", "keys": {"*": {"menu": "back"}, "1": {"webhook": "crm"}}},
        },
        "collects": {"card": {"say": "Card?", "min": 4, "max": 4, "sensitive": True}},
        "webhooks": {"crm": {"url": "http://127.0.0.1:1/"}},
        "tools": {"slow": {"description": "x", "url": "http://127.0.0.1:1/"}},
        "rules": [
            {"on": "timer.elapsed", "after_seconds": 7, "do": {"say": "Seven."}},
            {"on": "menu.closed", "do": {"log": "{card}"}},
            {"on": "answer.classified", "do": {"webhook": "crm"}},
        ],
    }
)
REQUESTS: list[Request] = [
    Say("Hello."),
    Respond(),
    Transfer("blind"),
    Transfer("asked"),
    HangUp("asked"),
    Redirect("blind"),
]
FUNCTIONS = [
    FunctionCall("slow"),
    FunctionCall("hang_up"),
    FunctionCall("transfer_call", '{"target": "bridge"}'),
    FunctionCall("collect_digits", '{"name": "card"}'),
    FunctionCall("hold_call"),
]
Step = Callable[[Flow], None]


def _call_function(call: FunctionCall) -> Step:
    def do(flow: Flow) -> None:
        flow.service.replies.append(Reply(300, calls=(call,)))
        flow.service.hear_caller(0.4, "words")

    return do


def _end_errands(flow: Flow) -> None:
    for errand in flow.did(RunErrand):
        flow.post(ErrandDone(errand.errand_id, 200, "{}"))


def _posting(*events: object) -> list[Step]:
    return [lambda flow, event=event: flow.post(event) for event in events]  # type: ignore[misc]


STEPS: list[Step] = [
    *[lambda flow, key=key: flow.press(key) for key in "0123456789*#"],  # type: ignore[misc]
    *[lambda flow, one=one: flow.ask(one) for one in REQUESTS],  # type: ignore[misc]
    *[_call_function(call) for call in FUNCTIONS],
    *_posting(
        LegHeld(is_held=True),
        LegHeld(is_held=False),
        VoiceStarted(),
        VoiceStopped(200),
        CalleeAnswered(),
        CalleeEnded(486),
        AnswerClassified("machine", "callee"),
        BeepHeard(1000, 400),
        TransferEnded(is_accepted=False, status=603),
        TransferEnded(is_accepted=True, status=200),
        MediaTimeout(60),
    ),
    _end_errands,
    lambda flow: flow.service.hear_caller(0.2, "mhm"),
    lambda flow: flow.service.time_out(),
    lambda flow: flow.lose_service(seconds=1),
    lambda flow: flow.lose_service(is_retryable=False),
    *[lambda flow, seconds=seconds: flow.run(seconds) for seconds in (0.02, 0.5, 3.0, 30.0)],  # type: ignore[misc]
]
ENDINGS = [LegEnded("caller"), LegEnded("peer", 500), LegEnded("gateway")]


@settings(max_examples=300)
@example(0.5, [35, 1, 28, 41, 1, 17, 1, 28, 36, 8, 41], LegEnded("caller"))
@given(
    st.floats(0, 3),
    st.lists(st.sampled_from(range(len(STEPS))), max_size=14),
    st.sampled_from(ENDINGS),
)
def test_after_the_end_nothing_is_done_nothing_waits_and_nobody_was_let_go_twice(
    begins_after: float, chosen: list[int], ending: LegEnded
) -> None:
    flow = Flow(PLAN)
    flow.start(links_after=0.3)
    flow.run(begins_after)
    for number in chosen:
        if flow.ended is not None:
            break
        STEPS[number](flow)
        flow.run(0.1)
    flow.post(ending)
    assert flow.controller.state is CallState.ENDED
    assert flow.controller.deadline is None
    done = len(flow.actions)
    flow.press("1")
    _end_errands(flow)
    flow.ask(Say("Is anybody there?"))
    flow.run(300)
    assert len(flow.actions) == done
    lasts = [done for _, done in flow.actions if isinstance(done, HangUp | Reject | Redirect)]
    assert len(lasts) <= 1
