"""Menus and collections: what the caller hears, which keys are taken, what follows.

A place is open from its prompt until another one takes its turn.  Its prompt is spoken by
the service, or played from a file where the service is away, so that menus go on without it.
The first key is waited for once everything was heard; silence and wrong keys each have a
ladder, and when the retries are used up comes what ``failed`` says, or the goodbye.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias

from .actions import (
    Answer,
    Collect,
    HangUp,
    OpenMenu,
    Play,
    PostWebhook,
    Request,
    Respond,
    SendText,
    Stop,
    Transfer,
)
from .collecting import COLLECT, RIGHT, WRONG, is_complete, is_right
from .concealment import Concealment
from .context import Context
from .events import Event, LegEnded, MenuClosed, MenuOpened
from .flow_plans import CheckedCollect, CheckedMenu, Plan
from .muting import Muting
from .places import LateEnd, Phase, Place, moves, prompt_of, without_waits
from .sealed import HIDDEN, is_secret
from .speech import Speech
from .states import CallState

__all__ = ["Menus"]

Outcome: TypeAlias = Literal["key", "collected", "failed", "closed"]

_DEEPEST: Final = 16  # places one inside the other
_MOST_AHEAD: Final = 32  # keys pressed before their time
_SERVED: Final = (CallState.SETUP, CallState.TALKING)


class Menus:
    """The places a call is in, one inside the other, the innermost last."""

    def __init__(
        self,
        context: Context,
        speech: Speech,
        muting: Muting,
        concealment: Concealment,
        conceal_keys: Callable[[int], None],
    ) -> None:
        self.deadline: float | None = None
        self._context = context
        self._speech = speech
        self._muting = muting
        self._concealment = concealment
        self._conceal_keys = conceal_keys  # so many, pressed before it was known
        self._stack: list[Place] = []
        self._ahead = ""  # keys pressed while a prompt that is not to be cut was heard
        self._late_end = LateEnd()

    @property
    def is_open(self) -> bool:
        """Whether a menu or a collection waits for keys."""
        return bool(self._stack)

    @property
    def _place(self) -> Place:
        return self._stack[-1]

    @property
    def names(self) -> Sequence[str]:
        """The places, the innermost last."""
        return [place.plan.name for place in self._stack]

    @property
    def is_live(self) -> bool:
        """Whether the place that is open has the caller's ear."""
        context = self._context
        is_away = context.is_patched_away or context.is_taken_over
        return self.is_open and context.state is CallState.TALKING and not is_away

    def rest(self) -> None:
        """Somebody talks to the caller in the agent's place: a secret number is given up.

        While one is waited for, nobody hears the caller.
        """
        if self.is_open and self._place.is_secret:
            self._close_all("closed")

    def look(self) -> None:
        """See whether digits are to be hidden: not if the caller hears, or heard, a prompt here."""
        is_before = self.is_open and self._place.phase is Phase.PROMPTING and self._speech.is_quiet
        self._concealment.look(is_live=self.is_live, has_begun=self.is_open and not is_before)

    def handle(self, event: Event) -> Sequence[Request]:
        """Leave everything as the caller goes."""
        if isinstance(event, LegEnded):
            self._stack.clear()
            self._settle_place()
        return ()

    # Coming and going

    def open(self, request: OpenMenu | Collect) -> Sequence[Request]:
        """Begin, repeat or leave a place; returns what is to be heard."""
        match request:
            case OpenMenu(name="close"):
                self._close_all("closed")
                return ()
            case OpenMenu(name="repeat"):
                return self._prompt() if self.is_open else ()
            case OpenMenu(name="back"):
                return self._back()
            case OpenMenu(name=name):
                return self._enter(self._context.settings.menus.get(name), name)
            case Collect(name=name):
                return self._enter(self._context.settings.collects.get(name), name)

    @property
    def awaits_key(self) -> bool:
        """Whether nothing is to be heard before the caller's next key."""
        return self.is_live and self._place.phase is not Phase.PROMPTING

    @property
    def needs_no_service(self) -> bool:
        """Whether the place that is open goes on by its own file."""
        context = self._context
        if not self.is_live or context.is_hosted:
            return False
        return bool(self._place.plan.file(context.variables.get("language")))

    def stand_in(self) -> Sequence[Request]:
        """Return what is heard in place of words that a service took away with it, if anything."""
        is_number_begun = self.is_open and self._place.phase is Phase.COLLECTING
        return self._prompt() if self.needs_no_service and not is_number_begun else ()

    def carry_on(self) -> Sequence[Request] | None:
        """Return how the menus go on without the service; ``None`` if they cannot, and are left."""
        context = self._context
        first = context.settings.menus.get(context.settings.call.menu)
        is_possible = not context.is_hosted and context.state in _SERVED
        if is_possible and self.is_open and self._place.plan.prompt:
            return () if self._place.phase is Phase.COLLECTING else self._prompt()
        self._close_all("closed")
        is_new = not context.is_answered and not context.is_outbound
        if is_possible and is_new and first is not None and first.prompt:
            return (Answer(), OpenMenu(first.name))
        return None

    def _enter(self, plan: CheckedMenu | CheckedCollect | None, name: str) -> Sequence[Request]:
        if plan is None or self._context.state is CallState.ENDED:
            self._context.log(f"there is no menu or collection {name!r}")
            return ()
        if self._context.is_joined:
            self._context.log(f"{name!r} is not opened, caller and callee are talking")
            return ()
        if self.is_open:
            self._tell_closed("closed")
            if isinstance(self._place.plan, CheckedCollect):
                self._stack.pop()
        names = [place.plan.name for place in self._stack]
        if name in names:
            del self._stack[names.index(name) :]
        if len(self._stack) >= _DEEPEST:
            del self._stack[0]
        self._stack.append(Place(plan))
        self._settle_place()
        self._context.derive(MenuOpened(name, isinstance(plan, CheckedCollect)))
        return self._prompt()

    def _back(self) -> Sequence[Request]:
        """Leave the innermost place for the one it was opened from, or for none."""
        if len(self._stack) < 2:
            self._close_all("closed")
            return ()
        self._tell_closed("closed")
        self._stack.pop()
        name = self._stack.pop().plan.name
        self._settle_place()
        return (OpenMenu(name),)

    def _close_all(self, outcome: Outcome) -> None:
        if self.is_open:
            self._tell_closed(outcome)
            self._stack.clear()
            self._ahead = ""
            self._settle_place()

    def _tell_closed(self, outcome: Outcome) -> None:
        """Tell how the innermost place ended, once."""
        place = self._place
        if place.is_told:
            return
        place.is_told, keys = True, place.keys
        if outcome == "closed" and keys in place.plan.keys:
            outcome = "key"
        if place.is_secret:
            keys = HIDDEN * len(keys)
            is_sure = outcome == "key" or (outcome == "collected" and place.is_ended)
            self._concealment.end_number(place.pause, is_sure=is_sure)
        self._context.derive(MenuClosed(place.plan.name, outcome, keys))

    def _settle_place(self) -> None:
        """Have the call know which place is open, who may listen, and what is to be hidden."""
        context = self._context
        context.place = self._place.plan.name if self.is_open else ""
        self.deadline = None
        if not (self.is_open and self._place.is_secret):
            self._concealment.close()
        elif self._concealment.open():
            self._conceal_keys(len(self._ahead))
        context.is_deaf = self.is_open and self._place.is_deaf
        self._muting.close_ears(is_deaf=context.is_deaf)

    # Prompts

    def _prompt(self) -> Sequence[Request]:
        """Begin the place that is open with what the caller is to hear in it."""
        place = self._place
        place.phase, place.keys, place.is_cut, place.is_ended = Phase.PROMPTING, "", False, False
        self.deadline = None
        return prompt_of(self._context, place.plan)

    def settle(self, *, is_quiet: bool) -> Sequence[Request]:
        """Begin to wait once everything was heard; returns what keys pressed before do."""
        if not self.is_open:
            return ()
        context, place = self._context, self._place
        is_heard = is_quiet and not context.is_caller_speaking and not context.is_held
        if self._ahead and place.plan.is_cut_by_keys and self.is_live:
            return self._take_ahead()
        if place.phase is Phase.PROMPTING and is_heard and self.is_live:
            place.phase = Phase.WAITING
            self.deadline = context.now + place.plan.timeout
            return self._take_ahead()
        if place.phase is Phase.WAITING and not (is_heard and self.is_live):
            place.phase, self.deadline = Phase.PROMPTING, None
        elif place.phase is Phase.COLLECTING:
            self._pause_number(place)
        return ()

    def _pause_number(self, place: Place) -> None:
        """Wait for the next key of a number while the caller has the line; from the start then."""
        plan = place.plan
        if not (self._speech.is_over and self.is_live and not self._context.is_held):
            self.deadline = None
        elif self.deadline is None and isinstance(plan, CheckedCollect):
            self.deadline = self._context.now + plan.inter_digit

    # Keys

    def knows(self, key: str) -> bool:
        """Tell whether a key means something in the place that is open."""
        if not self.is_live:
            return False
        plan = self._place.plan
        if self._late_end.is_it(key, self._context.now) or key in plan.keys:
            return True
        return isinstance(plan, CheckedCollect) and (is_secret(key) or key == plan.terminator)

    def take_key(self, key: str) -> Sequence[Request]:
        """Return what a key does here: a known one, or one that is wrong."""
        place = self._place
        is_late_end = self._late_end.is_it(key, self._context.now)
        self._late_end.forget()
        if is_late_end:
            self._concealment.end_overflow()
            return ()
        if place.phase is Phase.PROMPTING and not place.plan.is_cut_by_keys and not place.is_cut:
            self._ahead = (self._ahead + key)[:_MOST_AHEAD]
            if self._context.entry is not None:
                self._context.entry.is_ahead = True
            return ()
        return self._press(key)

    def wake(self) -> Sequence[Request]:
        """Go on where no key came in time."""
        if self.deadline is None or self._context.now < self.deadline or not self.is_live:
            return ()
        self.deadline = None
        if self._place.phase is Phase.COLLECTING:
            return self._end_number()
        return self._silence()

    def _take_ahead(self) -> Sequence[Request]:
        """Press the keys that waited for the prompt's end, until one of them leads elsewhere."""
        keys, self._ahead = self._ahead, ""
        requests: list[Request] = []
        place = self._place
        for number, key in enumerate(keys):
            requests += self._press(key)
            if not self.is_open or self._place is not place or requests:
                is_over = place.is_secret and place.is_told  # the rest can only be more of it
                self._ahead = "" if is_over else keys[number + 1 :]
                break
        return requests

    def _press(self, key: str) -> Sequence[Request]:
        """Do what a key does."""
        place = self._place
        plan = place.plan
        is_silent = self._speech.is_quiet and place.phase is not Phase.PROMPTING
        cut: tuple[Request, ...] = () if is_silent else (Stop(),)
        if (way := plan.keys.get(key)) is not None:
            place.silences = place.errors = 0
            place.keys = key
            place.phase, self.deadline = Phase.PROMPTING, None
            return (*cut, *way)
        if not isinstance(plan, CheckedCollect):
            return (*cut, *self._wrong())
        if key == plan.terminator and key:
            place.is_ended = True
            return (*cut, *self._end_number())
        if not is_secret(key):
            return (*cut, *self._wrong())
        place.keys += key
        place.is_cut = True
        if is_complete(place.keys, plan):
            self._late_end.expect(plan.terminator, self._context.now + plan.inter_digit)
            return (*cut, *self._end_number())
        place.phase = Phase.COLLECTING
        self.deadline = self._context.now + plan.inter_digit
        return cut

    def _end_number(self) -> Sequence[Request]:
        """Take the number that was pressed, or climb the ladder of wrong ones."""
        place = self._place
        plan = place.plan
        assert isinstance(plan, CheckedCollect)
        if not place.keys:
            return self._silence()
        if not self._judge(place.keys, plan):
            return self._wrong()
        value = place.keys
        self._context.variables.set(plan.into, value, is_sealed=plan.is_sensitive)
        self._tell_closed("collected")
        self._stack.pop()
        self._settle_place()
        return self._follow(plan, HIDDEN * len(value) if plan.is_sensitive else value)

    def _judge(self, keys: str, plan: CheckedCollect) -> bool:
        """Tell whether a number is right; of one that is not shown, the timeline keeps that."""
        context = self._context
        if not plan.is_sensitive:
            return is_right(keys, plan)
        is_known = HIDDEN in keys and bool(context.verdicts)
        verdict = context.verdicts.popleft() if is_known else is_right(keys, plan)
        context.decide(f"{COLLECT}{plan.name}", RIGHT if verdict else WRONG)
        return verdict

    def _follow(self, plan: CheckedCollect, shown: str) -> Sequence[Request]:
        """Return what comes after a right number."""
        told: list[Request] = []
        is_awaited = plan.name in self._context.awaited_places  # it is told as a result
        if plan.to == "model" and not is_awaited:
            told.append(SendText(f"[{plan.name} {shown}]", is_keys=True))
        elif plan.to == "webhook":
            told.append(PostWebhook(plan.webhook))
        if moves(plan.then):
            return (*told, *plan.then)
        if plan.to == "model" and not plan.then:
            self._close_all("closed")
            return told if is_awaited else (*told, Respond())
        return (*told, *plan.then, *self._reopen())

    def _reopen(self) -> Sequence[Request]:
        """Return to the place that a collection was opened from, if there is one."""
        if not self.is_open:
            return ()
        name = self._stack.pop().plan.name
        self._settle_place()
        return (OpenMenu(name),)

    # Ladders

    def _silence(self) -> Sequence[Request]:
        place = self._place
        place.silences += 1
        return self._climb(place.plan.no_input, place.silences, "no input")

    def _wrong(self) -> Sequence[Request]:
        place = self._place
        place.errors += 1
        return self._climb(place.plan.invalid, place.errors, "invalid input")

    def _climb(self, ladder: Sequence[Plan], step: int, why: str) -> Sequence[Request]:
        """Return what a ladder says at this step: its plan, and the prompt again."""
        plan = self._place.plan
        if step > plan.retries:
            failed = plan.failed or (self._context.settings.goodbye, HangUp(why))
            if any(isinstance(request, HangUp | Transfer) for request in failed):
                failed = tuple(without_waits(self._context, failed))
            self._tell_closed("failed")
            if not any(isinstance(request, OpenMenu | Collect) for request in failed):
                self._close_all("failed")
            return failed
        said = ladder[step - 1] if step <= len(ladder) else ()
        if moves(said):
            return said
        prompt = self._prompt()
        is_played = any(isinstance(request, Play) for request in prompt)
        if is_played:
            said = tuple(without_waits(self._context, said))
        return (*said, *prompt)
