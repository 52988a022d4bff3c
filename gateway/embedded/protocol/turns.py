"""Turn taking: what the caller says becomes turns, and turns are answered."""

from ..agents.agent import DICTATION, Grammar
from .listener import Listener, Signal
from .options import default_options
from .settings import Settings
from .speaker import Speaker

__all__ = ["Turns"]


class Turns:
    """Joins both sides of a session, as its turn detection says."""

    def __init__(self, settings: Settings, listener: Listener, speaker: Speaker) -> None:
        self._settings = settings
        self._listener = listener
        self._speaker = speaker

    def hear(self, audio: bytes, now: float) -> None:
        """Take in what the caller says, in the format of that side.

        Raises:
            Refused: A turn that ended in it cannot be answered while another answer runs.

        """
        turns = self._settings.turn_detection or {}
        may_interrupt = self._speaker.may_be_interrupted(now)
        for signal in self._listener.append(audio, now, self._grammar, may_interrupt=may_interrupt):
            if signal is Signal.TURN_BEGAN:
                if turns.get("interrupt_response"):
                    self._speaker.interrupt(now)
            elif signal is Signal.IDLE or turns.get("create_response"):
                self._answer(now)

    def commit(self, now: float) -> None:
        """Make a turn of what was heard.

        Raises:
            Refused: It is too little.

        """
        self._listener.commit(self._grammar)
        self._speaker.advance(now)

    @property
    def _grammar(self) -> Grammar | None:
        """What to listen for: what the agent expects, or anything where nobody will answer."""
        return self._speaker.agent.grammar if self._settings.is_realtime else DICTATION

    def _answer(self, now: float) -> None:
        """Answer a turn unasked."""
        if self._settings.is_realtime:
            self._speaker.respond(default_options(self._settings), now)
