"""Which parts of a controller take each event, in which order, and what is done by default.

The controller dispatches by this table, and ``voice-gateway events`` prints it.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from .events import Transport

__all__ = ["EVENT_TABLE", "MADE_HERE", "OWN_TABLE", "PARTS", "Handling", "Part"]

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
    "transcript",
    "usage",
    "mcp",
    "comfort",
    "watchdog",
    "timeline",
    "menus",
    "errands",
    "answering",
    "profiles",
    "timers",
    "supervision",
]


PARTS: Final[Mapping[Part, str]] = {
    "service": "sets the session up, greets, tries again, renews, gives up",
    "turns": "keeps to one active response; holds our requests until the floor is free",
    "barge_in": "stops for a caller who speaks, and tells the model what was heard",
    "digits": "makes one stream of the keys that several detectors see",
    "idle": "counts the prompts that a silent caller leaves unanswered",
    "tools": "runs the model's function calls, where they are allowed",
    "transfer": "sends the caller elsewhere, and takes them back",
    "limits": "ends a call that reached its time, tokens or cost",
    "call": "knows the caller's side: its end, its playout, who is speaking",
    "transcript": "keeps what was said, and what of it was heard",
    "usage": "counts tokens, seconds, cost and the caller's waiting",
    "mcp": "allows or refuses the service's own tools, and waits for them",
    "comfort": "plays a soft sound while the caller waits for something slow",
    "watchdog": "asks again where the service stays silent, then gives the link up",
    "timeline": "keeps every event and action of the call, in order",
    "menus": "prompts for keys, takes them, and goes on by what was pressed",
    "errands": "posts webhooks and runs tools, outside the call",
    "answering": "tells a human from a machine where we called",
    "profiles": "knows what is different for this call, and its variables",
    "timers": "tells of the times that rules wait for",
    "supervision": "knows who listens in, and gives them the call and takes it back",
}


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
    "session.created": Handling(("service",), "note when the session ends, to renew it in time"),
    "session.updated": Handling(
        ("mcp", "service"),
        "check the audio formats; answer, listen; greet once tools are there",
    ),
    "transcription_session.updated": Handling(
        ("service",), "the session is set up: answer and listen; nobody greets"
    ),
    "conversation.created": Handling(("transcript",), "name the conversation in the record"),
    "conversation.item.added": Handling(
        ("transcript", "mcp"), "put the item in its place; decide a request to use a tool"
    ),
    "conversation.item.created": Handling(
        ("transcript", "mcp"), "as conversation.item.added, and not twice"
    ),
    "conversation.item.done": Handling(
        ("transcript", "mcp"), "the item's words are final; learn the names of tools"
    ),
    "conversation.item.retrieved": Handling(
        ("transcript",), "fill in words of the item that were not known"
    ),
    "conversation.item.truncated": Handling(
        ("transcript",), "where the service plays: the item was heard so far and no further"
    ),
    "conversation.item.deleted": Handling(
        ("transcript",), "the item is not brought into a later session"
    ),
    "conversation.item.input_audio_transcription.delta": Handling(
        ("transcript",), "add to the caller's words"
    ),
    "conversation.item.input_audio_transcription.segment": Handling(
        ("transcript",), "add to the caller's words, with speaker and times"
    ),
    "conversation.item.input_audio_transcription.completed": Handling(
        ("transcript", "usage", "limits", "barge_in"),
        "the caller's words are final; count their transcription",
    ),
    "conversation.item.input_audio_transcription.failed": Handling(
        ("transcript",), "mark the gap and log why; the model heard the sound all the same"
    ),
    "input_audio_buffer.committed": Handling(
        ("call", "transcript", "turns", "barge_in"),
        "the caller's turn is owed an answer; our own requests wait for the service's",
    ),
    "input_audio_buffer.cleared": Handling(
        ("transcript", "usage"), "what the caller was saying is no turn, and no answer to it is due"
    ),
    "input_audio_buffer.speech_started": Handling(
        ("call", "transcript", "usage", "turns", "idle", "barge_in"),
        "stop playout, truncate or delete what was not heard",
    ),
    "input_audio_buffer.speech_stopped": Handling(
        ("call", "transcript", "usage", "barge_in"),
        "count the caller's seconds; the wait for an answer begins",
    ),
    "input_audio_buffer.timeout_triggered": Handling(
        ("transcript", "idle", "turns"),
        "rules; else count, and at idle.limit say goodbye and hang up",
    ),
    "input_audio_buffer.dtmf_event_received": Handling(
        ("digits", "idle"), "the open menu; rules; else stop playout and tell the model the key"
    ),
    "output_audio_buffer.started": Handling(
        ("turns", "transcript", "usage", "comfort", "barge_in"),
        "the agent is heard: the caller's wait is over",
    ),
    "output_audio_buffer.stopped": Handling(
        ("turns", "transcript", "usage", "barge_in"),
        "the agent was heard to the end: transfers and hang-ups that waited go on",
    ),
    "output_audio_buffer.cleared": Handling(
        ("turns", "transcript", "usage", "barge_in"),
        "drop what still comes of the response; note what of it was heard",
    ),
    "response.created": Handling(
        ("usage", "mcp", "turns", "watchdog"),
        "the floor is taken; cancelled where something else comes next",
    ),
    "response.done": Handling(
        ("transcript", "usage", "mcp", "tools", "turns", "service", "limits", "watchdog"),
        "count tokens; run function calls; retry a failed response; the floor is free",
    ),
    "response.output_item.added": Handling(
        ("transcript", "mcp", "watchdog"), "note whose response the item is of"
    ),
    "response.output_item.done": Handling(
        ("transcript", "mcp", "tools", "watchdog"), "the item is final; gather function calls"
    ),
    "response.content_part.added": Handling(
        ("transcript", "watchdog"),
        "note whether the caller will hear the part, or it is text alone",
    ),
    "response.content_part.done": Handling(
        ("transcript", "watchdog"), "the part's words are final"
    ),
    "response.output_text.delta": Handling(
        ("transcript", "watchdog"), "add to the agent's written words"
    ),
    "response.output_text.done": Handling(
        ("transcript", "watchdog"), "the written words are final; log once that nobody hears them"
    ),
    "response.output_audio.delta": Handling(
        ("turns", "usage", "watchdog"), "play, unless the response was dropped"
    ),
    "response.output_audio.done": Handling(
        ("turns", "barge_in", "watchdog"), "once heard so far, the part needs no truncation"
    ),
    "response.output_audio_transcript.delta": Handling(
        ("transcript", "watchdog"), "add to the agent's spoken words"
    ),
    "response.output_audio_transcript.done": Handling(
        ("transcript", "watchdog"), "the agent's spoken words are final"
    ),
    "response.function_call_arguments.delta": Handling(
        ("transcript", "watchdog"), "add to what a function is being called with"
    ),
    "response.function_call_arguments.done": Handling(
        ("transcript", "tools", "watchdog"),
        "gather the call; it is run when its response is complete",
    ),
    "response.mcp_call_arguments.delta": Handling(
        ("transcript", "watchdog"), "add to what a tool is being called with"
    ),
    "response.mcp_call_arguments.done": Handling(
        ("transcript", "mcp", "watchdog"), "log what the tool is called with"
    ),
    "response.mcp_call.in_progress": Handling(
        ("mcp", "watchdog"), "after call.comfort_after_ms of silence play the comfort prompt"
    ),
    "response.mcp_call.completed": Handling(
        ("mcp", "watchdog"), "end the comfort prompt; have the model go on if it does not"
    ),
    "response.mcp_call.failed": Handling(
        ("mcp", "watchdog"), "log; end the comfort prompt; have the model go on if it does not"
    ),
    "mcp_list_tools.in_progress": Handling(
        ("mcp",), "that server's tools are not there yet: the greeting waits, mcp.wait_seconds long"
    ),
    "mcp_list_tools.completed": Handling(("mcp",), "with the last list, greet"),
    "mcp_list_tools.failed": Handling(("mcp",), "log; go on without these tools, and greet"),
    "rate_limits.updated": Handling(
        ("usage",), "note what is left; below limits.quota_floor calls are refused until the reset"
    ),
}

OWN_TABLE: Final[Mapping[str, Handling]] = {
    "call.started": Handling(
        ("profiles", "transcript", "limits", "service"), "ring, and connect the service"
    ),
    "leg.answered": Handling(("timers", "service", "answering"), "greet once the session is ready"),
    "leg.ended": Handling(
        ("transcript", "call", "menus", "supervision"),
        "the call is over; what was still to be played was not heard",
    ),
    "leg.held": Handling(("service",), "silence counts for nothing while held"),
    "leg.referred": _noted("that call is being placed; the call goes on meanwhile"),
    "leg.moved": Handling(("profiles",), "the model is told who is on the line now"),
    "link.ready": Handling(
        ("transcript", "mcp", "barge_in", "tools", "transfer", "service"),
        "set the session up: what belonged to the link before is over",
    ),
    "link.lost": Handling(
        ("transcript", "mcp", "service"), "try again; then the fallback, or 503 before the answer"
    ),
    "key.pressed": Handling(
        ("transfer", "digits"), "becomes input_audio_buffer.dtmf_event_received once"
    ),
    "playout.started": Handling(("call",), "becomes output_audio_buffer.started"),
    "playout.stopped": Handling(("call",), "becomes output_audio_buffer.stopped"),
    "playout.flushed": Handling(
        ("transcript", "barge_in"), "truncate or delete; becomes output_audio_buffer.cleared"
    ),
    "prompt.stopped": Handling(("call", "comfort"), "what waited for the prompt goes on"),
    "transfer.progress": _noted("note the status"),
    "transfer.ended": Handling(("transfer",), "hang up, or take the caller back and explain"),
    "media.timeout": _noted("rules; else hang up, on hold after `media.hold_timeout_seconds`"),
    "key.released": Handling(("digits",), "note how long the key was down"),
    "supervisor.left": Handling(
        ("supervision",), "an agent whose place they had takes the call back"
    ),
    "supervision.changed": Handling(
        ("usage",), "note who supervises, and how: nobody waits for an agent whose place is taken"
    ),
    "menu.opened": _noted("note where the caller is"),
    "menu.closed": Handling(("tools",), "give the model the number it asked for"),
    "timer.elapsed": _noted("rules"),
    "voice.started": Handling(
        ("idle", "barge_in", "answering"), "stop playout, where barge_in.by says so"
    ),
    "voice.stopped": Handling(("barge_in", "answering"), "a cough is no interruption"),
    "beep.heard": Handling(("answering",), "the machine listens: speak now"),
    "answer.classified": Handling(("transfer",), "a machine is nobody to transfer to; rules"),
    "callee.progress": Handling(("transfer",), "note the status"),
    "callee.answered": Handling(("transfer", "answering"), "consult, or bridge"),
    "callee.ended": Handling(("transfer", "answering"), "take the caller back, or hang up"),
    "errand.done": Handling(("errands", "tools"), "give the model the result"),
}

# Where the gateway makes an event that the service does not send there.
MADE_HERE: Final[Mapping[str, frozenset[Transport]]] = {
    "input_audio_buffer.dtmf_event_received": frozenset({"websocket", "webrtc"}),
    "output_audio_buffer.started": frozenset({"websocket"}),
    "output_audio_buffer.stopped": frozenset({"websocket"}),
    "output_audio_buffer.cleared": frozenset({"websocket"}),
}
