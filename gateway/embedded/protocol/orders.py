"""Obeying commands: each of the protocol's, or the reason why not."""

from typing import Any, Final

from ...realtime import commands as c
from ...realtime.events import InputAudioBufferCleared, SessionUpdated
from ..agents.agent import SessionStarted
from .checks import Refused
from .items import Items
from .listener import Listener
from .options import read_options
from .outbox import Observer
from .room import Room
from .speaker import Speaker
from .turns import Turns

__all__ = ["Orders"]

_APPEND_MOST: Final = 15 * 1024 * 1024
_EVENT_ID_MOST: Final = 512


class Orders:
    """Obeys the commands of everybody who looks on."""

    def __init__(
        self, room: Room, items: Items, listener: Listener, speaker: Speaker, turns: Turns
    ) -> None:
        self._room = room
        self._items = items
        self._listener = listener
        self._speaker = speaker
        self._turns = turns
        self._told: tuple[str, ...] = ()  # the tools that the agent knows of

    def obey(self, command: c.ClientEvent, now: float, sender: Observer | None) -> None:
        """Carry a command out.

        Raises:
            Refused: It cannot be obeyed.

        """
        if len(command.event_id or "") > _EVENT_ID_MOST:
            told = f"Invalid 'event_id': at most {_EVENT_ID_MOST} characters are allowed."
            raise Refused("string_above_max_length", told, "event_id")
        room = self._room
        match command:
            case c.InputAudioBufferAppend(audio=audio) if room.output is None:
                self._append(audio, now)
            case c.SessionUpdate(session=patch):
                self._update(patch, now)
            case c.TranscriptionSessionUpdate(session=patch) if sender and sender.is_preview:
                self._update(patch, now)
            case c.InputAudioBufferCommit():
                self._turns.commit(now)
            case c.InputAudioBufferClear():
                self._listener.clear()
                room.outbox.emit(InputAudioBufferCleared())
            case c.OutputAudioBufferClear() if room.output is not None:
                room.output.clear()
            case c.ConversationItemCreate():
                self._items.create(command)
            case c.ConversationItemRetrieve(item_id=item_id):
                self._items.retrieve(item_id, sender)
            case c.ConversationItemTruncate():
                self._items.truncate(command)
                self._speaker.fall_silent(now)
            case c.ConversationItemDelete(item_id=item_id):
                self._items.delete(item_id)
            case c.ResponseCreate(response=params):
                options = read_options(params, room.settings, room.conversation)
                self._speaker.respond(options, now)
            case c.ResponseCancel(response_id=response_id):
                self._speaker.cancel(response_id, now)
            case _:
                name = c.wire_name(command)
                told = f"'{name}' is not taken on this connection."
                raise Refused("invalid_value", told, "type")

    def configure(self, patch: dict[str, Any]) -> None:
        """Change the session's settings, and tell nobody.

        Raises:
            Refused: They cannot be so.

        """
        self._room.settings.update(patch, has_spoken=self._speaker.has_spoken)
        self._listener.configure()

    def fetch_tools(self, now: float) -> None:
        """Make the session's tools known to the agent, those of its MCP servers once they are."""
        room = self._room
        room.toolbox.configure(room.settings.effective.get("tools", []))
        self.tell_tools(now)

    def tell_tools(self, now: float) -> None:
        """Tell the agent which tools there are, if they are others than before."""
        tools: tuple[str, ...] = ()
        if self._room.settings.effective.get("tool_choice") != "none":
            imported = (each.tool["name"] for each in self._room.toolbox.imported)
            tools = (*self._room.settings.tools, *imported)
        if tools != self._told:
            self._told = tools
            self._speaker.agent.handle(SessionStarted(tools), now)

    def _append(self, audio: bytes, now: float) -> None:
        if len(audio) > _APPEND_MOST:
            told = f"Invalid 'audio': at most {_APPEND_MOST} bytes are taken at a time."
            raise Refused("invalid_value", told, "audio")
        self._turns.hear(audio, now)

    def _update(self, patch: dict[str, Any], now: float) -> None:
        self.configure(patch)
        self._room.outbox.emit(SessionUpdated(session=self._room.settings.snapshot()))
        self.fetch_tools(now)
