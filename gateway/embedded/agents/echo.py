"""The echo agent: plays every turn back, to try a line with neither recogniser nor speech."""

from .agent import AgentEvent, AgentStep, PlayTurn, TurnEnded

__all__ = ["EchoAgent"]


class EchoAgent:
    """Answers what the caller said with what the caller said."""

    grammar = None
    barge_in = True
    idle_timeout_ms = None
    deadline = None

    def handle(self, event: AgentEvent, now: float) -> list[AgentStep]:
        """Play the turn back once it has ended; anything else is met with silence."""
        del now
        return [PlayTurn()] if isinstance(event, TurnEnded) else []

    def wake(self, now: float) -> list[AgentStep]:
        """Do nothing: an echo waits for nobody."""
        del now
        return []
