"""An agent for tests: it answers by rote; and what tests say to its session."""

from gateway.embedded.agents.agent import (
    AgentEvent,
    AgentStep,
    Grammar,
    Interrupted,
    Say,
    SessionStarted,
)
from gateway.realtime import commands as c
from gateway.testing.service_client import ServiceClient

SECOND = bytes(48_000)  # of silence
RESPONSE = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]


class Fake:
    """An agent that answers by rote and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[AgentEvent] = []
        self.grammar: Grammar | None = Grammar(("sales",))
        self.barge_in = True
        self.idle_timeout_ms: int | None = None
        self.deadline: float | None = None
        self.answer: list[AgentStep] | None = None

    def handle(self, event: AgentEvent, now: float) -> list[AgentStep]:
        self.told.append(event)
        if isinstance(event, SessionStarted | Interrupted):
            return []
        return [Say("Hello there.")] if self.answer is None else self.answer

    def wake(self, now: float) -> list[AgentStep]:
        self.deadline = None
        return [Say("Too slow.")]


def once(names: list[str]) -> list[str]:
    """Return the names without those repeated in a row."""
    return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]


def update(client: ServiceClient, **fields: object) -> None:
    client.send(c.SessionUpdate(session={"type": "realtime", **fields}))


def turns(**fields: object) -> dict[str, object]:
    detection = {"type": "server_vad", **fields} if fields else None
    return {"input": {"turn_detection": detection}}
