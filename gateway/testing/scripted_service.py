"""A realtime service that does as a test says: the protocol's turns, in virtual time.

It keeps the rules a client meets in the real one: a single active response, metadata
returned, cancellation by the caller's voice, an answer of its own after every turn of the
caller and after an idle timeout, audio faster than it is heard.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from ..realtime.commands import (
    ClientEvent,
    ConversationItemCreate,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
)
from ..realtime.events import (
    ErrorDetail,
    ErrorEvent,
    InputAudioBufferCommitted,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    InputAudioBufferTimeoutTriggered,
    Item,
    ResponseCreated,
    ResponseDone,
    ResponseFunctionCallArgumentsDone,
    ResponseInfo,
    ResponseOutputAudioDelta,
    ResponseOutputAudioDone,
    ServerEvent,
    SessionUpdated,
    StatusDetails,
)

__all__ = ["BYTES_PER_MS", "FunctionCall", "Reply", "ScriptedService"]

BYTES_PER_MS: Final = 48  # 24 kHz PCM
_THINKING: Final = 0.05  # seconds from a request to response.created
_SPEED: Final = 5  # audio comes this much faster than it is heard


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function the model calls in a reply."""

    name: str
    arguments: str = "{}"
    call_id: str = "call-1"


@dataclass(frozen=True, slots=True)
class Reply:
    """What one response brings; ``speech_ms`` 0 for none."""

    speech_ms: int = 1000
    calls: tuple[FunctionCall, ...] = ()
    status: str = "completed"
    error: ErrorDetail | None = None


@dataclass(slots=True)
class _Running:
    response_id: str
    metadata: dict[str, Any] | None
    is_created: bool = False


@dataclass
class ScriptedService:
    """The service's side of a test call.

    Attributes:
        replies: What the coming responses bring, in order; then one second of speech each.
        received: Every command, in order.
        is_echoing: Whether metadata come back, as they should.

    """

    later: Callable[[float, Callable[[], None]], None]
    emit: Callable[[ServerEvent], None]
    replies: deque[Reply] = field(default_factory=deque)
    received: list[ClientEvent] = field(default_factory=list)
    is_echoing: bool = True
    _active: _Running | None = None
    _count: int = 0

    def receive(self, command: ClientEvent) -> None:
        """Take a command as a service would."""
        self.received.append(command)
        match command:
            case SessionUpdate():
                self.later(0.01, lambda: self.emit(SessionUpdated(session=command.session)))
            case ResponseCreate():
                self._create(command)
            case ResponseCancel():
                self._cancel(command)
            case _:
                pass

    def texts(self) -> list[str]:
        """Return what was put into the conversation as text: keys, remarks, results."""
        texts = []
        for command in self.received:
            if isinstance(command, ConversationItemCreate):
                item = command.item
                texts += [part["text"] for part in item.get("content", [])]
                texts += [item["output"]] if "output" in item else []
        return texts

    def hear_caller(self, seconds: float) -> None:
        """The caller speaks for so long: the active response is cut, then answered anew."""
        self.emit(InputAudioBufferSpeechStarted(item_id="heard", audio_start_ms=0))
        self.stop("turn_detected")

        def answer() -> None:
            self.emit(InputAudioBufferSpeechStopped(item_id="heard", audio_end_ms=0))
            self.emit(InputAudioBufferCommitted(item_id="heard"))
            self.begin(None)

        self.later(seconds, answer)

    def time_out(self) -> None:
        """The caller said nothing for too long: tell, and ask again by itself."""
        silence = {"item_id": "silence", "audio_start_ms": 0, "audio_end_ms": 6000}
        self.emit(InputAudioBufferTimeoutTriggered(**silence))  # type: ignore[arg-type]
        self.emit(InputAudioBufferCommitted(item_id="silence"))
        self.begin(None)

    def begin(self, metadata: dict[str, Any] | None) -> None:
        """Begin a response, unless one is active."""
        if self._active is not None:
            return
        self._count += 1
        running = self._active = _Running(f"response-{self._count}", metadata)
        reply = self.replies.popleft() if self.replies else Reply()
        self.later(_THINKING, lambda: self._speak(running, reply))

    def stop(self, reason: str) -> None:
        """End the active response, if there is one, as cancelled."""
        running = self._active
        if running is None:
            return
        self._active = None
        if not running.is_created:
            self.emit(ResponseCreated(response=self._info(running, "in_progress")))
        details = StatusDetails(type="cancelled", reason=reason)
        self.emit(ResponseDone(response=self._info(running, "cancelled", details=details)))

    def _create(self, command: ResponseCreate) -> None:
        if self._active is not None:
            self._refuse("conversation_already_has_active_response", command.event_id)
        else:
            metadata = (command.response or {}).get("metadata") if self.is_echoing else None
            self.begin(metadata)

    def _cancel(self, command: ResponseCancel) -> None:
        if self._active is None or command.response_id not in (None, self._active.response_id):
            self._refuse("response_cancel_not_active", command.event_id)
        else:
            self.later(0.01, lambda: self.stop("client_cancelled"))

    def _refuse(self, code: str, event_id: str | None) -> None:
        error = ErrorDetail(
            type="invalid_request_error", code=code, message=code, event_id=event_id
        )
        self.later(0.01, lambda: self.emit(ErrorEvent(error=error)))

    def _speak(self, running: _Running, reply: Reply) -> None:
        """Send a response, its audio in four pieces."""
        if self._active is not running:
            return
        running.is_created = True
        self.emit(ResponseCreated(response=self._info(running, "in_progress")))
        where = _where(running)
        pieces = 4 if reply.speech_ms else 0
        for piece in range(pieces):
            delta = bytes(reply.speech_ms // pieces * BYTES_PER_MS)
            self._while_active(
                running,
                piece * reply.speech_ms / pieces / 1000 / _SPEED,
                ResponseOutputAudioDelta(delta=delta, **where),
            )
        seconds = reply.speech_ms / 1000 / _SPEED
        if pieces:
            self._while_active(running, seconds, ResponseOutputAudioDone(**where))
        self.later(seconds, lambda: self._finish(running, reply))

    def _finish(self, running: _Running, reply: Reply) -> None:
        if self._active is not running:
            return
        output = []
        for call in reply.calls:
            done = ResponseFunctionCallArgumentsDone(
                response_id=running.response_id,
                item_id=f"item-{call.call_id}",
                output_index=1,
                call_id=call.call_id,
                arguments=call.arguments,
                name=call.name,
            )
            self.emit(done)
            output.append(
                Item(
                    type="function_call",
                    name=call.name,
                    call_id=call.call_id,
                    arguments=call.arguments,
                )
            )
        self._active = None
        details = StatusDetails(type=reply.status, error=reply.error) if reply.error else None
        info = self._info(running, reply.status, details=details, output=output)
        self.emit(ResponseDone(response=info))

    def _while_active(self, running: _Running, delay: float, event: ServerEvent) -> None:
        def tell() -> None:
            if self._active is running:
                self.emit(event)

        self.later(delay, tell)

    def _info(
        self,
        running: _Running,
        status: str,
        details: StatusDetails | None = None,
        output: list[Item] | None = None,
    ) -> ResponseInfo:
        return ResponseInfo(
            id=running.response_id,
            status=status,
            status_details=details,
            output=output,
            metadata=running.metadata,
        )


def _where(running: _Running) -> dict[str, Any]:
    return {
        "response_id": running.response_id,
        "item_id": f"item-of-{running.response_id}",
        "output_index": 0,
        "content_index": 0,
    }
