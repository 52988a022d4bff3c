"""Messages find their transaction, and what belongs to none is treated as the RFC says."""

import pytest

from gateway.sip.flow import Flow
from gateway.sip.transactions.layer import (
    AckReceived,
    RequestReceived,
    ResponseReceived,
    TransactionLayer,
    TransactionTimedOut,
    TransportFailed,
)
from gateway.sip.wire.message import Headers, Request, Response, parse, response_to

UDP = Flow("udp", ("192.0.2.9", 5060), ("192.0.2.1", 5060))
TCP = Flow("tcp", ("192.0.2.9", 5060), ("192.0.2.1", 41000), 3)


def request(
    method: str = "INVITE",
    *,
    branch: str | None = "z9hG4bKa",
    sent_by: str = "192.0.2.1",
    cseq: int = 7,
    cseq_method: str | None = None,
) -> Request:
    via = f"SIP/2.0/UDP {sent_by}" + (f";branch={branch}" if branch is not None else "")
    return Request(
        method,
        "sip:demo@192.0.2.9",
        Headers(
            ("Via", via),
            ("From", "<sip:alice@h>;tag=a1"),
            ("To", "<sip:demo@192.0.2.9>"),
            ("Call-ID", "c1"),
            ("CSeq", f"{cseq} {cseq_method or method}"),
        ),
    )


def only_key(layer: TransactionLayer) -> str:
    (event,) = layer.events()
    assert isinstance(event, RequestReceived)
    return event.key


@pytest.fixture
def layer() -> TransactionLayer:
    return TransactionLayer()


def test_a_request_is_told_once_and_answered_where_it_came_from(layer: TransactionLayer) -> None:
    layer.receive(request("OPTIONS"), UDP, 0.0)
    layer.receive(request("OPTIONS"), UDP, 0.5)
    key = only_key(layer)
    layer.respond(key, response_to(request("OPTIONS"), 200, to_tag="b"), 0.6)
    layer.receive(request("OPTIONS"), UDP, 1.0)
    (first, flow), again = layer.data_to_send()
    assert first.startswith(b"SIP/2.0 200 OK\r\n")
    assert (flow, again) == (UDP, (first, UDP))
    assert layer.events() == []


def test_the_source_is_stamped_before_the_request_is_told(layer: TransactionLayer) -> None:
    nat = Flow("udp", UDP.local, ("203.0.113.7", 1025))
    layer.receive(request("OPTIONS", branch="z9hG4bKa;rport"), nat, 0.0)
    (event,) = layer.events()
    assert isinstance(event, RequestReceived)
    assert (event.request.via.received, event.request.via.rport) == ("203.0.113.7", 1025)


@pytest.mark.parametrize(
    "other",
    [request(branch="z9hG4bKb"), request(sent_by="192.0.2.2"), request("OPTIONS")],
    ids=["branch", "sent-by", "method"],
)
def test_another_branch_sender_or_method_is_another_transaction(
    layer: TransactionLayer, other: Request
) -> None:
    layer.receive(request(), UDP, 0.0)
    layer.receive(other, UDP, 0.1)
    assert len({e.key for e in layer.events() if isinstance(e, RequestReceived)}) == 2


@pytest.mark.parametrize("branch", [None, "", "old", "z9hG4bK"])
def test_without_a_branch_of_its_own_a_request_is_known_by_rfc_2543(
    layer: TransactionLayer, branch: str | None
) -> None:
    layer.receive(request(branch=branch), UDP, 0.0)
    layer.receive(request(branch=branch), UDP, 0.1)
    key = only_key(layer)
    layer.respond(key, response_to(request(), 486), 0.2)
    layer.receive(request("ACK", branch=branch), UDP, 0.3)
    layer.receive(request(branch=branch, cseq=8), UDP, 0.4)
    assert only_key(layer) != key


def test_the_ack_to_a_refusal_stops_here_and_the_one_to_a_2xx_goes_on(
    layer: TransactionLayer,
) -> None:
    layer.receive(request(), UDP, 0.0)
    layer.respond(only_key(layer), response_to(request(), 486), 0.0)
    layer.receive(request("ACK"), UDP, 0.1)
    assert layer.events() == []
    ack = request("ACK", branch="z9hG4bKother")
    layer.receive(ack, UDP, 0.2)
    assert layer.events() == [AckReceived(ack, UDP)]


def test_an_ack_to_a_2xx_that_reuses_the_branch_goes_on_too(layer: TransactionLayer) -> None:
    layer.receive(request(), UDP, 0.0)
    layer.respond(only_key(layer), response_to(request(), 200, to_tag="b"), 0.0)
    ack = request("ACK")
    layer.receive(ack, UDP, 0.1)
    assert layer.events() == [AckReceived(ack, UDP)]


def test_a_cancel_is_a_transaction_of_its_own_and_finds_its_invite(
    layer: TransactionLayer,
) -> None:
    layer.receive(request(), UDP, 0.0)
    invite = only_key(layer)
    cancel = request("CANCEL")
    layer.receive(cancel, UDP, 0.1)
    assert only_key(layer) != invite
    assert layer.invite_of(cancel) == invite
    assert layer.invite_of(request("CANCEL", branch="z9hG4bKz")) is None


def test_our_requests_get_their_responses_and_one_final(layer: TransactionLayer) -> None:
    bye = request("BYE", sent_by="192.0.2.9")
    key = layer.send_request(bye, UDP, 0.0)
    assert layer.data_to_send() == [(bytes(bye), UDP)]
    ok = response_to(bye, 200)
    layer.receive(ok, UDP, 0.1)
    layer.receive(ok, UDP, 0.2)
    assert layer.events() == [ResponseReceived(key, ok, UDP)]


def test_a_refused_invite_of_ours_is_acknowledged_by_itself(layer: TransactionLayer) -> None:
    invite = request(sent_by="192.0.2.9")
    layer.send_request(invite, TCP, 0.0)
    layer.data_to_send()
    layer.receive(response_to(invite, 603, to_tag="b"), TCP, 0.1)
    ((ack, flow),) = layer.data_to_send()
    assert (ack[:4], flow, len(layer)) == (b"ACK ", TCP, 0)


def test_a_2xx_that_comes_after_its_transaction_is_told_without_a_key(
    layer: TransactionLayer,
) -> None:
    late = response_to(request(), 200, to_tag="fork2")
    layer.receive(late, UDP, 0.0)
    assert layer.events() == [ResponseReceived(None, late, UDP)]


@pytest.mark.parametrize(
    "stray",
    [
        response_to(request("BYE"), 200),
        response_to(request(), 180),
        response_to(request(), 486),
    ],
)
def test_other_stray_responses_are_dropped(layer: TransactionLayer, stray: Response) -> None:
    layer.receive(stray, UDP, 0.0)
    assert (layer.events(), layer.data_to_send()) == ([], [])
    assert layer.stats.stray_responses == 1


def test_a_response_for_somebody_behind_us_is_dropped(layer: TransactionLayer) -> None:
    bye = request("BYE")
    layer.send_request(bye, UDP, 0.0)
    answer = response_to(bye, 200)
    answer.headers.add("Via", "SIP/2.0/UDP behind;branch=z9hG4bKx")
    layer.receive(answer, UDP, 0.1)
    assert layer.events() == []
    assert layer.stats.stray_responses == 1


def test_a_request_nobody_answers_times_out(layer: TransactionLayer) -> None:
    bye = request("BYE")
    key = layer.send_request(bye, UDP, 0.0)
    copies = -1
    while (now := layer.deadline) is not None:
        copies += len(layer.data_to_send())
        layer.wake(now)
    assert (copies, now, len(layer)) == (10, None, 0)
    assert layer.events() == [TransactionTimedOut(key, bye)]


def test_timers_of_many_transactions_share_one_alarm(layer: TransactionLayer) -> None:
    for index in range(20):
        layer.send_request(request("BYE", branch=f"z9hG4bK{index}"), UDP, index / 100)
    layer.data_to_send()
    assert layer.deadline == 0.5
    layer.wake(0.6)
    assert len(layer.data_to_send()) == 11
    assert layer.deadline == pytest.approx(0.61)


def test_an_answer_too_late_is_counted(layer: TransactionLayer) -> None:
    layer.respond("nobody", Response(200), 0.0)
    bye = request("BYE")
    layer.respond(layer.send_request(bye, UDP, 0.0), response_to(bye, 200), 0.0)
    assert layer.stats.late_answers == 2


def test_a_full_layer_answers_503_and_keeps_nothing() -> None:
    layer = TransactionLayer(limit=1)
    layer.receive(request("OPTIONS"), UDP, 0.0)
    layer.receive(request("OPTIONS", branch="z9hG4bKb"), UDP, 0.0)
    layer.receive(request("ACK", branch="z9hG4bKc"), UDP, 0.0)
    ((data, _),) = layer.data_to_send()
    answer = parse(data)
    assert isinstance(answer, Response)
    assert (answer.status, answer.headers.get("Retry-After")) == (503, "5")
    assert (len(layer), layer.stats.refused_when_full) == (1, 1)


def test_when_a_connection_breaks_its_transactions_end(layer: TransactionLayer) -> None:
    bye = request("BYE")
    key = layer.send_request(bye, TCP, 0.0)
    layer.send_request(request("BYE", branch="z9hG4bKb"), UDP, 0.0)
    layer.transport_failed(TCP)
    assert layer.events() == [TransportFailed(key, bye)]
    assert len(layer) == 1


def test_a_request_can_be_abandoned_but_not_somebody_elses(layer: TransactionLayer) -> None:
    invite = request(sent_by="192.0.2.9")
    key = layer.send_request(invite, UDP, 0.0)
    layer.receive(response_to(invite, 180), UDP, 0.1)
    layer.receive(request("BYE"), UDP, 0.2)
    theirs = layer.events()[-1]
    assert isinstance(theirs, RequestReceived)
    layer.abandon(theirs.key)
    assert len(layer) == 2
    layer.abandon(key)
    layer.abandon(key)
    layer.receive(response_to(invite, 487), UDP, 0.3)
    assert (len(layer), layer.events()) == (1, [])


def test_a_message_without_transaction_is_sent_as_it_is(layer: TransactionLayer) -> None:
    ack = request("ACK")
    layer.send_direct(ack, UDP)
    assert layer.data_to_send() == [(bytes(ack), UDP)]
    assert len(layer) == 0
