"""One response: the agent's steps carried out as events, in the documented order."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..realtime.events import (
    ContentPart,
    ConversationItemAdded,
    ConversationItemDone,
    ErrorDetail,
    Item,
    ResponseContentPartAdded,
    ResponseContentPartDone,
    ResponseCreated,
    ResponseDone,
    ResponseFunctionCallArgumentsDelta,
    ResponseFunctionCallArgumentsDone,
    ResponseInfo,
    ResponseOutputItemAdded,
    ResponseOutputItemDone,
    ResponseOutputTextDelta,
    ResponseOutputTextDone,
    StatusDetails,
)
from .agent import AgentStep, CallTool, PlayTurn, Say
from .conversation import AUDIO_TOKEN_MS, Conversation, Entry, text_tokens
from .outbox import Outbox
from .sounds import OutputBuffer
from .utterance import Pace, Place, Utterance
from .voice import sentences

__all__ = ["Options", "Response"]

Pcm: TypeAlias = NDArray[np.int16]

_JSON: Final = msgspec.json.Encoder()
_NOTHING: Final = np.zeros(0, np.int16)


@dataclass(slots=True)
class Options:
    """What a response is made with: the session's settings, or what overrides them."""

    modality: str = "audio"
    audio_format: dict[str, Any] = field(default_factory=dict)
    voice: Any = None
    instructions: str | None = None
    metadata: dict[str, str] | None = None
    max_tokens: int | str = "inf"
    is_out_of_band: bool = False
    said: list[str] | None = None  # the user texts of `input`, in place of the conversation


class Response:
    """A response under way; :attr:`is_waiting` until it is told its steps."""

    def __init__(
        self,
        outbox: Outbox,
        conversation: Conversation,
        options: Options,
        pace: Pace | None = None,
        output: OutputBuffer | None = None,
    ) -> None:
        self.id = outbox.new_id("resp")
        self.options = options
        self.is_waiting = True
        self.is_begun = False  # it was told its steps
        self.is_done = False
        self.is_complete = False  # every step was carried out
        self._outbox = outbox
        self._conversation = None if options.is_out_of_band else conversation
        self._context = conversation.count_tokens()
        self._pace = pace or Pace()
        self._output = output
        self._steps: deque[AgentStep] = deque()
        self._turn = _NOTHING
        self._turn_text = ""
        self._entries: list[Entry] = []
        self._utterance: Utterance | None = None
        outbox.emit(ResponseCreated(response=self._show("in_progress")))

    @property
    def sent_ms(self) -> int:
        """How much speech was sent so far."""
        return self._pace.sent_ms

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` can next do something, or ``None`` until it is told more."""
        return None if self._utterance is None else self._utterance.deadline

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
        if self._utterance is not None and self._utterance.job == job:
            self._utterance.spoken(pcm)
            self.wake(now)

    def unspoken(self, job: str, problem: ErrorDetail) -> None:
        """Give up for want of a sentence's speech, if it was asked for here."""
        if self._utterance is not None and self._utterance.job == job:
            self.fail(problem)

    def fail(self, problem: ErrorDetail) -> None:
        """Give up."""
        self._end_utterance("incomplete")
        self._finish("failed", error=problem)

    def wake(self, now: float) -> None:
        """Send what is due, and go on to the next step."""
        while not (self.is_done or self.is_waiting):
            if self._utterance is not None:
                self._utterance.send(now)
                if self._is_too_long():
                    self._end_utterance("incomplete")
                    self._finish("incomplete", reason="max_output_tokens")
                    return
                if not self._utterance.is_done:
                    return
                self._end_utterance("completed")
            elif self._steps:
                self._carry_out(self._steps.popleft())
            else:
                self.is_complete = True
                self._finish("completed")

    def cancel(self, reason: str) -> None:
        """Stop: ``turn_detected`` or ``client_cancelled``."""
        self._end_utterance("incomplete")
        self._finish("cancelled", reason=reason)

    def _carry_out(self, step: AgentStep) -> None:
        if isinstance(step, CallTool):
            self._call(step)
        elif isinstance(step, PlayTurn):
            self._speak().play(self._turn, self._turn_text)
        else:
            said = [step.text]
            while self._steps and isinstance(following := self._steps[0], Say):
                said.append(following.text)
                self._steps.popleft()
            if self.options.modality == "text":
                self._write(" ".join(said))
            else:
                self._speak().say([part for each in said for part in sentences(each)])

    def _speak(self) -> Utterance:
        entry = self._add(Item(type="message", role="assistant", content=[]))
        self._utterance = Utterance(
            self._outbox,
            self._conversation,
            entry,
            place=self._place(entry),
            kind=str(self.options.audio_format.get("type", "audio/pcm")),
            pace=self._pace,
            output=self._output,
        )
        return self._utterance

    def _end_utterance(self, status: str) -> None:
        utterance, self._utterance = self._utterance, None
        if utterance is not None:
            utterance.finish(status)
            self._finish_item(utterance.entry)

    def _write(self, said: str) -> None:
        entry = self._add(Item(type="message", role="assistant", content=[]))
        place, emit = self._place(entry), self._outbox.emit
        emit(ResponseContentPartAdded(part=ContentPart(type="text", text=""), **place))
        emit(ResponseOutputTextDelta(delta=said, **place))
        emit(ResponseOutputTextDone(text=said, **place))
        emit(ResponseContentPartDone(part=ContentPart(type="text", text=said), **place))
        content = [ContentPart(type="output_text", text=said)]
        entry.item = msgspec.structs.replace(entry.item, content=content, status="completed")
        self._finish_item(entry)

    def _call(self, step: CallTool) -> None:
        call_id, arguments = self._outbox.new_id("call"), _JSON.encode(step.arguments).decode()
        item = Item(type="function_call", name=step.name, call_id=call_id, arguments="")
        entry = self._add(item)
        place = self._place(entry)
        self._outbox.emit(
            ResponseFunctionCallArgumentsDelta(
                response_id=place["response_id"],
                item_id=place["item_id"],
                output_index=place["output_index"],
                call_id=call_id,
                delta=arguments,
            )
        )
        self._outbox.emit(
            ResponseFunctionCallArgumentsDone(
                response_id=place["response_id"],
                item_id=place["item_id"],
                output_index=place["output_index"],
                call_id=call_id,
                name=step.name,
                arguments=arguments,
            )
        )
        entry.item = msgspec.structs.replace(entry.item, arguments=arguments, status="completed")
        self._finish_item(entry)

    def _place(self, entry: Entry) -> Place:
        return Place(
            response_id=self.id,
            item_id=entry.item.id or "",
            output_index=self._entries.index(entry),
            content_index=0,
        )

    def _add(self, item: Item) -> Entry:
        """Begin an output item: empty, in progress."""
        item = msgspec.structs.replace(
            item,
            id=self._outbox.new_id("item"),
            object="realtime.item",
            status="in_progress",
        )
        entry = Entry(item)
        self._entries.append(entry)
        index = len(self._entries) - 1
        added = ResponseOutputItemAdded(response_id=self.id, output_index=index, item=item)
        self._outbox.emit(added)
        if self._conversation is not None:
            before = self._conversation.add(entry)
            self._outbox.emit(ConversationItemAdded(item=item, previous_item_id=before))
        return entry

    def _finish_item(self, entry: Entry) -> None:
        item = entry.item
        if self._conversation is not None:
            before = self._conversation.before(item.id or "")
            self._outbox.emit(ConversationItemDone(item=item, previous_item_id=before))
        index = self._entries.index(entry)
        done = ResponseOutputItemDone(response_id=self.id, output_index=index, item=item)
        self._outbox.emit(done)

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
        self._outbox.emit(ResponseDone(response=self._show(status, details)))
        if self._output is not None:
            self._output.finish(self.id)

    def _show(self, status: str, details: StatusDetails | None = None) -> ResponseInfo:
        options = self.options
        output = {"format": options.audio_format, "voice": options.voice}
        return ResponseInfo(
            object="realtime.response",
            id=self.id,
            status=status,
            status_details=details,
            output=[entry.item for entry in self._entries],
            conversation_id=self._conversation.id if self._conversation else None,
            output_modalities=[options.modality],
            max_output_tokens=options.max_tokens,
            audio={"output": output},
            metadata=options.metadata,
            usage=None if status == "in_progress" else self.usage,
        )

    @property
    def usage(self) -> dict[str, Any]:
        """What the response cost: audio by the clock, text by its length."""
        in_text, in_audio = self._context
        in_text += text_tokens(self.options.instructions or "")
        out_text = sum(_words_of(entry) for entry in self._entries)
        out_audio = self._audio_tokens
        total_in, total_out = in_text + in_audio, out_text + out_audio
        return {
            "total_tokens": total_in + total_out,
            "input_tokens": total_in,
            "output_tokens": total_out,
            "input_token_details": {
                "text_tokens": in_text,
                "audio_tokens": in_audio,
                "image_tokens": 0,
                "cached_tokens": 0,
                "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": out_text, "audio_tokens": out_audio},
        }


def _words_of(entry: Entry) -> int:
    return text_tokens(entry.item.transcript) + text_tokens(entry.item.arguments or "")
