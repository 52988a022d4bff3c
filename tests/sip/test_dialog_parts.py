"""The small parts a call is made of, each by itself."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.sip.alarms import Alarms
from gateway.sip.dialogs.dialog import Dialog, Order
from gateway.sip.dialogs.session_state import LIVE, TRANSITIONS, SessionInput, SessionState
from gateway.sip.flow import Flow, Transport
from gateway.sip.transactions.merging import MergeWatch
from gateway.sip.transactions.repeat import Repeater
from gateway.sip.transactions.timers import Timers
from gateway.sip.transport.address import Advertiser, Bind
from gateway.sip.ways.routing import Hop, flow_of, flows_towards, way_towards
from gateway.sip.wire.message import Request, Response, parse, response_to
from gateway.sip.wire.reason import Reason, cause_of_status
from gateway.sip.wire.uri import Uri

INVITE = b"""\
INVITE sip:bob@biloxi.example SIP/2.0\r
Via: SIP/2.0/UDP proxy.example;branch=z9hG4bK1\r
Record-Route: <sip:p2.example;lr;r2=on>, <sip:p1.example;lr;r2=on>\r
From: "A, B" <sip:alice@atlanta.example>;tag=a%41b\r
To: <sip:bob@biloxi.example>\r
Call-ID: one\r
CSeq: 7 INVITE\r
Contact: <sip:alice@10.1.2.3:5099;transport=udp>\r
Content-Length: 0\r
\r
"""


def invite(data: bytes = INVITE) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    return message


def accepted(request: Request, routes: str) -> Response:
    response = response_to(request, 200, to_tag="bobs")
    response.headers.set("Record-Route", routes)
    response.headers.add("Contact", "<sip:bob@10.9.9.9>")
    return response


def test_callee_keeps_the_route_as_it_came() -> None:
    dialog = Dialog.answering(invite(), "bobs", first_sequence=1)
    bye = dialog.request("BYE")
    assert bye.uri == "sip:alice@10.1.2.3:5099;transport=udp"
    assert bye.headers.get_all("Route") == [
        "<sip:p2.example;lr;r2=on>",
        "<sip:p1.example;lr;r2=on>",
    ]
    assert bye.headers.get("To") == '"A, B" <sip:alice@atlanta.example>;tag=a%41b'
    assert bye.headers.get("From") == "<sip:bob@biloxi.example>;tag=bobs"
    assert bye.cseq.number == 1
    assert dialog.next_hop.host == "p2.example"


def test_caller_turns_the_route_round() -> None:
    routes = "<sip:p2.example;lr>, <sip:p1.example;lr>"
    dialog = Dialog.calling(invite(), accepted(invite(), routes))
    ack = dialog.ack(invite())
    assert ack.headers.get_all("Route") == ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]
    assert ack.uri == "sip:bob@10.9.9.9"
    assert (ack.cseq.number, ack.cseq.method) == (7, "ACK")
    assert dialog.request("BYE").cseq.number == 8


def test_the_route_is_taken_anew_from_the_answer_that_makes_the_call() -> None:
    ringing = accepted(invite(), "<sip:p2.example;lr>, <sip:p1.example;lr>")
    dialog = Dialog.calling(invite(), ringing)
    dialog.confirm(accepted(invite(), "<sip:p9.example;lr>, <sip:p8.example;lr>"))
    assert dialog.ack(invite()).headers.get_all("Route") == [
        *("<sip:p8.example;lr>", "<sip:p9.example;lr>"),
    ]
    assert dialog.next_hop.host == "p8.example"


def test_strict_router_gets_its_own_address_as_the_target() -> None:
    routes = "<sip:p2.example;lr>, <sip:strict.example>"
    dialog = Dialog.calling(invite(), accepted(invite(), routes))
    bye = dialog.request("BYE")
    assert bye.uri == "sip:strict.example"
    assert bye.headers.get_all("Route") == ["<sip:p2.example;lr>", "<sip:bob@10.9.9.9>"]
    assert dialog.next_hop.host == "strict.example"


def test_ack_takes_the_credentials_of_the_invite() -> None:
    request = invite()
    request.headers.add("Proxy-Authorization", 'Digest username="a"')
    dialog = Dialog.calling(request, accepted(request, "<sip:p;lr>"))
    assert dialog.ack(request).headers.get("Proxy-Authorization") == 'Digest username="a"'


def test_order_of_requests_is_judged_by_number() -> None:
    dialog = Dialog.answering(invite(), "bobs", first_sequence=1)
    judged = []
    for number in (8, 8, 7, 100, 99, 101):
        request = invite(INVITE.replace(b"CSeq: 7", b"CSeq: %d" % number))
        judged.append(dialog.admit(request))
    assert judged == [
        *(Order.NEXT, Order.REPEATED, Order.STALE),
        *(Order.NEXT, Order.STALE, Order.NEXT),
    ]


def test_callers_first_request_to_us_may_have_any_number() -> None:
    dialog = Dialog.calling(invite(), accepted(invite(), "<sip:p;lr>"))
    assert dialog.admit(invite()) is Order.NEXT


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('Q.850;cause=16;text="Normal; really"', Reason("Q.850", 16, "Normal; really")),
        ("SIP ;cause=200", Reason("SIP", 200)),
        ('Q.850 ; text="say \\"bye\\"" ; cause = 31', Reason("Q.850", 31, 'say "bye"')),
        ("Q.850;cause=many", Reason("Q.850")),
        ("preemption", Reason("preemption")),
    ],
)
def test_reasons_are_read_and_written(value: str, reason: Reason) -> None:
    assert Reason.parse(value) == reason
    assert Reason.parse(str(reason)) == reason


@given(st.text())
@settings(max_examples=200)
def test_any_reason_can_be_read(value: str) -> None:
    Reason.parse(value)


def test_the_cause_of_the_telephone_network_is_preferred() -> None:
    request = invite()
    assert Reason.of(request) is None
    request.headers.add("Reason", 'SIP;cause=486;text="a, b", Q.850;cause=17')
    assert Reason.of(request) == Reason("Q.850", 17)


@pytest.mark.parametrize(("status", "cause"), [(200, 16), (486, 17), (404, 1), (499, 127)])
def test_each_status_has_a_cause(status: int, cause: int) -> None:
    assert cause_of_status(status) == cause


def test_repeats_double_up_to_t2_and_stop_after_64_t1() -> None:
    repeater, sent = Repeater(Timers(), now=10.0), []
    while (due := repeater.deadline) is not None:
        if repeater.wake(due):
            sent.append(due - 10.0)
    assert sent == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert repeater.is_expired


@pytest.mark.parametrize(("state", "step"), [*product(SessionState, SessionInput)])
def test_no_step_leads_back_to_life(state: SessionState, step: SessionInput) -> None:
    after = TRANSITIONS.get((state, step), state)
    assert after in LIVE or after.value >= state.value
    if state not in LIVE:
        assert after not in LIVE
    if step is SessionInput.OVER:
        assert after is SessionState.TERMINATED


@pytest.mark.parametrize(
    ("hop", "transport", "remote"),
    [
        ("sip:a@192.0.2.7:5070", "udp", ("192.0.2.7", 5070)),
        ("sip:a@192.0.2.7", "udp", ("192.0.2.7", 5060)),
        ("sip:a@192.0.2.7;transport=tcp", "tcp", ("192.0.2.7", 5060)),
        ("sip:a@10.0.0.9:5070", "udp", ("198.51.100.1", 5060)),
        ("sip:a@0.0.0.0:5070", "udp", ("198.51.100.1", 5060)),
        ("sip:a@192.0.2.7;transport=sctp", "udp", ("198.51.100.1", 5060)),
        ("tel:+15550100", "udp", ("198.51.100.1", 5060)),
    ],
)
def test_next_hop_decides_the_way(hop: str, transport: str, remote: tuple[str, int]) -> None:
    # 198.51.100.0/24 and 192.0.2.0/24 are for documentation, hence not global; so is the peer.
    flow = Flow("udp", ("203.0.113.1", 5060), ("198.51.100.1", 5060))
    public = Flow("udp", flow.local, ("8.8.8.8", 5060)) if "10.0" in hop else flow
    way = flow_of(way_towards(Uri.parse(hop), public))
    expected = public.remote if remote == flow.remote else remote
    assert (way.transport, way.remote) == (transport, expected)


def test_a_connection_is_used_again_and_a_lost_one_replaced() -> None:
    flow = Flow("tcp", ("192.0.2.1", 5060), ("192.0.2.2", 49152), id=3)
    contact = Uri.parse("sip:a@192.0.2.2:5080;transport=tcp")
    assert way_towards(contact, flow) is flow
    lost = Flow("tcp", flow.local, ("192.0.2.2", 0))
    assert way_towards(contact, lost).remote == ("192.0.2.2", 5080)


def test_a_next_hop_that_is_only_a_name_is_to_be_looked_up() -> None:
    flow = Flow("udp", ("203.0.113.1", 5060), ("198.51.100.1", 5060))
    uri = Uri.parse("sip:a@pbx.example")
    assert way_towards(uri, flow) == Hop(uri, flow)


@pytest.mark.parametrize(
    ("contact", "transport"),
    [
        ("sip:x@df7jal23ls0d.invalid;transport=ws", "ws"),
        ("sip:x@browser.example;transport=ws", "udp"),
        ("tel:+15550100", "udp"),
    ],
)
def test_a_name_that_leads_nowhere_by_its_nature_is_not_looked_up(
    contact: str, transport: Transport
) -> None:
    flow = Flow(transport, ("203.0.113.1", 5060), ("198.51.100.1", 49152), id=3)
    assert way_towards(Uri.parse(contact), flow) is flow


def test_a_connection_whose_far_end_has_proven_the_name_is_used_whatever_the_name_leads_to() -> (
    None
):
    flow = Flow("tls", ("192.0.2.1", 5061), ("192.0.2.2", 49152), id=3, names=("*.trunk.example",))
    found = [Flow("tls", flow.local, ("192.0.2.77", 5061), domain="sip.trunk.example")]
    uri = Uri.parse("sip:sip.trunk.example;transport=tls;lr")
    assert flows_towards(Hop(uri, flow), found) == [flow]
    gone = Flow("tls", flow.local, ("192.0.2.2", 0), names=flow.names)
    assert flows_towards(Hop(uri, gone), found) == found
    other = Uri.parse("sip:other.example;transport=tls;lr")
    assert flows_towards(Hop(other, flow), found) == found


@pytest.mark.parametrize(
    ("found", "ways"),
    [
        ([], ["8.8.8.8"]),
        (["1.1.1.1", "9.9.9.9"], ["1.1.1.1", "9.9.9.9"]),
        (["1.1.1.1", "8.8.8.8"], ["8.8.8.8", "1.1.1.1"]),
        (["10.0.0.7"], ["8.8.8.8"]),
    ],
)
def test_what_a_name_leads_to_is_taken_unless_we_are_there_or_cannot_get_there(
    found: list[str], ways: list[str]
) -> None:
    flow = Flow("udp", ("203.0.113.1", 5060), ("8.8.8.8", 5060))
    hop = Hop(Uri.parse("sip:a@pbx.example"), flow)
    flows = [Flow("udp", flow.local, (host, 5060)) for host in found]
    assert [way.remote[0] for way in flows_towards(hop, flows)] == ways


def test_a_name_that_leads_to_the_host_of_a_connection_keeps_to_the_connection() -> None:
    flow = Flow("tcp", ("192.0.2.1", 5060), ("192.0.2.2", 49152), id=3)
    hop = Hop(Uri.parse("sip:a@pbx.example;transport=tcp"), flow)
    assert flows_towards(hop, [Flow("tcp", flow.local, ("192.0.2.2", 5060))]) == [flow]


def test_alarms_ring_in_order_and_only_as_last_set() -> None:
    alarms: Alarms[str] = Alarms()
    for owner, at in (("a", 3.0), ("b", 1.0), ("c", 2.0), ("a", 0.5), ("c", None)):
        alarms.set(owner, at)
    assert alarms.deadline == 0.5
    assert list(alarms.due(0.9)) == ["a"]
    assert list(alarms.due(9.0)) == ["b"]
    assert alarms.deadline is None


def test_merges_are_forgotten_with_the_transaction() -> None:
    ongoing = {"first"}
    watch = MergeWatch(ongoing.__contains__)
    assert [watch.is_merged(key, invite()) for key in ("first", "second")] == [False, True]
    ongoing.clear()
    assert not watch.is_merged("third", invite())


def test_of_merges_no_more_is_kept_than_goes_on() -> None:
    watch = MergeWatch(lambda key: key == "call-7")
    for number in range(5000):
        request = invite()
        request.headers.set("Call-ID", f"call-{number}")
        assert not watch.is_merged(request.call_id, request)
    assert len(watch) <= 1024
    request.headers.set("Call-ID", "call-7")
    assert watch.is_merged("again", request)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"tag=a%41b", b"tag=another"),
        (b"Call-ID: one", b"Call-ID: two"),
        (b"CSeq: 7 INVITE", b"CSeq: 8 INVITE"),
        (b"7 INVITE", b"7 OPTIONS"),
    ],
)
def test_only_what_has_the_same_caller_call_and_number_is_merged(old: bytes, new: bytes) -> None:
    watch = MergeWatch(lambda key: True)
    assert not watch.is_merged("first", invite())
    other = INVITE.replace(old, new)
    other = other.replace(b"INVITE sip", b"OPTIONS sip") if b"OPTIONS" in new else other
    assert not watch.is_merged("other", invite(other))
    assert watch.is_merged("again", invite())


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("udp:127.0.0.1:5060", Bind("udp", "127.0.0.1", 5060)),
        ("tcp:[::1]:5080", Bind("tcp", "::1", 5080)),
        ("udp:0.0.0.0", Bind("udp", "0.0.0.0", 5060)),
    ],
)
def test_binds_are_read(text: str, bind: Bind) -> None:
    assert Bind.parse(text) == bind


@pytest.mark.parametrize("text", ["", "udp", "udp:", "sctp:1.2.3.4:1", "udp:h:port", "5060"])
def test_bad_binds_are_refused_in_words(text: str) -> None:
    with pytest.raises(ConfigError, match=r"sip\.bind"):
        Bind.parse(text)


def test_neighbours_are_told_the_address_they_can_reach() -> None:
    far = Flow("udp", ("192.0.2.1", 5060), ("8.8.8.8", 5060))
    near = Flow("udp", ("127.0.0.1", 5060), ("127.0.0.1", 9))
    assert Advertiser()(far) == ("192.0.2.1", 5060)
    assert Advertiser("203.0.113.5")(far) == ("203.0.113.5", 5060)
    assert Advertiser("203.0.113.5")(near) == ("127.0.0.1", 5060)
    anywhere = Flow("udp", ("0.0.0.0", 5060), ("127.0.0.1", 9))
    assert Advertiser()(anywhere) == ("127.0.0.1", 5060)


def test_an_outside_address_is_told_to_peers_of_its_family_alone() -> None:
    old = Flow("udp", ("192.0.2.1", 5060), ("8.8.8.8", 5060))
    new = Flow("udp", ("2001:db8::1", 5060), ("2001:4860::8888", 5060))
    advertise = Advertiser("203.0.113.5")
    assert (advertise(old)[0], advertise(new)[0]) == ("203.0.113.5", "2001:db8::1")
    advertise = Advertiser("2001:db8::5")
    assert (advertise(old)[0], advertise(new)[0]) == ("192.0.2.1", "2001:db8::5")


def test_neighbours_in_local_networks_are_told_our_own_address() -> None:
    local = ["10.0.0.0/8", "fc00::/7"]
    advertise = Advertiser("203.0.113.5", local_networks=local)
    assert advertise(Flow("udp", ("10.0.0.2", 5060), ("10.9.9.9", 5060))) == ("10.0.0.2", 5060)
    assert advertise.host_towards("10.9.9.9", "10.0.0.2") == "10.0.0.2"
    assert advertise.host_towards("192.168.0.1", "10.0.0.2") == "203.0.113.5"
    assert advertise.host_towards("pbx.example", "10.0.0.2") == "203.0.113.5"
    advertise.learn(("10.0.0.2", 5060), ("203.0.113.6", 40123))
    assert advertise(Flow("udp", ("10.0.0.2", 5060), ("10.9.9.9", 5060))) == ("10.0.0.2", 5060)


def test_an_outside_address_in_a_local_network_is_told_there_too() -> None:
    advertise = Advertiser("10.0.0.7", local_networks=["10.0.0.0/8", "172.16.0.0/12"])
    assert advertise.host_towards("10.9.9.9", "172.17.0.2") == "10.0.0.7"


def test_what_was_learnt_of_a_datagram_socket_is_told_with_its_port() -> None:
    advertise = Advertiser()
    local = ("0.0.0.0", 5060)
    advertise.learn(local, ("203.0.113.5", 40123))
    assert advertise(Flow("udp", local, ("8.8.8.8", 5060))) == ("203.0.113.5", 40123)
    assert advertise(Flow("tcp", local, ("8.8.8.8", 5060))) == ("203.0.113.5", 5060)
    assert advertise(Flow("udp", local, ("127.0.0.1", 9))) == ("127.0.0.1", 5060)
    assert advertise.host_towards("8.8.8.8", "0.0.0.0") == "203.0.113.5"
    advertise.learn(local, ("203.0.113.6", 40124))
    assert advertise(Flow("udp", local, ("8.8.8.8", 5060))) == ("203.0.113.6", 40124)


def test_a_dialog_without_a_contact_keeps_to_the_address_called() -> None:
    response = response_to(invite(), 200, to_tag="bobs")
    assert str(Dialog.calling(invite(), response).target) == "sip:bob@biloxi.example"
