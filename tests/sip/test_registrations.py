"""Registrations: found among others, refreshed in time, taken up again, and taken back."""

import itertools
from typing import Any

import pytest
from registrars import HOST, Registrar, Registree

from gateway.sip.duties.registration import Registration, RegistrationState
from gateway.sip.flow import Flow
from gateway.sip.wire.message import Request
from gateway.testing.sip import VirtualNetwork

OTHERS = (
    "<sip:desk@198.51.100.1:5060>;expires=9999",
    "<sip:x7f3@192.0.2.1:5060;rinstance=ab12>;expires=7000",
    "<sip:stale@192.0.2.1:5060>;expires=30",
)
INSTANCE = "urn:uuid:00000000-0000-1000-8000-000a95a0e128"


def start(network: VirtualNetwork, **options: Any) -> tuple[Registree, Registrar, Registration]:
    keys = ("password_ours", "seconds", "instance")
    ours = {key: options.pop(key) for key in keys if key in options}
    registrar = Registrar(network, **options)
    phone = network.phone("192.0.2.1", transport=registrar.transport)
    registree = Registree(phone, registrar)
    registration = registree.register(ours.pop("password_ours", ""), **ours)
    network.run(0.5)
    return registree, registrar, registration


def gaps(registrar: Registrar) -> list[float]:
    times = [at for at, _ in registrar.asked]
    return [round(b - a, 1) for a, b in itertools.pairwise(times)]


def last(registrar: Registrar) -> Request:
    return registrar.asked[-1][1]


def test_a_registration_says_who_and_where_we_are(network: VirtualNetwork) -> None:
    registree, registrar, registration = start(network, instance=INSTANCE)
    asked = last(registrar)
    assert asked.uri == f"sip:{HOST}"
    assert str(asked.to.uri) == str(asked.from_.uri) == f"sip:ann@{HOST}"
    (contact,) = asked.contacts
    assert contact.uri.user == registration.token
    assert contact.params == {"+sip.instance": f'"<{INSTANCE}>"', "reg-id": "1"}
    assert asked.supported == ["outbound", "path"]
    assert registree.news == [(True, "registered")]
    assert list(registration.addresses) == [HOST]


def test_a_password_is_shown_when_it_is_asked_for_and_at_once_from_then_on(
    network: VirtualNetwork,
) -> None:
    registree, registrar, _ = start(network, password="sesame", password_ours="sesame", seconds=100)
    assert registree.news == [(True, "registered")]
    network.run(300.0)
    asked = [request for _, request in registrar.asked]
    numbers = [request.cseq.number for request in asked]
    assert numbers == list(range(1, len(asked) + 1))
    assert len({request.call_id for request in asked}) == 1
    assert ["Authorization" in request.headers for request in asked].count(False) == 1


@pytest.mark.parametrize("listing", ["before", "alone", "none"])
def test_ones_own_binding_is_found_among_others(network: VirtualNetwork, listing: str) -> None:
    others = OTHERS if listing == "before" else ()
    options: dict[str, Any] = {"others": others, "lists": listing != "none"}
    _, registrar, registration = start(network, grants=200, seconds=600, **options)
    granted = 600 if listing == "none" else 200
    assert registration.expires_at == pytest.approx(granted, abs=1.0)
    network.run(granted)
    assert granted * 0.8 <= gaps(registrar)[0] <= granted * 0.9


def test_a_binding_whose_user_was_rewritten_is_found_by_its_instance(
    network: VirtualNetwork,
) -> None:
    def rewritten(contact: str) -> str:
        return f'<sip:changed@10.0.0.1>;+sip.instance="<{INSTANCE}>"'

    _, _, registration = start(
        network, others=OTHERS, grants=200, instance=INSTANCE, rewrites=rewritten
    )
    assert registration.expires_at == pytest.approx(200.0, abs=1.0)


def test_the_shortest_life_counts_where_no_binding_is_ones_own(network: VirtualNetwork) -> None:
    _, _, registration = start(network, others=OTHERS, lists=False)
    assert registration.expires_at == pytest.approx(30.0, abs=1.0)


def test_refreshes_come_at_four_fifths_to_nine_tenths_and_not_in_step(
    network: VirtualNetwork,
) -> None:
    registree, registrar, _ = start(network, seconds=600)
    network.run(36_000.0)
    waits = gaps(registrar)
    assert all(480.0 <= wait <= 540.1 for wait in waits)
    assert len(set(waits)) > len(waits) // 2
    assert registree.news == [(True, "registered")]


def hosts(registrar: Registrar) -> list[str]:
    return [request.contacts[0].uri.host for _, request in registrar.asked]


def move(registree: Registree, host: str) -> None:
    """Have the outside world see us somewhere else."""
    agent = registree.phone.agent
    agent._courier._here._advertise = lambda flow: (host, 5060)
    agent.duties.move(registree.phone.now())
    registree.phone.flush()


def test_who_is_seen_at_another_address_registers_it_at_once(network: VirtualNetwork) -> None:
    registree, registrar, registration = start(network, seconds=600)
    move(registree, "192.0.2.1")
    network.run(10.0)
    assert hosts(registrar) == ["192.0.2.1"], "it is the same as before"
    move(registree, "203.0.113.9")
    network.run(1.0)
    assert hosts(registrar) == ["192.0.2.1", "203.0.113.9"]
    assert registration.is_registered
    network.run(479.0)
    assert len(registrar.asked) == 2, "the next one is due in its time"
    assert registree.news == [(True, "registered")]


def test_who_moves_while_it_registers_does_so_again(network: VirtualNetwork) -> None:
    registrar = Registrar(network)
    registree = Registree(network.phone("192.0.2.1"), registrar)
    registration = registree.register()
    move(registree, "203.0.113.9")
    network.run(1.0)
    assert hosts(registrar) == ["192.0.2.1", "203.0.113.9"]
    assert registration.is_registered


def test_a_way_back_over_udp_is_kept_open_for_as_long_as_there_is_a_binding(
    network: VirtualNetwork,
) -> None:
    _, registrar, registration = start(network, seconds=600)
    network.run(3600.0)
    pings = [at for at, _ in network.pings]
    assert min(b - a for a, b in itertools.pairwise(pings)) >= 24.0
    signs = sorted([*pings, *(at for at, _ in registrar.asked), network.now])
    assert max(b - a for a, b in itertools.pairwise(signs)) <= 29.1, "NATs forget after 30 s"
    assert {flow.remote for _, flow in network.pings} == {registrar.phone.address}
    registration.end(network.now)
    network.run(1.0)
    count = len(network.pings)
    network.run(600.0)
    assert len(network.pings) == count


def test_a_refresh_that_fails_does_not_shut_the_way_to_a_binding_that_lives(
    network: VirtualNetwork,
) -> None:
    _, registrar, registration = start(network, seconds=600)
    registrar.answers = [(500, (("Retry-After", "3000"),))]
    network.run(595.0)
    assert registration.state is RegistrationState.WAITING
    assert network.now - network.pings[-1][0] < 30
    network.run(60.0)
    count = len(network.pings)
    network.run(600.0)
    assert len(network.pings) == count, "it has expired"


def test_a_connection_is_no_concern_of_its_registration(network: VirtualNetwork) -> None:
    start(network, transport="tcp", seconds=600)
    network.run(3600.0)
    assert network.pings == []


def test_too_brief_is_answered_with_the_time_wanted(network: VirtualNetwork) -> None:
    answers = [(423, (("Min-Expires", "1800"),))]
    registree, registrar, registration = start(network, seconds=60, answers=answers)
    assert [request.expires for _, request in registrar.asked] == [60, 1800]
    assert registration.expires_at == pytest.approx(1800.0, abs=1.0)
    assert registree.news == [(True, "registered")]


@pytest.mark.parametrize("wanted", ["604801", "4294967295", "9" * 20, "60", "-1", "soon"])
def test_no_other_time_than_a_longer_one_of_a_week_at_most_is_believed(
    network: VirtualNetwork, wanted: str
) -> None:
    registree, registrar, _ = start(
        network, seconds=60, answers=[(423, (("Min-Expires", wanted),))]
    )
    assert [request.expires for _, request in registrar.asked] == [60]
    assert registree.news == [(False, "423 Interval Too Brief")]


def test_a_week_is_believed(network: VirtualNetwork) -> None:
    answers = [(423, (("Min-Expires", "604800"),))]
    _, registrar, _ = start(network, seconds=60, answers=answers)
    assert [request.expires for _, request in registrar.asked] == [60, 604_800]


def test_too_brief_for_ever_ends_in_waiting(network: VirtualNetwork) -> None:
    answers: list[Any] = [(423, (("Min-Expires", str(100 * n)),)) for n in range(1, 50)]
    registree, registrar, _ = start(network, seconds=60, answers=answers)
    assert len(registrar.asked) == 2
    assert registree.news == [(False, "423 Interval Too Brief")]


def test_a_wrong_password_is_told_and_not_tried_soon_again(network: VirtualNetwork) -> None:
    registree, registrar, registration = start(network, password="sesame", password_ours="guess")
    assert registree.news == [(False, "it does not believe our password (401 Unauthorized)")]
    assert len(registrar.asked) == 2
    network.run(890.0)
    assert len(registrar.asked) == 2
    network.run(910.0)
    assert len(registrar.asked) == 4
    assert not registration.is_registered


def test_a_password_that_is_asked_for_and_not_there_is_told(network: VirtualNetwork) -> None:
    registree, _, _ = start(network, password="sesame")
    assert registree.news == [(False, "it asks for a password (401 Unauthorized)")]


def test_failures_are_followed_by_ever_longer_waits(network: VirtualNetwork) -> None:
    answers: list[Any] = [(500, ())] * 12
    _, registrar, _ = start(network, answers=answers)
    network.run(20_000.0)
    for failure, wait in enumerate(gaps(registrar)[:11]):
        longest = min(1800.0, 30.0 * 2**failure)
        assert longest / 2 <= wait <= longest + 0.1


def test_a_server_that_says_when_is_asked_then(network: VirtualNetwork) -> None:
    answers: list[Any] = [(503, (("Retry-After", "77 (maintenance);duration=5"),))]
    registree, registrar, _ = start(network, answers=answers)
    network.run(100.0)
    assert 77.0 <= gaps(registrar)[0] <= 78.1
    assert [is_well for is_well, _ in registree.news] == [False, True]


def test_silence_is_told_and_tried_again(network: VirtualNetwork) -> None:
    network.drop = lambda sent: network.now < 40.0
    registree, _, _ = start(network)
    network.run(100.0)
    assert registree.news == [
        (False, "it does not answer"),
        (True, "registered"),
    ]


def test_a_server_that_is_not_there_is_not_said_to_have_answered(network: VirtualNetwork) -> None:
    registrar = Registrar(network, transport="tcp")
    phone = network.phone("192.0.2.1", transport="tcp")
    registree = Registree(phone, registrar)
    network.drop = lambda sent: True
    registree.register()
    flow = Flow("tcp", phone.address, registrar.phone.address)
    phone.agent.connection_lost(flow, network.now)
    network.run(0.1)
    assert registree.news == [(False, f"no answer: nobody listens at tcp:{HOST}:5060")]


def test_a_server_that_is_not_found_is_looked_for_again(network: VirtualNetwork) -> None:
    registrar = Registrar(network)
    registree = Registree(network.phone("192.0.2.1"), registrar, has_way=False)
    registree.register()
    network.run(1.0)
    registree.has_way = True
    network.run(40.0)
    assert registree.news == [(False, "no such host"), (True, "registered")]


def test_a_lost_connection_is_registered_anew_at_once(network: VirtualNetwork) -> None:
    registree, registrar, registration = start(network, transport="tcp", seconds=600)
    flow = Flow("tcp", registree.phone.address, registrar.phone.address, 7)
    registree.phone.agent.connection_lost(flow, network.now)
    assert not registration.is_registered
    network.run(3.0)
    assert registree.news == [
        (True, "registered"), (False, "the connection is gone"), (True, "registered"),
    ]  # fmt: skip
    assert len(registrar.asked) == 2


def test_a_server_that_takes_and_cuts_for_ever_is_not_asked_for_ever(
    network: VirtualNetwork,
) -> None:
    registree, registrar, registration = start(network, transport="tcp", seconds=600)
    flow = Flow("tcp", registree.phone.address, registrar.phone.address, 7)
    for _ in range(300):
        if registration.is_registered:
            registree.phone.agent.connection_lost(flow, network.now)
        network.run(1.0)
    assert len(registrar.asked) <= 22


def test_a_refresh_that_fails_and_is_made_good_is_told(network: VirtualNetwork) -> None:
    registree, registrar, _ = start(network, seconds=600)
    registrar.answers.append((500, ()))
    network.run(600.0)
    assert [is_well for is_well, _ in registree.news] == [True, False, True]


def test_a_server_that_says_at_once_is_not_asked_at_once(network: VirtualNetwork) -> None:
    answers: list[Any] = [(503, (("Retry-After", "0"),))] * 100
    _, registrar, _ = start(network, answers=answers)
    network.run(60.0)
    assert len(registrar.asked) <= 13


def test_a_connection_of_somebody_else_may_go(network: VirtualNetwork) -> None:
    registree, _, registration = start(network, transport="tcp")
    flow = Flow("tcp", registree.phone.address, (HOST, 40_000), 8)
    registree.phone.agent.connection_lost(flow, network.now)
    assert registration.state is RegistrationState.REGISTERED


def test_what_the_registrar_wants_of_later_requests_is_kept(network: VirtualNetwork) -> None:
    extra = (
        ("Service-Route", "<sip:p1.example;lr>, <sip:p2.example;lr>"),
        ("Path", "<sip:edge.example;lr>"),
        ("Require", "outbound"),
    )
    _, _, registration = start(network, extra=extra)
    assert registration.service_routes == ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]
    assert registration.path == ["<sip:edge.example;lr>"]
    assert registration.is_outbound


def test_routes_that_cannot_be_read_are_none(network: VirtualNetwork) -> None:
    _, _, registration = start(network, extra=(("Service-Route", '"<sip:a>, <sip:b'),))
    assert registration.service_routes == []
    assert registration.is_registered


def test_a_first_hop_without_outbound_is_asked_without_it(network: VirtualNetwork) -> None:
    _, registrar, registration = start(network, instance=INSTANCE, answers=[(439, ())])
    first, second = (request.contacts[0].params for _, request in registrar.asked)
    assert ("reg-id" in first, "reg-id" in second) == (True, False)
    assert registration.is_registered


def test_the_end_takes_the_binding_back(network: VirtualNetwork) -> None:
    registree, registrar, registration = start(network)
    registree.phone.agent.duties.end(network.now)
    assert registree.phone.agent.duties.is_busy
    network.run(1.0)
    assert last(registrar).expires == 0
    assert last(registrar).contacts[0].uri.user == registration.token
    assert registree.news[-1] == (False, "no longer registered")
    assert not registree.phone.agent.duties.is_busy
    network.run(2000.0)
    assert len(registrar.asked) == 2


def test_an_end_in_the_middle_waits_for_the_answer_first(network: VirtualNetwork) -> None:
    registrar = Registrar(network)
    registree = Registree(network.phone("192.0.2.1"), registrar)
    registree.register()
    registree.phone.agent.duties.end(network.now)
    network.run(1.0)
    assert [request.expires for _, request in registrar.asked] == [600, 0]
    assert not registree.phone.agent.duties.is_busy


def test_an_end_before_anything_was_registered_is_the_end_at_once(network: VirtualNetwork) -> None:
    registree, registrar, registration = start(network, answers=[(403, ())])
    registree.phone.agent.duties.end(network.now)
    assert registration.is_over
    network.run(4000.0)
    assert len(registrar.asked) == 1


def test_a_binding_that_is_not_kept_is_no_success(network: VirtualNetwork) -> None:
    registree, _, _ = start(network, extra=(("Expires", "0"),), lists=False)
    assert registree.news == [(False, "it did not keep our binding")]


def test_refreshes_that_fail_let_the_binding_run_out(network: VirtualNetwork) -> None:
    registree, _, registration = start(network, seconds=60)
    network.drop = lambda sent: True
    network.run(58.0)
    assert registration.is_registered
    network.run(60.0)
    assert not registration.is_registered
    assert not registree.news[-1][0]
