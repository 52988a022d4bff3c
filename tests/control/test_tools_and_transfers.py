"""Tools and transfers, played through the controller in virtual time."""

import pytest
from call_scenes import DTMF, call_of, said, settings, state, talking

from gateway.control import CallState, HangUp, Refer
from gateway.control.events import TransferEnded, TransferProgress
from gateway.realtime.commands import ResponseCreate
from gateway.testing.scripted_service import Reply


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
    assert flow.did(Refer) == [Refer("sip:operator@pbx.example")]
    assert flow.when(Refer) == pytest.approx(flow.heard_until("response-2"))
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
    assert not flow.did(Refer)
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
        assert not flow.did(Refer)


def test_functions_of_a_cancelled_response_are_not_run() -> None:
    flow = talking(None, Reply(0, calls=(call_of("hang_up"),), status="cancelled"))
    flow.service.hear_caller(0.3)
    flow.run(5)
    assert not flow.did(HangUp)
