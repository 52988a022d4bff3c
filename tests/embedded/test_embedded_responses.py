"""Responses as the embedded service tells them, in virtual time."""

import pytest
from rote_agent import RESPONSE, SECOND, Fake, once, turns, update

from gateway.embedded.agents.agent import (
    CallTool,
    Interrupted,
    PlayTurn,
    Say,
    ToolReturned,
    TurnEnded,
)
from gateway.embedded.protocol.session import Limits
from gateway.realtime import commands as c
from gateway.realtime import events as e
from gateway.realtime.items import ErrorDetail
from gateway.testing.service_client import ServiceClient


def test_a_response_is_told_in_the_documented_order(client: ServiceClient) -> None:
    client.send(c.ResponseCreate())
    assert client.names == RESPONSE
    response = client.last(e.ResponseDone).response
    assert (response.status, response.output and response.output[0].transcript) == (
        "completed",
        "Hello there.",
    )
    assert len(client.last(e.ResponseOutputAudioDelta).delta) == 200 * 48
    assert response.usage is not None
    assert response.usage["output_token_details"] == {"text_tokens": 3, "audio_tokens": 4}


def test_speech_runs_ahead_of_real_time_but_not_without_end(agent: Fake) -> None:
    limits = Limits(burst_ms=1000, speed=4.0)
    client = ServiceClient(lambda: agent, speech_ms=5000, limits=limits)
    client.send(c.ResponseCreate())
    sent = len(client.all(e.ResponseOutputAudioDelta)) * 200
    assert sent == 1200
    client.sleep(0.5)
    assert len(client.all(e.ResponseOutputAudioDelta)) * 200 == pytest.approx(1000 + 2000, abs=200)
    client.sleep(1.0)
    assert client.names[-2] == "response.done"


def test_only_one_response_at_a_time_writes_to_the_conversation(agent: Fake) -> None:
    client = ServiceClient(lambda: agent, speech_ms=9000)
    client.send(c.ResponseCreate())
    client.send(c.ResponseCreate(event_id="mine"))
    error = client.last(e.ErrorEvent).error
    assert error.code == "conversation_already_has_active_response"
    assert error.event_id == "mine"
    client.take()
    client.send(c.ResponseCreate(response={"conversation": "none", "metadata": {"k": "v"}}))
    beside = client.last(e.ResponseCreated).response
    assert (beside.conversation_id, beside.metadata) == (None, {"k": "v"})
    assert "conversation.item.added" not in client.names


def test_a_cancelled_response_is_closed_properly(agent: Fake) -> None:
    client = ServiceClient(lambda: agent, speech_ms=9000)
    client.send(c.ResponseCreate())
    client.take()
    client.send(c.ResponseCancel())
    assert client.names == RESPONSE[6:]
    response = client.last(e.ResponseDone).response
    assert (response.status, response.reason) == ("cancelled", "client_cancelled")
    assert response.output
    assert response.output[0].status == "incomplete"
    assert isinstance(agent.told[-1], Interrupted)
    client.send(c.ResponseCancel())
    assert client.last(e.ErrorEvent).error.code == "response_cancel_not_active"


def test_a_function_is_called_and_its_output_told(client: ServiceClient, agent: Fake) -> None:
    agent.answer = [Say("One moment."), CallTool("hang_up", {"why": "done"})]
    client.send(c.ResponseCreate())
    assert once(client.names)[-8:] == [
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    call = client.last(e.ResponseFunctionCallArgumentsDone)
    assert (call.name, call.arguments, call.output_index) == ("hang_up", '{"why":"done"}', 1)
    client.send(c.function_output("call_nobody", "{}"))
    assert client.last(e.ErrorEvent).error.param == "item.call_id"
    client.send(c.function_output(call.call_id, "{}"))
    client.send(c.ResponseCreate())
    assert agent.told[-1] == ToolReturned("hang_up", "{}")


def test_an_agent_may_speak_up_and_may_play_a_turn_back(client: ServiceClient, agent: Fake) -> None:
    agent.deadline = 3.0
    client.sleep(2.9)
    assert client.take() == []
    client.sleep(0.2)
    assert client.said == ["Too slow."]
    agent.answer = [PlayTurn()]
    update(client, audio=turns())
    client.send(c.InputAudioBufferAppend(audio=SECOND))
    client.send(c.InputAudioBufferCommit())
    client.take()
    client.send(c.ResponseCreate())
    assert sum(len(d.delta) for d in client.all(e.ResponseOutputAudioDelta)) == len(SECOND)


def test_text_is_written_where_text_is_asked_for(client: ServiceClient) -> None:
    client.send(c.ResponseCreate(response={"output_modalities": ["text"]}))
    assert client.last(e.ResponseOutputTextDone).text == "Hello there."
    assert client.said == []


def test_a_sentence_nobody_can_speak_fails_the_response() -> None:
    why = ErrorDetail(type="server_error", code="speech_failed", message="no voice")
    client = ServiceClient(Fake, unable=why)
    client.send(c.ResponseCreate())
    response = client.last(e.ResponseDone).response
    assert response.status == "failed"
    assert isinstance(response.status_details, e.StatusDetails)
    assert response.status_details.error == why


def test_a_response_ends_at_its_most_tokens(agent: Fake) -> None:
    client = ServiceClient(lambda: agent, speech_ms=5000)
    client.send(c.ResponseCreate(response={"max_output_tokens": 20}))
    client.sleep(5)
    response = client.last(e.ResponseDone).response
    assert (response.status, response.reason) == ("incomplete", "max_output_tokens")


def test_an_hour_is_the_end() -> None:
    client = ServiceClient(Fake)
    client.sleep(3600)
    assert client.last(e.ErrorEvent).error.code == "session_expired"
    close = client.session.close
    assert close
    assert (close.code, close.reason) == (
        1001,
        "Your session hit the maximum duration of 60 minutes.",
    )
    client.take()
    client.send(c.ResponseCreate())
    assert client.take() == []


def test_a_response_beyond_the_quota_fails_and_loses_nothing(agent: Fake) -> None:
    client = ServiceClient(lambda: agent, speech_ms=200, limits=Limits(requests=1))
    client.send(c.ResponseCreate())
    assert client.last(e.RateLimitsUpdated).rate_limits[0].remaining == 0
    client.send(c.user_text("hello"))
    client.take()
    client.send(c.ResponseCreate())
    assert client.names == ["response.created", "response.done", "rate_limits.updated"]
    response = client.last(e.ResponseDone).response
    assert response.status == "failed"
    assert isinstance(response.status_details, e.StatusDetails)
    assert response.status_details.error
    assert response.status_details.error.code == "inference_rate_limit_exceeded"
    assert TurnEnded("hello") not in agent.told
    client.sleep(60)
    client.send(c.ResponseCreate())
    assert client.last(e.ResponseDone).response.status == "completed"
    assert agent.told[-1] == TurnEnded("hello")


def test_tokens_are_rationed_too(agent: Fake) -> None:
    client = ServiceClient(lambda: agent, speech_ms=2000, limits=Limits(tokens=20))
    client.send(c.ResponseCreate())
    client.send(c.ResponseCreate(response={"conversation": "none"}))
    assert client.last(e.ResponseDone).response.status == "failed"
