"""The table of rules, read from the top: the first that fits an event is taken."""

from collections.abc import Iterator, Sequence
from typing import Final

from .conditions import Moment, fits
from .flow_plans import CheckedRule, takes_floor
from .settings import DTMF_EVENT
from .states import CallState

__all__ = ["matching_rules"]

_BUSY: Final = (CallState.LEAVING, CallState.TRANSFERRING)


def matching_rules(rules: Sequence[CheckedRule], moment: Moment) -> Iterator[CheckedRule]:
    """Yield the rules that are taken: the first that fits, and those it goes on to.

    Each is held against the call as those before it left it, once their steps were begun.
    While a goodbye or a transfer is under way, a rule that would change the call's course
    is passed over unless it names that state; a key during a goodbye is the exception,
    for somebody who presses one is still there.
    """
    state = moment.state
    is_rescue = moment.name == DTMF_EVENT and state is CallState.LEAVING
    is_busy = state in _BUSY and not is_rescue
    for rule in rules:
        if not fits(rule, moment) or (is_busy and not rule.states and takes_floor(rule.plan)):
            continue
        yield rule
        if not rule.goes_on:
            break
