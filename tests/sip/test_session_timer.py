"""How long a call lives that nobody refreshes (RFC 4028): both sides, in virtual time."""

from collections.abc import Callable

import pytest
from test_agent_refusals import forge

from gateway.sip.admission import Policy, Verdict
from gateway.sip.dialogs.incoming import IncomingSession
from gateway.sip.dialogs.outgoing import OutgoingSession
from gateway.sip.dialogs.session_events import Answered, Ended, OfferReceived, OfferRefused, Renewed
from gateway.sip.dialogs.session_timer import SessionTimer
from gateway.sip.wire.message import Message, Request, Response, response_to
from gateway.sip.wire.reason import Reason
from gateway.testing.sip import Phone, VirtualNetwork

HALF_HOUR = Policy(session_expires=1800)
NONE = Policy()


def phone(network: VirtualNetwork, policy: Policy, host: str = "192.0.2.3") -> Phone:
    return network.phone(host, accepts=lambda request, flow: Verdict(policy=policy))


def connect(
    network: VirtualNetwork, ann: Phone, bob: Phone, ours: Policy, **options: object
) -> tuple[OutgoingSession, IncomingSession]:
    call = ann.call(bob, b"offer", policy=ours, **options)
    network.run(0.1)
    taken = bob.calls[-1]
    taken.answer(b"answer", network.now)
    network.run(0.1)
    ann.heard(call)
    bob.heard(taken)
    return call, taken


def times(network: VirtualNetwork, title: str, by: Phone) -> list[float]:
    return [s.at for s in network.sent if s.title == title and s.flow.local == by.address]


def reason_of_bye(network: VirtualNetwork, by: Phone) -> str | None:
    byes = (s.message for s in network.sent if s.title == "BYE" and s.flow.local == by.address)
    return next(byes).headers.get("Reason")


def session(message: Message) -> tuple[str | None, str | None]:
    return message.headers.get("Session-Expires"), message.headers.get("Min-SE")


def test_the_caller_refreshes_by_update_at_half_and_both_live_on(
    network: VirtualNetwork, ann: Phone
) -> None:
    bob = phone(network, HALF_HOUR)
    call, taken = connect(network, ann, bob, HALF_HOUR)
    assert session(network.last("INVITE"))[0] == "1800"
    answer = network.last("200 INVITE")
    assert session(answer)[0] == "1800;refresher=uac"
    assert "timer" in answer.require
    start = network.now
    network.run(7201.0)
    assert [round(at - start) for at in network.times("UPDATE")] == [900 * n for n in range(1, 9)]
    assert session(network.last("UPDATE"))[0] == "1800;refresher=uac"
    assert session(network.last("200 UPDATE"))[0] == "1800;refresher=uac"
    assert ann.heard(call) == bob.heard(taken) == []
    assert call.is_live
    assert taken.is_live


def test_a_caller_that_falls_silent_is_let_go_before_the_session_runs_out(
    network: VirtualNetwork, ann: Phone
) -> None:
    bob = phone(network, HALF_HOUR)
    _, taken = connect(network, ann, bob, HALF_HOUR)
    start = network.now
    network.drop = lambda sent: sent.flow.local == ann.address
    network.run(1900.0)
    assert times(network, "BYE", bob)[0] == pytest.approx(start + 1800 - 32, abs=0.3)
    expired = Reason("Q.850", 102, "session expired")
    assert bob.heard(taken) == [Ended("gateway", 408, expired)]
    assert reason_of_bye(network, bob) == str(expired)


def test_a_short_session_is_watched_to_two_thirds(network: VirtualNetwork, ann: Phone) -> None:
    bob = phone(network, Policy(session_expires=90))
    _, taken = connect(network, ann, bob, NONE)
    start = network.now
    network.drop = lambda sent: sent.flow.local == ann.address
    network.run(80.0)
    assert times(network, "BYE", bob)[0] == pytest.approx(start + 60, abs=0.3)
    assert not taken.is_live


def test_a_refresher_whom_nobody_answers_ends_the_call(network: VirtualNetwork, ann: Phone) -> None:
    bob = phone(network, HALF_HOUR)
    call, _ = connect(network, ann, bob, HALF_HOUR)
    network.drop = lambda sent: sent.flow.local == bob.address
    network.run(950.0)
    assert ann.heard(call) == [Ended("peer", 408, None)]
    assert reason_of_bye(network, ann) == "Q.850;cause=102"


@pytest.mark.parametrize(
    ("status", "is_live"), [(481, False), (408, False), (500, True), (488, True)]
)
def test_only_a_peer_that_forgot_the_call_ends_it_by_refusing_a_refresh(
    network: VirtualNetwork, ann: Phone, status: int, is_live: bool
) -> None:
    bob = phone(network, HALF_HOUR)
    call, _ = connect(network, ann, bob, HALF_HOUR)
    network.drop = lambda sent: sent.title == "200 UPDATE"
    network.run(900.2)
    update = network.last("UPDATE")
    assert isinstance(update, Request)
    network.carry(bytes(response_to(update, status)), bob.flow_to(ann))
    network.drop = lambda sent: False
    network.run(1.0)
    assert call.is_live is is_live
    network.run(1800.0)
    assert call.is_live is is_live
    assert (network.titles().count("UPDATE") > 2) is is_live, "it is tried again"


def strip_timer(request_or_response: Message) -> bytes:
    """Return a message as one who knows no session timer would send it."""
    headers = request_or_response.headers
    for name in ("Session-Expires", "Min-SE", "Supported"):
        headers.remove(name)
    if "timer" in (headers.get("Require") or ""):
        headers.remove("Require")
    return bytes(request_or_response)


def test_a_caller_who_knows_no_timer_is_refreshed_by_us_and_never_runs_out(
    network: VirtualNetwork, ann: Phone
) -> None:
    bob = phone(network, HALF_HOUR)
    data = forge("INVITE", extra="Allow: INVITE, ACK, BYE, UPDATE\n", body="v=0")
    bob.agent.receive(data, bob.flow_to(ann), 0.0)
    bob.flush()
    taken = bob.calls[0]
    taken.answer(b"answer", network.now)
    bob.flush()
    answer = network.last("200 INVITE")
    assert session(answer)[0] == "1800;refresher=uas"
    assert answer.require == []
    ack = forge("ACK", to_tag=f";tag={taken.local_tag}").replace(b"z9hG4bK-1", b"z9hG4bK-2")
    bob.agent.receive(ack, bob.flow_to(ann), 0.1)
    network.drop = lambda sent: True
    for count in (1, 2, 3):
        network.run(900.2)
        update = network.last("UPDATE")
        assert isinstance(update, Request)
        assert update.cseq.number == count
        bob.agent.receive(bytes(response_to(update, 200)), bob.flow_to(ann), network.now)
    assert taken.is_live


def test_a_callee_who_knows_no_timer_is_refreshed_by_us_with_the_description_as_it_was(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    network.drop = lambda sent: sent.title == "200 INVITE"
    call = ann.call(bob, b"offer", policy=HALF_HOUR)
    network.run(0.1)
    taken = bob.calls[0]
    taken.answer(b"answer", network.now)
    bob.flush()
    answer = network.last("200 INVITE")
    answer.headers.remove("Allow")
    network.drop = lambda sent: False
    network.carry(strip_timer(answer), bob.flow_to(ann))
    network.run(0.1)
    ann.heard(call)
    bob.heard(taken)
    network.run(900.0)
    refresh = network.last("INVITE")
    assert (refresh.cseq.number, refresh.body) == (2, b"offer")
    assert bob.heard(taken) == [OfferReceived(b"offer", "INVITE")]
    taken.answer_offer(b"answer", network.now)
    network.run(0.1)
    assert network.titles()[-1] == "ACK"
    assert ann.heard(call) == [], "nothing has changed"
    network.run(4000.0)
    assert call.is_live


def test_a_refresh_answered_with_another_description_is_told(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = connect(network, ann, bob, HALF_HOUR)
    call._line.peer_methods = frozenset()  # as of one who told none
    network.run(900.0)
    taken.answer_offer(b"moved", network.now)
    network.run(0.1)
    assert ann.heard(call) == [Renewed(b"moved")]


def test_a_refresh_gives_way_to_an_offer_that_is_open(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = connect(network, ann, bob, HALF_HOUR)
    call._line.peer_methods = frozenset()
    network.run(899.8)
    taken.reinvite(b"bob's", network.now)
    network.run(5.0)
    assert ann.heard(call) == [OfferReceived(b"bob's", "INVITE")]
    assert network.titles().count("INVITE") == 2
    call.answer_offer(b"yes", network.now)
    network.run(0.1)
    assert network.last("200 INVITE").headers.get("Session-Expires") == "1800;refresher=uas"
    network.run(890.0)
    assert network.titles().count("INVITE") == 2, "the other's offer was a refresh as well"
    network.run(12.0)
    assert network.titles()[-2:] == ["UPDATE", "200 UPDATE"]


def test_refreshes_that_meet_an_offer_wait_as_offers_do(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = connect(network, ann, bob, HALF_HOUR)
    call._line.peer_methods = frozenset()
    due = call._timer.deadline or 0.0
    network.run(due - network.now - 0.005)
    taken.reinvite(b"bob's", network.now)
    network.run(0.5)
    assert network.titles().count("491 INVITE") == 2
    assert ann.heard(call) == [], "our refresh is nobody's concern"
    assert OfferRefused(491) in bob.heard(taken)
    call._line.peer_methods = frozenset()
    network.run(5.0)
    assert 2.1 <= times(network, "INVITE", ann)[-1] - due <= 4.1


def test_a_peer_that_takes_no_update_after_all_is_refreshed_by_reinvite(
    network: VirtualNetwork, ann: Phone, bob: Phone
) -> None:
    call, taken = connect(network, ann, bob, HALF_HOUR)
    network.drop = lambda sent: sent.title == "200 UPDATE"
    network.run(900.2)
    update = network.last("UPDATE")
    assert isinstance(update, Request)
    network.carry(bytes(response_to(update, 501)), bob.flow_to(ann))
    network.run(0.1)
    assert bob.heard(taken) == [OfferReceived(b"offer", "INVITE")]
    assert call.is_live


class TestTooShort:
    """422 and Min-SE, both ways (sections 6 and 9)."""

    def test_a_session_too_short_is_refused_with_the_shortest_we_take(
        self, network: VirtualNetwork, ann: Phone
    ) -> None:
        bob = phone(network, Policy(min_se=1800))
        data = forge("INVITE", extra="Supported: timer\nSession-Expires: 300\n")
        bob.agent.receive(data, bob.flow_to(ann), 0.0)
        bob.flush()
        assert network.titles() == ["422 INVITE"]
        assert session(network.last("422 INVITE")) == (None, "1800")
        assert bob.calls == []

    def test_the_caller_asks_again_for_as_much_as_is_wanted(
        self, network: VirtualNetwork, ann: Phone
    ) -> None:
        bob = phone(network, Policy(min_se=1800))
        call, taken = connect(network, ann, bob, Policy(session_expires=600))
        first, second = (s.message for s in network.sent if s.title == "INVITE")
        assert (session(first), session(second)) == (("600", None), ("1800", "1800"))
        assert second.cseq.number == 2
        assert (first.call_id, first.from_.tag) == (second.call_id, second.from_.tag)
        assert first.via.branch != second.via.branch
        assert network.last("200 INVITE").headers.get("Session-Expires") == "1800;refresher=uac"
        taken.hang_up(network.now)
        network.run(0.1)
        assert ann.heard(call) == [Ended("peer", 200, None)]

    def test_a_refusal_that_asks_for_no_more_ends_the_call(
        self, network: VirtualNetwork, ann: Phone, bob: Phone
    ) -> None:
        network.drop = lambda sent: sent.flow.local == bob.address
        call = ann.call(bob, b"offer", policy=Policy(session_expires=600))
        network.run(0.1)
        network.drop = lambda sent: False
        response = response_to(network.last_request("INVITE"), 422, to_tag="b")
        response.headers.add("Min-SE", "90")
        network.carry(bytes(response), bob.flow_to(ann))
        network.run(0.1)
        assert ann.heard(call) == [Ended("peer", 422, None)]

    @pytest.mark.parametrize(
        ("wanted", "asked"),
        [
            (lambda count: 600 + 100 * count, ["600", "700", "800", "900"]),
            (lambda count: 4_000_000_000, ["600"]),
            (lambda count: 86_400, ["600", "86400"]),
        ],
        ids=["ever more", "past all reason", "a day and no less"],
    )
    def test_a_caller_who_is_asked_for_ever_more_gives_up(
        self,
        network: VirtualNetwork,
        ann: Phone,
        bob: Phone,
        wanted: Callable[[int], int],
        asked: list[str],
    ) -> None:
        network.drop = lambda sent: sent.flow.local == bob.address
        call = ann.call(bob, b"offer", policy=Policy(session_expires=600))
        for count in range(1, 10):
            network.run(0.1)
            response = response_to(network.last_request("INVITE"), 422, to_tag="b")
            response.headers.add("Min-SE", str(wanted(count)))
            ann.agent.receive(bytes(response), ann.flow_to(bob), network.now)
            ann.flush()
        invites = [s.message for s in network.sent if s.title == "INVITE"]
        assert [session(invite)[0] for invite in invites] == asked
        assert ann.heard(call) == [Ended("peer", 422, None)]

    @pytest.mark.parametrize("allows_update", [True, False])
    def test_a_refresh_too_short_is_asked_for_again(
        self, network: VirtualNetwork, ann: Phone, allows_update: bool
    ) -> None:
        policies = iter([Policy(session_expires=600)])
        bob = network.phone(
            "192.0.2.3", accepts=lambda request, flow: Verdict(policy=next(policies))
        )
        call, taken = connect(network, ann, bob, Policy(session_expires=600))
        taken._line.policy = Policy(min_se=1200)  # the peer has learned to want more
        if not allows_update:
            call._line.peer_methods = frozenset()
        network.run(301.0)
        method = "UPDATE" if allows_update else "INVITE"
        assert f"422 {method}" in network.titles()
        if not allows_update:
            taken.answer_offer(b"answer", network.now)
            network.run(0.1)
        assert session(network.last(method)) == ("1200;refresher=uac", "1200")
        assert network.titles().count(f"200 {method}") >= 1
        assert ann.heard(call) == []
        assert call.is_live


# What the peers of the field ask for (their INVITE), our policy, and what we agree to.
PEERS = [
    ("Teams", "timer", "3600", "300", HALF_HOUR, "1800;refresher=uac"),
    ("Twilio", "timer", "1800", "120", Policy(session_expires=90), "120;refresher=uac"),
    ("Cisco", "timer", "1800", "1800", Policy(session_expires=600), "1800;refresher=uac"),
    ("Asterisk", "timer", "1800;refresher=uas", "90", HALF_HOUR, "1800;refresher=uas"),
    ("wants to refresh", "timer", "1800;refresher=uac", "90", HALF_HOUR, "1800;refresher=uac"),
    ("no wish of ours", "timer", "3600", "90", NONE, "3600;refresher=uac"),
    ("no wish at all", "timer", "", "", NONE, None),
    ("wish of ours", "timer", "", "", HALF_HOUR, "1800;refresher=uac"),
    ("a proxy's wish", "", "1800", "", HALF_HOUR, "1800;refresher=uas"),
    ("a proxy's wish below ours", "", "300", "90", HALF_HOUR, "300;refresher=uas"),
    ("less than it would have itself", "timer", "600", "1800", NONE, "600;refresher=uac"),
    ("for ever", "timer", "4000000000", "", NONE, "86400;refresher=uac"),
    ("nonsense", "timer", "soon", "never", NONE, None),
    ("more nonsense", "timer", '1800;";', "90", NONE, "1800;refresher=uac"),
]


@pytest.mark.parametrize(
    ("supported", "expires", "min_se", "policy", "agreed"),
    [peer[1:] for peer in PEERS],
    ids=[peer[0] for peer in PEERS],
)
def test_what_each_peer_asks_for_is_agreed_on(
    supported: str, expires: str, min_se: str, policy: Policy, agreed: str | None
) -> None:
    request = Request("INVITE", "sip:bob@192.0.2.2")
    for name, value in (
        *(("Supported", supported), ("Session-Expires", expires), ("Min-SE", min_se)),
    ):
        if value:
            request.headers.add(name, value)
    response, timer = Response(200), SessionTimer(policy)
    timer.answer(request, response, now=0.0)
    assert response.headers.get("Session-Expires") == agreed
    assert (response.headers.get("Require") == "timer") is (agreed or "").endswith("uac")
    assert (timer.deadline is None) is (agreed is None)


# Too short for us, of a caller who knows no timer (a 422 would help nobody), or past all reason.
@pytest.mark.parametrize(
    ("expires", "min_se", "policy"),
    [
        ("20", "", NONE),
        ("30", "90", HALF_HOUR),
        ("120", "", Policy(session_expires=1800, min_se=600)),
        ("4000000000", "4000000000", HALF_HOUR),
        ("", "4000000000", HALF_HOUR),
    ],
)
def test_what_cannot_be_agreed_on_limits_nothing_and_is_not_answered_with_more(
    expires: str, min_se: str, policy: Policy
) -> None:
    request = Request("INVITE", "sip:bob@192.0.2.2")
    for name, value in (("Session-Expires", expires), ("Min-SE", min_se)):
        if value:
            request.headers.add(name, value)
    response, timer = Response(200), SessionTimer(policy)
    timer.answer(request, response, now=0.0)
    assert response.headers.get("Session-Expires") is None
    assert not timer.is_over(1e9)
    assert timer.deadline == (policy.session_expires / 2 or None), "we refresh it all the same"


@pytest.mark.parametrize(
    ("status", "retry_after", "wait"),
    [
        (491, None, (2.1, 4.0)),
        (500, "7", (7.0, 7.0)),
        (500, "0", (2.0, 2.0)),
        (503, "20 (busy)", (20.0, 20.0)),
        (500, "86400", (900.0, 900.0)),
        (500, None, (450.0, 450.0)),
    ],
)
def test_a_refresh_that_was_refused_is_sent_again_when_the_peer_says(
    network: VirtualNetwork,
    ann: Phone,
    status: int,
    retry_after: str | None,
    wait: tuple[float, ...],
) -> None:
    bob = phone(network, HALF_HOUR)
    call, _ = connect(network, ann, bob, HALF_HOUR)
    network.drop = lambda sent: sent.title == "200 UPDATE"
    network.run(900.2)
    refusal = response_to(network.last_request("UPDATE"), status)
    if retry_after is not None:
        refusal.headers.add("Retry-After", retry_after)
    before = len(network.times("UPDATE"))
    network.carry(bytes(refusal), bob.flow_to(ann))
    network.drop = lambda sent: False
    at = network.now
    network.run(905.0)
    assert wait[0] <= network.times("UPDATE")[before] - at <= wait[1] + 0.1
    network.run(3600.0)
    assert call.is_live


def test_who_refreshes_stays_the_same_when_the_other_side_offers() -> None:
    timer = SessionTimer(HALF_HOUR)
    response = Response(200)
    response.headers.add("Session-Expires", "1800;refresher=uac")
    timer.agree(response, now=0.0)
    request, answer = Request("INVITE", "sip:bob@192.0.2.2"), Response(200)
    request.headers.add("Supported", "timer")
    timer.answer(request, answer, now=100.0)
    assert answer.headers.get("Session-Expires") == "1800;refresher=uas"
    assert timer.deadline == 1000.0


def test_a_callee_who_wants_to_refresh_does(network: VirtualNetwork, ann: Phone) -> None:
    bob = phone(network, HALF_HOUR)
    headers = [("Session-Expires", "1800;refresher=uas")]
    call, taken = connect(network, ann, bob, NONE, headers=headers)
    assert ann.heard(call) == []
    network.run(901.0)
    assert len(times(network, "UPDATE", bob)) == 1
    assert taken.is_live


def test_nothing_is_refreshed_once_the_call_has_ended(network: VirtualNetwork, ann: Phone) -> None:
    bob = phone(network, HALF_HOUR)
    call, _ = connect(network, ann, bob, HALF_HOUR)
    call.hang_up(network.now)
    network.run(4000.0)
    assert "UPDATE" not in network.titles()
    assert ann.agent.is_idle
    assert bob.agent.is_idle


@pytest.mark.parametrize("seed", range(4))
def test_hours_of_a_call_survive_a_network_that_loses_a_third(seed: int) -> None:
    network = VirtualNetwork(loss=0.33, jitter=0.05, seed=seed)
    ann, bob = network.phone("192.0.2.1"), phone(network, Policy(session_expires=90))
    call = ann.call(bob, b"offer", policy=Policy(session_expires=90))
    network.run(8.0)
    bob.calls[0].answer(b"answer", network.now)
    network.run(7200.0)
    assert Answered(b"answer") in ann.heard(call)
    assert call.is_live
    assert bob.calls[0].is_live


@pytest.mark.parametrize(
    ("told", "refreshed_after"), [(4_294_967_295, 900), (1801, 900), (1800, 900), (600, 300)]
)
def test_who_answers_may_shorten_a_session_and_never_lengthen_it(
    network: VirtualNetwork, ann: Phone, bob: Phone, told: int, refreshed_after: int
) -> None:
    network.drop = lambda sent: sent.flow.remote == bob.address
    ann.call(bob, b"offer", policy=HALF_HOUR)
    network.run(0.1)
    answer = response_to(network.last_request("INVITE"), 200, to_tag="b")
    answer.headers.add("Contact", "<sip:192.0.2.2>")
    answer.headers.add("Require", "timer")
    answer.headers.add("Allow", "UPDATE")
    answer.headers.add("Session-Expires", f"{told};refresher=uac")
    answer.body = b"answer"
    network.carry(bytes(answer), bob.flow_to(ann))
    network.run(1000.0)
    assert network.times("UPDATE")[0] == pytest.approx(refreshed_after, abs=1.0)
    assert session(network.last("UPDATE"))[0] == f"{2 * refreshed_after};refresher=uac"
