"""Serves Hugging Face's speech-to-speech with an engine of a few lines in place of its models.

A caller's turn is told by its level; its answer is a tone of 440 Hz and a sentence that says how
long the turn was.  A text that asks for a tool gets a call of it.

    PYTHONPATH=… python serve.py     (it prints its port and serves until its standard input ends)
"""

import contextlib
import json
import logging
import queue
import socket
import sys
import threading
from typing import Final

import numpy as np
import uvicorn
from openai.types.realtime import RealtimeConversationItemFunctionCall
from openai.types.responses.response_function_tool_call import ResponseFunctionToolCall
from speech_to_speech.api.openai_realtime.pipeline_unit import PipelineUnit
from speech_to_speech.api.openai_realtime.service import RealtimeService
from speech_to_speech.api.openai_realtime.websocket_router import create_app
from speech_to_speech.pipeline.cancel_scope import CancelScope
from speech_to_speech.pipeline.control import is_control_message
from speech_to_speech.pipeline.events import (
    AssistantOutputEvent,
    AssistantResponseDoneEvent,
    SpeechStartedEvent,
    SpeechStoppedEvent,
    TranscriptionCompletedEvent,
)
from speech_to_speech.pipeline.messages import (
    AUDIO_RESPONSE_DONE,
    AudioOutput,
    GenerateResponseRequest,
)

RATE: Final = 16_000
CHUNK: Final = 512
CHUNK_MS: Final = 1000 * CHUNK / RATE
LOUD: Final = 500.0
ANSWER_SECONDS: Final = 2.0
PAUSE_MS: Final = 500.0
TOOL: Final = "[DTMF 9]"  # what makes the engine call hang_up


class Engine:
    """Does for one session what the models would do, on a thread of its own."""

    def __init__(self, unit: PipelineUnit) -> None:
        self.unit = unit
        self.heard_ms = 0.0
        self.turn_ms: float | None = None
        self.quiet_ms = 0.0
        samples = np.arange(int(RATE * ANSWER_SECONDS) // CHUNK * CHUNK)
        self.tone = (8000 * np.sin(2 * np.pi * 440 / RATE * samples)).astype(np.int16)

    def run(self) -> None:
        while True:
            with contextlib.suppress(queue.Empty):
                self.hear(self.unit.input_queue.get(timeout=0.01))
            with contextlib.suppress(queue.Empty):
                request = self.unit.text_prompt_queue.get_nowait()
                if isinstance(request, GenerateResponseRequest):
                    self.answer(request)

    def hear(self, item: object) -> None:
        """Take 32 ms of the caller's, or the session's end."""
        if is_control_message(item):
            self.turn_ms = None
            self.unit.output_queue.put(item)
            return
        assert isinstance(item, tuple)
        pcm = np.frombuffer(item[0], np.int16).astype(np.float64)
        self.heard_ms += CHUNK_MS
        is_loud = float(np.sqrt(np.mean(pcm * pcm))) > LOUD
        tell = self.unit.text_output_queue.put
        if self.turn_ms is None and is_loud:
            self.turn_ms, self.quiet_ms = self.heard_ms, 0.0
            tell(SpeechStartedEvent(audio_start_ms=int(self.heard_ms)))
        elif self.turn_ms is not None:
            self.quiet_ms = 0.0 if is_loud else self.quiet_ms + CHUNK_MS
            if self.quiet_ms >= PAUSE_MS:
                lasted, self.turn_ms = self.heard_ms - self.turn_ms - PAUSE_MS, None
                stopped = {"audio_end_ms": int(self.heard_ms), "duration_s": lasted / 1000}
                tell(SpeechStoppedEvent(**stopped))
                tell(TranscriptionCompletedEvent(transcript=f"a turn of {lasted:.0f} ms"))

    def answer(self, request: GenerateResponseRequest) -> None:
        """Say what was heard, or call the tool that was asked for."""
        of = {
            "response_key": request.response_key,
            "cancel_generation": self.unit.cancel_scope.generation,
        }
        out = self.unit.output_queue.put
        chat = request.runtime_config.chat
        said = json.dumps([item.model_dump() for item in chat.copy().buffer])
        if TOOL in said and "function_call_output" not in said:
            call = {"name": "hang_up", "arguments": "{}", "call_id": "call_1"}
            chat.add_item(RealtimeConversationItemFunctionCall(type="function_call", **call))
            tool = ResponseFunctionToolCall(type="function_call", **call)
            out(AssistantOutputEvent(tools=[tool], **of))
        else:
            out(AssistantOutputEvent(text="I heard you.", **of))
            for part in self.tone.reshape(-1, CHUNK):
                out(AudioOutput(audio=part, **of))
        out(AssistantResponseDoneEvent(**of))
        out(AudioOutput(audio=AUDIO_RESPONSE_DONE, **of))


def new_unit(index: int) -> PipelineUnit:
    """Return a pipeline whose engine runs."""
    prompts: queue.Queue[object] = queue.Queue()
    listening = threading.Event()
    unit = PipelineUnit(
        index=index,
        service=RealtimeService(text_prompt_queue=prompts, should_listen=listening),
        cancel_scope=CancelScope(),
        should_listen=listening,
        response_playing=threading.Event(),
        input_queue=queue.Queue(),
        output_queue=queue.Queue(),
        text_output_queue=queue.Queue(),
        text_prompt_queue=prompts,
        handlers=[],
    )
    threading.Thread(target=Engine(unit).run, daemon=True).start()
    return unit


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    stop = threading.Event()
    app = create_app(pool=[new_unit(index) for index in range(2)], stop_event=stop)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))

    def end() -> None:
        sys.stdin.read()
        stop.set()
        server.should_exit = True

    threading.Thread(target=end, daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        server.run(sockets=[listener])


if __name__ == "__main__":
    main()
