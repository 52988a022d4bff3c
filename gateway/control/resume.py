"""Going on in a new session: what it is told of the one before, and what it is asked for."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from ..realtime.commands import ConversationItemCreate
from .context import Context
from .states import CallState
from .turns import Turns

__all__ = ["Memory", "Resume"]

_HEAR_SECONDS: Final = 0.3  # for what was held of the caller's voice to be noticed
_REST_SECONDS: Final = 2.0  # for a caller who was cut off by the loss to go on
_CUT_ANSWER: Final = (
    "[The line to you was interrupted. The caller heard your last answer only as far as it is "
    "written here. Go on from there without greeting anew.]"
)
_CUT_CALLER: Final = (
    "[The line to you was interrupted while the caller was speaking; you may have missed "
    "something. If what they want is not clear, ask them to say it again.]"
)


class Memory(Protocol):
    """Who knows what was said in a call."""

    def seeds(self, remarks: Sequence[str]) -> list[dict[str, Any]]:
        """Return the conversation as items to create in a new session, oldest first.

        Behind it come ``remarks``, which are for that session alone.
        """
        ...


class Resume:
    """What a call carries over from a session that was lost to the next one."""

    def __init__(self, context: Context, turns: Turns, memory: Memory) -> None:
        self._context = context
        self._turns = turns
        self._memory = memory
        self._was_answer_cut = False
        self._was_caller_cut = False

    def lay_down(self) -> None:
        """Keep what is unfinished, because the link is gone."""
        context = self._context
        self._was_answer_cut = self._turns.suspend()
        self._was_caller_cut = context.is_caller_speaking and context.transport != "sip"
        context.is_caller_speaking = False

    def tell(self) -> None:
        """Tell a new session what was said before; a hosted call's session is still the same."""
        context = self._context
        if context.transport == "sip":
            return
        remarks = [_CUT_ANSWER] if self._was_answer_cut else []
        remarks += [_CUT_CALLER] if self._was_caller_cut else []
        for item in self._memory.seeds(remarks):
            context.send(ConversationItemCreate(item=item))

    def go_on(self) -> None:
        """Ask the new session for what the caller is owed; speech of theirs comes before it."""
        is_cut, self._was_caller_cut, self._was_answer_cut = self._was_caller_cut, False, False
        is_talk = self._context.state is CallState.TALKING and not self._context.is_taken_over
        is_wanted = is_cut and is_talk
        pause = _REST_SECONDS if is_cut else _HEAR_SECONDS
        self._turns.resume(pause=pause, is_answer_wanted=is_wanted)
