"""Whole calls, played through the controller in virtual time."""

import pytest

from gateway.config import Settings
from gateway.control import (
    Answer,
    CallState,
    ControlSettings,
    HangUp,
    Log,
    Play,
    Reject,
    Ring,
    SendCommand,
    Stop,
    Transfer,
    first_difference,
    replay,
)
from gateway.control.events import (
    CallStarted,
    LegAnswered,
    LegEnded,
    LegHeld,
    LinkReady,
    MediaTimeout,
    TransferEnded,
    TransferProgress,
)
from gateway.control.timeline import TimelineEntry
from gateway.control.turns import SAY_EXACTLY
from gateway.realtime.commands import (
    ConversationItemDelete,
    ConversationItemTruncate,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
)
from gateway.realtime.events import ErrorDetail, ErrorEvent, SessionUpdated, Unknown
from gateway.realtime.faults import classify
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import FunctionCall, Reply

TARGETS = {"operator": "sip:operator@pbx.example"}
DTMF = "input_audio_buffer.dtmf_event_received"
TIMEOUT = "input_audio_buffer.timeout_triggered"


def settings(**tables: object) -> Settings:
    return Settings(**{"targets": TARGETS, **tables})  # type: ignore[arg-type]


def talking(plan: Settings | None = None, *replies: Reply, settle: float = 2.0) -> Flow:
    """Return a call whose greeting (one second of speech) was heard."""
    flow = Flow(plan or settings())
    flow.service.replies.extend([Reply(), *replies])
    flow.start()
    flow.run(settle)
    return flow


def state(flow: Flow) -> CallState:
    return flow.controller.state


def said(flow: Flow) -> list[str]:
    """Return the texts the service was asked to say word for word."""
    before, after = SAY_EXACTLY.split("{}")
    asked = [
        (command.response or {}).get("instructions", "") for command in flow.sent(ResponseCreate)
    ]
    return [text[len(before) : -len(after)] for text in asked if text.startswith(before)]


# Setting up


def test_a_caller_hears_ringing_until_the_service_is_there_then_is_answered_and_greeted() -> None:
    flow = Flow(settings(call={"greeting": "Say hello."}))
    flow.start(links_after=1.0)
    flow.run(3)
    assert [type(action) for _, action in flow.actions] == [
        Ring,
        SendCommand,
        Answer,
        SendCommand,
    ]
    assert flow.when(Answer) == pytest.approx(1.01)  # the service confirmed the session
    (greeting,) = flow.sent(ResponseCreate)
    assert greeting.response is not None
    assert greeting.response["instructions"] == "Say hello."


def test_a_session_is_set_up_with_formats_tools_and_the_users_own_fields() -> None:
    flow = Flow(settings(session={"instructions": "Be brief.", "tools": [{"name": "mine"}]}))
    flow.post(CallStarted("call", "a", "b"))
    (action,) = flow.controller.handle(LinkReady("audio/pcmu"), 1.0)
    assert isinstance(action, SendCommand)
    assert isinstance(action.command, SessionUpdate)
    session = action.command.session
    assert session["type"] == "realtime"
    assert session["instructions"] == "Be brief."
    assert session["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    assert [tool["name"] for tool in session["tools"]] == ["mine", "transfer_call", "hang_up"]
    assert session["tools"][1]["parameters"]["properties"]["target"]["enum"] == ["operator"]


def test_a_call_that_may_not_be_interrupted_tells_the_service_so() -> None:
    flow = talking(settings(call={"barge_in": False}))
    (update,) = flow.sent(SessionUpdate)
    assert update.session["audio"]["input"]["turn_detection"]["interrupt_response"] is False


def test_an_unreachable_service_refuses_the_call_with_503() -> None:
    flow = Flow()
    flow.start(links_after=99)
    flow.run(20)
    assert flow.did(Reject) == [Reject(503, "Service Unavailable")]
    assert flow.when(Reject) == 10.0
    assert state(flow) is CallState.ENDED
    assert flow.controller.deadline is None


def test_an_unreachable_service_is_explained_by_a_prompt_where_there_is_one() -> None:
    flow = Flow(settings(prompts={"sorry": "sorry.wav"}, call={"unavailable_prompt": "sorry"}))
    flow.start(links_after=99)
    flow.run(1)
    flow.lose_service("refused")
    flow.run(5)
    assert [type(a) for _, a in flow.actions if not isinstance(a, Log)] == [
        Ring,
        Answer,
        Play,
        HangUp,
    ]
    assert flow.when(HangUp) == pytest.approx(flow.when(Play) + flow.prompt_seconds)


def test_a_service_that_takes_another_audio_format_is_not_used() -> None:
    flow = Flow()
    flow.start()
    flow.run(0.05)
    session = {"audio": {"output": {"format": {"type": "audio/pcmu"}}}}
    flow.post(SessionUpdated(session=session))
    flow.run(1)
    assert flow.did(Reject) == [Reject(503, "Service Unavailable")]


def test_a_service_that_never_confirms_the_session_refuses_the_call_with_503() -> None:
    flow = Flow()
    flow.start()
    flow.run(0.055)
    flow._is_linked = False  # what it was sent is answered by nothing
    flow.run(20)
    assert flow.did(Reject) == [Reject(503, "Service Unavailable")]
    assert flow.when(Reject) == 10.0


def test_an_outbound_call_is_greeted_once_somebody_answers() -> None:
    flow = Flow()
    flow.post(CallStarted("call", "us", "them", is_outbound=True))
    flow._is_linked = True
    flow.post(LinkReady())
    flow.run(5)
    assert not flow.did(Answer)
    assert not flow.sent(ResponseCreate)
    flow.post(LegAnswered())
    assert len(flow.sent(ResponseCreate)) == 1


# Barge-in


def test_speech_over_the_agent_stops_it_and_truncates_at_what_was_heard() -> None:
    flow = talking(None, settle=0.6)
    flow.service.hear_caller(0.5)
    assert flow.when(Stop) == 0.6
    flow.run(0.1)
    (cut,) = flow.sent(ConversationItemTruncate)
    assert cut.item_id == "item-of-response-1"
    assert 400 < cut.audio_end_ms < 520
    assert flow.controller.is_dropped("response-1")
    assert not flow.sent(ResponseCancel)  # the service cancels by itself
    flow.run(3)
    assert not flow.controller.is_dropped("response-2")


def test_what_was_not_heard_at_all_is_deleted() -> None:
    flow = talking(None, Reply(3000), Reply(1000))
    flow.service.begin(None)
    flow.run(0.7)  # all of it came, and its first second is being heard
    flow.service.begin(None)  # a second response waits behind it in the playout
    flow.run(0.3)
    flow.service.hear_caller(0.5)
    flow.run(0.1)
    assert [cut.item_id for cut in flow.sent(ConversationItemTruncate)] == ["item-of-response-2"]
    assert [gone.item_id for gone in flow.sent(ConversationItemDelete)] == ["item-of-response-3"]


def test_speech_after_the_agent_finished_changes_nothing() -> None:
    flow = talking()
    flow.service.hear_caller(0.5)
    flow.run(0.1)
    assert not flow.did(Stop)
    assert not flow.sent(ConversationItemTruncate)
    assert not flow.sent(ConversationItemDelete)


def test_a_call_without_barge_in_goes_on_speaking() -> None:
    flow = talking(settings(call={"barge_in": False}), settle=0.6)
    flow.service.hear_caller(0.5)
    flow.run(1)
    assert not flow.did(Stop)


def test_a_service_told_not_to_interrupt_itself_is_cancelled_by_us() -> None:
    turns = {"type": "server_vad", "interrupt_response": False}
    flow = talking(settings(session={"audio": {"input": {"turn_detection": turns}}}), Reply(9000))
    flow.service.begin(None)
    flow.run(0.5)
    flow.service.stop = lambda reason: None  # type: ignore[method-assign]
    flow.service.hear_caller(0.5)
    assert [command.response_id for command in flow.sent(ResponseCancel)] == ["response-2"]


# Keys


def test_a_key_nobody_takes_is_told_to_the_model_and_answered() -> None:
    flow = talking()
    flow.press("5")
    flow.run(2)
    assert flow.service.texts() == ["[DTMF 5]"]
    assert len(flow.sent(ResponseCreate)) == 2


def test_a_key_during_speech_stops_it_and_the_answer_waits_for_the_cancelled_response() -> None:
    flow = talking(None, Reply(5000))
    flow.service.begin(None)
    flow.run(0.5)
    flow.press("5")
    flow.run(3)
    assert len(flow.did(Stop)) == 1
    assert len(flow.sent(ResponseCancel)) == 1
    assert len(flow.sent(ResponseCreate)) == 2
    assert not any(isinstance(e.subject, ErrorEvent) for e in flow.controller.timeline.entries)


def test_keys_in_quick_succession_get_one_answer() -> None:
    flow = talking()
    for key in "1234":
        flow.press(key)
        flow.run(0.02)
    flow.run(3)
    assert flow.service.texts() == ["[DTMF 1]", "[DTMF 2]", "[DTMF 3]", "[DTMF 4]"]
    finished = [e for e in flow.controller.timeline.entries if e.name == "playout.stopped"]
    assert len(finished) == 2  # the greeting, and one answer to all four


def test_a_rule_takes_a_key_away_from_the_model() -> None:
    plan = settings(rules=[{"on": DTMF, "digit": "0", "do": [{"transfer": "operator"}]}])
    flow = talking(plan)
    flow.press("0")
    assert flow.did(Transfer) == [Transfer("sip:operator@pbx.example")]
    assert flow.service.texts() == []
    assert state(flow) is CallState.TRANSFERRING


def test_a_rule_may_wait_for_the_second_press_and_for_a_state() -> None:
    rules = [{"on": DTMF, "digit": "9#", "count": 2, "state": "talking", "do": [{"log": "twice"}]}]
    flow = talking(settings(rules=rules))
    flow.press("9")
    assert Log("twice") not in flow.did(Log)
    flow.press("#")
    assert Log("twice") in flow.did(Log)


# The idle ladder and the farewell


def test_the_third_silence_says_goodbye_and_hangs_up_only_after_it_was_heard() -> None:
    flow = talking()
    for _ in range(2):
        flow.service.time_out()
        flow.run(3)
    assert not said(flow)
    flow.service.replies.extend([Reply(4000), Reply(1500)])  # its own prompt, then our goodbye
    flow.service.time_out()
    flow.run(10)
    assert said(flow) == ["Goodbye."]
    assert flow.did(HangUp) == [HangUp("idle")]
    begun = [
        e.at for e in flow.controller.timeline.entries if e.name == "output_audio_buffer.started"
    ]
    stopped = [
        e.at for e in flow.controller.timeline.entries if e.name == "output_audio_buffer.stopped"
    ]
    assert stopped[-1] - begun[-1] == pytest.approx(1.5)
    assert flow.when(HangUp) == pytest.approx(stopped[-1])
    assert flow.ended == LegEnded("gateway")


def test_speech_or_a_key_starts_the_ladder_anew() -> None:
    flow = talking()
    for _ in range(2):
        flow.service.time_out()
        flow.run(3)
    flow.service.hear_caller(0.5)
    flow.run(3)
    for _ in range(2):
        flow.service.time_out()
        flow.run(3)
    flow.press("5")
    flow.run(3)
    flow.service.time_out()
    flow.run(3)
    assert not flow.did(HangUp)


def test_silence_on_hold_counts_for_nothing() -> None:
    flow = talking()
    flow.post(LegHeld(is_held=True))
    for _ in range(5):
        flow.service.time_out()
        flow.run(3)
    assert not flow.did(HangUp)


def test_a_rule_replaces_the_ladder() -> None:
    rules = [{"on": TIMEOUT, "count": 1, "do": [{"say": "Are you there?"}]}]
    flow = talking(settings(rules=rules))
    flow.service.time_out()
    flow.run(5)
    assert said(flow) == ["Are you there?"]
    assert not flow.did(HangUp)


def test_the_end_of_another_response_does_not_end_the_call() -> None:
    rules = [{"on": DTMF, "digit": "#", "do": [{"say": "Goodbye."}, "hangup"]}]
    flow = talking(settings(rules=rules), Reply(8000), Reply(2000))
    flow.service.begin(None)
    flow.run(0.5)
    flow.press("#")  # cuts response-2; response-3 is the goodbye
    flow.run(1)
    assert state(flow) is CallState.LEAVING
    assert not flow.did(HangUp)
    flow.run(5)
    stopped = [e for e in flow.controller.timeline.entries if e.name == "playout.stopped"]
    assert flow.when(HangUp) == stopped[-1].at
    assert getattr(stopped[-1].subject, "response_id", "") == "response-3"


def test_a_key_pressed_during_a_goodbye_is_noted_and_the_call_ends_as_announced() -> None:
    rules = [{"on": DTMF, "digit": "#", "do": [{"say": "Goodbye."}, "hangup"]}]
    flow = talking(settings(rules=rules))
    flow.press("#")
    flow.run(0.5)
    flow.press("5")
    flow.run(5)
    assert Log("key 5 ignored, the call is leaving") in flow.did(Log)
    assert flow.service.texts() == []
    assert flow.did(HangUp) == [HangUp("rule")]


def test_a_key_that_a_rule_takes_calls_a_goodbye_off() -> None:
    rules = [
        {"on": DTMF, "digit": "#", "do": [{"say": "Goodbye."}, "hangup"]},
        {"on": DTMF, "digit": "1", "do": [{"say": "Welcome back."}]},
    ]
    flow = talking(settings(rules=rules), Reply(3000))
    flow.press("#")
    flow.run(0.5)
    flow.press("1")
    flow.run(9)
    assert said(flow) == ["Goodbye.", "Welcome back."]
    assert not flow.did(HangUp)
    assert state(flow) is CallState.TALKING


def test_speech_over_a_goodbye_neither_cuts_it_nor_is_answered() -> None:
    rules = [{"on": DTMF, "digit": "#", "do": [{"say": "Goodbye."}, "hangup"]}]
    flow = talking(settings(rules=rules), Reply(2000))
    flow.press("#")
    flow.run(0.7)
    flow.service.hear_caller(0.3)
    flow.run(5)
    assert len(flow.did(Stop)) == 0
    assert len(flow.did(HangUp)) == 1
    assert flow.controller.is_dropped("response-3")


def test_a_goodbye_that_is_never_heard_does_not_keep_the_line() -> None:
    rules = [{"on": DTMF, "digit": "#", "do": [{"say": "Goodbye."}, "hangup"]}]
    flow = talking(settings(rules=rules, call={"goodbye_seconds": 5}))
    flow._finish = lambda response_id: None  # type: ignore[method-assign]
    flow.press("#")
    flow.run(4.9)
    assert not flow.did(HangUp)
    flow.run(1)
    assert len(flow.did(HangUp)) == 1


def test_a_call_has_a_longest_duration() -> None:
    flow = talking(settings(call={"max_seconds": 60}))
    flow.run(70)
    assert said(flow) == ["Goodbye."]
    assert flow.did(HangUp) == [HangUp("time limit")]


def test_a_line_without_media_is_hung_up_unless_held() -> None:
    flow = talking()
    flow.post(LegHeld(is_held=True))
    flow.post(MediaTimeout(60))
    assert not flow.did(HangUp)
    flow.post(LegHeld(is_held=False))
    flow.post(MediaTimeout(60))
    assert flow.did(HangUp) == [HangUp("no media")]


# Tools and transfers


def call_of(name: str, arguments: str = "{}", call_id: str = "call-1") -> FunctionCall:
    return FunctionCall(name, arguments, call_id)


def test_the_model_hangs_up_after_the_goodbye_it_speaks_itself() -> None:
    flow = talking(None, Reply(1500, calls=(call_of("hang_up"),)))
    flow.service.hear_caller(0.3)
    flow.run(6)
    assert flow.service.texts() == ['{"status":"ok"}']
    assert not said(flow)
    assert flow.when(HangUp) == pytest.approx(flow.heard_until("response-2"))


def test_a_model_that_hangs_up_without_a_word_is_made_to_say_goodbye() -> None:
    flow = talking(None, Reply(0, calls=(call_of("hang_up"),)))
    flow.service.hear_caller(0.3)
    flow.run(6)
    assert said(flow) == ["Goodbye."]
    assert flow.when(HangUp) == pytest.approx(flow.heard_until("response-3"))


def test_a_transfer_waits_for_its_announcement_and_hangs_up_when_the_target_has_the_caller() -> (
    None
):
    flow = talking(None, Reply(1500, calls=(call_of("transfer_call", '{"target":"operator"}'),)))
    flow.service.hear_caller(0.3)
    flow.run(4)
    assert flow.did(Transfer) == [Transfer("sip:operator@pbx.example")]
    assert flow.when(Transfer) == pytest.approx(flow.heard_until("response-2"))
    flow.post(TransferProgress(180))
    assert state(flow) is CallState.TRANSFERRING
    flow.post(TransferEnded(is_accepted=True, status=200))
    assert flow.did(HangUp) == [HangUp("transferred")]


def test_a_refused_transfer_takes_the_caller_back_and_tells_the_model_why() -> None:
    flow = talking(None, Reply(500, calls=(call_of("transfer_call", '{"target":"operator"}'),)))
    flow.service.hear_caller(0.3)
    flow.run(3)
    flow.post(TransferEnded(is_accepted=False, status=486))
    flow.run(2)
    (result,) = flow.service.texts()
    assert "486" in result
    assert state(flow) is CallState.TALKING
    assert len(flow.sent(ResponseCreate)) == 2


def test_a_transfer_of_which_nothing_is_heard_is_given_up() -> None:
    rules = [{"on": DTMF, "do": [{"transfer": "operator"}]}]
    flow = talking(settings(rules=rules))
    flow.press("0")
    flow.run(39)
    assert state(flow) is CallState.TRANSFERRING
    flow.run(3)
    assert state(flow) is CallState.TALKING
    assert any("408" in text for text in flow.service.texts())


def test_a_transfer_to_somewhere_not_allowed_is_refused_to_the_model() -> None:
    flow = talking(None, Reply(0, calls=(call_of("transfer_call", '{"target":"sip:+900@x"}'),)))
    flow.service.hear_caller(0.3)
    flow.run(3)
    (result,) = flow.service.texts()
    assert "not an allowed target" in result
    assert not flow.did(Transfer)
    assert len(flow.sent(ResponseCreate)) == 2  # the greeting, and the model's excuse


def test_every_function_call_gets_one_result_and_one_answer_follows_them_all() -> None:
    calls = (call_of("weather", call_id="a"), call_of("news", call_id="b"))
    flow = talking(None, Reply(0, calls=calls), Reply(0, calls=calls))
    flow.service.hear_caller(0.3)
    flow.run(5)
    assert len(flow.service.texts()) == 2
    assert len(flow.sent(ResponseCreate)) == 2


def test_garbage_arguments_are_refused_not_obeyed() -> None:
    for arguments in ("", "[]", "{", '{"target":["operator"]}', "[" * 5000):
        flow = talking(None, Reply(0, calls=(call_of("transfer_call", arguments),)))
        flow.service.hear_caller(0.3)
        flow.run(3)
        assert not flow.did(Transfer)


def test_functions_of_a_cancelled_response_are_not_run() -> None:
    flow = talking(None, Reply(0, calls=(call_of("hang_up"),), status="cancelled"))
    flow.service.hear_caller(0.3)
    flow.run(5)
    assert not flow.did(HangUp)


# The service fails


def test_a_service_lost_in_mid_sentence_is_explained_and_the_call_ends() -> None:
    plan = settings(prompts={"sorry": "sorry.wav"}, call={"unavailable_prompt": "sorry"})
    flow = talking(plan, settle=0.6)
    flow.lose_service()
    flow.run(5)
    kinds = [type(a) for _, a in flow.actions if not isinstance(a, Log)]
    assert kinds[-3:] == [Stop, Play, HangUp]
    assert flow.when(HangUp) == pytest.approx(flow.when(Play) + flow.prompt_seconds)


def test_a_service_lost_without_a_prompt_ends_the_call_at_once() -> None:
    flow = talking(settle=0.6)
    flow.lose_service()
    assert flow.did(HangUp) == [HangUp("service lost")]


def test_a_service_lost_may_lead_to_a_person() -> None:
    plan = settings(call={"unavailable_transfer": "operator"})
    flow = talking(plan)
    flow.lose_service()
    assert len(flow.did(Transfer)) == 1
    flow.post(TransferEnded(is_accepted=False, status=480))
    assert flow.did(HangUp) == [HangUp("transfer failed")]


def test_a_service_lost_during_its_whole_goodbye_lets_it_be_heard() -> None:
    rules = [{"on": DTMF, "do": [{"say": "Goodbye."}, "hangup"]}]
    flow = talking(settings(rules=rules), Reply(3000))
    flow.press("#")
    flow.run(1.5)  # all of it came, half of it was heard
    flow.lose_service()
    assert not flow.did(HangUp)
    flow.run(5)
    assert not flow.did(Stop)
    assert flow.when(HangUp) == pytest.approx(flow.heard_until("response-2"))


@pytest.mark.parametrize("code", ["session_expired", "insufficient_quota", "invalid_api_key"])
def test_a_terminal_error_is_a_lost_service(code: str) -> None:
    flow = talking()
    flow.emit(ErrorEvent(error=ErrorDetail(type="x", code=code, message="over")))
    assert flow.did(HangUp) == [HangUp("service lost")]


@pytest.mark.parametrize("code", ["response_cancel_not_active", "item_not_found", "brand_new"])
def test_a_benign_or_unknown_error_changes_nothing(code: str) -> None:
    flow = talking()
    flow.emit(ErrorEvent(error=ErrorDetail(type="invalid_request_error", code=code)))
    flow.run(5)
    assert not flow.did(HangUp)
    assert state(flow) is CallState.TALKING


def test_a_failed_response_is_asked_for_again_with_growing_pauses() -> None:
    busy = ErrorDetail(type="server_error", code="rate_limit_exceeded", message="busy")
    failed = Reply(0, status="failed", error=busy)
    flow = Flow()
    flow.service.replies.extend([failed, failed, Reply()])
    flow.start()
    flow.run(10)
    asked = [at for at, a in flow.actions if isinstance(a, SendCommand)][1:]
    assert len(asked) == 3
    assert asked[1] - asked[0] == pytest.approx(1.05)
    assert asked[2] - asked[1] == pytest.approx(2.05)
    assert not flow.did(HangUp)


def test_a_service_that_only_fails_is_given_up() -> None:
    failed = Reply(0, status="failed", error=ErrorDetail(type="server_error", message="down"))
    flow = Flow()
    flow.service.replies.extend([failed] * 9)
    flow.start()
    flow.run(30)
    assert flow.did(HangUp) == [HangUp("service lost")]


@pytest.mark.parametrize("is_echoing", [True, False])
def test_a_goodbye_that_meets_the_services_own_answer_is_still_said_once(is_echoing: bool) -> None:
    rules = [{"on": DTMF, "do": [{"say": "Goodbye."}, "hangup"]}]
    flow = Flow(settings(rules=rules))
    flow.service.is_echoing = is_echoing
    flow.start()
    flow.run(2)
    flow.service.begin(None)  # under way, but not yet told
    flow.press("1")
    flow.run(10)
    assert set(said(flow)) == {"Goodbye."}
    assert len(flow.did(HangUp)) == 1
    played = [e for e in flow.controller.timeline.entries if e.name == "playout.stopped"]
    assert len(played) == 2  # the greeting and one goodbye


def test_an_unknown_event_is_noted_and_harms_nothing() -> None:
    flow = talking()
    flow.post(Unknown(type="response.hologram.delta", raw=b"{}"))
    flow.post(Unknown(type="", raw=b"\xff", problem="not JSON"))
    flow.run(1)
    assert [e.name for e in flow.controller.timeline.entries if "hologram" in e.name]
    assert state(flow) is CallState.TALKING


# Ends, and the same again


def test_nothing_is_done_after_the_caller_hung_up() -> None:
    flow = talking(settle=0.6)
    flow.post(LegEnded("caller"))
    before = len(flow.actions)
    flow.press("0")
    flow.service.hear_caller(0.3)
    flow.lose_service()
    flow.run(60)
    assert len(flow.actions) == before
    assert flow.controller.deadline is None


def test_a_timeline_gives_the_same_actions_when_played_again() -> None:
    rules = [{"on": DTMF, "digit": "0", "do": [{"say": "One moment."}, {"transfer": "operator"}]}]
    plan = settings(rules=rules)
    flow = talking(plan, Reply(5000), settle=0.6)
    flow.service.hear_caller(0.4)
    flow.run(3)
    flow.press("7")
    flow.run(4)
    flow.service.time_out()
    flow.run(3)
    flow.press("0")
    flow.run(5)
    flow.post(TransferEnded(is_accepted=False, status=486))
    flow.run(5)
    for _ in range(3):
        flow.service.time_out()
        flow.run(4)
    flow.run(10)
    assert flow.ended is not None
    rows = [TimelineEntry.from_dict(row) for row in flow.controller.timeline.as_list()]
    again = replay(rows, ControlSettings.of(plan), classify)
    assert first_difference(rows, again) is None
    other = replay(rows, ControlSettings.of(settings()), classify)
    assert first_difference(rows, other) is not None
