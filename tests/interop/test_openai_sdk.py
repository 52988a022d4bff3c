"""The openai SDK's realtime client as the judge of the embedded service, over loopback."""

import base64
from collections.abc import AsyncIterator
from importlib import resources
from typing import Any

import numpy as np
import pytest
from sdk_judge import Judge, client_for
from voicecodecs.resample import StreamResampler

from gateway.embedded.server import EmbeddedService
from gateway.embedded.speech.phrases import read_wav
from gateway.embedded.speech.recognise import load_recogniser

pytestmark = pytest.mark.interop

TOOLS: list[dict[str, Any]] = [
    {"type": "function", "name": name, "parameters": {}} for name in ("hang_up", "transfer_call")
]


@pytest.fixture
async def service() -> AsyncIterator[EmbeddedService]:
    service = EmbeddedService("127.0.0.1", 0, key="sk-test")
    await service.start()
    yield service
    await service.close()


@pytest.fixture
async def judge(service: EmbeddedService) -> AsyncIterator[Judge]:
    async with (
        client_for(service) as client,
        client.realtime.connect(model="gpt-realtime") as connection,
    ):
        yield Judge(connection)


async def test_a_greeting_is_spoken_and_counted(judge: Judge) -> None:
    await judge.ready(tools=TOOLS)
    await judge.connection.response.create()
    response = (await judge.until("response.done")).response
    assert response.status == "completed"
    deltas = [event for event in judge.seen if event.type == "response.output_audio.delta"]
    audio = b"".join(base64.b64decode(event.delta) for event in deltas)
    milliseconds = len(audio) / 48
    assert milliseconds > 3000
    assert np.abs(np.frombuffer(audio, "<i2")).max() > 3000
    tokens = response.usage.output_token_details.audio_tokens
    assert tokens == pytest.approx(milliseconds / 50, abs=1)
    said = response.output[0].content[0].transcript
    assert said.startswith("Thank you for calling")
    assert (await judge.until("rate_limits.updated")).rate_limits[0].name == "requests"


async def test_a_caller_talks_over_the_greeting(judge: Judge) -> None:
    detection = {"type": "server_vad", "silence_duration_ms": 400}
    words = {"model": "whisper-1"}
    caller = {"turn_detection": detection, "transcription": words}
    await judge.ready(tools=TOOLS, audio={"input": caller})
    await judge.connection.response.create()
    await judge.until("response.output_audio.delta")
    pcm, rate = read_wav(resources.files("gateway.embedded") / "voice" / "caller" / "sales.wav")
    speech = StreamResampler(rate, 24000).process(pcm)
    for part in (np.zeros(12000, np.int16), speech, np.zeros(24000, np.int16)):
        audio = base64.b64encode(part.tobytes()).decode()
        await judge.connection.input_audio_buffer.append(audio=audio)
    started = await judge.until("input_audio_buffer.speech_started")
    cut = (await judge.until("response.done")).response
    assert (cut.status, cut.status_details.reason) == ("cancelled", "turn_detected")
    item_id = cut.output[0].id
    truncate = judge.connection.conversation.item.truncate
    await truncate(item_id=item_id, content_index=0, audio_end_ms=100)
    stopped = await judge.until("input_audio_buffer.speech_stopped")
    assert stopped.audio_end_ms > started.audio_start_ms
    assert (await judge.until("input_audio_buffer.committed")).item_id == started.item_id
    answer = (await judge.until("response.done")).response
    assert answer.status == "completed"
    outcome = "completed" if load_recogniser() else "failed"
    heard = judge.last(f"conversation.item.input_audio_transcription.{outcome}")
    assert heard.item_id == started.item_id
    assert outcome == "failed" or heard.transcript == "sales"
    assert judge.last("conversation.item.truncated").audio_end_ms == 100
    said = answer.output[0].content[0].transcript
    assert ("You have reached sales" in said) == (outcome == "completed")


async def test_a_key_leads_to_a_function_call(judge: Judge) -> None:
    await judge.ready(tools=TOOLS)
    await judge.connection.response.create()
    await judge.until("response.done")
    text = [{"type": "input_text", "text": "[DTMF 9]"}]
    item = {"type": "message", "role": "user", "content": text}
    await judge.connection.conversation.item.create(item=item)
    await judge.until("conversation.item.done")
    await judge.connection.response.create()
    call = await judge.until("response.function_call_arguments.done")
    assert call.name == "hang_up"
    assert (await judge.until("response.done")).response.output[-1].type == "function_call"
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "{}"}
    await judge.connection.conversation.item.create(item=output)
    await judge.connection.response.create()
    assert (await judge.until("response.done")).response.status == "completed"


async def test_errors_carry_the_documented_codes(judge: Judge) -> None:
    await judge.ready()
    connection = judge.connection
    await connection.response.create()
    await judge.until("response.created")

    async def code() -> Any:
        return (await judge.until("error")).error.code

    await connection.response.create(event_id="second")
    assert await code() == "conversation_already_has_active_response"
    assert judge.seen[-1].error.event_id == "second"
    await connection.response.cancel()
    done = (await judge.until("response.done")).response
    assert done.status_details.reason == "client_cancelled"
    await connection.response.cancel()
    assert await code() == "response_cancel_not_active"
    await connection.input_audio_buffer.commit()
    assert await code() == "input_audio_buffer_commit_empty"
    await connection.session.update(session={"type": "realtime", "temperature": 0.8})
    assert await code() == "unknown_parameter"
    item_id = done.output[0].id
    cut = connection.conversation.item.truncate
    await cut(item_id=item_id, content_index=0, audio_end_ms=10**6)
    assert await code() == "item_truncate_invalid_audio_end_ms"
    await connection.conversation.item.delete(item_id="nobody")
    assert await code() == "item_not_found"
    await connection.conversation.item.retrieve(item_id=item_id)
    assert (await judge.until("conversation.item.retrieved")).item.id == item_id


async def test_a_wrong_key_is_refused(service: EmbeddedService) -> None:
    from websockets.exceptions import InvalidStatus

    async with client_for(service, key="sk-wrong") as client:
        with pytest.raises(InvalidStatus) as refused:
            await client.realtime.connect(model="m").__aenter__()
    assert refused.value.response.status_code == 401
