"""The timers of RFC 3261 table 4, on a clock that only moves when told to."""

import pytest

from gateway.sip.transactions.client import InviteClient, NonInviteClient
from gateway.sip.transactions.machine import State, TimedOut, Transaction
from gateway.sip.transactions.server import InviteServer, NonInviteServer
from gateway.sip.transactions.timers import Timers
from gateway.sip.wire.message import Headers, Request, response_to

COPIES_OF_INVITE = [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
COPIES_UP_TO_T2 = [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


def request(method: str) -> Request:
    return Request(
        method,
        "sip:demo@h",
        Headers(
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa"),
            ("From", "<sip:alice@h>;tag=a1"),
            ("To", "<sip:demo@h>"),
            ("Call-ID", "c1"),
            ("CSeq", f"7 {method}"),
        ),
    )


def run_until(tx: Transaction, end: float) -> list[float]:
    """Sleep and wake as an owner would; return when each message left."""
    sent: list[float] = []
    while (now := tx.deadline) is not None and now <= end:
        tx.wake(now)
        sent += [now] * len(tx.data_to_send())
    return sent


def invite_client(*, reliable: bool = False) -> InviteClient:
    tx = InviteClient(request("INVITE"), now=0.0, timers=Timers(), reliable=reliable)
    tx.data_to_send()
    return tx


def invite_server(*, reliable: bool = False) -> InviteServer:
    return InviteServer(request("INVITE"), now=0.0, timers=Timers(), reliable=reliable)


def bye_client(*, reliable: bool = False) -> NonInviteClient:
    tx = NonInviteClient(request("BYE"), now=0.0, timers=Timers(), reliable=reliable)
    tx.data_to_send()
    return tx


def bye_server(*, reliable: bool = False) -> NonInviteServer:
    return NonInviteServer(request("BYE"), now=0.0, timers=Timers(), reliable=reliable)


def test_an_unanswered_invite_doubles_its_wait_and_gives_up_after_32_seconds() -> None:
    tx = invite_client()
    assert run_until(tx, 31.9) == COPIES_OF_INVITE
    assert run_until(tx, 32.0) == []
    assert (tx.state, tx.events()) == (State.TERMINATED, [TimedOut()])


def test_an_invite_over_tcp_is_sent_once() -> None:
    tx = invite_client(reliable=True)
    assert run_until(tx, 60.0) == []
    assert tx.events() == [TimedOut()]


def test_a_call_may_ring_for_longer_than_32_seconds() -> None:
    tx = invite_client()
    tx.receive(response_to(tx.request, 180), 1.0)
    assert tx.deadline is None
    tx.receive(response_to(tx.request, 200), 60.0)
    assert len(tx.events()) == 2
    assert tx.deadline == 60.0 + 32.0


@pytest.mark.parametrize("reliable", [False, True])
def test_an_answered_invite_takes_in_every_2xx_for_32_seconds(reliable: bool) -> None:
    tx = invite_client(reliable=reliable)
    for at in (1.0, 1.5, 2.5):
        tx.receive(response_to(tx.request, 200), at)
    tx.receive(response_to(tx.request, 486), 3.0)
    assert [len(tx.events()), len(tx.data_to_send())] == [3, 0]
    run_until(tx, 33.0)
    assert tx.state is State.TERMINATED


def test_every_copy_of_a_refusal_is_acknowledged_but_told_once() -> None:
    tx = invite_client()
    for at in (1.0, 1.5, 2.5):
        tx.receive(response_to(tx.request, 603), at)
    assert [len(tx.data_to_send()), len(tx.events())] == [3, 1]
    assert tx.deadline == 1.0 + 32.0


def test_a_refused_invite_over_tcp_ends_with_its_ack() -> None:
    tx = invite_client(reliable=True)
    tx.receive(response_to(tx.request, 404), 1.0)
    assert [len(tx.data_to_send()), len(tx.events())] == [1, 1]
    assert (tx.state, tx.deadline) == (State.TERMINATED, None)


def test_another_request_repeats_up_to_every_four_seconds() -> None:
    tx = bye_client()
    assert run_until(tx, 31.9) == COPIES_UP_TO_T2
    run_until(tx, 32.0)
    assert tx.events() == [TimedOut()]


def test_a_provisional_answer_slows_the_copies_but_does_not_stop_them() -> None:
    tx = bye_client()
    tx.receive(response_to(tx.request, 100), 1.0)
    assert run_until(tx, 31.9) == [0.5 + 4.5 + 4 * n for n in range(7)]
    run_until(tx, 32.0)
    assert tx.state is State.TERMINATED


def test_an_answered_request_absorbs_copies_for_t4() -> None:
    tx = bye_client()
    tx.receive(response_to(tx.request, 200), 1.0)
    tx.receive(response_to(tx.request, 200), 1.2)
    assert len(tx.events()) == 1
    assert tx.deadline == 6.0
    over_tcp = bye_client(reliable=True)
    over_tcp.receive(response_to(tx.request, 200), 1.0)
    assert over_tcp.state is State.TERMINATED


def test_a_slow_user_is_covered_by_a_100_within_200_ms() -> None:
    tx = invite_server()
    assert tx.deadline == 0.2
    tx.wake(0.2)
    assert tx.data_to_send()[0].startswith(b"SIP/2.0 100 Trying\r\n")
    assert tx.deadline is None


def test_a_quick_user_needs_no_100() -> None:
    tx = invite_server()
    tx.respond(response_to(tx.request, 180), 0.1)
    assert tx.data_to_send()[0].startswith(b"SIP/2.0 180 ")
    assert tx.deadline is None


def test_a_copy_of_an_unanswered_invite_gets_the_latest_response() -> None:
    tx = invite_server()
    tx.receive(request("INVITE"), 0.1)
    tx.respond(response_to(tx.request, 183), 0.5)
    tx.receive(request("INVITE"), 0.6)
    assert [data[8:11] for data in tx.data_to_send()] == [b"100", b"183", b"183"]


def test_a_refusal_is_repeated_until_32_seconds_without_ack() -> None:
    tx = invite_server()
    tx.respond(response_to(tx.request, 486), 0.0)
    assert len(tx.data_to_send()) == 1
    assert run_until(tx, 31.9) == COPIES_UP_TO_T2
    run_until(tx, 32.0)
    assert tx.events() == [TimedOut()]


def test_an_ack_ends_the_copies_and_is_absorbed_for_t4() -> None:
    tx = invite_server()
    tx.respond(response_to(tx.request, 486), 0.0)
    tx.receive(request("ACK"), 1.0)
    tx.receive(request("ACK"), 2.0)
    assert len(tx.data_to_send()) == 1
    assert (tx.state, tx.events()) == (State.CONFIRMED, [])
    assert run_until(tx, 6.0) == []
    assert tx.state is State.TERMINATED


def test_over_tcp_a_refusal_is_sent_once_and_ends_with_its_ack() -> None:
    tx = invite_server(reliable=True)
    tx.respond(response_to(tx.request, 486), 0.0)
    tx.data_to_send()
    assert run_until(tx, 31.0) == []
    tx.receive(request("ACK"), 31.0)
    assert tx.state is State.TERMINATED


def test_a_2xx_is_not_repeated_by_itself_but_whenever_its_user_says_so() -> None:
    tx = invite_server()
    ok = response_to(tx.request, 200)
    for at in (0.0, 0.5, 1.5):
        tx.respond(ok, at)
    tx.receive(request("INVITE"), 2.0)
    assert len(tx.data_to_send()) == 3
    assert run_until(tx, 31.0) == []
    tx.receive(request("ACK"), 31.0)
    assert len(tx.events()) == 1
    run_until(tx, 32.0)
    assert tx.state is State.TERMINATED


def test_a_final_answer_is_kept_for_copies_of_the_request() -> None:
    tx = bye_server()
    tx.receive(request("BYE"), 0.1)
    assert tx.data_to_send() == []
    tx.respond(response_to(tx.request, 200), 0.2)
    tx.receive(request("BYE"), 0.7)
    first, second = tx.data_to_send()
    assert first == second
    assert tx.deadline == 0.2 + 32.0
    over_tcp = bye_server(reliable=True)
    over_tcp.respond(response_to(tx.request, 200), 0.2)
    assert over_tcp.state is State.TERMINATED


def test_a_request_its_user_forgot_is_given_up_with_its_sender() -> None:
    tx = bye_server()
    run_until(tx, 32.0)
    assert (tx.state, tx.data_to_send(), tx.events()) == (State.TERMINATED, [], [])
