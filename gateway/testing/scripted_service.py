"""A realtime service that does as a test says: the protocol's turns, in virtual time.

It keeps the rules a client meets in the real one: a single active response, metadata
returned, cancellation by the caller's voice, an answer of its own after every turn of the
caller and after an idle timeout, audio faster than it is heard.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from ..config import table_at
from ..control.asks import SAY_EXACTLY
from ..control.events import Transport
from ..realtime.commands import (
    ClientEvent,
    ConversationItemCreate,
    OutputAudioBufferClear,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
)
from ..realtime.events import (
    ContentPart,
    ConversationItemAdded,
    ConversationItemDone,
    ConversationItemInputAudioTranscriptionCompleted,
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
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputAudioTranscriptDone,
    ResponseOutputItemAdded,
    ServerEvent,
    SessionCreated,
    SessionUpdated,
    StatusDetails,
)
from .service_playout import ServicePlayout

__all__ = ["BYTES_PER_MS", "EPOCH", "FunctionCall", "Reply", "ScriptedService", "word_for_word"]

BYTES_PER_MS: Final = 48  # 24 kHz PCM
EPOCH: Final = 1_800_000_000  # unix seconds when a test call begins
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
    """What one response brings; ``speech_ms`` 0 for none, ``text`` the words of it."""

    speech_ms: int = 1000
    calls: tuple[FunctionCall, ...] = ()
    status: str = "completed"
    error: ErrorDetail | None = None
    text: str = ""
    reason: str | None = None


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
        sessions: The commands of each session; a hosted call has but one.
        words: What each response says, by its id, where it is known.
        transport: How clients attach; but on a WebSocket the service plays its speech itself.
        session_seconds: How long a session lasts, as ``session.created`` tells it.
        is_echoing: Whether metadata come back, as they should.
        is_confirming: Whether a ``session.update`` is answered.
        is_mute: Whether responses are asked for in vain.

    """

    later: Callable[[float, Callable[[], None]], None]
    emit: Callable[[ServerEvent], None]
    clock: Callable[[], float]
    transport: Transport = "websocket"
    replies: deque[Reply] = field(default_factory=deque)
    received: list[ClientEvent] = field(default_factory=list)
    sessions: list[list[ClientEvent]] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    session_seconds: float | None = None
    is_echoing: bool = True
    is_confirming: bool = True
    is_mute: bool = False
    _active: _Running | None = None
    _count: int = 0
    _items: int = 0

    def __post_init__(self) -> None:
        self._playout = ServicePlayout(self._soon, self.emit, self.clock)

    def attach(self) -> None:
        """A client attaches: to a session of its own, or to the hosted call there is."""
        if self.transport == "sip" and self.sessions:
            return
        self.sessions.append([])
        if self.transport != "sip":
            created = SessionCreated(session=self._session())
            self._soon(0, lambda: self.emit(created))

    def detach(self) -> None:
        """The client is gone, and its session with it; a hosted call goes on."""
        if self.transport != "sip":
            self._active = None
            self._playout.forget()

    def receive(self, command: ClientEvent) -> None:
        """Take a command as a service would."""
        self.received.append(command)
        if self.sessions:
            self.sessions[-1].append(command)
        match command:
            case SessionUpdate():
                if self.is_confirming:
                    confirmed = SessionUpdated(session=command.session | self._session())
                    self._soon(0.01, lambda: self.emit(confirmed))
            case ResponseCreate():
                self._create(command)
            case ResponseCancel():
                self._cancel(command)
            case OutputAudioBufferClear():
                self._soon(0.01, self._playout.clear)
            case ConversationItemCreate():
                self._soon(0.01, lambda: self._add(Item(**_item_of(command.item))))
            case _:
                pass

    def texts(self, session: int | None = None) -> list[str]:
        """Return what was put into the conversation as text, of all sessions or of one."""
        texts = []
        for command in self.received if session is None else self.sessions[session]:
            if isinstance(command, ConversationItemCreate):
                item = command.item
                texts += [part["text"] for part in item.get("content", [])]
                texts += [item["output"]] if "output" in item else []
        return texts

    def hear_caller(self, seconds: float, text: str = "") -> None:
        """The caller speaks for so long: the active response is cut, then answered anew."""
        self._items += 1
        item_id = f"heard-{self._items}"
        self.emit(InputAudioBufferSpeechStarted(item_id=item_id, audio_start_ms=0))
        if self._turns.get("interrupt_response", True):
            self.stop("turn_detected")
            self._playout.clear()

        def answer() -> None:
            self.emit(InputAudioBufferSpeechStopped(item_id=item_id, audio_end_ms=0))
            self.emit(InputAudioBufferCommitted(item_id=item_id))
            if text:
                self._tell_words(item_id, text)
            if self._turns.get("create_response", True):
                self.begin(None)

        self._soon(seconds, answer)

    @property
    def _turns(self) -> dict[str, Any]:
        """The rules of turns that the client asked for last."""
        asked = [command for command in self.received if isinstance(command, SessionUpdate)]
        for update in reversed(asked):
            turns = table_at(update.session, "audio", "input", "turn_detection")
            if turns:
                return turns
        return {}

    def _tell_words(self, item_id: str, text: str) -> None:
        spoken = [ContentPart(type="input_audio")]
        self._add(Item(id=item_id, type="message", role="user", content=spoken))
        told = ConversationItemInputAudioTranscriptionCompleted(
            item_id=item_id, content_index=0, transcript=text
        )
        self._soon(0.02, lambda: self.emit(told))

    def _add(self, item: Item) -> None:
        """An item enters the conversation."""
        if item.id is None:
            self._items += 1
            item = msgspec.structs.replace(item, id=f"item-{self._items}", status="completed")
        self.emit(ConversationItemAdded(item=item))
        self.emit(ConversationItemDone(item=item))

    def time_out(self) -> None:
        """The caller said nothing for too long: tell, and ask again by itself."""
        silence = {"item_id": "silence", "audio_start_ms": 0, "audio_end_ms": 6000}
        self.emit(InputAudioBufferTimeoutTriggered(**silence))  # type: ignore[arg-type]
        self.emit(InputAudioBufferCommitted(item_id="silence"))
        self.begin(None)

    def begin(self, metadata: dict[str, Any] | None, words: str = "") -> None:
        """Begin a response, unless one is active; it says ``words``, or what is scripted."""
        if self._active is not None:
            return
        self._count += 1
        if self.is_mute:
            return
        running = self._active = _Running(f"response-{self._count}", metadata)
        reply = self._next_reply(words)
        self.words[running.response_id] = reply.text or words
        self._soon(_THINKING, lambda: self._speak(running, reply))

    def _next_reply(self, words: str) -> Reply:
        """Return what is scripted next; what says or calls something is no reading of words."""
        if not self.replies or (words and (self.replies[0].text or self.replies[0].calls)):
            return Reply()
        return self.replies.popleft()

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
            self.begin(metadata, word_for_word(command))

    def _cancel(self, command: ResponseCancel) -> None:
        if self._active is None or command.response_id not in (None, self._active.response_id):
            self._refuse("response_cancel_not_active", command.event_id)
        else:
            self._soon(0.01, lambda: self.stop("client_cancelled"))

    def _refuse(self, code: str, event_id: str | None) -> None:
        error = ErrorDetail(
            type="invalid_request_error", code=code, message=code, event_id=event_id
        )
        self._soon(0.01, lambda: self.emit(ErrorEvent(error=error)))

    def _speak(self, running: _Running, reply: Reply) -> None:
        """Send a response, its words and, on a WebSocket, its audio in four pieces."""
        if self._active is not running:
            return
        running.is_created = True
        self.emit(ResponseCreated(response=self._info(running, "in_progress")))
        where = _where(running)
        if reply.text:
            item = Item(id=where["item_id"], type="message", role="assistant")
            self.emit(
                ResponseOutputItemAdded(response_id=running.response_id, output_index=0, item=item)
            )
            self.emit(ConversationItemAdded(item=item))
        words = reply.text.split(" ") if reply.text else []
        pieces = 4 if reply.speech_ms else 0
        if pieces and self.transport != "websocket":
            self._playout.play(running.response_id, where["item_id"], reply.speech_ms / 1000)
        for piece in range(pieces):
            delay = piece * reply.speech_ms / pieces / 1000 / _SPEED
            first, last = (len(words) * (piece + n) // pieces for n in (0, 1))
            if text := "".join(f"{word} " for word in words[first:last]):
                self._while_active(
                    running, delay, ResponseOutputAudioTranscriptDelta(delta=text, **where)
                )
            if self.transport == "websocket":
                delta = bytes(reply.speech_ms // pieces * BYTES_PER_MS)
                self._while_active(running, delay, ResponseOutputAudioDelta(delta=delta, **where))
        seconds = reply.speech_ms / 1000 / _SPEED
        if pieces:
            self._while_active(running, seconds, ResponseOutputAudioDone(**where))
        if reply.text:
            whole = ResponseOutputAudioTranscriptDone(transcript=reply.text, **where)
            self._while_active(running, seconds, whole)
        self._soon(seconds, lambda: self._finish(running, reply))

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
        details = None
        if reply.error or reply.reason:
            details = StatusDetails(type=reply.status, error=reply.error, reason=reply.reason)
        info = self._info(running, reply.status, details=details, output=output)
        self.emit(ResponseDone(response=info))
        self._playout.finish(running.response_id)

    def _soon(self, delay: float, do: Callable[[], None]) -> None:
        """Do something later, unless the session is over by then."""
        session = len(self.sessions)
        self.later(delay, lambda: do() if len(self.sessions) == session else None)

    def _session(self) -> dict[str, Any]:
        """Return what a session says of itself."""
        session: dict[str, Any] = {"id": f"session-{len(self.sessions)}"}
        if self.session_seconds is not None:
            session["expires_at"] = round(EPOCH + self.clock() + self.session_seconds)
        return session

    def _while_active(self, running: _Running, delay: float, event: ServerEvent) -> None:
        def tell() -> None:
            if self._active is running:
                self.emit(event)

        self._soon(delay, tell)

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


def word_for_word(command: ResponseCreate) -> str:
    """Return the words that a response is to say exactly; empty where they are the model's."""
    before, after = SAY_EXACTLY.split("{}")
    asked = str((command.response or {}).get("instructions", ""))
    return asked[len(before) : -len(after)] if asked.startswith(before) else ""


def _item_of(told: dict[str, Any]) -> dict[str, Any]:
    """Return a created item as the service keeps it."""
    parts = [ContentPart(**part) for part in told.get("content", ())]
    return {"status": "completed"} | told | ({"content": parts} if parts else {})


def _where(running: _Running) -> dict[str, Any]:
    return {
        "response_id": running.response_id,
        "item_id": f"item-of-{running.response_id}",
        "output_index": 0,
        "content_index": 0,
    }
