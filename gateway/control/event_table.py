"""Which part of a controller takes each event, and what is done about it by default.

The controller dispatches by this table, and ``voice-gateway events`` prints it.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

__all__ = ["EVENT_TABLE", "OWN_TABLE", "UNKNOWN", "Handling", "Part"]

Part: TypeAlias = Literal[
    "service",
    "turns",
    "barge_in",
    "digits",
    "idle",
    "tools",
    "transfer",
    "limits",
    "call",
    "timeline",
]


class Handling(NamedTuple):
    """The parts that take an event, in order, and what they do, in words."""

    parts: tuple[Part, ...]
    default: str

    @property
    def handler(self) -> str:
        """The parts' names as one text."""
        return ", ".join(self.parts)


def _noted(default: str) -> Handling:
    return Handling(("timeline",), default)


EVENT_TABLE: Final[Mapping[str, Handling]] = {
    "error": Handling(
        ("turns", "service"),
        "benign: log; retryable: ask again later; terminal, or our session refused: as link.lost",
    ),
    "session.created": _noted("note the session"),
    "session.updated": Handling(("service",), "check the audio formats, then greet"),
    "transcription_session.updated": _noted("note the session"),
    "conversation.created": _noted("note the conversation"),
    "conversation.item.added": _noted("note the item"),
    "conversation.item.created": _noted("note the item"),
    "conversation.item.done": _noted("note the item"),
    "conversation.item.retrieved": _noted("note the item"),
    "conversation.item.truncated": _noted("note what the model believes was heard"),
    "conversation.item.deleted": _noted("note that the item is gone"),
    "conversation.item.input_audio_transcription.delta": _noted("count"),
    "conversation.item.input_audio_transcription.segment": _noted("note the caller's words"),
    "conversation.item.input_audio_transcription.completed": _noted("note the caller's words"),
    "conversation.item.input_audio_transcription.failed": _noted("note the gap"),
    "input_audio_buffer.committed": Handling(
        ("turns",), "hold our own requests back: the service is about to answer"
    ),
    "input_audio_buffer.cleared": _noted("note"),
    "input_audio_buffer.speech_started": Handling(
        ("idle", "barge_in"), "stop playout, truncate or delete what was not heard"
    ),
    "input_audio_buffer.speech_stopped": _noted("note"),
    "input_audio_buffer.timeout_triggered": Handling(
        ("idle", "turns"), "count; at call.idle_limit say goodbye and hang up"
    ),
    "input_audio_buffer.dtmf_event_received": Handling(
        ("digits", "idle"), "rules; else stop playout and tell the model the key"
    ),
    "output_audio_buffer.started": Handling(("turns",), "the agent is speaking"),
    "output_audio_buffer.stopped": Handling(
        ("turns",), "the agent was heard: transfers and hang-ups that waited go on"
    ),
    "output_audio_buffer.cleared": Handling(("turns",), "drop what still comes of the response"),
    "response.created": Handling(
        ("turns",), "the floor is taken; cancelled where something else comes next"
    ),
    "response.done": Handling(
        ("tools", "turns"), "run function calls; retry a failed response; the floor is free"
    ),
    "response.output_item.added": _noted("note the item"),
    "response.output_item.done": Handling(("tools",), "gather function calls"),
    "response.content_part.added": _noted("note"),
    "response.content_part.done": _noted("note"),
    "response.output_text.delta": _noted("count"),
    "response.output_text.done": _noted("note the text"),
    "response.output_audio.delta": Handling(("turns",), "play, unless the response was dropped"),
    "response.output_audio.done": Handling(("turns", "barge_in"), "the part is complete"),
    "response.output_audio_transcript.delta": _noted("count"),
    "response.output_audio_transcript.done": _noted("note the agent's words"),
    "response.function_call_arguments.delta": _noted("count"),
    "response.function_call_arguments.done": Handling(("tools",), "gather function calls"),
    "response.mcp_call_arguments.delta": _noted("count"),
    "response.mcp_call_arguments.done": _noted("note the arguments"),
    "response.mcp_call.in_progress": _noted("note"),
    "response.mcp_call.completed": _noted("note; after response.done have the model go on"),
    "response.mcp_call.failed": _noted("note; after response.done have the model go on"),
    "mcp_list_tools.in_progress": _noted("note"),
    "mcp_list_tools.completed": _noted("note"),
    "mcp_list_tools.failed": _noted("note; the call goes on without these tools"),
    "rate_limits.updated": _noted("note the limits"),
}

OWN_TABLE: Final[Mapping[str, Handling]] = {
    "call.started": Handling(("limits", "service"), "ring, and connect the service"),
    "leg.answered": Handling(("service",), "greet once the session is ready"),
    "leg.ended": Handling(("call",), "the call is over"),
    "leg.held": Handling(("service",), "silence counts for nothing while held"),
    "link.ready": Handling(("service",), "set the session up, answer"),
    "link.lost": Handling(("service",), "prompt, transfer or hang up; 503 before the answer"),
    "key.pressed": Handling(("digits",), "becomes input_audio_buffer.dtmf_event_received once"),
    "playout.started": Handling(("call",), "becomes output_audio_buffer.started"),
    "playout.stopped": Handling(("call",), "becomes output_audio_buffer.stopped"),
    "playout.flushed": Handling(
        ("barge_in",), "truncate or delete; becomes output_audio_buffer.cleared"
    ),
    "prompt.stopped": Handling(("call",), "what waited for the prompt goes on"),
    "transfer.progress": _noted("note the status"),
    "transfer.ended": Handling(("transfer",), "hang up, or take the caller back and explain"),
    "media.timeout": _noted("hang up, unless on hold"),
}

# What an event gets that nobody here knows: it is never fatal.
UNKNOWN: Final = Handling(("timeline",), "note")
