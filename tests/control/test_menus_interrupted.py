"""A number that is half given while somebody else has the caller: it waits, and costs nothing."""

from gateway.control import CallState
from gateway.control.actions import Transfer
from gateway.control.events import TransferEnded
from gateway.testing import Flow
from tests.control.call_scenes import settings, state


def collecting() -> Flow:
    """Return a call whose caller has pressed four keys of a number, and a second to go on."""
    account = {"say": "Your number?", "min": 4, "max": 8, "inter_digit_ms": 1000}
    menus = {"main": {"say": "One.", "keys": {"1": {"collect": "account"}}}}
    flow = Flow(settings(menus=menus, collects={"account": account}, call={"menu": "main"}))
    flow.start()
    flow.hear("One.")
    flow.press("1")
    flow.hear("Your number?")
    flow.press("4711")
    return flow


def test_a_pause_between_keys_ends_a_number() -> None:
    flow = collecting()
    flow.run(0.9)
    assert flow.variable("account") == ""
    flow.run(0.2)
    assert flow.variable("account") == "4711"


def test_during_a_transfer_no_key_is_waited_for() -> None:
    flow = collecting()
    flow.ask(Transfer("operator"))
    flow.run(20)
    assert state(flow) is CallState.TRANSFERRING
    assert flow.variable("account") == ""


def test_a_caller_who_is_taken_back_has_the_pause_anew() -> None:
    flow = collecting()
    flow.ask(Transfer("operator"))
    flow.run(20)
    flow.post(TransferEnded(is_accepted=False, status=486))
    flow.hear("…")  # the model explains
    flow.run(1.9)
    assert flow.variable("account") == ""
    flow.run(0.3)
    assert flow.variable("account") == "4711"
