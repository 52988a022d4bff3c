"""The table of rules, read from the top: the first that fits an event is taken."""

from collections.abc import Iterable, Sequence
from typing import Final

from .actions import (
    Collect,
    HangUp,
    OpenMenu,
    Play,
    Redirect,
    Reject,
    Request,
    Respond,
    Say,
    Transfer,
)
from .settings import DTMF_EVENT, CheckedRule
from .states import CallState

__all__ = ["match_rule", "takes_floor"]

_FLOOR: Final = (
    Say,
    Respond,
    Play,
    OpenMenu,
    Collect,
    Transfer,
    HangUp,
    Reject,
    Redirect,
)
_BUSY: Final = (CallState.LEAVING, CallState.TRANSFERRING)


def takes_floor(requests: Iterable[Request]) -> bool:
    """Tell whether these decide how the call goes on, in place of what was planned."""
    return any(isinstance(request, _FLOOR) for request in requests)


def match_rule(
    rules: Sequence[CheckedRule], name: str, digit: str, count: int, state: CallState
) -> CheckedRule | None:
    """Return the first rule that fits.

    While a goodbye or a transfer is under way, a rule that would change the call's course
    is passed over unless it names that state; a key during a goodbye is the exception,
    for somebody who presses one is still there.
    """
    for rule in rules:
        if name not in rule.on or (rule.state is not None and rule.state is not state):
            continue
        if rule.digits is not None and digit not in rule.digits:
            continue
        if rule.count is not None and rule.count != count:
            continue
        is_rescue = name == DTMF_EVENT and state is CallState.LEAVING
        if state in _BUSY and rule.state is None and not is_rescue and takes_floor(rule.requests):
            continue
        return rule
    return None
