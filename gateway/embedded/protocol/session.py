"""One session of the realtime protocol, as the service sees it.

Sans-I/O.  The owner hands in what a client sent and the time; it drains the
frames to send and the work to be done elsewhere (speech and recognition take
too long to be done here), and calls :meth:`Session.wake` at
:attr:`Session.deadline`.

On a WebSocket the client carries the sound.  On WebRTC and SIP the owner does:
it hands in what it hears, and plays what :meth:`Session.sounds` gives it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...clock import Ids
from ...realtime import commands as c
from ...realtime.dialect import Generation
from ...realtime.events import (
    ConversationCreated,
    ErrorDetail,
    ErrorEvent,
    InputAudioBufferDtmfEventReceived,
    SessionCreated,
    Transport,
)
from ..agents.agent import Agent, SessionStarted
from ..agents.chat import Thought
from .checks import Refused
from .conversation import Conversation
from .inbox import Inbox
from .items import Items
from .listener import Listener
from .options import default_options
from .orders import Orders
from .outbox import Close, Job, Observer, Outbox
from .rates import RateWindow
from .room import Room
from .settings import Settings
from .sounds import OutputBuffer, Played, Sound
from .speaker import Speaker
from .toolbox import Toolbox
from .turns import Turns
from .utterance import Pace

__all__ = ["Limits", "Session"]

Pcm: TypeAlias = NDArray[np.int16]

_EXPIRY: Final = "Your session hit the maximum duration of {minutes:g} minutes."


@dataclass(frozen=True, slots=True)
class Limits:
    """What a session may last, how fast it speaks, and how much.

    Attributes:
        longest: Seconds until it expires.
        burst_ms: How much speech may be sent at once.
        speed: How many times faster than real time the rest comes.
        requests: Responses a minute; beyond them a response fails.
        tokens: Tokens a minute, likewise.

    """

    longest: float = 3600.0
    burst_ms: float = 2000.0
    speed: float = 4.0
    requests: int = 1000
    tokens: int = 1_000_000


class Session:
    """A client's session, from ``session.created`` to its end.

    Args:
        make_agent: Makes the agent that answers.
        ids: Names everything.
        now: Monotonic seconds.
        unix_now: The same moment by the calendar.
        model: As the client asked for it.
        kind: ``realtime`` or ``transcription``.
        limits: What it may last, and how fast it speaks.
        transport: Who carries the sound: the client (``websocket``) or the owner.
            On ``sip`` nobody looks on until :meth:`attach`; elsewhere the client that
            opened the session does, and is meant where no observer is named.
        dialect: The generation of the protocol that this client speaks.
        preset: What the session begins with, as a ``session.update`` would say it.

    Raises:
        Refused: The preset cannot be.

    """

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
        transport: Transport = "websocket",
        dialect: Generation = "ga",
        preset: dict[str, object] | None = None,
    ) -> None:
        limits = limits or Limits()
        self.transport: Final = transport
        self._limits = limits
        self._outbox = Outbox(ids)
        self._expires_at = now + limits.longest
        conversation = Conversation(self._outbox.new_id("conv"))
        inbox = Inbox()
        agent = make_agent()
        self.settings = Settings(
            session_id=self._outbox.new_id("sess"),
            model=model,
            expires_at=unix_now + int(limits.longest),
            kind=kind,
            idle_timeout_ms=agent.idle_timeout_ms,
            carries_sound=transport != "websocket",
            is_preview=dialect == "preview",
        )
        output = OutputBuffer(self._outbox, conversation) if transport != "websocket" else None
        toolbox = Toolbox(self._outbox, conversation)
        self._room = Room(self._outbox, conversation, self.settings, toolbox, output)
        self._listener = Listener(self._outbox, conversation, self.settings, inbox)
        self._speaker = Speaker(
            self._room,
            self._listener,
            inbox,
            make_agent,
            lambda: Pace(limits.burst_ms, limits.speed),
            RateWindow(limits.requests, limits.tokens),
        )
        self._turns = Turns(self.settings, self._listener, self._speaker)
        items = Items(self._room, inbox)
        self._orders = Orders(self._room, items, self._listener, self._speaker, self._turns)
        self._speaker.agent.handle(SessionStarted(()), now)
        if preset is not None:
            self._orders.configure(preset)
        self._opener = None if transport == "sip" else self.attach(dialect, is_greeted=True)
        self._orders.fetch_tools(now)

    @property
    def id(self) -> str:
        """The session's identifier."""
        return str(self.settings.effective["id"])

    @property
    def close(self) -> Close | None:
        """How to close the sockets, once the session is over."""
        return self._outbox.close

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        if self.close:
            return None
        due = self._speaker.deadline
        return self._expires_at if due is None else min(due, self._expires_at)

    def attach(self, dialect: Generation = "ga", *, is_greeted: bool | None = None) -> Observer:
        """Let one more client see and command the session.

        Args:
            dialect: The generation of the protocol it speaks.
            is_greeted: Whether it is told ``session.created``; by default on SIP alone,
                for a sideband of a WebRTC call is not.

        """
        observer = Observer(dialect)
        self._outbox.attach(observer)
        if is_greeted if is_greeted is not None else self.transport == "sip":
            self._outbox.emit(SessionCreated(session=self.settings.snapshot()), observer)
            if dialect == "preview":
                created = {"id": self._room.conversation.id, "object": "realtime.conversation"}
                self._outbox.emit(ConversationCreated(conversation=created), observer)
        return observer

    def detach(self, observer: Observer) -> None:
        """Forget a client that has gone; the session goes on."""
        self._outbox.detach(observer)

    def receive(self, data: bytes | str, now: float, observer: Observer | None = None) -> None:
        """Obey a command, or answer the client that sent it with an ``error``."""
        if self.close:
            return
        sender = observer or self._opener
        decode = sender.wire.decode_command if sender else c.decode_command
        command = decode(data)
        if isinstance(command, c.BadCommand):
            refused = Refused(command.code, command.message, command.param)
            self._outbox.refuse(refused, command.event_id, sender)
            return
        try:
            self._orders.obey(command, now, sender)
        except Refused as refused:
            self._outbox.refuse(refused, command.event_id, sender)

    def hear(self, pcm: bytes, now: float) -> None:
        """Take in what the caller says: PCM of 16 bits at 24 kHz, some 20 ms of it."""
        if self.close:
            return
        try:
            self._turns.hear(pcm, now)
        except Refused as refused:  # a turn that cannot be answered while another answer runs
            self._outbox.refuse(refused)

    def key(self, key: str, unix_now: int) -> None:
        """Tell the clients that the caller pressed a key; only a telephone call has keys."""
        if self.transport == "sip" and not self.close:
            event = InputAudioBufferDtmfEventReceived(event=key, received_at=unix_now)
            self._outbox.emit(event)

    def played(self, event: Played, now: float) -> None:
        """Take in what the player did with :meth:`sounds`."""
        self._speaker.played(event, now)

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

    def unheard(self, job: str, problem: ErrorDetail, now: float) -> None:
        """Take in why nobody listened; the turn is answered all the same."""
        self._listener.unheard(job, problem)
        self._speaker.advance(now)

    def listed(self, job: str, tools: list[dict[str, object]], now: float) -> None:
        """Take in the tools of a :class:`~.outbox.ListTools`."""
        if self._room.toolbox.listed(job, tools):
            self._orders.tell_tools(now)

    def unlisted(self, job: str) -> None:
        """Take in that an MCP server cannot be had; the session goes on without it."""
        self._room.toolbox.unlisted(job)

    def tool_returned(self, job: str, output: str | None, now: float, error: object = None) -> None:
        """Take in what a :class:`~.outbox.CallMcp` gave, or the error it met."""
        self._speaker.tool_returned(job, output, error, now)

    def thought(self, job: str, thought: Thought, now: float) -> bool:
        """Take in a piece of the answer to a :class:`~.outbox.Chat`; false: no more is wanted."""
        return self._speaker.thought(job, thought, now)

    def unthought(self, job: str, problem: ErrorDetail, now: float) -> None:
        """Take in why a chat model does not answer; the response fails for it."""
        self._speaker.unthought(job, problem, now)

    def data_to_send(self, observer: Observer | None = None) -> list[bytes]:
        """Drain the frames waiting to go out to a client."""
        observer = observer or self._opener
        return observer.data_to_send() if observer else []

    def jobs(self) -> list[Job]:
        """Drain the work waiting to be done."""
        return self._outbox.jobs()

    def sounds(self) -> list[Sound]:
        """Drain what the player is to do; nothing on a WebSocket."""
        return self._room.output.sounds() if self._room.output else []
