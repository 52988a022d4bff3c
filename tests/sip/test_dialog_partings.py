"""A peer that hangs up waits for our agreement, where it is to, and no longer than it may."""

import pytest

from gateway.sip.dialogs.session import Session
from gateway.sip.dialogs.session_events import Ended
from gateway.sip.dialogs.session_state import SessionState
from gateway.testing.sip import Phone, VirtualNetwork

OFFER, ANSWER = b"v=0 offer", b"v=0 answer"


@pytest.fixture
def calls(network: VirtualNetwork, ann: Phone, bob: Phone) -> tuple[Session, Session]:
    """Return both ends of a call that is up; Bob's lets a BYE wait for two seconds."""
    hers = ann.call(bob, OFFER)
    network.run(0.1)
    bob.calls[0].answer(ANSWER, network.now)
    network.run(0.1)
    his = bob.calls[0]
    his.parting_seconds = 2.0
    return hers, his


def test_a_bye_is_answered_once_it_is_agreed_to(
    network: VirtualNetwork, bob: Phone, calls: tuple[Session, Session]
) -> None:
    hers, his = calls
    hers.hang_up(network.now)
    network.run(0.1)
    assert network.titles()[-1] == "BYE"
    assert isinstance(bob.heard(his)[-1], Ended)  # its end is told at once
    assert (his.state, hers.state) == (SessionState.PARTING, SessionState.ENDING)
    his.agree(network.now)
    network.run(0.1)
    assert network.titles()[-1] == "200 BYE"
    assert (his.state, hers.state) == (SessionState.TERMINATED, SessionState.TERMINATED)


def test_copies_of_a_bye_that_waits_are_absorbed(
    network: VirtualNetwork, bob: Phone, calls: tuple[Session, Session]
) -> None:
    hers, his = calls
    hers.hang_up(network.now)
    network.run(1.7)
    assert network.titles()[-3:] == ["BYE"] * 3  # after half a second, and another one
    his.agree(network.now)
    network.run(0.1)
    assert network.titles().count("200 BYE") == 1
    assert len([event for event in bob.heard(his) if isinstance(event, Ended)]) == 1
    network.run(40.0)
    assert bob.agent.is_idle


def test_a_bye_that_nobody_agrees_to_is_answered_in_time(
    network: VirtualNetwork, bob: Phone, calls: tuple[Session, Session]
) -> None:
    hers, his = calls
    hers.hang_up(network.now)
    network.run(1.9)
    assert "200 BYE" not in network.titles()
    network.run(0.3)
    assert "200 BYE" in network.titles()
    his.agree(network.now)  # too late: nothing more is said
    network.run(0.1)
    assert network.titles().count("200 BYE") == 1


def test_a_second_bye_has_both_answered(
    network: VirtualNetwork, ann: Phone, bob: Phone, calls: tuple[Session, Session]
) -> None:
    hers, his = calls
    hers.hang_up(network.now)
    network.run(0.1)
    again = hers._line.request("BYE")
    hers._line.send(again, network.now, lambda *_: None)
    hers._touch(hers)
    network.run(0.1)
    assert network.titles().count("200 BYE") == 2
    assert his.state is SessionState.TERMINATED


def test_our_own_end_and_a_call_that_waits_for_nothing_go_as_ever(
    network: VirtualNetwork, calls: tuple[Session, Session]
) -> None:
    hers, his = calls
    his.hang_up(network.now)  # her side agrees at once
    network.run(0.1)
    assert network.titles()[-2:] == ["BYE", "200 BYE"]
    assert hers.state is SessionState.TERMINATED
    his.agree(network.now)
    network.run(0.1)
    assert network.titles()[-2:] == ["BYE", "200 BYE"]
