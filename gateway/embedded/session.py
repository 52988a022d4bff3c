"""One session of the realtime protocol, as the service sees it.

Sans-I/O.  The owner hands in what the client sent and the time; it drains the
frames to send and the work to be done elsewhere (speech and recognition take
too long to be done here), and calls :meth:`Session.wake` at
:attr:`Session.deadline`.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..clock import Ids
from ..realtime import commands as c
from ..realtime.events import (
    ConversationItemAdded,
    ConversationItemDeleted,
    ConversationItemDone,
    ConversationItemRetrieved,
    ConversationItemTruncated,
    ErrorDetail,
    ErrorEvent,
    InputAudioBufferCleared,
    Item,
    SessionCreated,
    SessionUpdated,
)
from .agent import Agent, SessionStarted, ToolReturned, TurnEnded, read_user_text
from .checks import Refused
from .conversation import Conversation, Entry, read_item
from .formats import BYTES_PER_MS
from .inbox import Inbox
from .listener import Listener, Signal
from .options import default_options, read_options
from .outbox import Close, Job, Outbox
from .settings import Settings
from .speaker import Speaker
from .utterance import Pace

__all__ = ["APPEND_MOST_BYTES", "Limits", "Session"]

Pcm: TypeAlias = NDArray[np.int16]

APPEND_MOST_BYTES: Final = 15 * 1024 * 1024
_EVENT_ID_MOST: Final = 512
_EXPIRY: Final = "Your session hit the maximum duration of {minutes:g} minutes."


@dataclass(frozen=True, slots=True)
class Limits:
    """What a session may last, and how fast it speaks."""

    longest: float = 3600.0
    burst_ms: float = 2000.0
    speed: float = 4.0


class Session:
    """A client's session, from ``session.created`` to its end."""

    def __init__(
        self,
        make_agent: Callable[[], Agent],
        ids: Ids,
        *,
        now: float,
        unix_now: int,
        model: str = "",
        kind: str = "realtime",
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits()
        self._limits = limits
        self._outbox = Outbox(ids)
        self._expires_at = now + limits.longest
        self._conversation = Conversation(self._outbox.new_id("conv"))
        self._inbox = Inbox()
        agent = make_agent()
        self.settings = Settings(
            session_id=self._outbox.new_id("sess"),
            model=model,
            expires_at=unix_now + int(limits.longest),
            kind=kind,
            idle_timeout_ms=agent.idle_timeout_ms,
        )
        self._listener = Listener(self._outbox, self._conversation, self.settings, self._inbox)
        self._speaker = Speaker(
            self._outbox,
            self._conversation,
            self._listener,
            self._inbox,
            make_agent,
            lambda: Pace(limits.burst_ms, limits.speed),
        )
        self._speaker.agent.handle(SessionStarted(()), now)
        self._outbox.emit(SessionCreated(session=self.settings.snapshot()))

    @property
    def id(self) -> str:
        """The session's identifier."""
        return str(self.settings.effective["id"])

    @property
    def close(self) -> Close | None:
        """How to close the socket, once the session is over."""
        return self._outbox.close

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        if self.close:
            return None
        due = self._speaker.deadline
        return self._expires_at if due is None else min(due, self._expires_at)

    def receive(self, data: bytes | str, now: float) -> None:
        """Obey a command, or answer it with an ``error``."""
        if self.close:
            return
        command = c.decode_command(data)
        if isinstance(command, c.BadCommand):
            refused = Refused(command.code, command.message, command.param)
            self._outbox.refuse(refused, command.event_id)
            return
        try:
            if len(command.event_id or "") > _EVENT_ID_MOST:
                told = f"Invalid 'event_id': at most {_EVENT_ID_MOST} characters are allowed."
                raise Refused("string_above_max_length", told, "event_id")
            self._obey(command, now)
        except Refused as refused:
            self._outbox.refuse(refused, command.event_id)

    def wake(self, now: float) -> None:
        """Do what is due at ``now``."""
        if self.close:
            return
        if now >= self._expires_at:
            told = _EXPIRY.format(minutes=self._limits.longest / 60)
            detail = ErrorDetail(type="invalid_request_error", code="session_expired", message=told)
            self._outbox.emit(ErrorEvent(error=detail))
            self._outbox.close = Close(1001, told)
            return
        self._speaker.wake(now, lambda: default_options(self.settings))

    def spoken(self, job: str, pcm: Pcm, now: float) -> None:
        """Take in the speech of a :class:`~.outbox.Speak`: int16, 24 kHz."""
        self._speaker.spoken(job, pcm, now)

    def unspoken(self, job: str, problem: ErrorDetail, now: float) -> None:
        """Take in why there is no speech; the response fails for it."""
        self._speaker.unspoken(job, problem, now)

    def heard(self, job: str, words: str, now: float) -> None:
        """Take in the words of a :class:`~.outbox.Hear`; none where nothing was understood."""
        self._listener.heard(job, words)
        self._speaker.advance(now)

    def data_to_send(self) -> list[bytes]:
        """Drain the frames waiting to go out."""
        return self._outbox.data_to_send()

    def jobs(self) -> list[Job]:
        """Drain the work waiting to be done."""
        return self._outbox.jobs()

    def _obey(self, command: c.ClientEvent, now: float) -> None:
        match command:
            case c.InputAudioBufferAppend(audio=audio):
                self._append(audio, now)
            case c.SessionUpdate(session=patch):
                self._update(patch, now)
            case c.InputAudioBufferCommit():
                self._listener.commit(self._speaker.agent.grammar)
                self._speaker.advance(now)
            case c.InputAudioBufferClear():
                self._listener.clear()
                self._outbox.emit(InputAudioBufferCleared())
            case c.ConversationItemCreate(item=item, previous_item_id=after):
                self._create(item, after)
            case c.ConversationItemRetrieve(item_id=item_id):
                self._retrieve(item_id)
            case c.ConversationItemTruncate():
                self._truncate(command, now)
            case c.ConversationItemDelete(item_id=item_id):
                self._conversation.delete(item_id)
                self._outbox.emit(ConversationItemDeleted(item_id=item_id))
            case c.ResponseCreate(response=params):
                options = read_options(params, self.settings, self._conversation)
                self._speaker.respond(options, now)
            case c.ResponseCancel(response_id=response_id):
                self._speaker.cancel(response_id, now)
            case _:
                name = c.wire_name(command)
                told = f"'{name}' is not taken on this connection."
                raise Refused("invalid_value", told, "type")

    def _append(self, audio: bytes, now: float) -> None:
        if len(audio) > APPEND_MOST_BYTES:
            told = f"Invalid 'audio': at most {APPEND_MOST_BYTES} bytes are taken at a time."
            raise Refused("invalid_value", told, "audio")
        agent, turns = self._speaker.agent, self.settings.turn_detection or {}
        may_interrupt = self._speaker.may_be_interrupted(now)
        for signal in self._listener.append(audio, now, agent.grammar, may_interrupt=may_interrupt):
            if signal is Signal.TURN_BEGAN:
                if turns.get("interrupt_response"):
                    self._speaker.interrupt(now)
            elif signal is Signal.IDLE or turns.get("create_response"):
                self._respond(now)

    def _respond(self, now: float) -> None:
        """Answer a turn unasked."""
        if self.settings.is_realtime:
            self._speaker.respond(default_options(self.settings), now)

    def _update(self, patch: dict[str, object], now: float) -> None:
        tools = self.settings.tools
        self.settings.update(patch, has_spoken=self._speaker.has_spoken)
        self._listener.configure()
        if self.settings.tools != tools:
            self._speaker.agent.handle(SessionStarted(self.settings.tools), now)
        self._outbox.emit(SessionUpdated(session=self.settings.snapshot()))

    def _create(self, described: dict[str, object], after: str | None) -> None:
        item = read_item(described)
        item = msgspec.structs.replace(item, id=item.id or self._outbox.new_id("item"))
        tool = None
        if item.type == "function_call_output":
            tool = self._conversation.call_name(item.call_id or "")
            if tool is None:
                told = f"Tool call ID '{item.call_id}' not found in conversation."
                raise Refused("invalid_value", told, "item.call_id")
        entry = _entry(item, self.settings.input_format)
        item = entry.item
        before = self._conversation.add(entry, after)
        self._outbox.emit(ConversationItemAdded(item=item, previous_item_id=before))
        self._outbox.emit(ConversationItemDone(item=item, previous_item_id=before))
        if tool is not None:
            self._inbox.add(ToolReturned(tool, cast("str", item.output)))
        elif item.role == "user":
            self._take_user_message(item)

    def _take_user_message(self, item: Item) -> None:
        for part in item.content or ():
            if part.type == "input_text":
                self._inbox.add(read_user_text(part.text or ""))
            elif part.type == "input_audio":
                self._inbox.add(TurnEnded(part.transcript or ""))

    def _retrieve(self, item_id: str) -> None:
        entry = self._conversation.find(item_id)
        audio = base64.b64encode(entry.audio).decode() if entry.audio else None
        content = [
            msgspec.structs.replace(part, audio=audio if "audio" in part.type else None)
            for part in entry.item.content or ()
        ]
        item = entry.item
        if item.content is not None:
            item = msgspec.structs.replace(item, content=content)
        self._outbox.emit(ConversationItemRetrieved(item=item))

    def _truncate(self, command: c.ConversationItemTruncate, now: float) -> None:
        index, end_ms = command.content_index, command.audio_end_ms
        self._conversation.truncate(command.item_id, index, end_ms)
        self._speaker.fall_silent(now)
        self._outbox.emit(
            ConversationItemTruncated(
                item_id=command.item_id, content_index=index, audio_end_ms=end_ms
            )
        )


def _entry(item: Item, kind: str) -> Entry:
    """Return a created item as it is kept: its audio beside it, not in its events."""
    audio = bytearray()
    content = []
    for index, part in enumerate(item.content or ()):
        if part.audio is not None:
            try:
                audio += base64.b64decode(part.audio, validate=True)
            except ValueError:
                path = f"item.content[{index}].audio"
                told = f"Invalid '{path}': it is not base64."
                raise Refused("invalid_value", told, path) from None
        content.append(msgspec.structs.replace(part, audio=None))
    if item.content is not None:
        item = msgspec.structs.replace(item, content=content)
    return Entry(item, audio, len(audio) // BYTES_PER_MS[kind])
