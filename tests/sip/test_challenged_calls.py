"""Requests that are asked for a password: sent again with it, in their place, not for ever."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from gateway.clock import CountedIds
from gateway.sip.admission import Policy, Verdict
from gateway.sip.credentials.account import Account
from gateway.sip.credentials.challenger import Challenger, Proof
from gateway.sip.credentials.digest import Credentials, Secret
from gateway.sip.dialogs.session_events import Answered, Ended
from gateway.sip.flow import Flow
from gateway.sip.wire.message import Request, response_to
from gateway.testing.sip import Phone, VirtualNetwork

OFFER, ANSWER = b"v=0 offer", b"v=0 answer"


class Doorkeeper:
    """Asks every request outside a call for a password, and those in it where told."""

    def __init__(self, network: VirtualNetwork, lifetime: float = 60.0) -> None:
        self._network = network
        secrets = {"ann": Secret("ann", "sesame")}
        self.challenger = Challenger("bob", secrets, CountedIds("nonce"), lifetime=lifetime)

    def __call__(self, request: Request, flow: Flow) -> Verdict:
        proof = self.challenger.judge(request, self._network.now).proof
        if proof is Proof.GOOD:
            return Verdict()
        is_stale = proof is Proof.STALE
        headers = self.challenger.challenges(self._network.now, is_stale=is_stale)
        return Verdict(401, headers=headers)


def account(password: str = "sesame") -> Account:
    return Account("ann", password)


def guarded(network: VirtualNetwork, **options: Any) -> Phone:
    return network.phone("192.0.2.2", accepts=Doorkeeper(network, **options))


def call(ann: Phone, bob: Phone, who: Account, network: VirtualNetwork) -> Any:
    session = ann.call(bob, OFFER, policy=Policy(account=who))
    network.run(0.2)
    return session


def sent(network: VirtualNetwork, title: str) -> list[Request]:
    found = [s.message for s in network.sent if s.title == title]
    return [message for message in found if isinstance(message, Request)]


def proof_of(request: Request) -> Credentials:
    credentials = Credentials.parse(request.headers.get("Authorization") or "")
    assert credentials is not None
    return credentials


def challenge_inside(bob: Phone, methods: str) -> Callable[[], None]:
    """Have the phone ask for a password in calls too: at its wire, below its agent."""
    layer, door = bob.agent._layer, bob.agent._door._accepts
    receive = layer.receive

    def guarded(message: Any, flow: Flow, now: float) -> None:
        is_asked = isinstance(message, Request) and message.method in methods.split()
        if not is_asked or message.to.tag is None:
            receive(message, flow, now)
            return
        verdict = door(message, flow)
        if verdict.lets_in:
            receive(message, flow, now)
            return
        refusal = response_to(message, verdict.status)
        for name, value in verdict.headers:
            refusal.headers.add(name, value)
        layer.send_direct(refusal, flow)

    layer.receive = guarded  # type: ignore[method-assign]
    return lambda: setattr(layer, "receive", receive)


def test_a_challenged_invite_is_sent_again_as_the_same_call(
    network: VirtualNetwork, ann: Phone
) -> None:
    bob = guarded(network)
    session = call(ann, bob, account(), network)
    bob.calls[0].answer(ANSWER, network.now)
    network.run(0.2)
    assert ann.heard(session) == [Answered(ANSWER)]
    first, second = sent(network, "INVITE")
    assert (first.call_id, first.from_.tag) == (second.call_id, second.from_.tag)
    assert (first.cseq.number, second.cseq.number) == (1, 2)
    assert first.via.branch != second.via.branch
    assert len(second.vias) == 1
    assert len({s.flow for s in network.sent if s.title == "INVITE"}) == 1


def test_the_refusal_is_acknowledged_as_what_it_refused(
    network: VirtualNetwork, ann: Phone
) -> None:
    call(ann, guarded(network), account(), network)
    (ack,) = sent(network, "ACK")
    invite = sent(network, "INVITE")[0]
    assert (ack.via.branch, ack.cseq.number) == (invite.via.branch, 1)


def test_the_ack_of_the_answer_carries_the_credentials_of_its_invite(
    network: VirtualNetwork, ann: Phone
) -> None:
    bob = guarded(network)
    call(ann, bob, account(), network)
    bob.calls[0].answer(ANSWER, network.now)
    network.run(0.2)
    invite, ack = sent(network, "INVITE")[-1], sent(network, "ACK")[-1]
    assert ack.cseq.number == invite.cseq.number == 2
    assert ack.headers.get_all("Authorization") == invite.headers.get_all("Authorization")
    assert ack.via.branch != invite.via.branch


def test_a_wrong_password_is_tried_once_and_the_call_fails(
    network: VirtualNetwork, ann: Phone
) -> None:
    session = call(ann, guarded(network), account("guess"), network)
    network.run(60.0)
    assert len(sent(network, "INVITE")) == 2
    (ended,) = ann.heard(session)
    assert isinstance(ended, Ended)
    assert (ended.by, ended.status) == ("peer", 401)
    assert ann.agent.is_idle


def test_without_an_account_the_challenge_is_the_end(network: VirtualNetwork, ann: Phone) -> None:
    session = ann.call(guarded(network), OFFER)
    network.run(1.0)
    assert len(sent(network, "INVITE")) == 1
    assert [event.status for event in ann.heard(session) if isinstance(event, Ended)] == [401]


def test_the_next_request_shows_the_same_nonce_at_once(network: VirtualNetwork, ann: Phone) -> None:
    bob, who = guarded(network), account()
    call(ann, bob, who, network)
    call(ann, bob, who, network)
    assert len(bob.calls) == 2
    proofs = [proof_of(invite) for invite in sent(network, "INVITE")[1:]]
    assert [proof.nc for proof in proofs] == ["00000001", "00000002"]
    assert len({proof.nonce for proof in proofs}) == 1


def test_a_nonce_that_grew_old_is_replaced(network: VirtualNetwork, ann: Phone) -> None:
    bob, who = guarded(network, lifetime=10.0), account()
    call(ann, bob, who, network)
    network.run(20.0)
    call(ann, bob, who, network)
    assert len(bob.calls) == 2
    first, stale, fresh = (proof_of(invite) for invite in sent(network, "INVITE")[1:])
    assert (first.nonce, first.nc, stale.nc, fresh.nc) == (
        stale.nonce, "00000001", "00000002", "00000001",
    )  # fmt: skip
    assert fresh.nonce != stale.nonce


def test_a_server_that_says_stale_for_ever_is_asked_twice(
    network: VirtualNetwork, ann: Phone
) -> None:
    door = Challenger("bob", {}, CountedIds("n"))

    def accepts(request: Request, flow: Flow) -> Verdict:
        return Verdict(401, headers=door.challenges(network.now, is_stale=True))

    call(ann, network.phone("192.0.2.2", accepts=accepts), account(), network)
    network.run(60.0)
    assert len(sent(network, "INVITE")) == 3


def test_a_server_with_ever_new_realms_is_given_up(network: VirtualNetwork, ann: Phone) -> None:
    numbers = itertools.count()

    def accepts(request: Request, flow: Flow) -> Verdict:
        door = Challenger(f"realm {next(numbers)}", {}, CountedIds("n"))
        return Verdict(401, headers=door.challenges(network.now))

    call(ann, network.phone("192.0.2.2", accepts=accepts), account(), network)
    network.run(60.0)
    assert len(sent(network, "INVITE")) == 5


def test_a_proxy_and_a_server_behind_it_are_both_answered(
    network: VirtualNetwork, ann: Phone
) -> None:
    door = Challenger("bob", {"ann": Secret("ann", "sesame")}, CountedIds("n"))
    proxy = ("Proxy-Authenticate", 'Digest realm="proxy", nonce="p", qop="auth,auth-int"')

    def accepts(request: Request, flow: Flow) -> Verdict:
        if "Proxy-Authorization" not in request.headers:
            return Verdict(407, headers=(proxy,))
        is_good = door.judge(request, network.now)[0] is Proof.GOOD
        return Verdict() if is_good else Verdict(401, headers=door.challenges(network.now))

    bob = network.phone("192.0.2.2", accepts=accepts)
    call(ann, bob, account(), network)
    assert len(bob.calls) == 1
    last = sent(network, "INVITE")[-1]
    assert last.cseq.number == 3
    assert (len(last.headers.get_all("Authorization")), proof_of(last).realm) == (1, "bob")
    assert 'realm="proxy"' in (last.headers.get("Proxy-Authorization") or "")


@pytest.mark.parametrize("method", ["BYE", "INVITE", "INFO", "REFER"])
def test_requests_in_a_call_are_answered_for_and_numbered_on(
    network: VirtualNetwork, ann: Phone, method: str
) -> None:
    bob = guarded(network, lifetime=1.0)
    session = call(ann, bob, account(), network)
    bob.calls[0].answer(ANSWER, network.now)
    network.run(5.0)
    challenge_inside(bob, method)
    before = len(network.sent)
    match method:
        case "BYE":
            session.hang_up(network.now)
        case "INVITE":
            assert session.reinvite(OFFER, network.now)
        case "INFO":
            session.info("application/dtmf", b"5", network.now)
        case _:
            session.refer(bob.uri, network.now)
    network.run(0.3)
    numbers = [s.message.cseq.number for s in network.sent[before:] if s.title == method]
    assert numbers == [3, 4]
    assert session.dialog.local_sequence == 4


def test_a_call_given_up_before_the_challenge_is_not_placed_again(
    network: VirtualNetwork, ann: Phone
) -> None:
    bob = guarded(network)
    session = ann.call(bob, OFFER, policy=Policy(account=account()))
    session.hang_up(network.now)
    network.run(60.0)
    assert len(sent(network, "INVITE")) == 1
    assert not bob.calls
    assert ann.agent.is_idle


def test_a_call_given_up_after_the_challenge_is_cancelled_where_it_is_now(
    network: VirtualNetwork, ann: Phone
) -> None:
    bob = guarded(network)
    session = call(ann, bob, account(), network)
    bob.calls[0].ring(network.now)
    network.run(0.2)
    session.hang_up(network.now)
    network.run(1.0)
    (cancel,) = sent(network, "CANCEL")
    invite = sent(network, "INVITE")[-1]
    assert (cancel.via.branch, cancel.cseq.number) == (invite.via.branch, 2)
    assert "Authorization" not in cancel.headers
    network.run(60.0)
    assert ann.agent.is_idle
    assert bob.agent.is_idle
