"""A service that fails or is lost, played through the controller in virtual time."""

from typing import Any

import pytest
from call_scenes import DTMF, NO_RETURN, said, settings, state, talking

from gateway.control import (
    Answer,
    CallState,
    Connect,
    Disconnect,
    HangUp,
    Log,
    Play,
    Refer,
    Reject,
    SendCommand,
    Stop,
)
from gateway.control.events import TransferEnded
from gateway.control.settings import APOLOGY, COMFORT
from gateway.realtime.commands import SessionUpdate
from gateway.realtime.events import ErrorDetail, ErrorEvent, Unknown
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply


def test_a_service_lost_in_mid_sentence_is_explained_and_the_call_ends() -> None:
    plan = settings(
        prompts={"sorry": "sorry.wav"}, fallback={"prompt": "sorry"}, realtime=NO_RETURN
    )
    flow = talking(plan, settle=0.6)
    flow.lose_service()
    flow.run(5)
    kinds = [type(a) for _, a in flow.actions if not isinstance(a, Log)]
    assert kinds[-3:] == [Stop, Play, HangUp]
    assert flow.when(HangUp) == pytest.approx(flow.when(Play) + flow.prompt_seconds)


def test_a_service_lost_is_apologised_for_though_nothing_is_configured() -> None:
    flow = talking(settings(realtime=NO_RETURN), settle=0.6)
    flow.lose_service()
    flow.run(5)
    kinds = [type(a) for _, a in flow.actions if not isinstance(a, Log)]
    assert kinds[-3:] == [Stop, Play, HangUp]
    assert flow.did(Play) == [Play(APOLOGY)]
    assert flow.when(HangUp) == pytest.approx(flow.when(Play) + flow.prompt_seconds)


def test_a_service_lost_ends_the_call_at_once_where_the_prompt_is_switched_off() -> None:
    flow = talking(settings(fallback={"prompt": ""}, realtime=NO_RETURN), settle=0.6)
    flow.lose_service()
    assert flow.did(HangUp) == [HangUp("service lost")]


def test_a_service_lost_may_lead_to_a_person() -> None:
    plan = settings(fallback={"transfer": "operator"}, realtime=NO_RETURN)
    flow = talking(plan)
    flow.lose_service()
    assert len(flow.did(Refer)) == 1
    assert not flow.did(Play)
    flow.post(TransferEnded(is_accepted=False, status=480))
    assert flow.did(Play) == [Play(APOLOGY)]
    flow.run(5)
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


def refuse_session(flow: Flow, **fields: Any) -> None:
    """Have the service answer the ``session.update`` with an error."""
    error = {"type": "invalid_request_error", "code": "unknown_parameter", "message": "no nonsense"}
    flow.start()
    flow.run(0.055)  # the update is sent, and not yet confirmed
    (update,) = flow.sent(SessionUpdate)
    flow.emit(ErrorEvent(error=ErrorDetail(**error | {"event_id": update.event_id} | fields)))


def test_a_session_that_the_service_refuses_is_503_at_once_and_the_log_says_why() -> None:
    flow = Flow()
    refuse_session(flow)
    assert flow.did(Reject) == [Reject(503, "Service Unavailable")]
    assert flow.when(Reject) == flow.now
    assert any("no nonsense" in log.text for log in flow.did(Log))


def test_a_session_that_the_service_refuses_is_explained_by_a_prompt_where_there_is_one() -> None:
    plan = settings(prompts={"sorry": "sorry.wav"}, fallback={"prompt": "sorry"})
    flow = Flow(plan)
    refuse_session(flow)
    flow.run(5)
    assert [type(a) for _, a in flow.actions][-5:] == [Log, Disconnect, Answer, Play, HangUp]


def test_an_error_about_something_else_does_not_stop_a_session_being_set_up() -> None:
    flow = Flow()
    refuse_session(flow, event_id="gateway-7")
    flow.run(1)
    assert state(flow) is CallState.TALKING


@pytest.mark.parametrize("code", ["insufficient_quota", "invalid_api_key"])
def test_a_terminal_error_is_a_lost_service(code: str) -> None:
    flow = talking()
    flow.emit(ErrorEvent(error=ErrorDetail(type="x", code=code, message="over")))
    flow.run(5)
    assert flow.did(HangUp) == [HangUp("service lost")]
    assert flow.did(Disconnect) == [Disconnect()]  # it hears nothing more of the caller


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


@pytest.mark.parametrize(("told", "pause"), [("12.5s", 12.55), ("2500 ms", 2.55), ("51.9s", 1.05)])
def test_a_service_is_left_alone_for_as_long_as_it_says_and_a_caller_can_wait(
    told: str, pause: float
) -> None:
    said_so = f"Rate limit reached. Please try again in {told}."
    busy = ErrorDetail(type="server_error", code="rate_limit_exceeded", message=said_so)
    flow = Flow()
    flow.service.replies.extend([Reply(0, status="failed", error=busy), Reply()])
    flow.start()
    flow.run(20)
    asked = [at for at, a in flow.actions if isinstance(a, SendCommand)][1:]
    assert asked[1] - asked[0] == pytest.approx(pause)
    comforts = [a for a in flow.did(Play) if a.prompt == COMFORT]
    assert bool(comforts) is (pause > 1.0)
    assert len(flow.did(Connect)) == 1


def test_a_service_that_only_fails_is_given_up() -> None:
    failed = Reply(0, status="failed", error=ErrorDetail(type="server_error", message="down"))
    flow = Flow()
    flow.service.replies.extend([failed] * 99)
    flow.start()
    flow.run(60)
    assert len(flow.did(Connect)) > 3
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
