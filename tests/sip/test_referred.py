"""Asked to call somebody else: REFER and the news of it (RFC 3515, 4488, 6665, 7647)."""

import pytest

from gateway.sip.admission import Policy, Verdict
from gateway.sip.dialogs.session import Session
from gateway.sip.dialogs.session_events import Ended, ReferEnded, ReferProgress, ReferReceived
from gateway.sip.dialogs.session_state import SessionState
from gateway.sip.wire.message import Request
from gateway.sip.wire.uri import Uri
from gateway.testing.sip import Phone, VirtualNetwork

TARGET = Uri.parse("sip:operator@pbx.example")
WELCOME = Policy(accepts_transfer=True)


@pytest.fixture
def bob(network: VirtualNetwork) -> Phone:
    return network.phone("192.0.2.2", accepts=lambda request, flow: Verdict(policy=WELCOME))


def send(network: VirtualNetwork, session: Session, method: str, *headers: tuple[str, str]) -> int:
    """Send a request of ann's inside the call, and return what it is answered with."""
    request = session._line.request(method)
    for name, value in headers:
        request.headers.set(name, value)
    seen = []
    session._line.send(request, network.now, lambda response, now: seen.append(response.status))
    network.run(0.1)
    return int(seen[-1])


def refer(network: VirtualNetwork, session: Session, *headers: tuple[str, str]) -> int:
    return send(network, session, "REFER", *headers)


def notified(network: VirtualNetwork, phone: Phone) -> list[tuple[str, str, str]]:
    """Return the news that a phone told: its event, its subscription's state, its first line."""
    return [
        (
            sent.message.headers.get("Event") or "",
            (sent.message.headers.get("Subscription-State") or "").partition(";expires")[0],
            sent.message.body.decode().splitlines()[0],
        )
        for sent in network.sent
        if sent.title == "NOTIFY" and sent.flow.local == phone.address
    ]


def test_the_asker_is_told_how_its_transfer_goes_and_the_subscription_ends(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    call.refer(TARGET, network.now)
    network.run(0.1)
    (event,) = bob.heard(taken)
    assert event == ReferReceived(TARGET, referred_by=f"<{ann.uri}>")
    for status in (100, 180, 180, 200):
        if status == 100:
            taken.referred.accept(network.now)
        else:
            taken.referred.report(status, network.now)
        network.run(0.1)
    accepted = network.last("202 REFER")
    assert accepted.contacts[0].uri.host == "192.0.2.2"
    assert notified(network, bob) == [
        ("refer", "active", "SIP/2.0 100 Trying"),
        ("refer", "active", "SIP/2.0 180 Ringing"),
        ("refer", "terminated;reason=noresource", "SIP/2.0 200 OK"),
    ]
    assert network.last("NOTIFY").content_type == "message/sipfrag"
    news = [e for e in ann.heard(call) if not isinstance(e, ReferProgress)]
    assert news == [ReferEnded(200)]


def test_an_asker_who_does_not_hang_up_after_the_news_is_let_go(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    call.refer(TARGET, network.now)
    network.run(0.1)
    taken.referred.accept(network.now)
    taken.referred.report(200, network.now)
    network.run(4.0)
    assert taken.is_live
    network.run(2.0)
    assert taken.state is SessionState.TERMINATED
    assert isinstance(bob.heard(taken)[-1], Ended)


def test_a_transfer_that_failed_leaves_the_call_up_and_may_be_tried_again(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    for _ in range(2):
        call.refer(TARGET, network.now)
        network.run(0.1)
        taken.referred.accept(network.now)
        taken.referred.report(486, network.now)
        network.run(0.1)
        assert ann.heard(call)[-1] == ReferEnded(486)
    network.run(20.0)
    assert taken.is_live
    sequence = network.last("REFER").cseq.number
    assert [event for event, _, _ in notified(network, bob)] == [
        *("refer", "refer", f"refer;id={sequence}", f"refer;id={sequence}"),
    ]


def test_who_wants_no_news_gets_none_and_is_let_go_at_once(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    headers = [("Refer-To", str(TARGET)), ("Refer-Sub", "false"), ("Require", "norefersub")]
    request = call._line.request("REFER")
    for name, value in headers:
        request.headers.set(name, value)
    call._line.send(request, network.now, lambda response, now: None)
    network.run(0.1)
    taken.referred.accept(network.now)
    network.run(0.1)
    assert network.last("202 REFER").headers.get("Refer-Sub") == "false"
    taken.referred.report(180, network.now)
    taken.referred.report(200, network.now)
    network.run(0.1)
    assert "NOTIFY" not in network.titles()
    assert network.titles(by=bob)[-1] == "BYE"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 400),
        ([("Refer-To", f"<{TARGET}>, <{TARGET}>")], 400),
        ([("Refer-To", "<not an address>")], 400),
        ([("Refer-To", "<sip:" + "9" * 2000 + "@pbx.example>")], 400),
        ([("Refer-To", "<mailto:bob@pbx.example>")], 416),
        ([("Refer-To", "<xmpp:bob@pbx.example>")], 416),
        ([("Refer-To", "<sip:bob@pbx.example;method=BYE>")], 403),
        ([("Refer-To", "<sip:bob@pbx.example?Replaces=1%402>")], 400),
    ],
)
def test_what_cannot_be_called_is_refused(
    network: VirtualNetwork,
    ann: Phone,
    bob: Phone,
    headers: list[tuple[str, str]],
    status: int,
) -> None:
    call, taken = ann.connect(bob)
    assert refer(network, call, *headers) == status
    assert bob.heard(taken) == []
    assert taken.is_live


def test_a_target_is_told_with_what_stands_in_its_address(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    address = (
        "<sip:pbx.example;transport=tcp;method=invite;x-m=8%3Aorgid"
        "?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&Referred-By=%3Csip%3Aann%40pbx.example%3E"
        "&Route=%3Csip%3Aevil.example%3E>"
    )
    refer_to = ("Refer-To", address)
    request = call._line.request("REFER")
    request.headers.set(*refer_to)
    call._line.send(request, network.now, lambda response, now: None)
    network.run(0.1)
    (event,) = bob.heard(taken)
    assert isinstance(event, ReferReceived)
    assert str(event.target) == "sip:pbx.example;transport=tcp;x-m=8%3Aorgid", "no user, no Route"
    assert event.replaces == "a@b;to-tag=1;from-tag=2"
    assert event.referred_by == "<sip:ann@pbx.example>"


def test_one_transfer_at_a_time(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    call, taken = ann.connect(bob)
    call.refer(TARGET, network.now)
    network.run(0.1)
    assert refer(network, call, ("Refer-To", str(TARGET))) == 491
    taken.referred.accept(network.now)
    assert refer(network, call, ("Refer-To", str(TARGET))) == 491


def test_who_may_not_transfer_is_refused_and_is_not_told_that_it_could(
    network: VirtualNetwork, ann: Phone
) -> None:
    carl = network.phone("192.0.2.3")
    call, taken = ann.connect(carl)
    assert refer(network, call, ("Refer-To", str(TARGET))) == 403
    assert carl.heard(taken) == []
    assert "REFER" not in (network.last("200 INVITE").headers.get("Allow") or "")


def test_who_may_transfer_is_told_so(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    ann.connect(bob)
    answer = network.last("200 INVITE")
    assert "REFER" in (answer.headers.get("Allow") or "")
    assert "replaces" in answer.supported


def test_a_refusal_is_in_words(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    call, taken = ann.connect(bob)
    call.refer(TARGET, network.now)
    network.run(0.1)
    taken.referred.refuse(603, "Not from here", network.now)
    network.run(0.1)
    assert ann.heard(call) == [ReferEnded(603)]
    assert network.last("603 REFER").start_line == "SIP/2.0 603 Not from here"


@pytest.mark.parametrize(
    ("event", "expires", "status", "state"),
    [
        ("refer", "60", 200, "active"),
        ("refer", "0", 200, "terminated;reason=timeout"),
        ("refer;id=77", "60", 481, "active"),
        ("kpml", "60", 489, "active"),
        ("presence", "0", 489, "active"),
    ],
)
def test_news_can_be_asked_for_longer_or_no_more(
    network: VirtualNetwork,
    ann: Phone,
    bob: Phone,
    event: str,
    expires: str,
    status: int,
    state: str,
) -> None:
    call, taken = ann.connect(bob)
    call.refer(TARGET, network.now)
    network.run(0.1)
    taken.referred.accept(network.now)
    network.run(0.1)
    answer = send(network, call, "SUBSCRIBE", ("Event", event), ("Expires", expires))
    assert answer == status
    assert notified(network, bob)[-1][1] == state
    before = len(notified(network, bob))
    taken.referred.report(200, network.now)
    network.run(0.1)
    is_told = len(notified(network, bob)) > before
    assert is_told == (state == "active")


def test_a_subscription_nobody_renews_runs_out(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    call.refer(TARGET, network.now)
    network.run(0.1)
    taken.referred.accept(network.now)
    network.run(181.0)
    assert notified(network, bob)[-1][1] == "terminated;reason=timeout"
    assert taken.is_live


def test_news_goes_on_in_order_over_a_network_that_loses_it(ann: Phone, bob: Phone) -> None:
    network = VirtualNetwork(loss=0.3, jitter=0.03, seed=4)
    ann = network.phone("192.0.2.1")
    bob = network.phone("192.0.2.2", accepts=lambda request, flow: Verdict(policy=WELCOME))
    call = ann.call(bob, b"offer")
    network.run(5.0)
    taken = bob.calls[0]
    taken.answer(b"answer", network.now)
    network.run(10.0)
    call.refer(TARGET, network.now)
    network.run(10.0)
    taken.referred.accept(network.now)
    for status in (180, 183, 200):
        taken.referred.report(status, network.now)
    network.run(30.0)
    news = [e for e in ann.heard(call) if isinstance(e, ReferProgress | ReferEnded)]
    assert news[-1] == ReferEnded(200)
    assert "500 NOTIFY" not in network.titles()


def test_news_reaches_an_asker_who_has_hung_up(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    call.refer(TARGET, network.now)
    network.run(0.1)
    taken.referred.accept(network.now)
    network.run(0.1)
    call.hang_up(network.now)
    network.run(0.1)
    taken.referred.report(200, network.now)
    network.run(0.1)
    assert notified(network, bob)[-1] == (
        *("refer", "terminated;reason=noresource", "SIP/2.0 200 OK"),
    )
    network.run(40.0)
    assert bob.agent.is_idle


def test_who_hears_no_news_is_told_no_more_and_the_call_goes_on(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = ann.connect(bob)
    call.refer(TARGET, network.now)
    network.run(0.1)
    call._transfer._expires_at = None  # a phone that has forgotten: its 481
    taken.referred.accept(network.now)
    network.run(0.1)
    assert "481 NOTIFY" in network.titles()
    taken.referred.report(180, network.now)
    network.run(0.1)
    assert len(notified(network, bob)) == 1
    assert taken.is_live


@pytest.mark.parametrize(
    ("method", "event", "status"),
    [
        ("NOTIFY", "refer", "481 NOTIFY"),
        ("NOTIFY", "keep-alive", "489 NOTIFY"),
        ("NOTIFY", "kpml", "489 NOTIFY"),
        ("SUBSCRIBE", "dialog", "489 SUBSCRIBE"),
    ],
)
def test_news_nobody_asked_for_is_refused_inside_a_call(
    network: VirtualNetwork, ann: Phone, bob: Phone, method: str, event: str, status: str
) -> None:
    call, taken = ann.connect(bob)
    send(network, call, method, ("Event", event), ("Subscription-State", "active"))
    answer = network.last(status)
    if status.startswith("489"):
        assert answer.headers.get("Allow-Events") == "refer"
    assert taken.is_live


@pytest.mark.parametrize(
    ("method", "status", "header"),
    [("NOTIFY", 489, "Allow-Events"), ("SUBSCRIBE", 489, "Allow-Events"), ("REFER", 405, "Allow")],
)
def test_outside_of_calls_there_is_no_news_and_no_transfer(
    network: VirtualNetwork, ann: Phone, bob: Phone, method: str, status: int, header: str
) -> None:
    request = Request(method, "sip:bob@192.0.2.2")
    for name, value in {
        "Via": "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK77;rport",
        "From": "<sip:ann@192.0.2.1>;tag=a",
        "To": "<sip:bob@192.0.2.2>",
        "Call-ID": "77@192.0.2.1",
        "CSeq": f"1 {method}",
        "Contact": "<sip:ann@192.0.2.1>",
        "Event": "keep-alive",
        "Refer-To": str(TARGET),
    }.items():
        request.headers.add(name, value)
    bob.agent.receive(bytes(request), bob.flow_to(ann), network.now)
    bob.flush()
    assert network.last(f"{status} {method}").headers.get(header)
    assert not bob.agent.has_calls
