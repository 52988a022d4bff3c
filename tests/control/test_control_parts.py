"""The parts of call control, one by one, and all of them under a storm of events."""

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import Settings
from gateway.control import (
    EVENT_TABLE,
    OWN_TABLE,
    CallState,
    Controller,
    ControlSettings,
    HangUp,
    Refer,
    Reject,
    Say,
    SendCommand,
    Transfer,
    first_difference,
    replay,
)
from gateway.control import events as own
from gateway.control.context import Context
from gateway.control.digits import Digits
from gateway.control.events import OWN_EVENTS, Event, KeyPressed
from gateway.control.speech import Speech
from gateway.control.states import TRANSITIONS
from gateway.control.timeline import Timeline, TimelineEntry
from gateway.errors import ConfigError
from gateway.realtime.commands import SessionUpdate
from gateway.realtime.events import (
    SERVER_EVENTS,
    ErrorDetail,
    ErrorEvent,
    InputAudioBufferCommitted,
    InputAudioBufferDtmfEventReceived,
    InputAudioBufferSpeechStarted,
    InputAudioBufferTimeoutTriggered,
    Item,
    OutputAudioBufferCleared,
    ResponseCreated,
    ResponseDone,
    ResponseInfo,
    ResponseOutputAudioDelta,
    ResponseOutputAudioDone,
    ResponseOutputTextDelta,
    SessionUpdated,
    Unknown,
)
from gateway.realtime.faults import classify

DTMF = "input_audio_buffer.dtmf_event_received"


def plan(**tables: Any) -> ControlSettings:
    return ControlSettings.of(Settings(**tables))


# The table of events


def test_the_table_names_every_event_of_the_service_and_of_the_gateway() -> None:
    assert len(SERVER_EVENTS) == 47
    assert set(EVENT_TABLE) == set(SERVER_EVENTS)
    assert set(OWN_TABLE) == set(OWN_EVENTS)
    for handling in [*EVENT_TABLE.values(), *OWN_TABLE.values()]:
        assert handling.parts
        assert handling.default


# States


@pytest.mark.parametrize(("before", "after"), list(itertools.product(CallState, CallState)))
def test_a_call_goes_only_where_the_table_allows(before: CallState, after: CallState) -> None:
    context = Context(plan(), classify)
    context.state = before
    assert context.move(after) is (after in TRANSITIONS[before] or after is before)
    assert context.state in (before, after)


def test_an_ended_call_does_nothing_more() -> None:
    context = Context(plan(), classify)
    context.act(HangUp())
    context.act(HangUp())
    context.log("too late")
    assert context.drain() == [HangUp()]
    assert context.state is CallState.ENDED


# Keys


def digits() -> tuple[Context, Digits]:
    context = Context(plan(), classify)
    return context, Digits(context)


def pressed(context: Context) -> str:
    keys = "".join(getattr(event, "event", "?") for event in context.derived)
    context.derived.clear()
    return keys


def test_one_press_seen_by_every_detector_is_one_key() -> None:
    context, part = digits()
    for at, source in [(0.0, "rfc4733"), (0.05, "inband"), (0.3, "info"), (0.9, "browser")]:
        context.now = at
        part.handle(KeyPressed("5", source))  # type: ignore[arg-type]
    assert pressed(context) == "5"
    assert part.echoes == 3


def test_the_same_key_pressed_twice_is_two_keys_whatever_the_detectors_order() -> None:
    context, part = digits()
    for at, source in [(0.0, "rfc4733"), (0.2, "rfc4733"), (0.25, "inband"), (0.3, "inband")]:
        context.now = at
        part.handle(KeyPressed("5", source))  # type: ignore[arg-type]
    assert pressed(context) == "55"


def test_a_report_after_the_window_is_a_new_press() -> None:
    context, part = digits()
    part.handle(KeyPressed("5", "rfc4733"))
    context.now = 1.5
    part.handle(KeyPressed("5", "inband"))
    assert pressed(context) == "55"


def test_what_is_not_a_key_is_not_told() -> None:
    context, part = digits()
    for key in ("", "12", "x", "flash", "a"):
        part.handle(KeyPressed(key, "info"))
    assert pressed(context) == "A"


def test_the_services_own_key_event_echoes_ours() -> None:
    context, part = digits()
    part.handle(KeyPressed("5", "rfc4733"))
    assert not part.admits(InputAudioBufferDtmfEventReceived(event="5"))
    assert part.admits(InputAudioBufferDtmfEventReceived(event="6"))
    assert part.admits(InputAudioBufferDtmfEventReceived(event="5", origin="gateway"))
    del context


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from("125#"), st.floats(0.15, 2)), max_size=20),
    st.floats(0, 0.12),
    st.booleans(),
)
def test_no_press_is_lost_or_doubled_by_two_detectors(
    presses: list[tuple[str, float]], lag: float, is_early: bool
) -> None:
    context, part = digits()
    reports: list[tuple[float, str, own.KeySource]] = []
    now = 0.0
    for key, gap in presses:
        now += gap
        reports.append((now, key, "rfc4733"))
        reports.append((now + (-lag if is_early else lag), key, "inband"))
    for at, key, source in sorted(reports):
        context.now = at
        part.handle(KeyPressed(key, source))
    assert pressed(context) == "".join(key for key, _ in presses)


# Speech


def test_a_response_is_over_once_done_and_heard_in_either_order() -> None:
    for order in (("finish", "hear"), ("hear", "finish")):
        speech = Speech()
        speech.begin("r")
        speech.add_audio("r")
        getattr(speech, order[0])("r")
        assert not speech.is_quiet
        getattr(speech, order[1])("r")
        assert speech.is_quiet


def test_a_response_without_audio_is_over_when_done() -> None:
    speech = Speech()
    speech.begin("r")
    assert not speech.is_quiet
    assert not speech.is_audible
    speech.finish("r")
    assert speech.is_quiet


# Rules as configured


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        (
            {"rules": [{"on": "input_audio_buffer.dtmf", "do": ["stop"]}]},
            "did you mean 'input_audi",
        ),
        (
            {"rules": [{"on": "nonsense", "do": ["stop"]}]},
            "unknown event 'nonsense'; `voice-gateway events` lists them$",
        ),
        ({"rules": [{"on": "call.started", "digit": "1", "do": ["stop"]}]}, "has a digit"),
        ({"rules": [{"on": DTMF, "state": "bored", "do": ["stop"]}]}, "unknown state"),
        ({"rules": [{"on": DTMF, "do": [{"transfer": "boss"}]}]}, "add it to .targets."),
        ({"rules": [{"on": DTMF, "do": [{"play": "song"}]}]}, "add it to .prompts."),
        ({"rules": [{"on": DTMF, "do": ["hangup", "stop"]}]}, "nothing is done after hangup"),
        ({"fallback": {"prompt": "sorry"}}, "unknown prompt"),
        ({"fallback": {"transfer": "boss"}}, "unknown target"),
    ],
)
def test_a_rule_that_cannot_work_is_refused_with_a_remedy(
    tables: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        plan(**tables)
    assert "\n" not in str(caught.value)


def test_a_rule_before_the_answer_may_refuse_or_answer_the_call() -> None:
    for step, expected in (({"reject": 486}, Reject(486)), ("answer", None)):
        controller = Controller(plan(rules=[{"on": "call.started", "do": [step]}]), classify)
        actions = controller.handle(own.CallStarted("1", "a", "b"), 0.0)
        assert (expected in actions) is (expected is not None)
        assert (controller.state is CallState.ENDED) is (expected is not None)


def test_a_rule_on_what_happens_during_a_goodbye_does_not_undo_it() -> None:
    rules = [{"on": "rate_limits.updated", "do": [{"say": "Wait."}]}]
    controller = Controller(plan(rules=rules), classify)
    controller.handle(own.CallStarted("1", "a", "b"), 0.0)
    controller.handle(own.LinkReady(), 0.1)
    controller.handle(own.LegAnswered(), 0.2)
    controller.request([HangUp("asked")], 0.3)
    assert controller.state is CallState.ENDED


def test_somebody_outside_may_ask_for_a_transfer_by_name_only() -> None:
    controller = Controller(plan(targets={"desk": "sip:desk@pbx"}), classify)
    controller.handle(own.CallStarted("1", "a", "b"), 0.0)
    controller.handle(own.LinkReady(), 0.1)
    controller.handle(own.LegAnswered(), 0.2)
    assert not [a for a in controller.request([Transfer("sip:x@y")], 0.3) if isinstance(a, Refer)]
    assert Refer("sip:desk@pbx") in controller.request([Transfer("desk")], 0.4)


# The timeline


def test_a_stream_of_deltas_is_one_entry_with_a_count() -> None:
    timeline = Timeline()
    delta = ResponseOutputAudioDelta(
        response_id="r", item_id="i", output_index=0, content_index=0, delta=b"x" * 4800
    )
    for at in range(50):
        timeline.add_event(float(at), delta)
    (entry,) = timeline.entries
    assert entry.count == 50
    assert entry.detail["delta"] == ""


def test_a_delta_that_could_not_be_read_does_not_stand_in_the_way_of_those_that_can() -> None:
    timeline = Timeline()
    name = "response.output_text.delta"
    text = ResponseOutputTextDelta(
        response_id="r", item_id="", output_index=0, content_index=0, delta="word"
    )
    for event in (Unknown(type=name, problem="?"), text, Unknown(type=name, problem="?"), text):
        timeline.add_event(0.0, event)
    assert [(e.count, e.detail.get("delta")) for e in timeline.entries] == [
        (2, None),
        (2, "wordword"),
    ]


def test_what_could_not_be_read_is_kept_as_far_as_it_is_text_and_short() -> None:
    timeline = Timeline()
    timeline.add_event(0.0, Unknown(type="new.event", raw=b'{"type":"new.event","colour":"red"}'))
    timeline.add_event(1.0, Unknown(type="long.event", raw=b"x" * (1 << 20)))
    timeline.add_event(2.0, Unknown(type="response.output_audio.delta", raw=b"c291bmQ="))
    kept = [row["detail"]["raw"] for row in timeline.as_list()]
    assert kept == ['{"type":"new.event","colour":"red"}', "x" * 2000, ""]
    again = TimelineEntry.from_dict(timeline.as_list()[0]).subject
    assert isinstance(again, Unknown)
    assert again.raw == kept[0]


def test_a_timeline_shows_no_key_of_a_tools_server() -> None:
    tool = {"type": "mcp", "server_label": "crm", "authorization": "s3cret", "headers": {"K": "v"}}
    timeline = Timeline()
    timeline.add_action(0.0, SendCommand(SessionUpdate(session={"tools": [tool]})))
    timeline.add_event(1.0, SessionUpdated(session={"tools": [tool], "client_secret": {"v": "ek"}}))
    told = msgspec.json.encode(timeline.as_list()).decode()
    assert "s3cret" not in told
    assert '"v"' not in told
    assert "ek" not in told
    assert told.count("crm") == 2
    assert tool["authorization"] == "s3cret"  # what is sent is whole


def test_a_timeline_is_bounded_and_says_so() -> None:
    timeline = Timeline()
    for at in range(20_100):
        timeline.add_timer(float(at))
    assert len(timeline.entries) == 20_000
    assert timeline.dropped == 100


# A storm


def info(number: int, status: str, **fields: Any) -> ResponseInfo:
    return ResponseInfo(id=f"r{number}", status=status, **fields)


numbers = st.integers(0, 3)
where: st.SearchStrategy[dict[str, Any]] = numbers.map(
    lambda n: {"response_id": f"r{n}", "item_id": f"i{n}", "output_index": 0, "content_index": 0}
)
hang_up = Item(type="function_call", name="hang_up", call_id="c", arguments="{}")
storm: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from(
        [
            own.LinkReady(),
            own.LinkReady("", "webrtc", 1e9),
            own.LinkReady("", "sip", 1e9),
            own.LinkLost("gone"),
            own.LinkLost("refused", is_retryable=False),
            own.LegAnswered(),
            own.LegHeld(is_held=True),
            own.LegHeld(is_held=False),
            own.PromptStopped("sorry"),
            own.PromptStopped("comfort", is_complete=False),
            own.TransferEnded(is_accepted=True),
            own.TransferEnded(is_accepted=False, status=486),
            own.MediaTimeout(60),
            own.LegEnded("caller"),
            SessionUpdated(session={}),
            SessionUpdated(session={"expires_at": 1e9 + 100}),
            ErrorEvent(error=ErrorDetail(code="session_expired")),
            ErrorEvent(error=ErrorDetail(code="insufficient_quota")),
            InputAudioBufferSpeechStarted(item_id="i", audio_start_ms=0),
            InputAudioBufferCommitted(item_id="i"),
            InputAudioBufferTimeoutTriggered(item_id="i", audio_start_ms=0, audio_end_ms=1),
            Unknown(type="new.event"),
        ]
    ),
    st.builds(KeyPressed, st.sampled_from("05#"), st.sampled_from(["rfc4733", "inband"])),
    st.builds(
        lambda n, t: ResponseCreated(response=info(n, "in_progress", metadata=t)),
        numbers,
        st.sampled_from([None, {"gateway": "1"}, {"gateway": "2"}]),
    ),
    st.builds(
        lambda n, s, o: ResponseDone(response=info(n, s, output=o)),
        numbers,
        st.sampled_from(["completed", "cancelled", "failed", "incomplete"]),
        st.sampled_from([None, [hang_up], [Item(type="mcp_call")]]),
    ),
    where.map(lambda w: ResponseOutputAudioDelta(delta=b"1", **w)),
    where.map(lambda w: ResponseOutputAudioDone(**w)),
    numbers.map(lambda n: own.PlayoutStarted(f"r{n}")),
    numbers.map(lambda n: own.PlayoutStopped(f"r{n}")),
    numbers.map(lambda n: OutputAudioBufferCleared(response_id=f"r{n}")),
    st.builds(
        lambda n, sent: own.PlayoutFlushed(f"r{n}", (own.Heard(f"r{n}", f"i{n}", 0, sent, 100),)),
        numbers,
        st.integers(0, 120),
    ),
    st.builds(
        lambda code, event: ErrorEvent(error=ErrorDetail(code=code, event_id=event)),
        st.sampled_from(
            ["conversation_already_has_active_response", "rate_limit_exceeded", "new_code"]
        ),
        st.sampled_from([None, "gateway-1", "gateway-2", "gateway-3"]),
    ),
)
STORM_PLAN = plan(
    targets={"desk": "sip:desk@pbx"},
    prompts={"sorry": "sorry.wav"},
    fallback={"prompt": "sorry"},
    idle={"limit": 1},
    rules=[
        {"on": DTMF, "digit": "0", "do": [{"transfer": "desk"}]},
        {"on": DTMF, "digit": "#", "do": [{"say": "Bye."}, "hangup"]},
        {"on": "prompt.stopped", "do": [{"log": "over"}]},
    ],
)


SURVIVAL_PLAN = plan(
    targets={"desk": "sip:desk@pbx"},
    prompts={"sorry": "sorry.wav"},
    fallback={
        "prompt": "sorry",
        "keys": {"0": [{"transfer": "desk"}], "5": [{"play": "sorry"}]},
        "transfer": "desk",
    },
    call={"wind_down": "Soon.", "max_seconds": 500},
    realtime={"response_seconds": 3, "renew_seconds": 20},
    rules=[{"on": DTMF, "digit": "#", "do": [{"say": "Bye."}, "hangup"]}],
)


@settings(max_examples=300)
@given(
    st.lists(st.tuples(storm, st.floats(0, 4)), max_size=40),
    st.sampled_from([STORM_PLAN, SURVIVAL_PLAN]),
    st.booleans(),
)
def test_no_storm_of_events_breaks_a_call_keeps_it_forever_or_makes_it_unrepeatable(
    events: list[tuple[Event, float]], chosen: ControlSettings, is_hosted: bool
) -> None:
    controller = Controller(chosen, classify)
    now = 0.0
    controller.handle(own.CallStarted("1", "a", "b", is_hosted=is_hosted), now)
    for event, gap in events:
        end = now + gap
        now = _run(controller, now, end)
        controller.handle(event, now)
    now = _run(controller, now, now + 8000)
    assert controller.state in (CallState.ENDED, CallState.TRANSFERRING)
    last = [e for e in controller.timeline.entries if isinstance(e.subject, HangUp | Reject)]
    assert len([e for e in last if e.kind == "action"]) <= 1

    rows = [TimelineEntry.from_dict(row) for row in controller.timeline.as_list()]
    assert msgspec.json.encode(controller.timeline.as_list())
    assert first_difference(rows, replay(rows, chosen, classify)) is None


def _run(controller: Controller, now: float, end: float) -> float:
    """Let the controller's timers run until ``end``; each must make headway."""
    for _ in range(500):
        deadline = controller.deadline
        if deadline is None or deadline > end:
            return end
        now = max(now, deadline)
        controller.wake(now)
    raise AssertionError(f"timers make no headway: {deadline} at {now}, {controller.state}")


def test_say_is_a_request_not_an_action() -> None:
    controller = Controller(plan(), classify)
    controller.handle(own.CallStarted("1", "a", "b"), 0.0)
    assert not [a for a in controller.request([Say("Hi.")], 0.1) if isinstance(a, Say)]
