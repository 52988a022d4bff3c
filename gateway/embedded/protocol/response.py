"""One response: the agent's steps carried out as events, in the documented order."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final, TypeAlias, assert_never

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...realtime.events import (
    ErrorDetail,
    ResponseCreated,
    ResponseDone,
    ResponseInfo,
    StatusDetails,
)
from ..agents.agent import Agent, AgentStep, CallTool, PlayTurn, Say, Think, ToolReturned
from ..agents.chat import Thought
from ..agents.thinking import Thinking
from ..speech.voice import sentences
from .accounting import usage
from .conversation import AUDIO_TOKEN_MS, Entry, text_tokens
from .options import Options
from .outbox import CallMcp
from .output import OutputItems
from .room import Room
from .toolbox import Imported
from .utterance import Pace, Utterance
from .writing import Writing

__all__ = ["Response"]

Pcm: TypeAlias = NDArray[np.int16]

_JSON: Final = msgspec.json.Encoder()
_NOTHING: Final = np.zeros(0, np.int16)
_CUT_SHORT: Final = {"type": "tool_execution_error", "message": "The response was cut short."}


class Response:
    """A response under way; :attr:`is_waiting` until it is told its steps.

    It is slow at three places, and each time hands a job out: a sentence is to be
    spoken, an MCP tool to be called, a chat model to be asked.
    """

    def __init__(
        self, room: Room, options: Options, agent: Agent, pace: Pace | None = None
    ) -> None:
        self.id = room.outbox.new_id("resp")
        self.options = options
        self.agent = agent
        self.is_waiting = True
        self.is_begun = False  # it was told its steps
        self.is_done = False
        self.is_complete = False  # every step was carried out
        self._room = room
        self._conversation = None if options.is_out_of_band else room.conversation
        self._context = room.conversation.count_tokens()
        self._pace = pace or Pace()
        self._steps: deque[AgentStep] = deque()
        self._turn = _NOTHING
        self._turn_text = ""
        self._items = OutputItems(room.outbox, self._conversation, self.id)
        self._message: Utterance | Writing | None = None  # the one being spoken or written
        self._call: tuple[str, CallTool, Entry] | None = None  # the MCP call under way, by its job
        self._thinking = Thinking(room)
        room.outbox.emit(ResponseCreated(response=self._show("in_progress")))

    @property
    def sent_ms(self) -> int:
        """How much speech was sent so far."""
        return self._pace.sent_ms

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` can next do something, or ``None`` until it is told more."""
        return None if self._message is None else self._message.deadline

    def play(
        self, steps: Sequence[AgentStep], now: float, turn: Pcm = _NOTHING, turn_text: str = ""
    ) -> None:
        """Carry out ``steps``; ``turn`` is the caller's last turn, int16 at 24 kHz."""
        self.is_begun = True
        self.is_waiting = False
        self._steps.extend(steps)
        self._turn, self._turn_text = turn, turn_text
        self.wake(now)

    def spoken(self, job: str, pcm: Pcm, now: float) -> None:
        """Take in a sentence's speech (int16, 24 kHz), if it was asked for here."""
        if isinstance(self._message, Utterance) and self._message.job == job:
            self._message.spoken(pcm)
            self.wake(now)

    def unspoken(self, job: str, problem: ErrorDetail) -> None:
        """Give up for want of a sentence's speech, if it was asked for here."""
        if isinstance(self._message, Utterance) and self._message.job == job:
            self.fail(problem)

    def thought(self, job: str, thought: Thought, now: float) -> bool:
        """Take in what a chat model thinks; false where it was not asked here."""
        if not self._thinking.knows(job):
            return False
        self._steps += self._thinking.take(thought)
        self.wake(now)
        return True

    def unthought(self, job: str, problem: ErrorDetail) -> None:
        """Give up for want of a chat model's answer, if it was asked here."""
        if self._thinking.knows(job):
            self.fail(problem)

    def tool_returned(self, job: str, output: str | None, error: object, now: float) -> None:
        """Take in what an MCP tool gave, or the error it met, if it was called here."""
        if self._call is None or job != self._call[0]:
            return
        _, call, entry = self._call
        self._call = None
        self._items.end_mcp_call(entry, output, error)
        told = output if error is None else _JSON.encode({"error": error}).decode()
        self._steps += self.agent.handle(ToolReturned(call.name, told or ""), now)
        self.wake(now)

    def fail(self, problem: ErrorDetail) -> None:
        """Give up."""
        self._break_off()
        self._finish("failed", error=problem)

    def cancel(self, reason: str) -> None:
        """Stop: ``turn_detected`` or ``client_cancelled``."""
        self._break_off()
        self._finish("cancelled", reason=reason)

    def wake(self, now: float) -> None:
        """Send what is due, and go on to the next step."""
        while not (self.is_done or self.is_waiting or self._call):
            if self._message is not None:
                self._add_to(self._message)
                self._message.send(now)
                if self._is_too_long():
                    self._break_off()
                    self._finish("incomplete", reason="max_output_tokens")
                    return
                if not self._message.is_done or (self._thinking.is_open and not self._steps):
                    return
                self._end_message("completed")
            elif self._steps:
                self._carry_out(self._steps.popleft())
            elif self._thinking.is_open:
                return
            elif self._thinking.is_cut:
                self._finish("incomplete", reason="max_output_tokens")
            else:
                self.is_complete = True
                self._finish("completed")

    def _carry_out(self, step: AgentStep) -> None:
        match step:
            case Say():
                self._steps.appendleft(step)
                self._message = self._begin_message()
            case CallTool():
                self._call_tool(step)
            case PlayTurn():
                utterance = self._message = self._speak()
                utterance.play(self._turn, self._turn_text)
            case Think(note):
                self._thinking.begin(self.options, note)
            case _:
                assert_never(step)

    def _add_to(self, message: Utterance | Writing) -> None:
        """Put what is to be said next into the message that is open."""
        said = []
        while self._steps and isinstance(step := self._steps[0], Say):
            said.append(step.text)
            self._steps.popleft()
        if isinstance(message, Utterance):
            said = [sentence for each in said for sentence in sentences(each)]
        if said:
            message.say(said)

    def _begin_message(self) -> Utterance | Writing:
        if self.options.modality != "text":
            return self._speak()
        entry = self._items.add_message()
        return Writing(self._room.outbox, entry, self._items.place(entry))

    def _speak(self) -> Utterance:
        entry = self._items.add_message()
        return Utterance(
            self._room.outbox,
            self._conversation,
            entry,
            place=self._items.place(entry),
            kind=str(self.options.audio_format.get("type", "audio/pcm")),
            pace=self._pace,
            output=self._room.output,
        )

    def _call_tool(self, call: CallTool) -> None:
        """Call a tool: by the client, or here, once the client agrees where it must."""
        tool = self._room.toolbox.find(call.name)
        if tool is None:
            self._items.call_function(call)
        elif tool.needs_approval and not call.approval_id:
            request_id = self._items.request_approval(call, tool.server.label)
            self._room.toolbox.ask(request_id, call)
        else:
            self._call_mcp(call, tool)

    def _call_mcp(self, call: CallTool, tool: Imported) -> None:
        entry = self._items.begin_mcp_call(call, tool.server.label)
        job = self._room.outbox.new_id("job")
        self._call = (job, call, entry)
        self._room.outbox.request(CallMcp(job, tool.server, call.name, call.text))

    def _end_message(self, status: str) -> None:
        message, self._message = self._message, None
        if message is not None:
            message.finish(status)
            self._items.finish(message.entry)

    def _break_off(self) -> None:
        """End what is under way, unfinished."""
        self._end_message("incomplete")
        self._thinking.close()
        if self._call is not None:
            self._items.end_mcp_call(self._call[2], None, _CUT_SHORT)
            self._call = None

    def _is_too_long(self) -> bool:
        most = self.options.max_tokens
        return isinstance(most, int) and self._audio_tokens >= most

    @property
    def _audio_tokens(self) -> int:
        return self.sent_ms // AUDIO_TOKEN_MS["assistant"]

    def _finish(
        self, status: str, *, reason: str | None = None, error: ErrorDetail | None = None
    ) -> None:
        self.is_done, self.is_waiting = True, False
        details = None
        if status != "completed":
            details = StatusDetails(type=status, reason=reason, error=error)
        self._room.outbox.emit(ResponseDone(response=self._show(status, details)))
        if self._room.output is not None:
            self._room.output.finish(self.id)

    def _show(self, status: str, details: StatusDetails | None = None) -> ResponseInfo:
        options = self.options
        output = {"format": options.audio_format, "voice": options.voice}
        return ResponseInfo(
            object="realtime.response",
            id=self.id,
            status=status,
            status_details=details,
            output=[entry.item for entry in self._items.entries],
            conversation_id=self._conversation.id if self._conversation else None,
            output_modalities=[options.modality],
            max_output_tokens=options.max_tokens,
            audio={"output": output},
            metadata=options.metadata,
            usage=None if status == "in_progress" else self.usage,
        )

    @property
    def usage(self) -> dict[str, Any]:
        """What the response cost."""
        in_text, in_audio = self._context
        in_text += text_tokens(self.options.instructions or "")
        return usage((in_text, in_audio), self._items.entries, self._audio_tokens)
