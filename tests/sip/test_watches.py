"""Neighbours asked by OPTIONS whether they live."""

import pytest

from gateway.sip.admission import Verdict
from gateway.sip.duties.standing import Changed, DutyEvent, WayDue
from gateway.sip.duties.watch import Watch
from gateway.sip.wire.message import Request
from gateway.testing.sip import Phone, VirtualNetwork


def watch(ann: Phone, bob: Phone) -> tuple[Watch, list[tuple[bool, str]]]:
    news: list[tuple[bool, str]] = []

    def on_event(event: DutyEvent) -> None:
        match event:
            case WayDue():
                watching.go([ann.flow_to(bob)], ann.now())
            case Changed(is_well, why):
                news.append((is_well, why))

    watching = ann.agent.duties.watch(bob.uri, 30.0, on_event)
    ann.flush()
    return watching, news


@pytest.mark.parametrize("status", [200, 403, 404, 500])
def test_any_final_answer_shows_life(network: VirtualNetwork, ann: Phone, status: int) -> None:
    bob = network.phone("192.0.2.2", accepts=lambda request, flow: Verdict(status))
    watching, news = watch(ann, bob)
    network.run(95.0)
    assert watching.is_alive
    assert [is_well for is_well, _ in news] == [True]
    assert network.times("OPTIONS") == pytest.approx([0.0, 30.02, 60.04, 90.06])


def test_silence_and_what_takes_no_calls_count_as_dead_until_they_end(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    _, news = watch(ann, bob)
    network.run(10.0)
    bob.agent.is_draining = True
    network.run(30.0)
    bob.agent.is_draining = False
    network.drop = lambda sent: 40.0 < network.now < 100.0
    network.run(150.0)
    assert [is_well for is_well, _ in news] == [True, False, True]
    assert news[1] == (False, "it takes no calls (503), or there is no way to it")


def test_silence_is_told_once(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    network.drop = lambda sent: True
    watching, news = watch(ann, bob)
    network.run(300.0)
    assert news == [(False, "it does not answer")]
    assert watching.is_alive is False


def test_its_request_says_who_asks_and_nothing_is_asked_after_its_end(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    watch(ann, bob)
    network.run(1.0)
    asked = network.last("OPTIONS")
    assert isinstance(asked, Request)
    assert (asked.from_.uri.user, asked.headers.get("Accept")) == ("gateway", "application/sdp")
    ann.agent.duties.end(network.now)
    network.run(300.0)
    assert len(network.times("OPTIONS")) == 1
    assert not ann.agent.duties.is_busy
